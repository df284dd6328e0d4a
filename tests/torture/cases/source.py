"""Sources that send what they should not, or as they should not."""

import msgspec

from schemas.records import Derived, Sample, Samples
from tests.harness.line_logs import final_content
from tests.torture import script
from tests.torture.case import Stage, case
from tests.torture.load import UNKNOWN_ID, Put
from tests.torture.room import Room
from topology.namespace.classes import MessageClass

HEADER = 5
BIG = 2_000_000
"""Bytes of a record that Kafka still takes: the topics' own limit, less what a batch adds."""


@case("poison", fast=True)
def poison(stage: Stage) -> None:
    """Bad magic, unknown id, truncated, 2 MB, null, NaN and infinities: quarantined as they are, and the partition goes on."""
    with Room(stage.services, lines=1, partitions=1, seed=stage.seed, poison=0.0) as room:
        path, record = room.machines.sampled(room.clock())
        key, good, _ = room.machines.put(path, record)
        assert key is not None
        assert good is not None
        huge = Samples("plc", 1, (Sample("Text", room.clock(), "x" * (BIG - 200)),))
        bad: list[tuple[str, bytes | None, bytes | None]] = [
            ("bad_magic", key, b"\x01" + good[1:]),
            ("unknown_schema", key, b"\0" + UNKNOWN_ID.to_bytes(4) + good[HEADER:]),
            ("bad_avro", key, good[:-3]),
            ("trailing_bytes", key, good + b"!"),
            ("truncated", key, good[:3]),
            ("null_value", key, None),
            ("bad_magic", key, b"\x07" * (BIG - 200)),
            ("bad_key", b"Not A Path", good),
            ("bad_key", b"\xff\xfe", good),
            ("bad_key", None, good),
            ("foreign_path", b"acme/elsewhere/area/line/cell", good),
            ("unknown_path", f"{room.area.area}/line-9/nobody".encode(), good),
            *(
                ("not_finite", *room.machines.put(path, Samples("plc", 1, (Sample(tag, room.clock(), value),)))[:2])
                for tag in ("Good", "FillVolume")
                for value in (float("nan"), float("inf"), float("-inf"))
            ),
            ("too_long", *room.machines.put(path, huge)[:2]),
        ]
        said: list[Put] = []
        for _, bad_key, value in bad:
            said += [room.machines.next(room.clock()), (bad_key, value, 0)]
        said.append(room.machines.next(room.clock()))
        room.worker()
        room.say(*said)
        verdict = room.exact()
        refused = room.area.written(MessageClass.QUARANTINE, 0)
        assert [dict(r.headers)["uns.reason"].decode() for r in refused] == [reason for reason, _, _ in bad]
        assert [(r.key, r.value) for r in refused] == [(k, v) for _, k, v in bad]
        for record_, (reason, _, _) in zip(refused, bad, strict=True):
            headers = dict(record_.headers)
            assert headers["uns.reason"].decode() == reason
            assert headers["__connect.errors.topic"].decode() == room.area.raw
            assert headers["torture.number"], "the record's own headers stay"
        assert verdict.derived[MessageClass.STATE] > 0


@case("three-times")
def three_times(stage: Stage) -> None:
    """Every record three times, some of them late: the same derived records, but for the offsets they name."""
    # Under the same ticks all that may differ is `inputs`: offsets count the repetitions.
    with script.room(stage.services, stage.seed) as once, script.room(stage.services, stage.seed) as thrice:
        entries = list(script.with_ticks(script.life(once, 20)))
        script.play(once, entries)
        tripled: list[script.Entry] = []
        again: list[script.Told] = []
        for entry in entries:
            if isinstance(entry, int):
                tripled += [*again, entry, entry, entry]  # a connector that restarts sends its last records again
                again = []
            else:
                entry = _moved(entry, once, thrice)
                tripled += [entry, entry]
                again.append(entry)
        verdict = script.play(thrice, [*tripled, *again])
        assert verdict.records == 3 * len(entries)
        assert _same(once) == _same(thrice)


