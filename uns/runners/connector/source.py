"""A connector's source: opened, read, lost, opened again with back-off; what is known of its link and of who is behind it."""

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from connectors.base import Batch, Connector, Keeps, Proves, Relinks, Resumes, SourceUnavailable
from schemas.records import Gap
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path
from uns.runners.connector.freshness import Freshness, Quiet
from uns.runners.connector.health import KINDS, MACHINES_MAX, Machine, SourceHealth, kind_of
from uns.runners.connector.listening import CONNECTOR_DOWN, Listening
from uns.runners.connector.packing import Packer
from uns.runners.connector.spool import Spool
from uns.runtime.clock import Clock
from uns.runtime.clocks import Clocks

log = structlog.get_logger()

INBOX_MAX = 64
"""Batches read and not yet in the spool; beyond it the source waits."""
BACKOFF_S = (0.5, 30.0)
STEADY_S = 30.0
"""A connection that lasted so long begins again with the shortest back-off."""


@dataclass(frozen=True)
class Setup:
    """What a plant model makes of a connector."""

    entry: ConnectorEntry
    build: Callable[[], Connector]
    """Makes the connector, and connects to nothing."""
    packer: Packer
    freshness: Freshness

    def reads_as(self, other: "Setup") -> bool:
        """Whether the same source is read in the same way: all else can change while it is read."""
        return (self.entry.protocol, self.entry.config) == (other.entry.protocol, other.entry.config)


