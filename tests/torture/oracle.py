"""The judge: the same fold in one thread over the recorded log, and what became of each raw record."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from processors.base import Input
from processors.line import LineFold
from schemas.codec import Codec, Undecodable
from schemas.records import Derived, Samples, Shift, Tick
from tests.harness.area import Area
from tests.harness.restarts import state, unlike
from tests.torture.load import NUMBER
from topology.model.plant import Plant
from topology.namespace.classes import DERIVED, MessageClass
from uns.engine.expected import expected_messages
from uns.engine.step import AreaTopics, Fence, Step
from uns.kafka.log import LogRecord
from uns.kafka.message import Headers, Message

Content = tuple[bytes | None, bytes | None, Headers]
OFFSET, STAGE, REASON = "__connect.errors.offset", "__connect.errors.stage", "uns.reason"
_COUNT = re.compile(r": (\d+) sample\(s\) ")
HOUR = 3_600_000_000


@dataclass
class Verdict:
    """What was found. `ok` is the promise."""

    records: int = 0
    effect: int = 0
    quarantined: int = 0
    late: int = 0
    lost: int = 0
    """Records that the oracle says and nobody wrote, and raw records without an end or gone from the log."""
    duplicate: int = 0
    """Records written more often than the oracle says them, and raw records twice on the log."""
    byte_equal: bool = True
    """Every topic and partition: the same records in the same order, and the same state at the end."""
    derived: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.byte_equal and not self.lost and not self.duplicate and not self.differences

    def differs(self, what: str) -> None:
        self.byte_equal = False
        self.differences.append(what)

    def assert_ok(self) -> None:
        assert self.ok, f"lost {self.lost}, duplicate {self.duplicate}: " + "; ".join(self.differences[:3])


Logs = Mapping[int, Sequence[LogRecord]]
"""Partition → its raw records."""
Written = Mapping[tuple[str, int], list[LogRecord]]
"""Topic and partition → its committed records."""


def fences(area: Area, partition: int) -> list[Fence]:
    """Every fence that was committed and is still on the log, in order."""
    return _fences(AreaTopics(area.raw), area.written(MessageClass.CHANGELOG, partition))


def _fences(topics: AreaTopics, changelog: Iterable[LogRecord]) -> list[Fence]:
    return [msgspec.msgpack.decode(r.value or b"", type=Fence) for r in changelog if r.key == topics.fence_key]


def judge(area: Area, plant: Plant, codec: Codec, said: int | None = None, logs: Logs | None = None) -> Verdict:
    """Compares all that was committed with the oracle's. No worker may be running.

    `said`: how many numbered records the load has been acknowledged. `logs`: the raw log where the topic no longer has
    it all.
    """
    verdict = Verdict()
    written = area.snapshot()
    for partition in range(area.partitions):
        if logs is not None:
            written[area.raw, partition] = list(logs[partition])
        _Partition(area, plant, codec, partition, verdict, written).judge()
    if said is not None:
        numbers = Counter(
            number
            for partition in range(area.partitions)
            for record in written[area.raw, partition]
            if (number := _number(record)) is not None
        )
        if (missing := said - len(numbers)) > 0:
            verdict.lost += missing
            verdict.differences.append(f"{missing} acknowledged raw records are not on the log")
        if twice := numbers.total() - len(numbers):
            verdict.duplicate += twice
            verdict.differences.append(f"{twice} raw records are on the log more than once")
    return verdict


class _Partition:
    def __init__(self, area: Area, plant: Plant, codec: Codec, number: int, verdict: Verdict, written: Written) -> None:
        self._area, self._plant, self._codec, self._number, self._verdict = area, plant, codec, number, verdict
        self._written = written
        self._topics = AreaTopics(area.raw)
        self._step = self._fresh()

    def _fresh(self) -> Step:
        return Step(LineFold(self._plant, self._area.raw, self._number), self._codec, self._topics, self._number)

    def judge(self) -> None:
        where, verdict = f"{self._area.raw}[{self._number}]", self._verdict
        raw = self._written[self._area.raw, self._number]
        changelog = self._written[self._topics.changelog, self._number]
        marks = _fences(self._topics, changelog)
        end = marks[-1].next_offset if marks else 0
        if [f.next_offset for f in marks] != sorted(f.next_offset for f in marks):
            verdict.differs(f"{where}: a fence went back: {[f.next_offset for f in marks]}")
        log = [record for record in raw if record.offset < end]
        self._rest(raw[len(log) :], end)
        verdict.records += len(log)
        expected = list(expected_messages(self._step, log))
        quarantine: list[LogRecord] = []
        for message_class in (*DERIVED, MessageClass.QUARANTINE):
            name = self._area.topic(message_class)
            ours = [message for message in expected if message.topic == name]
            if message_class not in self._area.classes:
                assert not ours
                continue
            theirs = self._written[name, self._number]
            self._compare(name, theirs, ours)
            if message_class is MessageClass.QUARANTINE:
                quarantine = theirs
            elif theirs:
                verdict.derived[message_class] += len(theirs)
        self._fates(log, quarantine)
        self._state(changelog, log)

    def _rest(self, rest: Sequence[LogRecord], end: int) -> None:
        """Beyond the last fence may only be what a worker wrote itself in its last moment."""
        left = [r for r in rest if _number(r) is not None or not isinstance(self._decode(r), Tick | Shift)]
        if left:
            self._verdict.lost += len(left)
            self._verdict.differs(
                f"{self._area.raw}[{self._number}]: the fence is {end}, offset {left[0].offset} and {len(left) - 1} more "
                "were never folded"
            )

    def _compare(self, name: str, theirs: Sequence[LogRecord], ours: Sequence[Message]) -> None:
        verdict = self._verdict
        written = Counter((r.key, r.value, r.headers) for r in theirs)
        right: Counter[Content] = Counter((m.key, m.value, m.headers) for m in ours)
        verdict.lost += (right - written).total()
        verdict.duplicate += (written - right).total()
        for record, message in zip(theirs, ours, strict=False):
            if (record.key, record.value, record.headers) != (message.key, message.value, message.headers):
                verdict.differs(
                    f"{name}[{self._number}] offset {record.offset}: {_id(record.headers)}, "
                    f"the oracle says {_id(message.headers)}"
                )
                return
        if len(theirs) > len(ours):
            extra = theirs[len(ours)]
            verdict.differs(
                f"{name}[{self._number}] offset {extra.offset}: {_id(extra.headers)}, the oracle says no more"
            )
        elif len(ours) > len(theirs):
            verdict.differs(f"{name}[{self._number}] ends, the oracle goes on with {_id(ours[len(theirs)].headers)}")

    def _fates(self, log: Iterable[LogRecord], quarantine: Iterable[LogRecord]) -> None:
        """Each raw record: an effect, or quarantined whole, or late. Told from the log and the quarantine alone."""
        refused: dict[int, list[dict[str, bytes]]] = {}
        for record in quarantine:
            # The record's own headers come first; the last of a name is the engine's.
            headers = dict(record.headers)
            refused.setdefault(int(headers[OFFSET]), []).append(headers)
            self._verdict.reasons[headers[REASON].decode()] += 1
        for record in log:
            fate = self._fate(record, refused.pop(record.offset, []))
            setattr(self._verdict, fate, getattr(self._verdict, fate) + 1)
        if refused:
            self._verdict.differs(
                f"{self._area.raw}[{self._number}]: quarantine of unknown offsets {sorted(refused)[:5]}"
            )

    def _fate(self, source: LogRecord, refused: Sequence[dict[str, bytes]]) -> str:
        if not refused:
            return "effect"
        record = self._decode(source)
        if isinstance(record, Samples) and all(h[STAGE] == b"TRANSFORMATION" for h in refused):
            parts = sum(_samples(headers, len(record.samples)) for headers in refused)
            if parts < len(record.samples):
                return "effect"
        elif len(refused) > 1:
            self._verdict.duplicate += len(refused) - 1
            self._verdict.differs(f"{source.topic}[{source.partition}] offset {source.offset}: quarantined twice")
        return "late" if all(headers[REASON] == b"late" for headers in refused) else "quarantined"

    def _state(self, changelog: Iterable[LogRecord], log: Sequence[LogRecord]) -> None:
        """A fold restored from the changelog knows what the oracle's knows, and says the same from here on."""
        kept: dict[bytes, bytes] = {}
        for record in changelog:
            if record.key is not None and record.value is not None:
                kept[record.key] = record.value
            elif record.key is not None:
                kept.pop(record.key, None)
        restored, loaded = self._fresh(), self._fresh()
        restored.restore(kept)
        loaded.restore(kept)
        if restored.fold.watermark != self._step.fold.watermark:
            self._verdict.differs(f"{self._topics.changelog}[{self._number}]: another watermark than the oracle's")
        own = {key: value for key, value in self._step.fold.changes().items() if value is not None}
        if said := unlike(
            "", state(_fold(self._step), own), state(_fold(loaded), dict(self._topics.parts().join(kept)))
        ):
            self._verdict.differs(f"{self._topics.changelog}[{self._number}]: (oracle, restored) state{said}")
        suffix = list(self._suffix(log))
        ours, theirs = list(_say(self._step, suffix)), list(_say(restored, suffix))
        if ours != theirs:
            index = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
            self._verdict.differs(
                f"{self._topics.changelog}[{self._number}]: what follows from the restored state differs, "
                f"(restored, oracle): {_difference(theirs[index], ours[index])}"
            )

    def _suffix(self, log: Sequence[LogRecord]) -> Iterator[Input]:
        """What would come next: time goes on until all windows have closed and the horizon has passed what is kept."""
        offset = log[-1].offset + 1 if log else 0
        logged = log[-1].timestamp * 1000 if log else 0  # without a tick yet there is no watermark
        now = max(self._step.fold.watermark, logged) + HOUR
        for hours in (0, 1, 3):
            tick = Tick(at=now + hours * HOUR, worker="oracle")
            yield Input(str(self._area.area), self._area.raw, self._number, offset + hours, tick)

    def _decode(self, record: LogRecord) -> object:
        try:
            return self._codec.decode(record.value)
        except Undecodable:
            return None


