"""Complete files to a folder of another machine, over SFTP. They lie in the local folder until they are there.

A file is written under a name that is none yet (`.NAME.uns`), and gets its own at once: whoever reads the folder sees no half of
it. Written again after a crash it is the same file under the same name.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import unquote, urlsplit

from sinks.base import Retryable
from sinks.files.config import Upload
from topology.endpoint import BadSecret

KEEP_ALIVE_S = 5
"""How often the other side is asked for a sign of life; two that are missing end the connection."""
BLOCK_BYTES = 4_000_000
"""Sent at once; each of them within `timeout_s`."""


class Uploader:
    """One connection, opened when it is needed. The server's key must be among those known. Raises `Retryable`."""

    def __init__(self, name: str, config: Upload) -> None:
        self._name, self._config = name, config
        parts = urlsplit(config.to)
        self._host, self._port = parts.hostname or "", parts.port or 22
        self._path = unquote(parts.path).rstrip("/") or "/"
        self._connection: Any = None
        self._client: Any = None

    async def put(self, file: FilePath, name: str) -> None:
        """Durable there as far as the server is; `name` is below the folder, which is not made."""
        try:
            if self._client is None:
                await self._open()
            await self._put(file, name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()

    async def _open(self) -> None:
        config = self._config
        try:
            import asyncssh
        except ImportError:
            raise Retryable(f"sink {self._name}: SFTP needs asyncssh: pip install 'uns-backbone[sftp]'") from None
        async with self._told("cannot be reached", "is it up, are user, key and `known_hosts_file` right?"):
            self._connection = await asyncssh.connect(
                self._host,
                self._port,
                username=config.username,
                password=config.secret,
                client_keys=[str(config.key_file)] if config.key_file else None,
                known_hosts=str(config.known_hosts_file),
                agent_path=None,
                config=None,
                keepalive_interval=KEEP_ALIVE_S,
                keepalive_count_max=2,
            )
            self._client = await self._connection.start_sftp_client()
        async with self._told("cannot be used", "is the folder there?"):
            await self._client.stat(self._path)

    async def _put(self, file: FilePath, name: str) -> None:
        client, target = self._client, f"{self._path}/{name}"
        folder, _, last = target.rpartition("/")
        hidden = f"{folder}/.{last}.uns"
        hint = "may this user write there?"
        async with self._told("takes no file", hint):
            if "/" in name:
                await client.makedirs(folder, exist_ok=True)
            there = await client.open(hidden, "wb", encoding=None)
        with await asyncio.to_thread(file.open, "rb") as source:
            while block := await asyncio.to_thread(source.read, BLOCK_BYTES):
                async with self._told("takes no file", hint):
                    await there.write(block)
        async with self._told("takes no file", hint):
            await there.close()
            await client.posix_rename(hidden, target)

    @asynccontextmanager
    async def _told(self, what: str, hint: str) -> AsyncIterator[None]:
        """One step within `timeout_s`; what fails, in words that say what to do."""
        import asyncssh

        try:
            async with asyncio.timeout(self._config.timeout_s):
                yield
        except (OSError, BadSecret, asyncssh.Error, asyncssh.KeyImportError) as error:  # a TimeoutError is an OSError
            words = " ".join(str(error).split())[:300] or f"no answer within {self._config.timeout_s:g} s"
            raise Retryable(f"sink {self._name}: {self._config.to} {what} ({words}); {hint}") from error
