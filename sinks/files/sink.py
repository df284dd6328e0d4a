"""The files sink: a thread of its own writes, a task completes files whose time has come while nothing is written, and
another copies complete ones to where they are to go."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as FilePath
from typing import TypeVar

import structlog

from sinks.base import Delivery, Positions, Rejected, Retryable
from sinks.files.config import FilesSinkConfig
from sinks.files.upload import Uploader
from sinks.files.writer import Writer

log = structlog.get_logger()

TEND_S = 1.0
COPY_S = (1.0, 60.0)
"""How long it waits before it looks for files to copy, at first and at most."""
T = TypeVar("T")


class FilesSink:
    """Effectively once: positions are kept beside the files, and say how long each of them is then."""

    def __init__(self, name: str, config: FilesSinkConfig, folder: FilePath) -> None:
        self._name, self._config = name, config
        self._writer = Writer(name, config)
        self._thread: ThreadPoolExecutor | None = None
        self._tending: asyncio.Task[None] | None = None
        self._uploader = None if config.upload is None else Uploader(name, config.upload)
        self._copying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"files {self._name}")
        await self._call(self._writer.open)
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())
        if self._copying is None and self._uploader is not None:
            self._copying = asyncio.create_task(self._copy(self._uploader))

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

    async def _copy(self, uploader: Uploader) -> None:
        """Complete files to where they are to go, one after the other; a server that is away is asked again and again."""
        wait_s = COPY_S[0]
        while True:
            try:
                while (name := await self._call(self._writer.waiting)) is not None:
                    await self._copy_one(uploader, name)
                    wait_s = COPY_S[0]
            except Retryable as error:
                wait_s = min(2 * wait_s, COPY_S[1])
                log.warning("files wait to be copied", sink=self._name, reason=str(error), again_s=wait_s)
            await asyncio.sleep(wait_s)

    async def _copy_one(self, uploader: Uploader, name: str) -> None:
        try:
            await uploader.put(self._config.folder / name, name)
            log.debug("file copied", sink=self._name, file=name)
        except FileNotFoundError:
            log.error("a file was taken away before it was copied", sink=self._name, file=name)
        except OSError as error:
            raise Retryable(f"sink {self._name}: {name} cannot be read: {error}") from error
        await self._call(lambda: self._writer.copied(name))

    async def close(self) -> None:
        tasks = [task for task in (self._tending, self._copying) if task is not None]
        self._tending = self._copying = None
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._uploader is not None:
            self._uploader.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._writer.close)
            thread.shutdown(wait=False)

    async def _call(self, function: Callable[[], T]) -> T:
        if self._thread is None:
            raise Retryable(f"sink {self._name}: the folder {self._config.folder} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
