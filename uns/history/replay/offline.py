"""One raw partition folded again beside what was published from it, both at the same position of the log.

Raw records are streamed; kept are the records of the asked interval and paths only.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from processors.base import Fold, Input, Rejection
from processors.units import HOUR
from schemas.codec import Codec, Undecodable
from schemas.records import Derived, Oee, Raw, Tick
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.topics import topic
from uns.engine.step import AreaTopics, Refused, Step
from uns.history.replay.diff import Doubt, Versions, fact
from uns.history.replay.retention import INF, KeptLog
from uns.kafka import clients
from uns.kafka.log import LogRecord, read
from uns.kafka.offsets import listed, watermarks
from uns.runtime.settings import Settings

COMPARED = tuple(name for name in DERIVED if name not in (MessageClass.CURRENT, MessageClass.PILOT))
"""`current` is left out: a snapshot of a moment, and its topic keeps the newest only. And `pilot`: people ask for it, no
fold says it."""

TIMEOUT_S, METADATA_S = 30.0, 10.0
POLL_S = 0.1
SAVE_RECORDS = 20_000
"""The fold lets go of what it would have saved at least so often."""

Progress = Callable[[int, int], None]
"""Called with (raw records passed, of how many) now and then."""


class NotFolded(LookupError):
    """The processors have never committed anything of this partition: there is nothing to compare with."""


class Overtaken(RuntimeError):
    """Retention removed raw records between the cut and the fold: another run begins with what is left."""


class Scope(NamedTuple):
    """Which records are asked for: their machines, classes and begins (µs, end excluded)."""

    paths: frozenset[str]
    classes: frozenset[MessageClass]
    start: int
    end: int

    def holds(self, record: Derived) -> bool:
        return (
            self.start <= record.started_at < self.end
            and record.message_class in self.classes
            and record.path in self.paths
        )


class Cut(NamedTuple):
    """Where log and derived topics are read to: what is published up to `ends` follows from the raw records below a
    position between `earliest` and `latest` (equal, unless the processors committed while we looked)."""

    first: int
    """The first raw record that retention has kept."""
    earliest: int
    latest: int
    ends: dict[MessageClass, int]
    trimmed: frozenset[MessageClass]
    """Classes whose topic retention has removed records from."""


@dataclass
class Compared:
    """One partition, ready for `uns.history.replay.diff.compare`."""

    replayed: dict[str, Versions]
    published: dict[str, dict[str, Derived]]
    doubt: Doubt
    kept: KeptLog
    floor: int
    """Event time before which the running processors change nothing any more."""
    records: int
    """Raw records folded."""
    refused: dict[str, int] = field(default_factory=dict)
    """Reason → raw records, or parts of them, that the replay could not fold."""
    trimmed: frozenset[MessageClass] = frozenset()


def cut(settings: Settings, group: str, raw: AreaTopics, partition: int, timeout_s: float = TIMEOUT_S) -> Cut:
    """Raises `NotFolded`, `TimeoutError`, and `KafkaException` where a topic is missing or no broker answers."""
    # The group only to read its offsets: this consumer never joins. The first to ask Kafka: that it is away is said
    # once, by us.
    consumer = clients.consumer(settings, group, {"log_level": 2})
    try:
        where = TopicPartition(raw.topic, partition)
        known = consumer.list_topics(raw.topic, timeout=METADATA_S).topics[raw.topic]
        if known.error is not None:
            raise KafkaException(known.error)
        if partition not in known.partitions:
            raise NotFolded(f"{raw.topic} has no partition {partition} yet; `uns apply` makes it")
        deadline = time.monotonic() + timeout_s
        first = watermarks(consumer, where, timeout_s)[0]
        earliest = _committed(consumer, where, deadline)
        ends, lows = _ends(settings, raw, partition, deadline)
        latest = max(earliest, _committed(consumer, where, deadline))
        return Cut(first, earliest, latest, ends, frozenset(name for name in ends if lows[name] > 0))
    finally:
        consumer.close()


def _first(settings: Settings, raw: AreaTopics, partition: int) -> int:
    """The first raw record that retention has kept."""
    consumer = clients.consumer(settings, "uns-replay")
    try:
        return watermarks(consumer, TopicPartition(raw.topic, partition), TIMEOUT_S)[0]
    finally:
        consumer.close()


def _committed(consumer: Consumer, where: TopicPartition, deadline: float) -> int:
    """The group's position, once no transaction that moves it is open."""
    while True:
        try:
            offset = int(consumer.committed([where], 2.0)[0].offset)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
            continue
        if offset < 0:
            raise NotFolded(f"{where.topic}[{where.partition}]: the processors have committed nothing of it yet")
        return offset


