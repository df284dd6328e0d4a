"""The Faust app with one agent over all raw topics, and what happens when partitions come and go."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from processors.base import Fold
from schemas.codec import Codec
from topology.namespace.topics import PREFIX
from uns.engine import metrics
from uns.engine.app import make_app
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal, Fenced
from uns.engine.process import Partition, Processor
from uns.engine.restore import Cancelled, Restorer, report
from uns.engine.step import AreaTopics
from uns.engine.ticks import Shifts, Ticker, no_shifts
from uns.engine.transaction import Transactions
from uns.engine.transport import FetchedBatch, Membership
from uns.runtime.clock import Clock, system
from uns.runtime.settings import Settings

log = structlog.get_logger()
FoldFactory = Callable[[str, int], Fold]
"""From a raw topic and a partition number to that partition's fresh fold."""
BEAT_S = 0.5
LIVE_S = 30.0
COMMIT_STEPS = 6
"""Timeouts that a commit may take one after another, and one to spare."""


class Worker:
    """One worker slot: joins the group, folds what it is given, and ends at the first thing it cannot prove.

    `topics` are raw topics that exist; `tick_s=0` writes no ticks. `retry_on` are the exceptions of a registry client
    that is away. Run it alone in its process: whatever it raises, the process must end (`uns.engine.failure.Exit`).
    """

    def __init__(
        self,
        settings: Settings,
        config: EngineConfig,
        topics: Sequence[str],
        fold: FoldFactory,
        codec: Codec,
        *,
        group: str,
        slot: int = 0,
        clock: Clock = system,
        tick_s: float = 1.0,
        retry_on: tuple[type[Exception], ...] = (),
        shifts: Shifts = no_shifts,
        prefix: str = PREFIX,
    ) -> None:
        self._settings, self._config, self._group = settings, config, group
        self.name = f"{group}-{slot}"
        self._areas = {topic: AreaTopics(topic, prefix) for topic in topics}
        metrics.start(self._areas)
        self._tick_s = tick_s
        self._ticker = Ticker(settings, clock, codec, self.name, shifts)
        limits: dict[str, int] = {}
        transactions = Transactions(settings, config, self.name, prefix, limits)
        self._processor = Processor(transactions, config, clock, self.name, retry_on, lambda: self._stopping)
        self._restorer = Restorer(settings, config, group, fold, codec, self._areas, self._processor.decode, limits)
        self._transaction_thread = ThreadPoolExecutor(1, "transaction")
        self._restore_thread = ThreadPoolExecutor(1, "restore")
        self._pending: deque[FetchedBatch] = deque()
        self._partitions: dict[TP, Partition] = {}
        self._membership: Membership | None = None
        self._kept: tuple[Membership, dict[TP, Partition]] | None = None
        self._measured: set[TP] = set()
        self._restoring = False
        self._stopping = False
        self._probe = False
        self._confirmed_at = self._beat = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, then finishes the running transaction and leaves the group. Raises `Fatal`."""
        loop = asyncio.get_running_loop()
        self._arrived, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._failure: asyncio.Future[None] = loop.create_future()
        # The predecessor of this slot is shut out before this one reads any state.
        await loop.run_in_executor(self._transaction_thread, self._processor.open)
        self._app = self._faust()
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(coroutine)
            for coroutine in (
                stop.wait(),
                self._work(),
                self._ticks(),
                self._beats(),
                self._heals(),
                self._faust_ends(),
            )
        ]
        done, _ = await asyncio.wait([*tasks, self._failure], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await self._leave()

    def live(self) -> list[str]:
        """Why the process should be restarted."""
        silent_s = time.monotonic() - self._beat
        return [f"the event loop has stood still for {silent_s:.0f} s"] if silent_s > LIVE_S else []

    def ready(self) -> list[str]:
        """Why it does no work now."""
        if self._membership is None:
            return ["no partitions assigned yet"]
        return [self._restorer.progress] if self._restoring else []

    def _faust(self) -> faust.App:
        app, self._transport = make_app(self._settings, self._config, self._group, self.name, self._fail)
        metrics.in_flight_limit.set(self._transport.budget.limit)
        raw = app.topic(*self._areas, key_type=None, value_type=None, value_serializer="raw", acks=False)

        @app.agent(raw, name="raw", concurrency=1)  # type: ignore[untyped-decorator]
        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                self._pending.append(event.message.value)
                self._arrived.set()

        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        return app

    async def _faust_ends(self) -> None:
        try:
            await self._app.start()
        except KafkaConnectionError as error:
            raise Fatal(Exit.CONSUMER, f"Kafka at {self._settings.bootstrap} does not answer ({error})") from error
        await self._app.wait_until_stopped()
        raise Fatal(Exit.CONSUMER, f"Faust ended: {self._app.crash_reason!r}")

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _work(self) -> None:
        """Groups what has arrived and hands it to the transaction thread, one group at a time.

        Under light load it rests as long as the last transaction took: latency stays low, and at most half of the time
        goes into small transactions. A group that took as long as `commit_interval_s` is followed by the next at once.
        """
        loop = asyncio.get_running_loop()
        rested = 0.0
        while True:
            await self._arrived.wait()
            if not self._full() and (wait_s := rested - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            self._arrived.clear()
            began = loop.time()
            membership = self._membership
            group = self._group_of(membership)
            if membership is None or not (group or (self._probe and self._partitions)) or self._stopping:
                continue
            self._probe = False
            self._idle.clear()
            try:
                await loop.run_in_executor(
                    self._transaction_thread, self._processor.process, group, self._partitions, membership
                )
            except Fenced as fenced:
                self._fenced(fenced)
            else:
                self._confirmed_at = time.monotonic()
            finally:
                self._idle.set()
            took = loop.time() - began
            rested = began + min(2 * took, self._config.commit_interval_s)
            if membership is self._membership:
                self._transport.budget.give(sum(batch.size for batch in group))
                metrics.in_flight.set(self._transport.budget.used)

    def _full(self) -> bool:
        """Whether what waits makes a whole group."""
        return (
            sum(len(batch.records) for batch in self._pending) >= self._config.group_records
            or sum(batch.size for batch in self._pending) >= self._config.group_mb * 1e6
        )

    def _group_of(self, membership: Membership | None) -> list[FetchedBatch]:
        group, records, size = [], 0, 0
        while self._pending and records < self._config.group_records and size < self._config.group_mb * 1e6:
            batch = self._pending.popleft()
            # Batches of an earlier generation are read again by whoever has the partition now.
            if batch.membership is membership and batch.tp in self._partitions:
                group.append(batch)
                records += len(batch.records)
                size += batch.size
        if self._pending:
            self._arrived.set()
        return group

    def _fenced(self, fenced: Fenced) -> None:
        """The transaction was aborted: nothing of it exists. The state in memory is ahead of Kafka's, so it goes."""
        log.warning("partitions are another worker's, state dropped", why=str(fenced))
        lost, self._membership, self._partitions = self._membership, None, {}
        self._pending.clear()

        def given_up() -> None:
            if self._membership is None and not self._stopping:
                self._fail(
                    Fatal(Exit.CONSUMER, f"{self.name}: no new assignment since generation {lost and lost.generation}")
                )

        asyncio.get_running_loop().call_later(self._config.join_timeout_s, given_up)

    async def _revoked(self, app: Any, revoked: set[TP], **_: Any) -> None:
        """Finishes the running transaction (the old generation may still commit) and lets go."""
        self._pending.clear()
        await self._idle.wait()
        self._kept = (self._membership, self._partitions) if self._membership is not None else None
        self._membership, self._partitions = None, {}
        self._transport.budget.reset()

    async def _assigned(self, app: Any, assigned: set[TP], **_: Any) -> None:
        """Restores in the background: the group hears no heartbeat while this callback runs."""
        membership: Membership | None = app.consumer._thread.membership
        if membership is None or membership.partitions != assigned:
            return  # the next rebalance has begun
        kept, self._kept = self._kept, None
        self._pending.clear()
        self._membership, self._partitions, self._restoring = membership, {}, True
        self._transport.budget.reset()
        asyncio.create_task(self._restore(membership, kept)).add_done_callback(self._restored)

    async def _restore(self, membership: Membership, kept: tuple[Membership, dict[TP, Partition]] | None) -> None:
        began = time.perf_counter()
        for tp in self._measured - membership.partitions:
            metrics.forget(tp.topic, tp.partition)
        self._measured = set(membership.partitions)
        partitions: dict[TP, Partition] = {}
        if kept is not None:
            # The same member in the very next generation: nobody can have owned these in between.
            before, held = kept
            if before.member_id == membership.member_id and before.generation + 1 == membership.generation:
                partitions = {tp: p for tp, p in held.items() if tp in membership.partitions}
                for partition in partitions.values():
                    partition.position = partition.next_offset
        need = membership.partitions - partitions.keys()
        if need:
            loop = asyncio.get_running_loop()
            restored = await loop.run_in_executor(
                self._restore_thread,
                self._restorer.restore,
                need,
                lambda: self._membership is not membership or self._stopping,
            )
            for tp, state in restored.items():
                report(tp, state)
                if state.rebuilt is not None:
                    await loop.run_in_executor(
                        self._transaction_thread,
                        self._processor.commit_rebuilt,
                        tp,
                        state.step,
                        state.rebuilt,
                        membership,
                    )
                partitions[tp] = Partition(state.step, state.next_offset, state.next_offset)
        if self._membership is not membership:
            return
        self._partitions = partitions
        thread = self._app.consumer._thread
        offsets = {tp: partition.next_offset for tp, partition in partitions.items()}
        if offsets and not await thread.call_thread(thread.open, membership, offsets):
            return
        self._confirmed_at = time.monotonic()
        self._restoring = False
        seconds = time.perf_counter() - began
        metrics.restore_seconds.observe(seconds)
        metrics.restored_seconds.set(seconds)
        metrics.restored_partitions.inc(len(need))
        metrics.kept_partitions.inc(len(partitions) - len(need))
        metrics.generation.set(membership.generation)
        metrics.partitions.set(len(partitions))
        log.info(
            "partitions restored",
            worker=self.name,
            generation=membership.generation,
            partitions=len(partitions),
            kept=len(partitions) - len(need),
            seconds=round(seconds, 3),
        )

    def _restored(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Fenced):
            if self._restoring and not self._stopping:  # else a newer assignment has them
                self._fenced(error)
        elif error is not None and not isinstance(error, Cancelled):
            self._fail(error)

    async def _ticks(self) -> None:
        if self._tick_s <= 0:
            return await asyncio.Event().wait()  # type: ignore[return-value]
        while True:
            if self._partitions and not self._restoring and not self._stopping:
                if time.monotonic() - self._confirmed_at < self._config.session_timeout_s:
                    self._ticker.tick([(tp, self._areas[tp.topic]) for tp in self._partitions])
                else:
                    # Stood still for a session: whether the partitions are still ours, a transaction says.
                    self._probe = True
                    self._arrived.set()
            await asyncio.sleep(self._tick_s)

    async def _beats(self) -> None:
        while True:
            self._beat = time.monotonic()
            since, limit_s = self._processor.committing_since, COMMIT_STEPS * self._config.transaction_timeout_s
            if since is not None and self._beat - since > limit_s:
                # Every step of a commit has its own timeout; a client that keeps none of them will not come back.
                self._fail(
                    Fatal(
                        Exit.TRANSACTION,
                        f"{self.name}: a commit has stood still for {limit_s:g} s, its outcome unknown",
                    )
                )
            await asyncio.sleep(BEAT_S)

    async def _heals(self) -> None:
        """Else a record whose transaction has lost its marker shows only with the next one of its topic."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._config.transaction_timeout_s)
            if self._partitions and not self._stopping:
                standing = await loop.run_in_executor(
                    self._restore_thread, self._restorer.standing, tuple(self._partitions)
                )
                if standing:
                    await loop.run_in_executor(self._transaction_thread, self._restorer.heal, standing, self.name)

    async def _leave(self) -> None:
        """SIGTERM: what is folded is committed, the rest is the next worker's. Best effort, the session bounds it."""
        self._stopping = True
        try:
            async with asyncio.timeout(self._config.stop_timeout_s):
                await self._idle.wait()
            thread = self._app.consumer._thread
            async with asyncio.timeout(3.0):
                await thread.call_thread(thread.leave)
        except Exception as error:
            log.warning("left without saying so, the session ends by itself", error=repr(error))
        self._ticker.close()


def use_uvloop() -> None:
    """uvloop for the main loop and the consumer's, where it exists."""
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
