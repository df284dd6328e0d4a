"""A partition's state from its changelog, and its place in the log from its fence. Blocking: runs in its own thread."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec
import structlog
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from faust.types import TP

from processors.base import Fold
from schemas.codec import Codec
from uns.engine import metrics
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal
from uns.engine.hanging import Hanging
from uns.engine.healer import Healer
from uns.engine.rebuild import Decode, Rebuild, Rebuilt
from uns.engine.step import AreaTopics, Fence, Step
from uns.engine.topics import record_limits
from uns.engine.transport import truncated
from uns.kafka import clients
from uns.kafka.offsets import listed
from uns.runtime.settings import Settings

log = structlog.get_logger()
POLL_S, READ_S, ANSWER_S = 0.1, 0.02, 2.0


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
    rebuilt: Rebuilt | None = None
    """To be committed first, where the state was another release's."""


def report(tp: TP, restored: Restored) -> None:
    """Counts what a restore came to, and says what an operator should know."""
    labels = (tp.topic, str(tp.partition))
    metrics.restored_keys.labels(*labels).set(restored.keys)
    metrics.fence.labels(*labels).set(restored.next_offset)
    metrics.skipped.labels(*labels).inc(restored.gap)
    metrics.group_ahead.labels(*labels).inc(restored.ahead > 0)
    if restored.gap:
        log.error(
            "retention removed records before they were folded",
            topic=tp.topic,
            partition=tp.partition,
            first=restored.next_offset - restored.gap,
            count=restored.gap,
            do="raise the topic's retention.ms above the longest outage",
        )
    if restored.ahead:
        log.warning(
            "the group's offset is above the fence; reading from the fence",
            topic=tp.topic,
            partition=tp.partition,
            fence=restored.next_offset,
            ahead=restored.ahead,
        )


