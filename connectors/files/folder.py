"""A folder and what can be asked of it: what is in it, and bytes of a file. This one is of this machine, or mounted there."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path as FilePath
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar

from connectors.base import SourceUnavailable
from connectors.kit.worker import Worker

FILES_MAX = 20_000
"""Files that are looked at; more are named as a problem."""
DEPTH_MAX = 8
T = TypeVar("T")


class Seen(NamedTuple):
    """What a folder says of a file. Two that are equal: nothing has been written in between."""

    size: int
    modified: int
    number: int = 0
    """Its inode, where there is one."""


class Listing(NamedTuple):
    files: dict[str, Seen]
    """By name below the folder, with slashes."""
    problems: tuple[str, ...] = ()


class Entry(NamedTuple):
    """What stands in a folder. `seen` None: a folder."""

    name: str
    seen: Seen | None


class OpenFile(Protocol):
    """One file, held open: what is read of it is of one file, whatever is renamed meanwhile. Raises `OSError`, of which
    `TimeoutError` says that the folder does not answer any more."""

    async def size(self) -> int: ...
    async def read(self, offset: int, length: int) -> bytes:
        """`length` bytes, fewer at the end of the file."""
        ...

    async def close(self) -> None: ...


class Folder(Protocol):
    """`open`, `files` and `probe` raise `SourceUnavailable` where the folder is away; `file` raises `OSError`."""

    async def open(self) -> None: ...
    async def files(self, wanted: Callable[[str], bool]) -> Listing: ...
    async def file(self, name: str) -> OpenFile: ...
    async def probe(self) -> None:
        """Raises unless the folder answers now."""
        ...

    async def close(self) -> None: ...


class LocalFolder:
    """Every call to the file system is made by one thread: a share that hangs must not hang the process."""

    def __init__(self, folder: str, timeout_s: float) -> None:
        self._folder, self._timeout_s = folder, timeout_s
        self._worker: Worker | None = None

    async def open(self) -> None:
        if self._worker is not None and self._worker.busy:
            raise SourceUnavailable(f"folder {self._folder} still does not answer; is what is mounted there reachable?")
        if self._worker is None:
            self._worker = Worker(f"files {self._folder}")
        await self.probe()

    async def probe(self) -> None:
        await self._there(self._asked(os.stat, self._folder))

    async def files(self, wanted: Callable[[str], bool]) -> Listing:
        return await self._there(listed(lambda below: self._asked(_scanned, self._folder, below, wanted)))

    async def file(self, name: str) -> OpenFile:
        worker = self._running()
        return _LocalFile(worker, await self._asked(_opened, FilePath(self._folder, name)), self._timeout_s)

    async def close(self) -> None:
        if self._worker is not None and not self._worker.busy:  # else it is asked by the next `open`
            self._worker.close()
            self._worker = None

    def _running(self) -> Worker:
        if self._worker is None:
            raise SourceUnavailable(f"folder {self._folder} is not open")
        return self._worker

    async def _asked(self, function: Callable[..., T], *arguments: Any) -> T:
        async with asyncio.timeout(self._timeout_s):
            return await self._running().run(function, *arguments)

    async def _there(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except OSError as error:  # a TimeoutError is one
            words = error.strerror or str(error) or f"no answer within {self._timeout_s:g} s"
            raise SourceUnavailable(
                f"folder {self._folder} cannot be read: {words}; is it mounted, may we read it?"
            ) from error


class _LocalFile:
    def __init__(self, worker: Worker, file: BinaryIO, timeout_s: float) -> None:
        self._worker, self._file, self._timeout_s = worker, file, timeout_s

    async def size(self) -> int:
        async with asyncio.timeout(self._timeout_s):
            return await self._worker.run(lambda: os.fstat(self._file.fileno()).st_size)

    async def read(self, offset: int, length: int) -> bytes:
        async with asyncio.timeout(self._timeout_s):
            return await self._worker.run(_read, self._file, offset, length)

    async def close(self) -> None:
        self._worker.post(self._file.close)


def _opened(file: FilePath) -> BinaryIO:
    return open(file, "rb", buffering=0)  # held open beyond this call


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _scanned(folder: str, below: str, wanted: Callable[[str], bool]) -> list[Entry]:
    """Symbolic links lead to files, never to folders."""
    entries = []
    with os.scandir(os.path.join(folder, below)) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                entries.append(Entry(entry.name, None))
            elif wanted(below + entry.name) and (seen := _seen(entry)) is not None:
                entries.append(Entry(entry.name, seen))
    return entries


def _seen(entry: "os.DirEntry[str]") -> Seen | None:
    """None for what is no file, or gone by now."""
    try:
        if not entry.is_file():
            return None
        said = entry.stat()
    except OSError:
        return None
    return Seen(said.st_size, said.st_mtime_ns, said.st_ino)


async def listed(scan: Callable[[str], Awaitable[list[Entry]]]) -> Listing:
    """What is in a folder and those below. `scan`: what stands in one of them, wanted files and folders; its name ends with a
    slash, and is empty for the folder itself, of which all that it raises is raised."""
    files: dict[str, Seen] = {}
    problems: list[str] = []
    waiting = [("", 0)]
    while waiting:
        if len(files) > FILES_MAX:
            problems.append(f"more than {FILES_MAX} files are there; not all are read: move away those that were")
            break
        below, depth = waiting.pop()
        try:
            entries = await scan(below)
        except (TimeoutError, ConnectionError):
            raise
        except OSError as error:
            if not below:
                raise
            if not isinstance(error, FileNotFoundError):  # it is gone by now
                problems.append(f"folder {_shown(below)} cannot be read: {error.strerror or error}")
            continue
        for name, seen in entries:
            if seen is not None:
                files[below + name] = seen
            elif depth < DEPTH_MAX:
                waiting.append((f"{below}{name}/", depth + 1))
    return Listing(files, tuple(problems))


def _shown(name: str) -> str:
    """A name as a message can carry it."""
    return name.encode("utf-8", "backslashreplace").decode()[:200]
