"""The toy connection. The protocol cannot ask again."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from connectors.base import Batch, Resume, SourceUnavailable
from topology.namespace.path import Path

from .codec import decode
from .config import ToyConfig


class ToyConnector:
    def __init__(self, name: str, config: ToyConfig) -> None:
        self._config = config
        self._path = Path.parse(config.path)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self, resume: Resume) -> None:
        try:
            async with asyncio.timeout(5):
                self._streams = await asyncio.open_connection(*self._config.host)
        except OSError as error:
            raise SourceUnavailable(f"{self._config.url} does not answer: {error}; is it up?") from error

    async def batches(self) -> AsyncIterator[Batch]:
        while self._streams is not None:
            try:
                line = await self._streams[0].readline()
            except OSError:
                line = b""
            if not line:
                raise SourceUnavailable(f"{self._config.url}: the link was lost")
            yield Batch.of([decode(self._path, line.strip())])

    async def close(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()

    def healthy(self) -> bool:
        return self._streams is not None and not self._streams[0].at_eof()

    def problems(self) -> Sequence[str]:
        return ()