class Restorer:
    """Restores any number of partitions in one pass."""

    def __init__(
        self,
        settings: Settings,
        config: EngineConfig,
        group: str,
        fold: Callable[[str, int], Fold],
        codec: Codec,
        areas: Mapping[str, AreaTopics],
        decode: Decode = Step.decode,
        limits: dict[str, int] | None = None,
    ) -> None:
        """`limits`: where each restore puts topic → bytes of a record that it takes, of the topics that it looks at."""
        self._limits = {} if limits is None else limits
        self._settings, self._config, self._group = settings, config, group
        self._fold, self._codec, self._areas = fold, codec, areas
        self._decode = decode
        self._rebuild: Rebuild | None = None
        self._healer: Healer | None = None
        self._stood: dict[TP, int] = {}

    @property
    def progress(self) -> str:
        """What a restore that takes long is at, for a person; any thread may ask."""
        return (self._rebuild and self._rebuild.progress) or "restoring state from the changelog"

    def restore(self, partitions: Collection[TP], cancelled: Callable[[], bool]) -> dict[TP, Restored]:
        """Waits until no transaction is open on the changelogs, reads them, and waits for what the fold wrote besides.

        A transaction that hangs is ended (`Healer`). Raises `Cancelled` or `Fatal`.
        """
        deadline = time.monotonic() + self._config.restore_timeout_s
        consumer = clients.consumer(
            self._settings,
            self._group,  # this consumer never joins
            {"enable.partition.eof": True, "fetch.wait.max.ms": 50},
        )
        admin = self._client()
        try:
            check = _Check(partitions, cancelled, deadline)
            group = self._group_offsets(admin, partitions, check)
            changelogs = {TP(self._areas[tp.topic].changelog, tp.partition): tp for tp in partitions}
            outputs = self._outputs(admin, partitions, check)
            self._limits |= record_limits(admin, {output.topic for output in outputs})
            healer = Healer(self._settings, self._config, self._group, changelogs | outputs)
            # What hangs in a changelog has no effect yet, so it shall have none: the fence says where to go on.
            ends = self._stable_ends(admin, changelogs, check, healer, lambda transaction: False)
            kept = self._read(consumer, {tp: ends[where] for where, tp in changelogs.items()}, check)
            self._stable_ends(
                admin, outputs, check, healer, lambda transaction: kept[outputs[transaction.partition]].has(transaction)
            )
            return {
                tp: self._build(
                    consumer, tp, kept[tp], group[tp], [o for o, raw in outputs.items() if raw == tp], check
                )
                for tp in partitions
            }
        finally:
            consumer.close()

    def _client(self) -> AdminClient:
        """Anew after each failure: a client that saw a leader or a coordinator go may never find it again."""
        return clients.admin(self._settings, {"log_level": 0})

    def standing(self, partitions: Collection[TP]) -> list[TP]:
        """Logs of partitions at work where the same transaction is open as at the last call; none when Kafka is away."""
        admin = self._client()
        try:
            logs = [TP(self._areas[tp.topic].changelog, tp.partition) for tp in partitions]
            logs += self._known(admin, partitions)
            stable = _ends(admin, logs, IsolationLevel.READ_COMMITTED)
            ends = _ends(admin, logs, IsolationLevel.READ_UNCOMMITTED)
        except KafkaException:
            return []
        if self._healer is None or stable.keys() != self._stood.keys():
            self._healer = Healer(self._settings, self._config, self._group, logs)
        before, self._stood = self._stood, stable
        return [log for log in logs if stable[log] < ends[log] and stable[log] == before.get(log)]

    def heal(self, standing: Collection[TP], worker: str) -> None:
        """Ends what hangs there; call it between two transactions of this worker.

        All that the worker has sent to them is committed by then, or it would not be at work; what else is open is of a
        worker that has lost them.
        """
        if self._healer is not None:
            self._healer(standing, lambda transaction: transaction.transactional_id == worker)

    def _group_offsets(self, admin: AdminClient, partitions: Collection[TP], check: "_Check") -> dict[TP, int]:
        """The group's offsets as they are. They only tell whether somebody has reset the group.

        Not once they are stable: a broker that restarts in a commit can leave offsets pending that only the next
        commit of the same producer settles, and that one comes after this restore.
        """
        wanted = ConsumerGroupTopicPartitions(self._group, [TopicPartition(*tp) for tp in partitions])
        while True:
            try:
                answer = admin.list_consumer_group_offsets([wanted], require_stable=False, request_timeout=ANSWER_S)
                offsets = answer[self._group].result().topic_partitions
                return {TP(p.topic, p.partition): p.offset for p in offsets}
            except KafkaException as error:
                check(f"the group's offsets: {error.args[0].str()}")
                admin = self._client()

    def _outputs(self, admin: AdminClient, partitions: Collection[TP], check: "_Check") -> dict[TP, TP]:
        """The partitions that records of these end in, each with the raw partition it belongs to."""
        while True:
            try:
                return self._known(admin, partitions)
            except KafkaException as error:
                check(f"the topics: {error.args[0].str()}")
                admin = self._client()

    def _known(self, admin: AdminClient, partitions: Collection[TP]) -> dict[TP, TP]:
        known = admin.list_topics(timeout=ANSWER_S).topics
        return {
            TP(name, tp.partition): tp
            for tp in partitions
            for name in self._areas[tp.topic].outputs
            if name in known and tp.partition in known[name].partitions
        }

    def _stable_ends(
        self,
        admin: AdminClient,
        logs: Collection[TP],
        check: "_Check",
        healer: Healer,
        committed: Callable[[Hanging], bool],
    ) -> dict[TP, int]:
        """Last stable offsets, once each has reached what was the log's end at the first look.

        A transaction that begins after that look is this worker's, or the group refuses it.
        """
        ends: dict[TP, int] = {}
        stable: dict[TP, int] = {}
        while waiting := [log for log in logs if log not in stable]:
            try:
                ends = _ends(admin, waiting, IsolationLevel.READ_UNCOMMITTED) | ends
                offsets = _ends(admin, waiting, IsolationLevel.READ_COMMITTED)
            except KafkaException as error:
                check(f"the log's end: {error.args[0].str()}")
                admin = self._client()
                continue
            stable |= {log: offset for log, offset in offsets.items() if offset >= ends[log]}
            if len(stable) < len(logs):
                check("an open transaction of the worker before")
                healer([log for log in waiting if log not in stable], committed)
        return stable

    def _read(self, consumer: Consumer, ends: Mapping[TP, int], check: "_Check") -> dict[TP, "ChangelogContent"]:
        kept = {tp: ChangelogContent(self._areas[tp.topic].fence_key) for tp in ends}
        source = {TP(self._areas[tp.topic].changelog, tp.partition): tp for tp in ends}
        open_ = {where for where, tp in source.items() if ends[tp] > 0}
        if not open_:
            return kept
        for where in open_:
            self._watermarks(consumer, where, check)  # librdkafka takes a second to learn of a topic by itself
        consumer.assign([TopicPartition(where.topic, where.partition, 0) for where in open_])
        contents = {tuple(where): kept[tp] for where, tp in source.items()}
        while open_:
            for message in consumer.consume(10_000, READ_S):
                error = message.error()
                if error is None:
                    contents[message.topic(), message.partition()].put(message)
                    continue
                where = TP(message.topic(), message.partition())
                if error.code() == KafkaError._PARTITION_EOF and message.offset() >= ends[source[where]]:
                    open_.discard(where)
                elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                    raise Fatal(Exit.RESTORE, f"{where.topic}[{where.partition}]: {error.str()}")
            check("the changelog", pause=False)
        consumer.unassign()
        return kept

    def _build(
        self, consumer: Consumer, tp: TP, kept: "ChangelogContent", group: int, outputs: Collection[TP], check: "_Check"
    ) -> Restored:
        topics = self._areas[tp.topic]
        step = Step(self._fold(tp.topic, tp.partition), self._codec, topics, tp.partition, self._limits)
        fence = kept.fence
        low, high = self._watermarks(consumer, tp, check)
        if fence is not None and fence.next_offset > high:
            raise Fatal(Exit.TRUNCATED, truncated(tp, fence.next_offset, high))
        rebuilt = None
        if fence is not None and fence.state_version != step.fold.state_version:
            lows = {o.topic: self._watermarks(consumer, o, check)[0] for o in outputs if o.topic in topics.revised}
            old = [key for key in kept.values if step.owns(key)]
            self._rebuild = Rebuild(self._settings, topics, step, fence, old, self._decode, check.wanted)
            rebuilt = self._rebuild.run(low, lows)
            self._rebuild = None
        else:
            step.restore(kept.values)
        keys = step.state.keys
        step.state.changed_bytes = 0
        if fence is None:
            return Restored(step, low, None, keys, 0, 0)
        start = max(fence.next_offset, low)
        ahead = max(0, group - fence.next_offset)
        return Restored(step, start, fence, keys, start - fence.next_offset, ahead, rebuilt)

    def _watermarks(self, consumer: Consumer, tp: TP, check: "_Check") -> tuple[int, int]:
        while True:
            try:
                low, high = consumer.get_watermark_offsets(TopicPartition(*tp), ANSWER_S)
                return int(low), int(high)
            except KafkaException as error:
                check(f"offsets of {tp.topic}[{tp.partition}]: {error.args[0].str()}")


