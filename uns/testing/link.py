"""A source read as the runner reads it, without Kafka; and a way to it over TCP that can be cut and mended."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path as FilePath
from typing import Any

from connectors.base import Connector, ConnectorConfig, ConnectorSpec
from schemas.codec import Codec
from schemas.records import TYPES, Sample, Value
from topology.model.plant import Plant
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path
from uns.runners.connector.freshness import Freshness
from uns.runners.connector.packing import Packer
from uns.runners.connector.source import Setup, Source
from uns.runners.connector.spool import Spool
from uns.runtime.clock import system
from uns.runtime.ports import HOST

_PORT = re.compile(rf"(?<={re.escape(HOST)}:)\d+")


class Relay:
    """Passes TCP connections on to a port of this machine, until it is cut."""

    def __init__(self, upstream: int) -> None:
        self._upstream, self.port = upstream, 0
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Listens: at first at a free port, then at the same again."""
        self._server = await asyncio.start_server(self._pass_on, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Ends every connection; new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.transport.abort()

    async def _pass_on(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            server, there = await asyncio.open_connection(HOST, self._upstream)
        except OSError:
            back.transport.abort()
            return
        self._links |= {back, there}
        pumps = [asyncio.create_task(_pump(client, there)), asyncio.create_task(_pump(server, back))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for link in (back, there):
            link.transport.abort()
            self._links.discard(link)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await source.read(65_536):
            sink.write(part)
            await sink.drain()


@asynccontextmanager
async def relayed(config: dict[str, Any]) -> AsyncIterator[tuple[dict[str, Any], list[Relay]]]:
    """A configuration whose addresses on this machine lead through relays; and the relays, one a port."""
    relays: dict[str, Relay] = {}
    for port in dict.fromkeys(_PORT.findall(str(config))):
        relays[port] = Relay(int(port))
        await relays[port].mend()

    def through(value: Any) -> Any:
        match value:
            case str():
                return _PORT.sub(lambda match: str(relays[match[0]].port), value)
            case dict():
                return {key: through(inner) for key, inner in value.items()}
            case list() | tuple():
                return [through(inner) for inner in value]
        return value

    try:
        yield through(config), list(relays.values())
    finally:
        for relay in relays.values():
            await relay.cut()


class Watched:
    """What a source says and how it is, while it is read."""

    def __init__(self, source: Source, path: Path) -> None:
        self.source, self._path = source, path
        self.read: list[Sample] = []

    def has(self, tag: str, value: Value) -> bool:
        """Whether it has said this."""
        return any((sample.tag, sample.value) == (tag, value) for sample in self.read)

    def stale(self) -> bool:
        """Whether its machine is said to be quiet."""
        machine = self.source.health().machines.get(str(self._path))
        return machine is not None and machine.stale

    async def take(self) -> None:
        """Acknowledges what comes, until it is cancelled."""
        while True:
            batch = await self.source.inbox.get()
            self.read += [reading.sample for reading in batch.readings if reading.path == self._path]
            await batch.ack()
            self.source.inbox.task_done()

    async def until(self, holds: Callable[[], object], timeout_s: float, what: str) -> None:
        """Raises `AssertionError`, which says what did not come and how the source is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self.source.count_links()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what}: {self.source.problems()}, {self.source.health()}") from None


@asynccontextmanager
async def watched(
    protocol: str, spec: ConnectorSpec[Any], config: dict[str, Any], path: Path, folder: FilePath, **entry: Any
) -> AsyncIterator[Watched]:
    """Reads a source, opened again whenever it is lost. `entry`: further keys of the connector, as a plant model has them."""
    checked: ConnectorConfig = spec.config.model_validate(config)
    wiring = ConnectorEntry.model_validate({"protocol": protocol, "config": {}, **entry})
    spool = Spool(folder, 1_000_000)
    setup = Setup(
        wiring,
        lambda: _built(spec, checked),
        Packer("contract", plant := _plant(path), Codec({name: number for number, name in enumerate(TYPES, 1)}), wiring, spool.next_sequence),
        Freshness(wiring, plant, spec.every_s(checked), spec.paths(checked)),
    )  # fmt: skip

    async def adopt(_setup: Setup | None) -> None:
        """Nothing waits for Kafka."""

    source = Source("contract", setup, spool, system, lambda: None, lambda _gaps: None, adopt)
    one = Watched(source, path)
    async with AsyncExitStack() as stack:
        stack.callback(spool.close)
        stack.push_async_callback(source.close)
        for task in (asyncio.create_task(source.read()), asyncio.create_task(one.take())):
            stack.push_async_callback(_ended, task)
        yield one


def _built(spec: ConnectorSpec[Any], config: ConnectorConfig) -> Connector:
    return spec.build("contract", config)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _plant(path: Path) -> Plant:
    enterprise, site, area, line, cell = str(path).split("/")
    cells = {line: {"cells": {cell: "machine"}}}
    return Plant.model_validate(
        {
            "namespace": {"enterprise": enterprise, "sites": {site: {"areas": {area: {"lines": cells}}}}},
            "types": {"machine": {"tags": {}, "ideal_cycle_s": 1}},
        }
    )
