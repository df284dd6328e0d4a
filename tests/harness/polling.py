"""A polled connector in conversation with devices, and what it was heard to say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from connectors.base import Batch, Malformed, Reading, SourceUnavailable
from connectors.kit.polling.connector import PollingConnector
from connectors.kit.polling.quality import GOOD
from uns.testing.patience import patient

PATH = "acme/dallas/packaging/line-1/filler"


class Heard:
    """All that a connector says, in order."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.malformed: list[Malformed] = []

    def add(self, batch: Batch) -> None:
        self.readings += batch.readings
        self.malformed += batch.malformed

    def of(self, tag: str, path: str = PATH) -> list[tuple[Any, int]]:
        return [
            (reading.sample.value, reading.sample.quality)
            for reading in self.readings
            if (reading.sample.tag, str(reading.path)) == (tag, path)
        ]

    def has(self, tag: str, value: object, code: int = GOOD, path: str = PATH) -> bool:
        return (value, code) in self.of(tag, path)


async def hear(connector: PollingConnector, until: Callable[[Heard], object]) -> Heard:
    """Reads on until it is so."""
    heard, stream = Heard(), connector.batches()
    try:
        async with asyncio.timeout(patient(20)):
            async for batch in stream:
                heard.add(batch)
                if until(heard):
                    break
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    return heard


async def reopened(connector: PollingConnector) -> None:
    """As the runner does: closed, and opened until it is."""
    async with asyncio.timeout(patient(20)):
        while True:
            await connector.close()
            try:
                return await connector.open({})
            except SourceUnavailable:
                continue


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(patient(10)):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def conversation(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a conversation."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class Proxy:
    """What stands between a connector and a server, and can go silent or close."""

    def __init__(self) -> None:
        self.port = 0
        self.silent = False
        """Everything is taken, nothing goes on, and nobody is told: a link that is half open."""
        self.alter: Callable[[bytes], bytes] = bytes
        """What becomes of what the server says."""
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, server_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            further, onward = await asyncio.open_connection("127.0.0.1", server_port)
        except OSError:
            writer.close()
            return
        self._writers += [writer, onward]
        for source, target, back in ((reader, onward, False), (further, writer, True)):
            task = asyncio.create_task(self._pass(source, target, back))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: bool) -> None:
        while came := await source.read(65_536):
            if not self.silent:
                target.write(self.alter(came) if back else came)
        target.close()

    def close_all(self) -> None:
        """Every connection ends."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def end(self) -> None:
        self.close_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxied(server_port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(lambda reader, writer: proxy.meet(server_port, reader, writer), "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
