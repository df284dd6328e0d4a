"""The loop of the roll-ups: restore from the log, then records in, wholes out, one transaction at a time. Blocking."""

import time
from collections import Counter
from collections.abc import Callable

import structlog
from confluent_kafka import Message as Consumed
from faust.types import TP

from processors.output.identity import of_natural
from processors.rollup.fold import Rollup, Taken
from schemas.codec import Codec, Undecodable
from schemas.records import Kpi
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level, Path
from topology.namespace.topics import partition, topic
from uns.engine.config import EngineConfig
from uns.engine.transaction import Transactions
from uns.engine.transport import Membership
from uns.kafka.message import UNWRITABLE as OUTPUT_UNWRITABLE
from uns.kafka.message import Message, cloud_event, event_id, identified, message, plain_json, refused_output
from uns.runners.rollup.source import RollupSource
from uns.runtime.settings import Settings

log = structlog.get_logger()

LINGER_S = 1.0
"""Machines of a plant speak of a window at about the same time: what comes within so long is one change of the whole."""
TIME_MAX_US = 32_503_680_000_000_000
"""The year 3000: a time beyond it is none, and no calendar reckons with it."""
IDLE_COMMIT_S = 2.0
"""Positions alone, when nothing follows from what was read, are committed so often."""


UNREADABLE, NO_KPI, BEFORE_RETENTION = "unreadable", "no_kpi", "before_retention"
BAD_TIME, UNFOLDABLE, UNWRITABLE = "bad_time", "unfoldable", "unwritable"
OUTCOMES = (*Taken, UNREADABLE, NO_KPI, BEFORE_RETENTION, BAD_TIME, UNFOLDABLE, UNWRITABLE)
"""What may become of a record. `unwritable` is one of ours that no schema holds."""


class RollupSums:
    """Since the process began; the metrics read them."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        """What became of a record → how many."""
        self.outputs: Counter[str] = Counter()
        """Level → records committed."""
        self.transactions = 0
        self.derive_s = self.commit_s = 0.0
        self.restored_records = 0
        self.restored_s: float | None = None


def group(plant: Plant) -> str:
    """Consumer group and transactional.id of an enterprise's roll-ups."""
    return f"uns-rollups-{plant.enterprise}"


