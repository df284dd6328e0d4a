"""Runs one sink: Kafka → target → offsets. Whatever crashes, a record is written again rather than left out."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from sinks.base import (
    Deferred,
    Delivery,
    Gathers,
    LeftBehind,
    Positions,
    Rejected,
    Retryable,
    Sink,
    Taken,
    Unsure,
    Unwritten,
)
from uns.runners.sink.held import BACKOFF_S, Held, Waiting, place_of
from uns.runners.sink.source import Fetched, SinkSource, SourceLost

log = structlog.get_logger()

BATCH_MAX = 2_000
POLL_S = 0.2
LONG_WRITE_S = 5.0
"""From then on the consumer is kept alive beside the write."""
IDLE_COMMIT_S = 1.0
LAG_EVERY_S = 5.0
ASSIGNMENT_S = 5.0
"""Until then it is usual to have no partition after a start."""
BROKEN_MAX = 20
"""So many records in a row over which a sink breaks: it ends."""
SINK_ERROR = "sink_error"
NOT_OPENED = "not opened yet"
T = TypeVar("T")


class SinkSums:
    """Since the process began; the metrics read them."""

    def __init__(self) -> None:
        self.written = 0
        self.rejected: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.left_behind = 0
        self.passed_over = 0
        """Removals of paths, told to a sink that takes none."""
        self.held = 0
        """Now: of records that the target could not take while it took others, and what waits behind them."""
        self.given_again = 0
        """Attempts at records that `uns dlq retry` gave back."""
        self.retries = 0
        self.lag: int | None = None
        """Records that the target does not have yet; None: not known yet."""
        self.oldest_at: int | None = None
        """When the oldest record came that was read and the target does not have, µs by Kafka's clock."""
        self.unclear = 0
        self.write_s = 0.0
        self.batches = 0