def _ends(
    settings: Settings, raw: AreaTopics, partition: int, deadline: float
) -> tuple[dict[MessageClass, int], dict[MessageClass, int]]:
    """(ends, first offsets kept) of the derived topics; each end once no transaction is open below it."""
    admin = clients.admin(settings)
    there = admin.list_topics(timeout=METADATA_S).topics
    parts: dict[MessageClass, tuple[str, int]] = {
        name: (topic(raw.area, name, raw.prefix), partition)
        for name in COMPARED
        if topic(raw.area, name, raw.prefix) in there
    }

    def offsets(spec: OffsetSpec, level: IsolationLevel) -> dict[MessageClass, int]:
        found = listed(admin, parts.values(), spec, level, TIMEOUT_S)
        return {name: found[place] for name, place in parts.items()}

    if not parts:
        return {}, {}
    ends = offsets(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
    while True:
        stable = offsets(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        if all(stable[name] >= end for name, end in ends.items()):
            return ends, offsets(OffsetSpec.earliest(), IsolationLevel.READ_COMMITTED)
        if time.monotonic() > deadline:
            late = next(name for name, end in ends.items() if stable[name] < end)
            raise TimeoutError(f"{parts[late][0]}[{partition}]: a transaction stays open")
        time.sleep(POLL_S)


def compared(
    settings: Settings,
    codec: Codec,
    fold: Fold,
    raw: AreaTopics,
    partition: int,
    at: Cut,
    scope: Scope,
    horizon_us: int,
    progress: Progress = lambda done, total: None,
) -> Compared:
    """Folds the partition from the first record kept to the cut. `horizon_us`: the running processors'.

    Raises `Overtaken`, what a registry client raises when it cannot be asked, and `TimeoutError` when Kafka stops
    answering.
    """
    published, since, windows = _published(settings, codec, raw, partition, at, scope)
    kept = KeptLog(at.first, horizon_us)
    replay = _Replay(fold, at, scope, kept, bool(since))
    step = Step(fold, codec, raw, partition)
    count = 0
    expected, hole = at.first, None
    with closing(read(settings, raw.topic, partition, end=at.latest)) as log:
        for count, source in enumerate(log, start=1):
            if source.offset > expected and hole is None:
                hole = expected  # a transaction's mark, or something is gone
            expected = source.offset + 1
            _, path, record = step.decode(source)
            replay.take(source, path, record)
            if count % SAVE_RECORDS == 0:
                fold.changes()
                progress(source.offset - at.first, at.latest - at.first)
    if hole is not None and _first(settings, raw, partition) > hole:
        raise Overtaken(f"{raw.topic}[{partition}]: retention removed records while they were read; run it again")
    kept.look(windows)

    def doubt(ours: Derived | None, theirs: Derived | None) -> str | None:
        if ours is None and theirs is not None:
            emitted_ms = replay.emitted_ms.get(fact(theirs), INF)
            if emitted_ms < since.get(_class(theirs), 0):
                return "was published before the first record that retention has kept of its topic, if it was"
        return kept.doubt(ours, theirs)

    floor = max(replay.watermark - horizon_us, 0) // HOUR * HOUR
    return Compared(replay.versions, published, doubt, kept, floor, count, replay.refused, at.trimmed)


class _Replay:
    """What the fold says of the raw log, as far as it is asked for."""

    def __init__(self, fold: Fold, at: Cut, scope: Scope, kept: KeptLog, timed: bool) -> None:
        """`timed`: remember when each record was last emitted."""
        self._fold, self._at, self._scope, self._kept, self._timed = fold, at, scope, kept, timed
        self.versions: dict[str, Versions] = {}
        """Fact → the record as of `Cut.earliest` (None: not said by then), and each revision up to `Cut.latest`."""
        self.emitted_ms: dict[str, int] = {}
        """Fact → Kafka's time of the raw record that it was last emitted at."""
        self.refused: dict[str, int] = {}
        self.watermark = 0
        """As of `Cut.earliest`."""

    def take(self, source: LogRecord, path: str, record: Raw | Refused) -> None:
        if isinstance(record, Refused):
            self._refuse(record.reason)
            return
        if not self._kept.complete:
            self._kept.saw(path, record)
        given = Input(path, source.topic, source.partition, source.offset, record, source.timestamp * 1000)
        settled = source.offset < self._at.earliest
        for result in self._fold.step(given):
            if isinstance(result, Rejection):
                self._refuse(result.reason)
            elif self._scope.holds(result):
                name = fact(result)
                self.versions[name] = (result,) if settled else (*self.versions.get(name, (None,)), result)
                if self._timed:
                    self.emitted_ms[name] = source.timestamp
        if settled and isinstance(record, Tick):
            self.watermark = self._fold.watermark

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1


def _published(
    settings: Settings, codec: Codec, raw: AreaTopics, partition: int, at: Cut, scope: Scope
) -> tuple[dict[str, dict[str, Derived]], dict[MessageClass, int], list[Oee]]:
    """(fact → definition → newest revision, class → ingest time of the first record kept (ms), shifts and orders)."""
    newest: dict[str, dict[str, Derived]] = {}
    since: dict[MessageClass, int] = {}
    windows: dict[str, Oee] = {}
    for name, end in at.ends.items():
        wants_windows = at.first > 0 and name is MessageClass.OEE
        if name not in scope.classes and not wants_windows:
            continue
        if name in at.trimmed:
            since[name] = INF
        with closing(read(settings, topic(raw.area, name, raw.prefix), partition, end=end)) as log:
            for source in log:
                if name in at.trimmed:
                    since[name] = min(since[name], source.timestamp)
                if (source.key or b"").decode(errors="replace") not in scope.paths:
                    continue
                try:
                    record = codec.decode(source.value)
                except Undecodable:
                    continue  # none of ours: whoever wrote it there, the fold did not
                if wants_windows and isinstance(record, Oee) and record.window_name is not None:
                    windows[record.natural_id] = record
                if isinstance(record, Derived) and scope.holds(record):
                    revisions = newest.setdefault(fact(record), {})
                    before = revisions.pop(record.definition, record)
                    revisions[record.definition] = record if record.revision >= before.revision else before
    return newest, since, list(windows.values())


def _class(record: Derived) -> MessageClass:
    return MessageClass(record.message_class)