class RollupRunner:
    """One instance an enterprise: a second one shuts out the first. Whatever it raises, the process must end."""

    def __init__(
        self, settings: Settings, config: EngineConfig, plant: Plant, codec: Codec, horizon_us: int | None = None
    ) -> None:
        """`horizon_us`: other than the plant's. Then all that the topics keep is read again at the start."""
        self.sums, self.turned = RollupSums(), time.monotonic()
        self._plant, self._codec, self._all = plant, codec, horizon_us is not None
        self.fold = Rollup(plant, horizon_us)
        name = group(plant)
        self._partitions = plant.areas()
        topics = [topic(place, MessageClass.KPI) for place in plant.places()]
        self._source = RollupSource(settings, name, topics, config.restore_timeout_s)
        self._transactions = Transactions(settings, config, name)
        self._membership = Membership(name, -1, "", frozenset())
        self._kept: dict[TP, dict[str, int]] = {tp: {} for tp in self._source.places}
        """Partition → natural id → offset of the newest revision, of what the state rests on, in the order of offsets."""
        self._since = 0
        """Windows that began before it are not rolled up (µs)."""
        self._committed: dict[TP, int] = {}
        self._committed_at = time.monotonic()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until told to stop. Raises `Fatal`, and what a registry client raises when it cannot be asked."""
        try:
            self._restore()
            self._turn([])
            while not stopping():
                self._turn(self._source.poll(LINGER_S))
        finally:
            self._source.close()

    def _restore(self) -> None:
        """State is what is in the log: machines' records up to the group's position, and all of ours.

        Our predecessor is shut out first, and all that it committed is read, whatever else is still open below it.
        """
        begun = time.monotonic()
        self._transactions.open()
        ends, lows = self._source.ends(), self._source.lows()
        positions = self._source.committed()
        begins = {tp: max(lows[tp], at.next_offset or 0) for tp, at in positions.items()}
        starts = {
            tp: lows[tp] if self._all or at.needed is None else max(lows[tp], min(at.needed, begins[tp]))
            for tp, at in positions.items()
        }
        newest: dict[str, Consumed] = {}
        first: dict[TP, int] = {}
        for consumed in self._source.read(starts, ends):
            tp = TP(consumed.topic(), consumed.partition())
            first.setdefault(tp, consumed.timestamp()[1] * 1000)
            self.sums.restored_records += 1
            self.turned = time.monotonic()
            if consumed.offset() < begins[tp] or not _of_a_machine(consumed):
                # Only the newest revision is decoded; a record without our header is its own.
                name = _natural(consumed) or f"{tp}@{consumed.offset()}"
                newest.pop(name, None)
                newest[name] = consumed
        # Where history begins in the middle, because retention has removed what was before, wholes would lack parts.
        anew = [tp for tp in first if positions[tp].next_offset is None and lows[tp] > 0]
        self._since = max((first[tp] for tp in anew), default=0)
        for consumed in newest.values():
            self._take(consumed)
        self.fold.restored()
        self._forget()
        self._source.begin(begins)
        self._committed = dict(begins)
        self.sums.restored_s = time.monotonic() - begun
        log.info(
            "restored",
            seconds=round(self.sums.restored_s, 3),
            records=self.sums.restored_records,
            windows=self.fold.windows,
            behind=sum(max(0, ends[tp] - begins[tp]) for tp in ends),
        )

    def _turn(self, records: list[Consumed]) -> None:
        self.turned = time.monotonic()
        for consumed in records:
            self._take(consumed)
        begun = time.monotonic()
        outputs = self.fold.derive()
        self._forget()
        self.sums.derive_s += time.monotonic() - begun
        positions = self._source.positions()
        moved = positions != self._committed
        if outputs or (moved and time.monotonic() - self._committed_at > IDLE_COMMIT_S):
            self._commit(outputs, positions)

    def _take(self, consumed: Consumed) -> None:
        try:
            record = self._codec.decode(consumed.value())
        except Undecodable as error:
            self._pass_over(consumed, UNREADABLE, str(error))
            return
        if not isinstance(record, Kpi):
            self.sums.records[NO_KPI] += 1
            return
        if record.started_at < self._since and _of_a_machine(consumed):
            self.sums.records[BEFORE_RETENTION] += 1
            return
        if not all(0 <= at <= TIME_MAX_US for at in (record.started_at, record.ended_at or 0)):
            self._pass_over(consumed, BAD_TIME, f"begins at {record.started_at} µs")
            return
        try:
            taken = self.fold.take(record)
        except Exception as error:  # a record that breaks the fold is one record, whatever it is
            self._pass_over(consumed, UNFOLDABLE, repr(error))
            return
        self.sums.records[taken] += 1
        if taken in (Taken.PART, Taken.OWN) or (taken is Taken.KNOWN and record.path.count("/") + 1 < Level.CELL):
            kept = self._kept[TP(consumed.topic(), consumed.partition())]
            kept.pop(record.natural_id, None)
            kept[record.natural_id] = consumed.offset()

    def _pass_over(self, consumed: Consumed, outcome: str, why: str) -> None:
        self.sums.records[outcome] += 1
        log.warning(
            "record passed over",
            outcome=outcome,
            topic=consumed.topic(),
            partition=consumed.partition(),
            offset=consumed.offset(),
            why=why,
        )

    def _forget(self) -> None:
        for name in self.fold.forgotten():
            home, number = self._home(Path.parse(of_natural(name)))
            self._kept[TP(home, number)].pop(name, None)

    def _commit(self, outputs: list[Kpi], positions: dict[TP, int]) -> None:
        begun = time.monotonic()
        messages, written = [], []
        for record in outputs:
            try:
                messages.append((self._home(Path.parse(record.path))[1], message(record, self._codec)))
                written.append(record)
            except ValueError as error:  # sums of what is beyond measure: this window is not said, the others are
                self.sums.records[UNWRITABLE] += 1
                log.error("record not written, it is in quarantine", id=record.id, why=str(error))
                messages.append(self._refused(record, str(error)))
        needed = {tp: str(min(next(iter(self._kept[tp].values()), at), at)) for tp, at in positions.items()}
        self._transactions.commit(messages, positions, self._membership, needed)
        self._committed, self._committed_at = positions, time.monotonic()
        for record in written:
            self.sums.outputs[Level(record.path.count("/") + 1).name.lower()] += 1
        self.sums.transactions += 1
        self.sums.commit_s += time.monotonic() - begun

    def _refused(self, record: Kpi, words: str) -> tuple[int, Message]:
        """What goes to quarantine in place of a record that no schema holds, and its partition there."""
        home, number = self._home(Path.parse(record.path))
        event = identified(record.id, cloud_event(record.path, Kpi))
        unwritten = Message(home, record.path.encode(), plain_json(record), event)
        return number, refused_output(unwritten, group(self._plant), number, OUTPUT_UNWRITABLE, words)

    def _home(self, path: Path) -> tuple[str, int]:
        """Topic and partition of a path's Kpi records."""
        area = path.at(min(path.level, Level.AREA))
        return topic(path, MessageClass.KPI), partition(path, self._partitions.get(area, 1))


def _of_a_machine(consumed: Consumed) -> bool:
    return bytes(consumed.key() or b"").count(b"/") + 1 == Level.CELL


def _natural(consumed: Consumed) -> str | None:
    """The natural id that a record's headers tell."""
    return (event_id(consumed.headers()) or "").rpartition(":")[0] or None