def _fold(step: Step) -> LineFold:
    assert isinstance(step.fold, LineFold)
    return step.fold


def _number(record: LogRecord) -> bytes | None:
    """The load's own number; None for what a worker wrote."""
    return next((value for name, value in record.headers if name == NUMBER), None)


def _say(step: Step, inputs: Iterable[Input]) -> Iterator[object]:
    for item in inputs:
        yield from step.fold.step(item)


def _difference(restored: object, oracles: object) -> object:
    """The fields in which two records of one id differ; else both."""
    if not isinstance(restored, Derived) or not isinstance(oracles, Derived) or restored.id != oracles.id:
        return restored, oracles
    ours, theirs = msgspec.structs.asdict(restored), msgspec.structs.asdict(oracles)
    return restored.id, {name: (value, theirs[name]) for name, value in ours.items() if value != theirs[name]}


def _samples(headers: dict[str, bytes], whole: int) -> int:
    """How many samples a rejection is about."""
    if "uns.tag" in headers:
        return 1
    match = _COUNT.search(headers["__connect.errors.exception.message"].decode())
    return int(match[1]) if match else whole


def _id(headers: Headers) -> str:
    told = dict(headers)
    if b := told.get("ce_id"):
        return b.decode()
    return f"quarantine of offset {told.get(OFFSET, b'?').decode()} ({told.get(REASON, b'?').decode()})"