class Source:
    """`read` fills the inbox until it is cancelled. Raises whatever bug a connector has."""

    def __init__(
        self,
        name: str,
        setup: Setup,
        spool: Spool,
        clock: Clock,
        moved: Callable[[], None],
        tell: Callable[[dict[Path, Gap]], None],
        adopt: Callable[[Setup | None], Awaitable[None]],
    ) -> None:
        """`moved`: there is something in the inbox. `tell`: gaps. `adopt`: by this setup it goes on, None: by the same; all
        that was read before is settled once it returns."""
        self.name, self._spool, self._clock = name, spool, clock
        self._moved, self._tell, self._adopt = moved, tell, adopt
        self.problem: str | None = "not opened yet"
        self.reopened = 0
        self.errors = dict.fromkeys(KINDS, 0)
        """Kind → how often the source failed."""
        self.last_read = 0.0
        """Monotonic time of the newest batch."""
        self.inbox: asyncio.Queue[Batch] = asyncio.Queue(INBOX_MAX)
        self.clocks, self.freshness = Clocks(), setup.freshness
        self.listening = Listening(name, spool.listened)
        self._packer, self._connector = setup.packer, setup.build()
        self._pump: asyncio.Task[None] | None = None
        self._putting = False
        self._next: tuple[Setup, asyncio.Future[None]] | None = None
        """The setup by which the source is to be opened anew, and who waits for that."""
        self._hurry = asyncio.Event()
        self.standby: str | None = None
        """Why another process reads the source; None: it is ours to read."""
        self.paused: str | None = None
        """Why nobody is to read it now; None: it is to be read."""

    # -- what is known of it ---------------------------------------------------------------------------------------

    def up(self) -> bool:
        """Whether it is open and gives signs of life."""
        return self.problem is None and self._connector.healthy()

    def problems(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        if self.problem is not None:
            return [self.problem]
        silent = [] if self._connector.healthy() else ["the source is connected and silent"]
        now = self._clock()
        return [*silent, *self._connector.problems(), *self.clocks.problems(), *self.freshness.problems(now)]

    def last_sample_age_s(self) -> float | None:
        """Since anything came; None: nothing yet."""
        return time.monotonic() - self.last_read if self.last_read else None

    def watched(self) -> list[tuple[tuple[Path, str], bool]]:
        """Machines and groups of tags that may not be quiet for long, at most `MACHINES_MAX`, stale ones first; whether each
        is stale. While it is not connected none is: it is the source that is away."""
        quiet = {(one.path, one.tags) for one in self._quiet()}
        watched = sorted(((key, key in quiet) for key in list(self.freshness.after_s)), key=lambda of: not of[1])
        return watched[:MACHINES_MAX]

    def _quiet(self) -> list[Quiet]:
        return self.freshness.quiet(self._clock()) if self.problem is None else []

    def machines(self) -> dict[str, Machine]:
        """Those that it has, in the order of the longest silence."""
        stale = {one.path for one in self._quiet()}
        ages = sorted(
            self.freshness.ages_s(self._clock()).items(), key=lambda of: -(math.inf if of[1] is None else of[1])
        )
        return {str(path): Machine(age_s, path in stale) for path, age_s in ages[:MACHINES_MAX]}

    def health(self) -> SourceHealth:
        return SourceHealth(self.up(), self.last_sample_age_s(), self.reopened, dict(self.errors), self.machines())

    def count_links(self) -> None:
        """Counts what the connector has opened anew by itself, as what is opened anew here is counted."""
        if isinstance(self._connector, Relinks):
            for ended in self._connector.relinked():
                self.reopened += 1
                self.errors[kind_of(ended)] += 1

    def proved(self) -> int | None:
        """When its link was last known good, as of now (µs); None: it is not."""
        if not self.up():
            return None
        unproved_s = self._connector.unproved_s() if isinstance(self._connector, Proves) else 0.0
        self.listening.good(self._clock() - int(unproved_s * 1_000_000))
        return self.listening.last

    # -- reading ---------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Until it is cancelled. Does not close then: the link must live until what was read is acknowledged."""
        wait_s = BACKOFF_S[0]
        while True:
            await self._stand_by()
            opened = time.monotonic()
            try:
                if self._next is None:
                    await self.inbox.join()  # what is not yet in the spool would be asked for once more
                    await self._open()
                    await self._batches()
            except SourceUnavailable as error:
                if self.problem is None:
                    self.listening.lost()
                self.problem = str(error)
                self.count_links()
                self.errors[kind_of(error)] += 1
                log.warning("source away", connector=self.name, error=str(error), retry_s=round(wait_s, 1))
            if self._next is not None:
                await self._replace(*self._next)
                wait_s = BACKOFF_S[0]
                continue
            if self._rests is not None:
                await self._adopt(None)  # acknowledged before it is closed: it would be told to the other host again
                await self._connector.close()
                continue
            await self._connector.close()
            self.reopened += 1
            if time.monotonic() - opened > STEADY_S:
                wait_s = BACKOFF_S[0]
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s * random.uniform(0.8, 1.2)):
                    await self._hurry.wait()
            wait_s = min(2 * wait_s, BACKOFF_S[1])

    async def _open(self) -> None:
        resume = self._spool.newest()
        if isinstance(self._connector, Resumes):
            self._connector.resume_at(self._spool.cursor())
        await self._connector.open(resume)
        kept = self._connector.kept() if isinstance(self._connector, Keeps) else None
        now = self._clock()
        self._tell(self.listening.opened(now, self._packer.observing(resume), kept))
        self.freshness.opened(now)
        self.problem = None
        log.info("source open", connector=self.name)

    async def _batches(self) -> None:
        """Reads until the source is lost, or is to be opened anew."""
        if self._leaves:
            return
        self._pump = asyncio.create_task(self._fill(), name="pump")
        try:
            await self._pump
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if not self._leaves or (this is not None and this.cancelling()):
                raise
        finally:
            self._pump.cancel()

    async def _fill(self) -> None:
        stream = self._connector.batches()
        async for batch in stream:
            self.last_read, now = time.monotonic(), self._clock()
            self.clocks.saw(batch.readings, now)
            self.freshness.saw(batch, now)
            self._putting = True
            await self.inbox.put(batch)
            self._putting = False
            self._moved()
            if self._leaves:
                if isinstance(stream, AsyncGenerator):
                    await stream.aclose()
                return
        raise SourceUnavailable("the source ended its stream")

    async def close(self) -> None:
        await self._connector.close()

    # -- another host ----------------------------------------------------------------------------------------------

    def stands_by(self, words: str) -> None:
        """Another process reads the source: this one closes it, and goes on to publish what it has read."""
        stops, self.standby = self._rests is None, words
        if stops:
            self._interrupt()
        else:
            self.problem = self._rests

    def holds(self, listened: int | None) -> None:
        """It is ours to read. `listened`: when whoever read it before was last known to listen (µs)."""
        if self.standby is not None:
            if listened is not None:
                self.listening.good(listened)
                self.listening.cause = CONNECTOR_DOWN
            self.standby = None
            self._hurry.set()

    def pause(self, words: str | None) -> None:
        """By a person's wish: closes it, and goes on to publish what was read; None: it is read again. The name stays ours,
        so that no other host takes it over."""
        before, self.paused = self._rests, words
        if before is None and words is not None:
            self._interrupt()
        elif before is not None and self._rests is None:
            self._hurry.set()
        elif before is not None:
            self.problem = self._rests

    @property
    def _rests(self) -> str | None:
        """Why it is not to be open."""
        return self.paused or self.standby

    async def _stand_by(self) -> None:
        while self._rests is not None and self._next is None:
            self.problem = self._rests
            self._hurry.clear()
            await self._hurry.wait()
        self._hurry.clear()

    @property
    def _leaves(self) -> bool:
        """Whether the source is to be closed: to be opened anew by another setup, for another host reads it, or for a pause."""
        return self._next is not None or self._rests is not None

    def _interrupt(self) -> None:
        self._hurry.set()
        if self._pump is not None and not self._putting:  # what was taken from the source must get into the inbox
            self._pump.cancel()

    # -- another setup ---------------------------------------------------------------------------------------------

    def goes_on(self, setup: Setup) -> None:
        """By another setup, with the link that there is."""
        setup.freshness.goes_on_from(self.freshness)
        self._packer, self.freshness = setup.packer, setup.freshness

    async def replaced(self, setup: Setup) -> None:
        """Returns once the source is read by another setup, or tries to be. One at a time."""
        done = asyncio.get_running_loop().create_future()
        self._next = setup, done
        self._interrupt()
        await done

    async def _replace(self, setup: Setup, done: "asyncio.Future[None]") -> None:
        if (proved := self.proved()) is not None:
            self._spool.listens(proved)
        await self._adopt(setup)
        await self._connector.close()
        self.listening.cause = CONNECTOR_DOWN
        self.problem = "opened anew: its configuration has changed"
        self.clocks, self.freshness = Clocks(), setup.freshness
        self._packer, self._connector = setup.packer, setup.build()
        self._next = None
        self._hurry.clear()
        done.set_result(None)
