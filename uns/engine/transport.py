"""Faust's aiokafka transport, one event per fetched partition-batch: Faust's cost is per event, not per record.

The consumer reads committed records only, and a partition stays closed from its assignment until the engine opens it
at its fence. Each batch says where it begins and ends, so that the fold can prove that none was lost on the way.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.helpers import create_ssl_context
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, ConsumerRebalanceListener, Transport
from faust.types import TP, ConsumerMessage
from yarl import URL

from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal
from uns.runtime.settings import Settings


@dataclass(frozen=True)
class Membership:
    """One generation of the group as this worker joined it. Identity is what counts: a new rebalance, a new object."""

    group: str
    generation: int
    member_id: str
    partitions: frozenset[TP]

    @property
    def metadata(self) -> bytes:
        """What librdkafka reads as consumer-group metadata: a transaction that carries it fails once the group moved on."""
        return b"CGMDv2:" + struct.pack("=i", self.generation) + f"{self.group}\0{self.member_id}\0".encode() + b"\x01"


@dataclass(slots=True, eq=False)
class FetchedBatch:
    """Records of one partition from one fetch. No records: the position moved past control or aborted records."""

    membership: Membership
    tp: TP
    position: int
    """Where the consumer stood before it; each batch begins where the one before it ended."""
    next_offset: int
    """Where it stands after: past the last record and the control records that follow."""
    records: list[Any]
    size: int
    """Bytes of keys and values."""
    end_offset: int
    """Last stable offset as last heard, for the lag."""
    skipped: int = 0
    """Offsets that retention removed before they were read."""


@dataclass
class Budget:
    """Bytes fetched and not yet committed. One loop only."""

    limit: float
    used: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, size: int) -> None:
        self.used += size
        if self.used >= self.limit:
            self._room.clear()

    def give(self, size: int) -> None:
        self.used -= size
        if self.used < self.limit:
            self._room.set()

    def reset(self) -> None:
        self.used = 0
        self._room.set()

    async def room(self) -> None:
        if self.used >= self.limit:
            await self._room.wait()


class RawRecord(NamedTuple):
    """What the fold reads of a record (`uns.kafka.message.ConsumedRecord`)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


_made: Any = tuple.__new__


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """aiokafka's records of one fetch, each as a tuple of what is read of it: half of what its own record costs."""

    def _consumer_record(self, tp: Any, record: Any) -> RawRecord:
        made: RawRecord = _made(
            RawRecord,
            (tp.topic, tp.partition, record.offset, record.key, record.value, record.headers, record.timestamp),
        )
        return made


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs in the consumer's thread, before Faust hears of it."""

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> Any:
        self._thread.parted()
        return super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._thread.joined(assigned)
        await super().on_partitions_assigned(assigned)


class BatchThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread with aiokafka's consumer. All methods but `membership` run in its loop."""

    membership: Membership | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expected: dict[TP, int] = {}
        self._opened = asyncio.Event()
        # One reader at a time: a position that moved without records then means control records, never a lost read.
        self._reading = asyncio.Lock()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        fetcher.PartitionRecords = PartitionRecords  # the fetcher has no other way to be told
        settings, config, group, instance = transport.settings, transport.config, self.app.conf.id, transport.instance
        return aiokafka.AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            client_id=instance,
            group_id=group,
            # A slot that restarts takes its old member's place at once, where a new member waits for the session.
            group_instance_id=instance,
            # What can stay where it is stays: a partition that moves has to be restored.
            partition_assignment_strategy=[StickyPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",  # where to begin is never aiokafka's to say
            isolation_level="read_committed",
            max_poll_records=config.fetch_records,
            max_partition_fetch_bytes=config.fetch_kb * 1024,
            fetch_max_wait_ms=int(config.fetch_wait_s * 1000),
            request_timeout_ms=int(max(40.0, config.rebalance_timeout_s + 5) * 1000),
            session_timeout_ms=int(config.session_timeout_s * 1000),
            heartbeat_interval_ms=int(min(1.0, config.session_timeout_s / 4) * 1000),
            rebalance_timeout_ms=int(config.rebalance_timeout_s * 1000),
            max_poll_interval_ms=1_000_000,
            metadata_max_age_ms=30_000,
            **security(settings),
        )

    def parted(self) -> None:
        """The group rebalances: what was read of the old generation is read again under the new one."""
        self.membership = None
        self._expected.clear()
        self._opened.clear()

    def joined(self, assigned: Iterable[Any]) -> None:
        """A new generation: every partition is shut until the engine opens it."""
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        partitions = frozenset(TP(tp.topic, tp.partition) for tp in assigned)
        consumer.pause(*(TopicPartition(*tp) for tp in partitions))
        self.membership = Membership(coordinator.group_id, coordinator.generation, coordinator.member_id, partitions)

    async def open(self, membership: Membership, offsets: Mapping[TP, int]) -> bool:
        """Lets restored partitions flow from their fences. False when the group has moved on meanwhile."""
        if self.membership is not membership:
            return False
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            consumer.seek(TopicPartition(*tp), offset)
            self._expected[tp] = offset
        consumer.resume(*(TopicPartition(*tp) for tp in offsets))
        self._opened.set()
        return True

    async def batches(self, timeout_s: float) -> list[FetchedBatch]:
        """At most one batch a partition, from what was fetched; waits up to `timeout_s` for the first."""
        async with self._reading:
            if not self._expected:
                try:
                    async with asyncio.timeout(timeout_s):
                        await self._opened.wait()
                except TimeoutError:
                    return []
            return await self._read(timeout_s)

    async def _read(self, timeout_s: float) -> list[FetchedBatch]:
        membership, consumer = self.membership, self._ensure_consumer()
        if membership is None or not self._expected:
            return []
        assignment = consumer._subscription.subscription.assignment
        for tp, expected in self._expected.items():
            # A read that a rebalance overtook has moved on and thrown its records away.
            if assignment.state_value(TopicPartition(*tp)).position != expected:
                consumer.seek(TopicPartition(*tp), expected)
        try:
            records = await self._fetch_records(
                consumer, set(self._expected), timeout=timeout_s, max_records=consumer._max_poll_records
            )
        except OffsetOutOfRangeError as error:
            return [await self._skip(consumer, membership, tp) for tp in error.args[0]]
        if self.membership is not membership:
            return []
        # No await from here on: records, positions and membership belong together.
        batches = []
        for tp, expected in self._expected.items():
            state = assignment.state_value(TopicPartition(*tp))
            batch = records.get(tp) or []
            if not batch and state.position == expected:
                continue
            self._expected[tp] = state.position
            size = sum(len(r.key or b"") + len(r.value or b"") for r in batch)
            end = state.lso if state.lso is not None and state.lso >= 0 else state.position
            batches.append(FetchedBatch(membership, tp, expected, state.position, batch, size, end))
        return batches

    async def _skip(self, consumer: Any, membership: Membership, where: TopicPartition) -> FetchedBatch:
        """Goes on after what retention has removed, and says how much. Raises `Fatal` when the log lost its tail."""
        tp = TP(*where)
        expected = self._expected[tp]
        first = (await consumer.beginning_offsets([where]))[where]
        if first < expected:
            raise Fatal(Exit.TRUNCATED, truncated(tp, expected, (await consumer.end_offsets([where]))[where]))
        if self.membership is membership:
            consumer.seek(where, first)
            self._expected[tp] = first
        return FetchedBatch(membership, tp, expected, first, [], 0, first, skipped=first - expected)

    async def leave(self) -> None:
        """Gives the partitions back at once; aiokafka keeps a static member's place until its session ends."""
        membership = self.membership
        if membership is not None and self._consumer is not None:
            await self._consumer._coordinator._send_req(LeaveGroupRequest(membership.group, membership.member_id))


class BatchConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer with whole batches for messages and no position of its own."""

    RebalanceListener = RebalanceListener

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        budget: Budget = self.transport.budget
        await self.wait_first(budget.room(), self.suspend_flow.wait(), timeout=timeout)
        if self.should_stop or not self.flow_active or budget.used >= budget.limit:
            return
        try:
            batches = await self._thread.call_thread(self._thread.batches, timeout)
        except Fatal as error:
            self.transport.failed(error)
            return
        for batch in batches:
            if not self.flow_active or batch.membership is not self._thread.membership:
                return
            # Faust drops what is below the offset it saw last; the fold's own fence decides that here.
            self._read_offset.pop(batch.tp, None)
            budget.take(batch.size)
            yield (
                batch.tp,
                ConsumerMessage(
                    batch.tp.topic,
                    batch.tp.partition,
                    batch.next_offset,
                    0.0,
                    0,
                    (),
                    None,
                    batch,
                    None,
                    0,
                    0,
                    batch.tp,
                    generation_id=batch.membership.generation,
                ),
            )

    async def perform_seek(self) -> None:
        """Nothing: Faust would seek to the group's offset, and the fence is the truth."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's watchdog counts acknowledged events, and none is ever acknowledged."""


class BatchTransport(Transport):  # type: ignore[misc]
    """Set as `app.transport`."""

    Consumer = BatchConsumer

    def __init__(
        self,
        app: Any,
        settings: Settings,
        config: EngineConfig,
        instance: str,
        failed: Callable[[Fatal], None],
    ) -> None:
        super().__init__([URL(f"kafka://{settings.bootstrap}")], app)
        self.settings = settings
        self.config = config
        self.instance = instance
        self.failed = failed
        self.budget = Budget(config.in_flight_mb * 1e6)


def truncated(tp: TP, fence: int, end: int) -> str:
    return (
        f"{tp.topic}[{tp.partition}] ends at {end}, below the fence {fence}: the topic was made anew or lost its tail. "
        "Restore the topic, or empty its changelog partition to begin again from its first record"
    )


def security(settings: Settings) -> dict[str, Any]:
    """aiokafka's arguments for what `Settings.kafka` says to librdkafka."""
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.password,
        }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = create_ssl_context(
            cafile=settings.ssl_ca and str(settings.ssl_ca),
            certfile=settings.ssl_certificate and str(settings.ssl_certificate),
            keyfile=settings.ssl_key and str(settings.ssl_key),
        )
    return options