@case("shuffled-within")
def shuffled_within(stage: Stage) -> None:
    """Records out of order within the lateness: the numbers that a consumer ends up with are those of the sorted log."""
    with script.room(stage.services, stage.seed) as sorted_, script.room(stage.services, stage.seed) as shuffled:
        told = script.life(sorted_, 60)
        script.play(sorted_, script.with_ticks(told))
        chance = shuffled.machines.chance
        # Each is up to 9 s late, and so many ticks later: the windows wait for 10 s.
        late = sorted((script.when(entry) + chance.randrange(9 * script.S), n) for n, entry in enumerate(told))
        _play_late(shuffled, [(at, _moved(told[n], sorted_, shuffled)) for at, n in late])
        assert _numbers(sorted_) == _numbers(shuffled)


@case("shuffled-beyond")
def shuffled_beyond(stage: Stage) -> None:
    """Records hours late: corrected, with the numbers of the sorted log; beyond the horizon: quarantined and counted."""
    with script.room(stage.services, stage.seed) as sorted_, script.room(stage.services, stage.seed) as shuffled:
        told = script.life(sorted_, 60)
        script.play(sorted_, script.with_ticks(told))
        chance = shuffled.machines.chance
        late = sorted(
            (script.when(entry) + (chance.randrange(50 * script.MINUTE) if chance.random() < 0.1 else 0), n)
            for n, entry in enumerate(told)
        )
        lost_in_the_post = [(path, record) for path, record in told[:7]]
        _play_late(
            shuffled,
            [(at, _moved(told[n], sorted_, shuffled)) for at, n in late],
            [_moved(entry, sorted_, shuffled) for entry in lost_in_the_post],
        )
        assert _without_points(_numbers(sorted_)) == _without_points(_numbers(shuffled))
        assert any(record.status == "corrected" for record in script.derived(shuffled))
        verdict = shuffled.judged()
        assert verdict.late == len(lost_in_the_post)
        assert verdict.reasons["late"] == len(lost_in_the_post)


def _play_late(room: Room, late: list[tuple[int, script.Told]], after: list[script.Told] | None = None) -> None:
    """Plays records at the times they arrive; `after` when the horizon of two hours has passed them."""
    entries: list[script.Entry] = []
    tick = script.BEGIN
    for at, entry in late:
        while tick + 5 * script.S <= at:
            tick += 5 * script.S
            entries.append(tick)
        entries.append(entry)
    while tick < script.BEGIN + 3 * script.HOUR:
        tick += 30 * script.S
        entries.append(tick)
    script.play(room, [*entries, *(after or []), tick + 30 * script.S])


def _moved(entry: script.Told, old: Room, new: Room) -> script.Told:
    """The same said by the same machine of another room."""
    return entry[0].replace(old.enterprise, new.enterprise), entry[1]


def _same(room: Room) -> list[object]:
    return [{k: v for k, v in _plain(record, room).items() if k != "inputs"} for record in script.derived(room)]


def _plain(record: Derived, room: Room) -> dict[str, object]:
    text = msgspec.json.encode({**msgspec.to_builtins(record), "type": type(record).__name__})
    plain: dict[str, object] = msgspec.json.decode(text.replace(room.enterprise.encode(), b"ENTERPRISE"))
    return plain


def _numbers(room: Room) -> dict[str, list[object]]:
    """Content by natural id, the room's own name left out."""
    text = msgspec.json.encode(final_content(script.derived(room)))
    numbers: dict[str, list[object]] = msgspec.json.decode(text.replace(room.enterprise.encode(), b"ENTERPRISE"))
    return numbers


def _without_points(numbers: dict[str, list[object]]) -> dict[str, list[object]]:
    """A control chart judges its points in the order in which it takes them: a late point is none of the baseline."""
    return {
        name: content for name, content in numbers.items() if "#quality" not in name and "alert.quality" not in name
    }
