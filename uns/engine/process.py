"""One group of batches through decode, fold and transaction. Blocking: runs in the transaction thread."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

import structlog
from faust.types import TP

from schemas.records import FACT_TYPES, Tick
from uns.engine import metrics
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal, Fenced
from uns.engine.rebuild import Rebuilt
from uns.engine.step import UNFINISHED, Counts, Decoded, Fence, Step
from uns.engine.transport import FetchedBatch, Membership
from uns.kafka.message import ConsumedRecord, Message
from uns.runtime.clock import Clock

log = structlog.get_logger()
BACKOFF_S = (0.2, 5.0)
_STAGES: dict[type, str] = {Tick: metrics.TICK, **dict.fromkeys(FACT_TYPES, metrics.FACT)}
"""Records whose fold is timed one by one; samples are too many, they are the rest."""


@dataclass(slots=True)
class Partition:
    """A restored partition as this worker holds it in memory."""

    step: Step
    position: int
    """Where the next batch must begin."""
    next_offset: int
    """Below it everything is folded; committed, whenever no group is being processed."""


class Commits(Protocol):
    """What a processor needs of `uns.engine.transaction.Transactions`."""

    def open(self) -> None: ...
    def commit(
        self, messages: Sequence[tuple[int, Message]], offsets: Mapping[TP, int], membership: Membership
    ) -> None: ...


class Processor:
    """Folds groups and commits them. After an exception its partitions' state is ahead of what Kafka holds: drop it."""

    def __init__(
        self,
        transactions: Commits,
        config: EngineConfig,
        clock: Clock,
        worker: str,
        retry_on: tuple[type[Exception], ...],
        stopping: Callable[[], bool],
    ) -> None:
        self._transactions, self._config, self._clock = transactions, config, clock
        self._worker, self._retry_on, self._stopping = worker, retry_on, stopping
        self.committing_since: float | None = None
        """Monotonic time; another thread may look."""

    def open(self) -> None:
        self._transactions.open()

    def process(
        self, group: Sequence[FetchedBatch], partitions: Mapping[TP, Partition], membership: Membership
    ) -> None:
        """Commits the effects of all batches at once. No batches: only proves to the group that we still own.

        Raises `Fenced` when the partitions are another worker's, `Fatal` for everything else.
        """
        began = time.perf_counter()
        items = [
            (batch.tp, self._decoded(partitions[batch.tp].step, self._fresh(batch, partitions))) for batch in group
        ]
        decoded = time.perf_counter()
        counts = {batch.tp: Counts() for batch in group}
        messages: list[tuple[int, Message]] = []
        stages = dict.fromkeys((metrics.TICK, metrics.FACT), 0.0)
        for tp, decoded_records in items:
            said = self._stepped(partitions[tp].step, decoded_records, counts[tp], stages)
            messages += zip(repeat(tp.partition), said)
        stepped = time.perf_counter()
        for tp in counts:
            partition = partitions[tp]
            fold = partition.step.fold
            fence = Fence(
                partition.next_offset, fold.watermark, membership.generation, self._worker, fold.state_version
            )
            messages.extend((tp.partition, message) for message in partition.step.changes())
            messages.append((tp.partition, partition.step.fence(fence)))
        folded = time.perf_counter()
        offsets = {tp: partitions[tp].next_offset for tp in (counts or partitions)}
        self._commit(messages, offsets, membership)
        metrics.transaction_seconds.observe(time.perf_counter() - folded)
        metrics.decode_seconds.observe(decoded - began)
        metrics.fold_seconds.observe(folded - decoded)
        metrics.group_records.observe(sum(c.records for c in counts.values()))
        stages |= {
            metrics.DECODE: decoded - began,
            metrics.SAMPLES: stepped - decoded - sum(stages.values()),
            metrics.STATE: folded - stepped,
            metrics.COMMIT: time.perf_counter() - folded,
        }
        for stage, seconds in stages.items():
            metrics.stage_seconds.labels(stage).inc(seconds)
        for batch in group:
            metrics.lag.labels(*_label(batch.tp)).set(max(0, batch.end_offset - batch.next_offset))
            if batch.records:
                metrics.delay.labels(*_label(batch.tp)).set(time.time() - batch.records[-1].timestamp / 1000)
        for tp, count in counts.items():
            self._count(tp, count, partitions[tp])

    def commit_rebuilt(self, tp: TP, step: Step, rebuilt: Rebuilt, membership: Membership) -> None:
        """Writes a rebuilt state in place of another release's, in as many transactions as it takes.

        The first marks the state as unfinished, so that no release takes a mixture for its own; the last carries the
        corrections and the fence. Raises as `process` does.
        """
        position, watermark = rebuilt.fence.next_offset, step.fold.watermark
        unfinished = Fence(position, watermark, membership.generation, self._worker, UNFINISHED)
        whole = Fence(position, watermark, membership.generation, self._worker, step.fold.state_version)
        groups = [[step.fence(unfinished)], *_groups(rebuilt.state, round(self._config.group_mb * 1e6))]
        groups.append([*rebuilt.corrections, step.fence(whole)])
        for messages in groups:
            self._commit([(tp.partition, message) for message in messages], {tp: position}, membership)

    def _commit(self, messages: list[tuple[int, Message]], offsets: Mapping[TP, int], membership: Membership) -> None:
        """One transaction, counted by its outcome."""
        self.committing_since = time.monotonic()
        try:
            self._transactions.commit(messages, offsets, membership)
        except Fenced:
            metrics.transactions.labels(metrics.FENCED).inc()
            raise
        except Fatal:
            metrics.transactions.labels(metrics.FAILED).inc()
            raise
        finally:
            self.committing_since = None
        metrics.transactions.labels(metrics.COMMITTED).inc()

    def _fresh(self, batch: FetchedBatch, partitions: Mapping[TP, Partition]) -> Sequence[ConsumedRecord]:
        """The batch's records that are not folded yet; moves the partition's position past the batch."""
        partition = partitions[batch.tp]
        if batch.position > partition.position:
            raise Fatal(
                Exit.LOST_BATCH,
                f"{batch.tp.topic}[{batch.tp.partition}]: offsets {partition.position} to {batch.position} were fetched "
                "and never folded: a bug; a restart reads them again from the fence",
            )
        if batch.skipped:
            metrics.skipped.labels(*_label(batch.tp)).inc(batch.skipped)
            log.error(
                "retention removed records before they were folded",
                topic=batch.tp.topic,
                partition=batch.tp.partition,
                first=batch.position,
                count=batch.skipped,
                do="raise the topic's retention.ms, or add workers",
            )
        fresh: Sequence[ConsumedRecord] = batch.records
        if fresh and fresh[0].offset < partition.next_offset:
            fresh = [record for record in fresh if record.offset >= partition.next_offset]
            metrics.redelivered.labels(batch.tp.topic).inc(len(batch.records) - len(fresh))
        partition.position = batch.next_offset
        partition.next_offset = max(partition.next_offset, batch.next_offset)
        return fresh

    def decode(self, step: Step, source: ConsumedRecord) -> Decoded:
        """Waits for a registry that is away. Raises `Fenced` when the worker stops meanwhile, `Fatal` when it stays away."""
        try:
            return step.decode(source)
        except self._retry_on as error:
            return self._decode_again(step, source, error)

    def _decoded(self, step: Step, sources: Iterable[ConsumedRecord]) -> list[Decoded]:
        """As `decode` does, each in turn."""
        decode, decoded = step.decode, []
        for source in sources:
            try:
                decoded.append(decode(source))
            except self._retry_on as error:
                decoded.append(self._decode_again(step, source, error))
        return decoded

    def _decode_again(self, step: Step, source: ConsumedRecord, error: Exception) -> Decoded:
        deadline = time.monotonic() + self._config.registry_retry_s
        pause, ceiling = BACKOFF_S
        log.warning("registry is away, an unknown schema id waits for it", error=str(error), offset=source.offset)
        while time.monotonic() < deadline:
            if self._stopping():
                raise Fenced("stopped while it waited for the registry")
            metrics.registry_retries.inc()
            time.sleep(pause)
            pause = min(2 * pause, ceiling)
            try:
                return step.decode(source)
            except self._retry_on as again:
                error = again
        raise Fatal(
            Exit.REGISTRY,
            f"{source.topic}[{source.partition}] offset {source.offset}: its schema id is not in the cache and the "
            f"registry stays away ({error}); start the registry",
        ) from error

    def _stepped(self, step: Step, items: Iterable[Decoded], counts: Counts, stages: dict[str, float]) -> list[Message]:
        """What the fold says of the items, in order. Adds to `stages` what ticks and facts took."""
        messages: list[Message] = []
        forward, staged = step.step, _STAGES.get
        for item in items:
            try:
                stage = staged(type(item.record))
                if stage is None:
                    messages += forward(item, counts)
                else:
                    start = time.perf_counter()
                    messages += forward(item, counts)
                    stages[stage] += time.perf_counter() - start
            except Exception as error:
                source = item.source
                log.exception("the fold raised", topic=source.topic, partition=source.partition, offset=source.offset)
                raise Fatal(
                    Exit.FOLD,
                    f"{source.topic}[{source.partition}] offset {source.offset}, path {item.path}: the fold raised "
                    f"{type(error).__name__}: {error}; a bug: nothing of this group was committed",
                ) from error
        return messages

    def _count(self, tp: TP, counts: Counts, partition: Partition) -> None:
        labels = _label(tp)
        metrics.records.labels(tp.topic).inc(counts.records)
        metrics.samples.labels(tp.topic).inc(counts.samples)
        for name, n in counts.outputs.items():
            metrics.outputs.labels(name).inc(n)
        for (message_class, reason), n in counts.refused.items():
            metrics.refused_outputs.labels(message_class, reason).inc(n)
        for name, n in counts.quarantined.items():
            metrics.quarantined.labels(name).inc(n)
        metrics.fence.labels(*labels).set(partition.next_offset)
        metrics.committed_at.labels(*labels).set_to_current_time()
        state = partition.step.state
        metrics.state_keys.labels(*labels).set(state.keys)
        metrics.state_bytes.labels(*labels).set(state.bytes)
        metrics.changelog_bytes.labels(tp.topic).inc(state.changed_bytes)
        state.changed_bytes = 0
        for kind, dropped in partition.step.fold.dropped.items():
            metrics.dropped.labels(*labels, kind).set(dropped)
        if watermark := partition.step.fold.watermark:
            metrics.watermark.labels(*labels).set(watermark / 1e6)
            metrics.watermark_age.labels(*labels).set((self._clock() - watermark) / 1e6)


def _groups(messages: Iterable[Message], size: int) -> Iterator[list[Message]]:
    """In their order, each group of about `size` bytes."""
    group: list[Message] = []
    used = 0
    for message in messages:
        group.append(message)
        used += len(message.key or b"") + len(message.value or b"")
        if used >= size:
            yield group
            group, used = [], 0
    if group:
        yield group


def _label(tp: TP) -> tuple[str, str]:
    return tp.topic, str(tp.partition)