def _ends(admin: AdminClient, logs: Collection[TP], level: IsolationLevel) -> dict[TP, int]:
    ends = listed(admin, logs, OffsetSpec.latest(), level, ANSWER_S)
    return {TP(*log): end for log, end in ends.items()}


class ChangelogContent:
    """What a changelog partition says after its last transaction."""

    def __init__(self, fence_key: bytes) -> None:
        self.values: dict[bytes, bytes] = {}
        self._fence_key = fence_key
        self._fenced: Message | None = None

    def put(self, message: Message) -> None:
        """Takes the next record of the log. There may be many for each key, and each counts for the time of a restore."""
        key, value = message.key(), message.value()
        if value is None:
            self.values.pop(key, None)
        elif key == self._fence_key:
            self._fenced = message
        else:
            self.values[key] = value

    @cached_property
    def fence(self) -> Fence | None:
        """The last one, once all is read."""
        return None if self._fenced is None else msgspec.msgpack.decode(self._fenced.value(), type=Fence)

    def has(self, transaction: Hanging) -> bool:
        """Whether a transaction that hangs in an output is committed here.

        Its fence is the last record that it wrote, and no later worker has written one: it would have come by here
        first. So the fence is of the same worker and not older than the hanging records, or the transaction is not in.
        """
        return (
            self._fenced is not None
            and self.fence is not None
            and self.fence.worker == transaction.transactional_id
            and int(self._fenced.timestamp()[1]) >= transaction.producer.last_timestamp_ms
        )


class _Check:
    """Between two tries: ends the restore when it was cancelled or took too long, and says once what it waits for."""

    def __init__(self, partitions: Collection[TP], cancelled: Callable[[], bool], deadline: float) -> None:
        self._names = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(partitions)[:4])
        self._cancelled, self._deadline = cancelled, deadline
        self._said: str | None = None

    def wanted(self) -> None:
        """Only whether it was cancelled: work that goes on may take its time."""
        if self._cancelled():
            raise Cancelled

    def __call__(self, waiting_for: str, pause: bool = True) -> None:
        self.wanted()
        if time.monotonic() > self._deadline:
            raise Fatal(Exit.RESTORE, f"{self._names}: not restored in time, waiting for {waiting_for}")
        if pause:
            if self._said != waiting_for:
                log.warning("restore waits", for_=waiting_for, partitions=self._names)
                self._said = waiting_for
            time.sleep(POLL_S)
