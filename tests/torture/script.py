"""A plant that follows a script: every record and every tick is given, so two runs differ in what a case changes only."""

from collections.abc import Iterable, Iterator

from schemas.records import Derived, Samples, Tick
from tests.torture.load import Put
from tests.torture.oracle import Verdict
from tests.torture.room import PLANT_BEGIN_S, Room, Services
from topology.namespace.classes import DERIVED

S, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
BEGIN = PLANT_BEGIN_S * S
NEVER_S = 86_400.0
Told = tuple[str, Samples]
Entry = Told | int
"""A cell's samples, or the time of a tick."""


def room(services: Services, seed: int = 1) -> Room:
    """One partition, no tick but the script's, and no nonsense."""
    return Room(services, lines=2, partitions=1, seed=seed, time={"tick_s": NEVER_S}, poison=0.0)


def life(place: Room, minutes: int) -> list[Told]:
    """What the machines say in so many minutes, in order of the times of their samples."""
    told = []
    at = BEGIN
    while at < BEGIN + minutes * MINUTE:
        at += place.machines.chance.randrange(8 * S)
        path, record = place.machines.sampled(at)
        told.append((path, record))
    return sorted(told, key=when)


def when(told: Told) -> int:
    return told[1].samples[0].at


def with_ticks(told: Iterable[Told], every: int = 5 * S, until: int = 3 * HOUR) -> Iterator[Entry]:
    """The records, each tick as soon as its time has come, and ticks to `until` after the begin, when all has closed."""
    tick = BEGIN
    for entry in told:
        while tick + every <= when(entry):
            tick += every
            yield tick
        yield entry
    while tick < BEGIN + until:
        tick += 30 * S
        yield tick


def put(place: Room, entry: Entry) -> Put:
    if isinstance(entry, int):
        return str(place.area.area).encode(), place.codec.encode(Tick(at=entry, worker="script")), 0
    return place.machines.put(*entry)


def play(place: Room, entries: Iterable[Entry]) -> Verdict:
    """Writes the script, lets a worker fold it, and judges."""
    place.say(*(put(place, entry) for entry in entries))
    place.worker()
    return place.exact()


def derived(place: Room) -> list[Derived]:
    """Every derived record, class by class, in order."""
    values = []
    for message_class in DERIVED:
        if message_class in place.area.classes:
            for partition in range(place.partitions):
                for record in place.area.written(message_class, partition):
                    value = place.codec.decode(record.value)
                    assert isinstance(value, Derived)
                    values.append(value)
    return values
