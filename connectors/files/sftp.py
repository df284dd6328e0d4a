"""A folder of another machine, over SFTP."""

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from connectors.base import SourceUnavailable
from connectors.files.config import FilesConfig
from connectors.files.folder import DEPTH_MAX, Listing, OpenFile, Seen, full, shown
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
        await self._asked(lambda client: client.stat(self._path))

    async def files(self, wanted: Callable[[str], bool]) -> Listing:
        async def listed(client: Any) -> Listing:
            return await _listed(client, self._path, wanted)

        return await self._asked(listed)

    async def file(self, name: str) -> OpenFile:
        client = self._running()
        async with _as_os_errors(self._config.timeout_s):
            return _SftpFile(await client.open(f"{self._path}/{name}", "rb", encoding=None), self._config.timeout_s)

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
        try:
            async with _as_os_errors(self._config.timeout_s):
                return await ask(client)
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


async def _listed(client: Any, folder: str, wanted: Callable[[str], bool]) -> Listing:
    """As `connectors.files.folder` lists. Raises `OSError` or what the library has for the folder itself."""
    import asyncssh

    files: dict[str, Seen] = {}
    problems: list[str] = []
    waiting = [("", 0)]
    while waiting and not full(files, problems):
        below, depth = waiting.pop()
        try:
            async for entry in client.scandir(f"{folder}/{below}"):
                name, said = below + entry.filename, entry.attrs
                if entry.filename in (".", ".."):
                    continue
                if stat.S_ISDIR(said.permissions or 0):
                    if depth < DEPTH_MAX:
                        waiting.append((name + "/", depth + 1))
                elif wanted(name) and (seen := await _seen(client, f"{folder}/{name}", said)) is not None:
                    files[name] = seen
        except asyncssh.SFTPPermissionDenied as error:
            if not below:
                raise
            problems.append(f"folder {shown(below)} cannot be read: {_words(error)}")
        except asyncssh.SFTPNoSuchFile:
            if not below:
                raise
    return Listing(files, tuple(problems))


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
