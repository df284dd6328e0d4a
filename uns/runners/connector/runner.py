"""Runs one connector: source → spool → Kafka → acknowledgement, with back-off, bounds and an honest ledger.

Order of things for every batch: (1) it is packed and, with its ledger entries, committed to the spool; (2) Kafka
confirms every record of it; (3) the source is acknowledged. A death at any point repeats work and loses none.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from connectors.base import Batch, nothing_to_acknowledge
from connectors.kit.tasks import ended
from schemas.records import Gap
from topology.namespace.path import Path
from uns.runners.connector.health import Health
from uns.runners.connector.listening import overflown
from uns.runners.connector.outlet import Outlet, OutletBroken
from uns.runners.connector.packing import PackedRecords
from uns.runners.connector.source import Setup, Source
from uns.runners.connector.spool import Spool, SpoolEntry, SpoolError, SpoolRow
from uns.runtime.clock import Clock, system

log = structlog.get_logger()

IDLE_S = 0.05
"""Longest sleep of the writer: a delivery that slipped past its wake-up waits no longer."""
GATHER_S = 0.02
"""Batches that arrive within this share a transaction and, by path, a record."""
GATHER_MAX = 5_000
UNACKED_MAX = 10_000
"""Batches that Kafka has not confirmed and their source waits for; beyond it the source waits altogether."""
FLUSH_S = 1.5
"""Time for the last records at a stop; what is left stays in the spool, so there is no reason to be killed over it."""
SETTLE_S = 5.0
"""The same for the last ones of a source that is opened anew; what it did not acknowledge comes again."""
STUCK_S = 2.0
"""So long a task may take to end; then its library has swallowed the cancellation, and it is told again."""
LISTEN_S = 1.0
"""How often it is kept when the link was last good: a gap may begin so much too early."""
ROOM = 0.9
"""A full spool takes again once it is this much of its size."""


Ack = Callable[[], Awaitable[None]]


@dataclass
class _Pending:
    """Batches that share records, of which so many are not yet confirmed. Their values are on disk, not here."""

    acks: list[Ack]
    left: int


class ConnectorRunner:
    """`run` until it is cancelled. Raises `SpoolError`, `OutletBroken`, and whatever bug a connector has."""

    def __init__(self, name: str, setup: Setup, spool: Spool, clock: Clock = system) -> None:
        """`clock`: the plant's; gaps are told by it."""
        self.name, self.spool = name, spool
        self.setup = setup
        self.model_problem: str | None = None
        """Why a changed plant model was refused."""
        self.reloads = self.overflows = 0
        self._packer, self._policy = setup.packer, setup.entry.spool.when_full
        self.source = Source(name, setup, spool, clock, self.wake, self._tell, self._settled)
        self._inbox = self.source.inbox
        self._pending: deque[_Pending] = deque()
        self._owner: dict[int, _Pending] = {}
        self._unacked = 0
        self._wake = asyncio.Event()
        self._full = False
        self._taking = False
        """Whether batches are between the inbox and the spool."""
        self.outlet: Outlet | None = None
        self._clock, self._listening = clock, self.source.listening

    def attach(self, outlet: Outlet) -> None:
        self.outlet = outlet

    def split(self, row: SpoolRow) -> list[int]:
        """Puts halves in the place of an entry; whoever waits for it waits for both. Their ids; none for what has no halves."""
        if not (parts := self._packer.halves(row.entry)):
            return []
        ids = self.spool.replace(row.id, *parts)
        if (group := self._owner.get(row.id)) is not None:
            group.left += len(ids) - 1
            self._owner.update(dict.fromkeys(ids, group))
        return ids

    def wake(self) -> None:
        """Tells the loop that something moved. Call it in the loop's thread."""
        self._wake.set()

    async def run(self) -> None:
        reader = asyncio.create_task(self.source.read(), name="reader")
        writer = asyncio.create_task(self._write(), name="writer")
        listener = asyncio.create_task(self._listen(), name="listener")
        try:
            done, _ = await asyncio.wait((reader, writer, listener), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            with suppress(asyncio.CancelledError):  # told twice to stop: what was read is still written
                await ended((listener, reader), STUCK_S)
            await self._flush(writer)

    def health(self) -> Health:
        """All that is to be known of how it is."""
        return Health(system(), tuple(self.problems()), self.source.health())

    def problems(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        problems = self.source.problems()
        if self.model_problem is not None:
            problems.append(self.model_problem)
        if self._full:
            problems.append(f"the spool is full ({self.spool.bytes / 1e6:.0f} MB), policy {self._policy}")
        if self._unacked >= UNACKED_MAX:
            problems.append(f"{self._unacked} batches wait for Kafka before they are acknowledged; the source waits")
        if self.outlet is not None and self.outlet.problem:
            problems.append(self.outlet.problem)
        return problems

    async def _listen(self) -> None:
        """Remembers when the link was last known good, also for the process that comes after a death of this one."""
        while True:
            self.source.count_links()
            self.spool.says(self.health())
            if (proved := self.source.proved()) is not None:
                self.spool.listens(proved)
            await asyncio.sleep(LISTEN_S)

    def _tell(self, gaps: dict[Path, Gap]) -> None:
        """Says when nobody listened, in the order of all that is read."""
        if gaps:
            self.spool.append(self._entries(gaps), 0, {}, {})
            self._wake.set()

    def _entries(self, gaps: dict[Path, Gap]) -> list[SpoolEntry]:
        for path, gap in gaps.items():
            log.info("gap", connector=self.name, path=str(path), cause=gap.cause, id=gap.id)
        return self._packer.gaps(gaps)

    # -- another plant model ---------------------------------------------------------------------------------------

    async def reload(self, setup: Setup) -> bool:
        """Goes on by another plant model, between two batches; returns whether the source is opened anew for it. One at a
        time."""
        if anew := not setup.reads_as(self.setup):
            await self.source.replaced(setup)
        else:
            self.source.goes_on(setup)
            self._adopt(setup)
        return anew

    def _adopt(self, setup: Setup) -> None:
        self._let_out(None)
        setup.packer.goes_on_from(self._packer)
        self.setup, self._packer, self._policy = setup, setup.packer, setup.entry.spool.when_full
        self.spool.max_bytes = setup.entry.spool.max_mb * 1_000_000
        self.reloads += 1

    async def _settled(self, setup: Setup | None) -> None:
        """For a source that is about to be closed: what was read is acknowledged, unless Kafka is away. None: it is the same
        that will be opened again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while self._unsettled():
                    if self._inbox.empty() and not self._taking:
                        self._let_out(None)
                    await asyncio.sleep(IDLE_S / 2)
        await self._inbox.join()
        if setup is None:
            self._let_out(None)
        else:
            self._adopt(setup)

    # -- inbox → spool → Kafka → ack ---------------------------------------------------------------------------

    async def _write(self) -> None:
        assert self.outlet is not None
        while True:
            self._settle(self.outlet)
            await self._acknowledge()
            self._let_out(self._clock())
            self.outlet.feed()
            if await self._take():
                continue
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._wake.wait()

    def _open_for_more(self) -> bool:
        if self._unacked >= UNACKED_MAX:
            return False
        if self._policy == "block":
            limit = self.spool.max_bytes * (ROOM if self._full else 1.0)
            full = self.spool.bytes >= limit
            if full != self._full:
                self._full = full
                log.warning("spool full, the source waits" if full else "spool has room again", connector=self.name)
            return not full
        return True

    async def _take(self) -> bool:
        """Moves what the inbox has into the spool, in one transaction. False when there was nothing or no room."""
        if not self._open_for_more() or self._inbox.empty():
            return False
        self._taking = True
        try:
            batches = await self._gather()
            self._keep(batches)
            for _ in batches:
                self._inbox.task_done()
        finally:
            self._taking = False
        return True

    async def _gather(self) -> list[Batch]:
        batches = [self._inbox.get_nowait()]
        units, deadline = len(batches[0]), time.monotonic() + GATHER_S
        while units < GATHER_MAX and (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    batch = await self._inbox.get()
            except TimeoutError:
                break
            batches.append(batch)
            units += len(batch)
        return batches

    def _keep(self, batches: list[Batch]) -> None:
        packed = self._packer.pack(batches, self._clock())
        packed.entries += self._entries(
            self._listening.caught_up(path for batch in batches for path in batch.caught_up)
        )
        for batch in batches:
            if batch.missed:
                self.overflows += len(batch.missed)
                packed.entries += self._entries(self._listening.dropped(self._packer.blinded(batch.missed)))
        ids = self._store(packed)
        # All of a gathered group is acknowledged together: its records are shared between its batches.
        if acks := [batch.ack for batch in batches if batch.ack is not nothing_to_acknowledge]:
            group = _Pending(acks, len(ids))
            self._pending.append(group)
            self._unacked += len(acks)
            self._owner.update(dict.fromkeys(ids, group))
        if self._policy == "drop_oldest" and self.spool.bytes > self.spool.max_bytes:
            self._drop()  # perhaps of this very group, so only now that its entries have an owner

    def _store(self, packed: PackedRecords) -> list[int]:
        return self.spool.append(packed.entries, packed.read, packed.suppressed, packed.newest, packed.cursor)

    def _let_out(self, now: int | None) -> None:
        """Takes what was held back until now, None: all of it, into the spool."""
        if self._packer.holds and (packed := self._packer.due(now)).read:
            self._store(packed)

    def _drop(self) -> None:
        assert self.outlet is not None
        before = self.spool.pending
        wanted = int(self.spool.bytes - self.spool.max_bytes * ROOM)
        for id_ in self.spool.drop_oldest(self.outlet.cursor, wanted, self._packer.spans):
            self._release(id_)
        self._full = True
        log.error("spool full, oldest dropped", connector=self.name, units=before - self.spool.pending)

    def _settle(self, outlet: Outlet) -> None:
        for id_ in outlet.collect():
            self._release(id_)
        if self._policy == "drop_oldest" and self._full and self.spool.bytes < self.spool.max_bytes / 2:
            self._full = False
        if self.spool.missed and not self._full:  # told once there is room: till then it is one growing gap a path
            self._tell(overflown(self.name, self.spool.missed))
            self.spool.told_missed()

    def _release(self, id_: int) -> None:
        if (group := self._owner.pop(id_, None)) is not None:
            group.left -= 1

    async def _acknowledge(self) -> None:
        while self._pending and self._pending[0].left <= 0:
            acks = self._pending.popleft().acks
            self._unacked -= len(acks)
            for ack in acks:
                await ack()

    async def _flush(self, writer: "asyncio.Task[None]") -> None:
        deadline = time.monotonic() + FLUSH_S
        while not writer.done() and time.monotonic() < deadline and self._unsettled():
            if self._inbox.empty() and not self._taking:
                self._let_out(None)
            await asyncio.sleep(0.02)
        with suppress(asyncio.CancelledError):
            await ended((writer,), STUCK_S)
        if self.outlet is not None:
            with suppress(OutletBroken, SpoolError):  # who raised them first has told
                self._let_out(None)
                self._settle(self.outlet)
                await self._acknowledge()
        if self.spool.pending:
            log.warning("stopped with a filled spool", connector=self.name, units=self.spool.pending)
        await self.source.close()
        if self.outlet is not None:
            self.outlet.close()
        self.spool.close()

    def _unsettled(self) -> bool:
        """Whether something read is not yet in the spool, confirmed and acknowledged."""
        waiting = not self._inbox.empty() or self._taking or self._packer.holds
        return bool(waiting or self.spool.pending or self._pending)
