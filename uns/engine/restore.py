"""A partition's state from its changelog, and its place in the log from its fence. Blocking: runs in its own thread."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec
import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from faust.types import TP

from processors.base import Fold
from schemas.codec import Codec
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal
from uns.engine.step import Fence, Place, Step
from uns.engine.transport import truncated
from uns.settings import Settings

log = structlog.get_logger()
POLL_S, READ_S = 0.1, 0.02


class Cancelled(Exception):
    """The partitions were taken away while they were restored."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition ready to go on."""

    step: Step
    next_offset: int
    fence: Fence | None
    keys: int
    gap: int
    """Records that retention removed before they were folded, at most: offsets between the fence and the log's start."""
    ahead: int
    """By how much the group's offset is above the fence. Not zero: someone reset the group; the fence decides."""


class Restorer:
    """Restores any number of partitions in one pass."""

    def __init__(
        self,
        settings: Settings,
        config: EngineConfig,
        group: str,
        fold: Callable[[str, int], Fold],
        codec: Codec,
        places: Mapping[str, Place],
    ) -> None:
        self._settings, self._config, self._group = settings, config, group
        self._fold, self._codec, self._places = fold, codec, places

    def restore(self, partitions: Collection[TP], cancelled: Callable[[], bool]) -> dict[TP, Restored]:
        """Waits until no transaction is open on the changelogs, then reads them. Raises `Cancelled` or `Fatal`."""
        deadline = time.monotonic() + self._config.restore_timeout_s
        consumer = Consumer(
            self._settings.kafka(
                **{
                    "group.id": self._group,  # only to read its offsets: this consumer never joins
                    "isolation.level": "read_committed",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 50,
                    "queued.max.messages.kbytes": 32 * 1024,
                }
            )
        )
        admin = AdminClient(self._settings.kafka())
        try:
            check = _Check(partitions, cancelled, deadline)
            group = self._stable_offsets(consumer, partitions, check)
            ends = self._stable_ends(admin, partitions, check)
            kept = self._read(consumer, ends, check)
            return {tp: self._build(consumer, tp, kept[tp], group[tp], check) for tp in partitions}
        finally:
            consumer.close()

    def _stable_offsets(self, consumer: Consumer, partitions: Collection[TP], check: "_Check") -> dict[TP, int]:
        """The group's offsets, once no transaction with offsets of these partitions is open."""
        wanted = [TopicPartition(*tp) for tp in partitions]
        while True:
            try:
                found = consumer.committed(wanted, 2.0)
                return {TP(p.topic, p.partition): p.offset for p in found}
            except KafkaException as error:
                check(f"the group's offsets: {error.args[0].str()}")

    def _stable_ends(self, admin: AdminClient, partitions: Collection[TP], check: "_Check") -> dict[TP, int]:
        """End offsets of the changelogs, once their last stable offset has reached them."""
        ends: dict[TP, int] = {}
        while waiting := [tp for tp in partitions if tp not in ends]:
            logs = [TopicPartition(self._places[tp.topic].changelog, tp.partition) for tp in waiting]
            try:
                high, stable = (
                    {p: f.result().offset for p, f in admin.list_offsets(query, isolation_level=level).items()}
                    for query, level in (
                        ({p: OffsetSpec.latest() for p in logs}, IsolationLevel.READ_UNCOMMITTED),
                        ({p: OffsetSpec.latest() for p in logs}, IsolationLevel.READ_COMMITTED),
                    )
                )
            except KafkaException as error:
                check(f"the changelog's end: {error.args[0].str()}")
                continue
            ends |= {tp: stable[p] for tp, p in zip(waiting, logs, strict=True) if stable[p] >= high[p]}
            if len(ends) < len(partitions):
                check("an open transaction of the worker before")
        return ends

    def _read(self, consumer: Consumer, ends: Mapping[TP, int], check: "_Check") -> dict[TP, dict[bytes, bytes]]:
        kept: dict[TP, dict[bytes, bytes]] = {tp: {} for tp in ends}
        source = {TP(self._places[tp.topic].changelog, tp.partition): tp for tp in ends}
        open_ = {where for where, tp in source.items() if ends[tp] > 0}
        if not open_:
            return kept
        for where in open_:
            self._watermarks(consumer, where, check)  # librdkafka takes a second to learn of a topic by itself
        consumer.assign([TopicPartition(where.topic, where.partition, 0) for where in open_])
        while open_:
            for message in consumer.consume(10_000, READ_S):
                where = TP(message.topic(), message.partition())
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF and message.offset() >= ends[source[where]]:
                        open_.discard(where)
                    elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                        raise Fatal(Exit.RESTORE, f"{where.topic}[{where.partition}]: {error.str()}")
                elif message.value() is None:
                    kept[source[where]].pop(message.key(), None)
                else:
                    kept[source[where]][message.key()] = message.value()
            check("the changelog", pause=False)
        consumer.unassign()
        return kept

    def _build(self, consumer: Consumer, tp: TP, kept: dict[bytes, bytes], group: int, check: "_Check") -> Restored:
        place = self._places[tp.topic]
        step = Step(self._fold(tp.topic, tp.partition), self._codec, place, tp.partition)
        mark = kept.pop(place.fence_key, None)
        fence = msgspec.msgpack.decode(mark, type=Fence) if mark is not None else None
        keys = 0
        for key, value in kept.items():
            if (name := place.state_name(key)) is not None:
                step.restore(name, value)
                keys += 1
        step.state.changed_bytes = 0
        low, high = self._watermarks(consumer, tp, check)
        if fence is None:
            return Restored(step, low, None, keys, 0, 0)
        if fence.next_offset > high:
            raise Fatal(Exit.TRUNCATED, truncated(tp, fence.next_offset, high))
        start = max(fence.next_offset, low)
        return Restored(step, start, fence, keys, start - fence.next_offset, max(0, group - fence.next_offset))

    def _watermarks(self, consumer: Consumer, tp: TP, check: "_Check") -> tuple[int, int]:
        while True:
            try:
                low, high = consumer.get_watermark_offsets(TopicPartition(*tp), 2.0)
                return int(low), int(high)
            except KafkaException as error:
                check(f"offsets of {tp.topic}[{tp.partition}]: {error.args[0].str()}")


class _Check:
    """Between two tries: ends the restore when it was cancelled or took too long, and says once what it waits for."""

    def __init__(self, partitions: Collection[TP], cancelled: Callable[[], bool], deadline: float) -> None:
        self._names = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(partitions)[:4])
        self._cancelled, self._deadline = cancelled, deadline
        self._said: str | None = None

    def __call__(self, waiting_for: str, pause: bool = True) -> None:
        if self._cancelled():
            raise Cancelled
        if time.monotonic() > self._deadline:
            raise Fatal(Exit.RESTORE, f"{self._names}: not restored in time, waiting for {waiting_for}")
        if pause:
            if self._said != waiting_for:
                log.warning("restore waits", for_=waiting_for, partitions=self._names)
                self._said = waiting_for
            time.sleep(POLL_S)
