"""The files sink: a thread of its own writes, and a task completes files whose time has come while nothing is written."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as FilePath
from typing import TypeVar

import structlog

from sinks.base import Delivery, Positions, Rejected, Retryable
from sinks.files.config import FilesSinkConfig
from sinks.files.writer import Writer

log = structlog.get_logger()

TEND_S = 1.0
T = TypeVar("T")


class FilesSink:
    """Effectively once: positions are kept beside the files, and say how long each of them is then."""

    def __init__(self, name: str, config: FilesSinkConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._writer = Writer(name, config)
        self._thread: ThreadPoolExecutor | None = None
        self._tending: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"files {self._name}")
        await self._call(self._writer.open)
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())

    async def positions(self) -> Positions | None:
        return await self._call(self._writer.positions)

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        return await self._call(lambda: self._writer.write(deliveries, positions))

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_S)
            try:
                await self._call(self._writer.tend)
            except Retryable as error:  # the next write meets it, too, and opens anew
                log.debug("files cannot be completed", sink=self._name, error=str(error))

    async def close(self) -> None:
        task, self._tending = self._tending, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._writer.close)
            thread.shutdown(wait=False)

    async def _call(self, function: Callable[[], T]) -> T:
        if self._thread is None:
            raise Retryable(f"sink {self._name}: the folder {self._config.folder} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
