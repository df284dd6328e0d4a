"""A folder of another machine, over SFTP."""

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from connectors.base import SourceUnavailable
from connectors.files.config import FilesConfig
from connectors.files.folder import Entry, Listing, OpenFile, Seen, listed
from topology.endpoint import BadSecret

KEEP_ALIVE_S = 5
"""How often the other side is asked for a sign of life; two that are missing end the connection."""
CLOSE_S = 1.0
"""Longest wait for the other side to close a file."""
T = TypeVar("T")


class SftpFolder:
    """One connection. The server's key must be among those known: nothing is read from whoever answers."""

    def __init__(self, config: FilesConfig) -> None:
        self._config = config
        parts = urlsplit(config.folder)
        self._host, self._port = parts.hostname or "", parts.port or 22
        self._path = unquote(parts.path).rstrip("/") or "/"
        self._connection: Any = None
        self._client: Any = None

    async def open(self) -> None:
        config = self._config
        try:
            import asyncssh
        except ImportError:
            raise SourceUnavailable(f"{config.folder}: SFTP needs asyncssh: pip install 'uns-backbone[sftp]'") from None
        await self.close()
        try:
            secret = config.secret
            async with asyncio.timeout(config.timeout_s):
                self._connection = await asyncssh.connect(
                    self._host,
                    self._port,
                    username=config.username,
                    password=secret,
                    client_keys=[str(config.key_file)] if config.key_file else None,
                    known_hosts=str(config.known_hosts_file),
                    agent_path=None,
                    config=None,
                    keepalive_interval=KEEP_ALIVE_S,
                    keepalive_count_max=2,
                )
                self._client = await self._connection.start_sftp_client()
        except (OSError, BadSecret, asyncssh.Error, asyncssh.KeyImportError) as error:  # a TimeoutError is an OSError
            words = _words(error) or f"no answer within {config.timeout_s:g} s"
            raise SourceUnavailable(
                f"{config.folder} cannot be reached ({words}); is it up, are user, key and `known_hosts_file` right?"
            ) from error
        await self.probe()

    async def probe(self) -> None:
        await self._there(self._asked(lambda client: client.stat(self._path)))

    async def files(self, wanted: Callable[[str], bool]) -> Listing:
        async def scan(below: str) -> list[Entry]:
            return await self._asked(lambda client: _scanned(client, self._path, below, wanted))

        return await self._there(listed(scan))

    async def file(self, name: str) -> OpenFile:
        file = await self._asked(lambda client: client.open(f"{self._path}/{name}", "rb", encoding=None))
        return _SftpFile(file, self._config.timeout_s)

    async def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()

    def _running(self) -> Any:
        if self._client is None:
            raise SourceUnavailable(f"{self._config.folder} is not open")
        return self._client

    async def _asked(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        client = self._running()
        async with _as_os_errors(self._config.timeout_s):
            return await ask(client)

    async def _there(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except OSError as error:
            words = str(error) or f"no answer within {self._config.timeout_s:g} s"
            raise SourceUnavailable(f"{self._config.folder} cannot be read: {words}") from error


class _SftpFile:
    def __init__(self, file: Any, timeout_s: float) -> None:
        self._file, self._timeout_s = file, timeout_s

    async def size(self) -> int:
        async with _as_os_errors(self._timeout_s):
            return int((await self._file.stat()).size or 0)

    async def read(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        async with _as_os_errors(self._timeout_s):
            while length > 0 and (part := await self._file.read(length, offset)):
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    async def close(self) -> None:
        import asyncssh

        with suppress(OSError, asyncssh.Error):  # the link may be gone
            async with asyncio.timeout(CLOSE_S):
                await self._file.close()


@asynccontextmanager
async def _as_os_errors(timeout_s: float) -> AsyncIterator[None]:
    """What may go wrong, as the file system of this machine would say it."""
    import asyncssh

    try:
        async with asyncio.timeout(timeout_s):
            yield
    except asyncssh.SFTPNoSuchFile as error:
        raise FileNotFoundError(_words(error)) from error
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError) as error:
        raise ConnectionError(_words(error)) from error
    except asyncssh.Error as error:
        raise OSError(_words(error)) from error


async def _scanned(client: Any, folder: str, below: str, wanted: Callable[[str], bool]) -> list[Entry]:
    """Symbolic links lead to files, never to folders."""
    entries = []
    async for entry in client.scandir(f"{folder}/{below}"):
        name, said = entry.filename, entry.attrs
        if name in (".", ".."):
            continue
        if stat.S_ISDIR(said.permissions or 0):
            entries.append(Entry(name, None))
        elif wanted(below + name) and (seen := await _seen(client, f"{folder}/{below}{name}", said)) is not None:
            entries.append(Entry(name, seen))
    return entries


async def _seen(client: Any, path: str, said: Any) -> Seen | None:
    """None for what is no file, or gone by now."""
    import asyncssh

    if stat.S_ISLNK(said.permissions or 0):
        try:
            said = await client.stat(path)
        except asyncssh.SFTPError:
            return None
    if said.permissions is not None and not stat.S_ISREG(said.permissions):
        return None
    return Seen(said.size or 0, (said.mtime or 0) * 1_000_000_000 + (said.mtime_ns or 0))


def _words(error: Exception) -> str:
    return str(error).encode("utf-8", "replace").decode().replace("\n", " ")[:300]