class SinkRunner:
    """`run` until it is cancelled. The consumer lives in one thread of its own, so that polling never stops the loop."""

    def __init__(self, name: str, sink: Sink, source: SinkSource) -> None:
        self.name, self.sums = name, SinkSums()
        self.problem: str | None = NOT_OPENED
        self.turned = time.monotonic()
        self._sink, self._source = sink, source
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka")
        self._held = Held()
        self._retried = Held()
        """Of the records that are given again. They wait for each other only: what was quarantined has lost its place."""
        self._reached: dict[tuple[str, int], int] = {}
        """Next offset of each partition, held back or not."""
        self._committed: dict[tuple[str, int], int] = {}
        self._idle_since = time.monotonic()
        self._unassigned_since: float | None = None
        self._lag_asked = 0.0
        self._broken_in_row = 0
        self.paused: str | None = None
        """Why nothing is to be written now; None: all is. What was read stays where it is, and its position uncommitted."""

    async def run(self) -> None:
        """Raises `SourceLost`, and what a sink raises over `BROKEN_MAX` records in a row, or at opening."""
        try:
            log.info("opening the target", sink=self.name, topics=len(self._source.topics))
            await self._patiently(self._sink.open)
            own = await self._patiently(self._sink.positions)
            self._answers()
            await self._call(lambda: self._source.open(own))
            self._unassigned_since = time.monotonic()
            while True:
                self.turned = time.monotonic()
                await self._turn()
        finally:
            with suppress(Exception):
                await self._sink.close()
            await asyncio.shield(self._call(self._source.close))

    @property
    def waits_for(self) -> str | None:
        """What Kafka has not given yet; None once there is something to read from, or before it is asked."""
        if self._unassigned_since is None or self._source.reads:
            return None
        topics = self._source.topics
        return (
            f"no partition of {', '.join(topics[:3])}{', …' if len(topics) > 3 else ''}: is Kafka reachable, are the topics "
            "there (`uns apply`), does another process run this sink?"
        )

    def _watch_assignment(self) -> None:
        if self._source.reads:
            self._unassigned_since = math.inf
        elif time.monotonic() - (self._unassigned_since or math.inf) > ASSIGNMENT_S:
            log.warning("waiting for Kafka", sink=self.name, reason=self.waits_for)
            self._unassigned_since = math.inf

    async def _turn(self) -> None:
        if self.paused is not None:
            await self._pause(POLL_S)
            return
        if self._held.full or self._retried.full:
            await self._pause(POLL_S)
            fetched = Fetched()
        else:
            fetched = await self._call(lambda: self._source.poll(BATCH_MAX, POLL_S))
        self._forget_what_went()
        self._watch_assignment()
        await self._ask_lag()
        waiting = self._due(self._held, fetched.waiting)
        retries = self._due(self._retried, fetched.retries)
        self._reached |= fetched.positions | fetched.retry_positions
        self.sums.passed_over += fetched.passed_over
        self._committed = fetched.begins | self._committed  # where reading began nothing has to be committed
        if fetched.begins or waiting or retries:
            await self._write(fetched, waiting, retries)
        else:
            await self._idle()

    async def _ask_lag(self) -> None:
        if time.monotonic() - self._lag_asked < LAG_EVERY_S:
            return
        self._lag_asked = time.monotonic()
        if ends := await self._call(self._source.ends):
            done = self._committed
            self.sums.lag = sum(max(0, end - done.get(place, max(0, at))) for place, (at, end) in ends.items())

    def _note_oldest(self, waiting: Iterable[Waiting]) -> None:
        self.sums.oldest_at = min((each.delivery.ingested_at for each in waiting), default=None)

    def _forget_what_went(self) -> None:
        assigned = self._source.assigned
        self._held.forget(assigned)
        self._retried.forget(assigned)
        self._reached = {place: offset for place, offset in self._reached.items() if place in assigned}

    def _due(self, held: Held, fetched: Sequence[Waiting]) -> list[Waiting]:
        """What may be written now; what has to wait behind another is held."""
        due = held.due(time.monotonic())
        for waiting in fetched:
            if held.behind(waiting.delivery):
                held.put(waiting)
            else:
                due.append(waiting)
        return due

    async def _write(self, fetched: Fetched, waiting: Sequence[Waiting], retries: Sequence[Waiting]) -> None:
        begun = time.monotonic()
        self._note_oldest([*self._held.all(), *self._retried.all(), *waiting, *retries])
        # Into quarantine before any position passes it: a crash between brings it again rather than loses it.
        if fetched.unreadable:
            await self._call(lambda: self._source.quarantine_unreadable(fetched.unreadable))
            for _, error in fetched.unreadable:
                self.sums.unreadable[error.reason] += 1
        if waiting or fetched.positions:
            await self._deliver(self._held, waiting, fetched.positions)
        if retries:
            await self._deliver(self._retried, retries, {})
            self.sums.given_again += len(retries)
        if isinstance(sink := self._sink, Gathers):
            if retries:  # no position of the target's own tells of them
                await self._patiently(lambda: self._beside(sink.flush()), self._pause)
            reached = dict(sink.durable()) | self._of_retries()
        else:
            reached = self._held.short_of(self._reached)
        reached = self._retried.short_of(reached)
        positions = {place: offset for place, offset in reached.items() if self._committed.get(place) != offset}
        await self._call(lambda: self._source.commit(positions))
        self._committed.update(positions)
        self._note_oldest([*self._held.all(), *self._retried.all()])
        self.sums.batches += 1
        self.sums.write_s += time.monotonic() - begun
        self._idle_since = time.monotonic()

    async def _deliver(self, held: Held, waiting: Sequence[Waiting], positions: Positions) -> None:
        deliveries = [each.delivery for each in waiting]
        unwritten = await self._patiently(lambda: self._attempt(deliveries, positions), self._pause)
        await self._quarantine(waiting, [each for each in unwritten if isinstance(each, Rejected)], positions)
        self._sort(held, waiting, unwritten)
        if isinstance(self._sink, Unsure):
            self.sums.unclear = self._sink.unclear()

    async def _quarantine(self, waiting: Sequence[Waiting], rejected: Sequence[Rejected], positions: Positions) -> None:
        if not rejected:
            return
        messages = {place_of(each.delivery): each.message for each in waiting}
        pairs = [(messages[place_of(refusal.delivery)], refusal) for refusal in rejected]
        await self._call(lambda: self._source.quarantine(pairs))
        for refusal in rejected:
            self.sums.rejected[refusal.reason] += 1
            log.warning("record rejected", sink=self.name, reason=refusal.reason, message=refusal.message[:300])
        await self._patiently(lambda: self._sink.write([], positions), self._pause)

    def _sort(self, held: Held, waiting: Sequence[Waiting], unwritten: Sequence[Unwritten]) -> None:
        """Counts what was written, and holds back what was deferred."""
        deferred = [each for each in unwritten if isinstance(each, Deferred)]
        left = {place_of(each.delivery): each for each in unwritten if isinstance(each, LeftBehind)}
        others = {place_of(each.delivery) for each in unwritten if not isinstance(each, LeftBehind)}
        written = len(waiting) - len(others | left.keys())
        self.sums.written += written
        self.sums.left_behind += len(left.keys() - others)
        for each in left.values():
            log.debug("left behind", sink=self.name, message=each.message)
        held.outcome(waiting, deferred, written > 0, time.monotonic())
        self.sums.held = len(self._held) + len(self._retried)
        if deferred and not written:
            self._away(deferred[0].message)
        elif waiting or not held:
            self._answers()

    async def _attempt(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        """Writes a batch. Where the sink breaks over it, each record alone, so that the one it breaks over is found."""
        try:
            unwritten = await self._beside(self._sink.write(deliveries, positions))
            self._broken_in_row = 0
            return unwritten
        except (Retryable, SourceLost):
            raise
        except Exception as error:
            log.error("the sink breaks, writing one by one", sink=self.name, error=repr(error))
            return await self._beside(self._one_by_one(deliveries, positions))

    async def _one_by_one(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        """A record over which the sink breaks is rejected as `sink_error`, the others are written. Raises the sink's error
        after `BROKEN_MAX` in a row: then it is the sink that is broken, not they."""
        unwritten: list[Unwritten] = []
        held: dict[str, str] = {}
        await self._sink.open()
        for delivery in deliveries:
            if delivery.key in held:
                unwritten.append(Deferred(delivery, held[delivery.key]))
                continue
            try:
                alone = await self._sink.write([delivery], {})
                unwritten += alone
                held |= {each.delivery.key: each.message for each in alone if isinstance(each, Deferred)}
                self._broken_in_row = 0
            except Retryable:
                raise
            except Exception as error:
                self._broken_in_row += 1
                if self._broken_in_row >= BROKEN_MAX:
                    raise
                unwritten.append(Rejected(delivery, SINK_ERROR, f"{type(error).__name__}: {error}"))
                await self._sink.open()
        if not any(isinstance(each, Rejected) for each in unwritten):
            await self._sink.write([], positions)
        return unwritten

    async def _idle(self) -> None:
        if time.monotonic() - self._idle_since < IDLE_COMMIT_S:
            return
        self._idle_since = time.monotonic()
        if isinstance(self._sink, Gathers):
            await self._patiently(lambda: self._beside(self._sink.write([], {})), self._pause)
            self._answers()
        if isinstance(self._sink, Gathers) and not self._all_durable(durable := self._sink.durable()):
            positions = dict(durable)
        else:
            positions = self._held.short_of(await self._call(self._source.idle_positions))
        positions = self._retried.short_of(positions)
        if ahead := {place: offset for place, offset in positions.items() if offset > self._committed.get(place, -1)}:
            await self._call(lambda: self._source.commit(ahead))
            self._committed.update(ahead)

    def _all_durable(self, durable: Positions) -> bool:
        own = self._reached.keys() - self._of_retries().keys()
        return all(durable.get(place, -1) >= self._reached[place] for place in own)

    def _of_retries(self) -> dict[tuple[str, int], int]:
        """How far the topic of retries was read."""
        return {place: offset for place, offset in self._reached.items() if place[0] == self._source.retry_topic}

    async def _patiently(
        self, attempt: Callable[[], Awaitable[T]], pause: Callable[[float], Awaitable[None]] | None = None
    ) -> T:
        """Again and again, with a growing wait, until the target takes it. Order is kept: nothing overtakes.

        With `pause` the sink is reopened between, and `SourceLost` is raised when another instance has taken its place.
        """
        wait_s, broken = BACKOFF_S[0], False
        while True:
            self.turned = time.monotonic()
            try:
                if broken and pause is not None:
                    await self._sink.open()
                    broken = False
                result = await attempt()
            except Retryable as error:
                if isinstance(error, Taken) and pause is not None:
                    raise SourceLost(f"{error}; letting go of the partitions") from error
                self._away(str(error))
                broken = True
                if error.progressed:
                    wait_s = BACKOFF_S[0]
                await (pause or asyncio.sleep)(max(wait_s, error.wait_s))
                wait_s = min(2 * wait_s, BACKOFF_S[1])
                continue
            return result

    def _answers(self) -> None:
        if self.problem is not None:
            log.info("target answers", sink=self.name)
        self.problem = None

    def _away(self, words: str) -> None:
        self.sums.retries += 1
        if self.problem is None or self.problem == NOT_OPENED:
            log.warning("target away", sink=self.name, error=words)
        self.problem = words

    async def _pause(self, wait_s: float) -> None:
        await self._keep_membership(asyncio.create_task(asyncio.sleep(wait_s)))

    async def _beside(self, write: Coroutine[Any, Any, T]) -> T:
        """The write, and beside a long one the consumer's polling."""
        task = asyncio.create_task(write)
        try:
            await asyncio.wait({task}, timeout=LONG_WRITE_S)
            if not task.done():
                await self._keep_membership(task)
            return await task
        finally:
            if not task.done():
                task.cancel()
                with suppress(BaseException):
                    await task

    async def _keep_membership(self, until: "asyncio.Task[Any]") -> None:
        """Polls paused partitions until the task is done: the group must not think us dead because the target is slow."""
        await self._call(lambda: self._source.hold(True))
        while not until.done():
            self.turned = time.monotonic()
            await self._ask_lag()
            stray = await self._call(lambda: self._source.poll(1, 0))
            if stray.begins:  # a partition that was assigned meanwhile is not paused yet: it begins there again
                back = dict(stray.begins)
                await self._call(lambda back=back: self._source.again(back))  # type: ignore[misc]
                await self._call(lambda: self._source.hold(True))
            await asyncio.wait({until}, timeout=POLL_S)
        await self._call(lambda: self._source.hold(False))

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
