"""The SQL sink: a thread of its own writes, so that a slow database never stops the loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath
from typing import TypeVar

from sinks.base import Delivery, Positions, Rejected, Retryable
from sinks.sql.config import SqlSinkConfig
from sinks.sql.writer import Writer

T = TypeVar("T")


class SqlSink:
    """Effectively once: positions are the database's own, in the transaction of the rows, and rows have natural keys besides."""

    def __init__(self, name: str, config: SqlSinkConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._writer = Writer(name, config)
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sql {self._name}")
        await self._call(self._writer.open)

    async def positions(self) -> Positions | None:
        return await self._call(self._writer.positions)

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        return await self._call(lambda: self._writer.write(deliveries, positions))

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._writer.close)
            thread.shutdown(wait=False)

    async def _call(self, function: Callable[[], T]) -> T:
        if self._thread is None:
            raise Retryable(f"sink {self._name}: not connected to {self._config.url}")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
