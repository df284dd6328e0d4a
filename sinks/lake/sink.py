"""Gathers rows and commits them to the lake, many at once: data and offsets in the same commit of each table.

The facts' tables are committed before the table that is home to their topic: a crash between brings their records again,
and each table knows by itself which of them it has.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from sinks.base import Delivery, Positions, Rejected, Retryable, Taken
from sinks.lake.config import LakeConfig
from sinks.lake.format import check
from sinks.lake.gathered import Ends, Place
from topology.endpoint import BadSecret

if TYPE_CHECKING:
    from sinks.lake.tables import Memory, Tables

IDLE_COMMIT_S = 600.0
"""Positions that have moved without any row are stored so often."""
T = TypeVar("T")


class Lake:
    """Effectively once: each table's commit says which offsets its rows reach, and what is below is not written again."""

    def __init__(self, name: str, config: LakeConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._thread: ThreadPoolExecutor | None = None
        self._tables: Tables | None = None
        self._memory: Memory | None = None

    async def open(self) -> None:
        """Reads what the tables know; makes nothing. What was gathered before is kept. Raises `Taken` where another
        instance has written meanwhile: then it is gone, and the positions are to be read again."""
        await self.close()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lake")
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.close()
            raise

    def _open(self) -> None:
        check(self._name, self._config)
        from sinks.lake.tables import Memory, Tables

        self._memory = self._memory or Memory()
        try:
            tables = Tables(self._name, self._config, self._memory)
            tables.open()
        except (OSError, BadSecret) as error:
            raise Retryable(f"lake {self._name}: a secret cannot be used: {error}") from None
        except Taken:
            self._memory = None
            raise
        self._tables = tables

    async def positions(self) -> Positions:
        return await self._in_thread(self._opened().positions)

    def durable(self) -> Positions:
        """As of the last commit."""
        return {} if self._memory is None else dict(self._memory.stored)

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        """Takes the rows, and commits them when it is time: see `Gathers`."""
        return await self._in_thread(lambda: self._write(deliveries, positions))

    def _write(self, deliveries: Sequence[Delivery], positions: Positions) -> list[Rejected]:
        tables, config = self._opened(), self._config
        assert self._memory is not None
        rejected = self._gather(tables, self._memory, deliveries)
        self._memory.gathered.move(short_of(rejected, positions), monotonic())
        bytes_max = config.commit_mb * 1_000_000
        if self._memory.gathered.due(monotonic(), config.commit_s, IDLE_COMMIT_S, bytes_max):
            self._commit()
        return rejected

    async def flush(self) -> None:
        await self._in_thread(self._commit)

    def _commit(self) -> None:
        tables = self._opened()
        try:
            tables.commit()
        except BaseException as error:
            self._tables = None  # what took place is seen when it is opened again
            if isinstance(error, Taken):
                self._memory = None
            raise
        tables.tidy()

    def _gather(self, tables: "Tables", memory: "Memory", deliveries: Sequence[Delivery]) -> list[Rejected]:
        """What was taken before is only judged again: it may be in no quarantine yet."""
        from sinks.lake.rows import build, table_of

        ends: dict[str, Ends] = {}
        fresh: list[Delivery] = []
        again: list[Delivery] = []
        reached: dict[tuple[str, Place], int] = {}
        for each in deliveries:
            (topic, partition, offset), table = each.heard_at, table_of(each)
            place = topic, partition
            if table is None:
                continue
            if (table, place) not in reached:
                reached[table, place] = max(memory.gathered.seen.get(place, 0), tables.rows_end(table, place))
            if offset < reached[table, place]:
                again.append(each)
                tables.watch(place, offset)
            else:
                fresh.append(each)
                its = ends.setdefault(table, {})
                its[place] = max(offset + 1, its.get(place, 0))
        rejected: list[Rejected] = []
        build(again, rejected)
        for name, rows in build(fresh, rejected).items():
            memory.gathered.put(name, rows, ends[name], monotonic())
        for its in ends.values():
            memory.gathered.accept(its)
        order = {id(each): number for number, each in enumerate(deliveries)}
        return sorted(rejected, key=lambda refusal: order[id(refusal.delivery)])

    async def close(self) -> None:
        """Waits for a commit that is under way; what was gathered since the last one is not committed, and comes again."""
        self._tables = None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.shutdown)

    def _opened(self) -> "Tables":
        if self._tables is None:
            raise Retryable(f"lake {self._name}: not open")
        return self._tables

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._thread is None:
            raise Retryable(f"lake {self._name}: not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


def short_of(rejected: Sequence[Rejected], positions: Positions) -> Positions:
    """Positions that do not pass a rejected record: until it is in quarantine, a crash must bring it again."""
    short = dict(positions)
    for refusal in rejected:
        place = refusal.delivery.topic, refusal.delivery.partition
        if place in short:
            short[place] = min(refusal.delivery.offset, short[place])
    return short
