"""The contract over a real toy server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st

from topology.namespace.path import Path
from toy_connector.codec import decode  # type: ignore[import-not-found]  # it is there once it is installed
from uns.testing import Codec, Source, connector_contract

PATH = Path.parse("acme/dallas/packaging/line-1/filler")


@dataclass
class Toy:
    config: dict[str, Any]
    path = PATH
    asks_again = False
    also: tuple[tuple[str, Any], ...] = (("Speed", 3),)
    clients: list[asyncio.StreamWriter] = field(default_factory=list)
    joined: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, tag: str, at: int, value: object) -> None:
        await self._send(f"{tag} {at} {value}\n".encode())

    async def babble(self) -> None:
        await self._send(b"\xff\n")

    async def vanish(self) -> None:
        await self.joined.wait()
        for client in list(self.clients):
            client.close()

    async def _send(self, line: bytes) -> None:
        await self.joined.wait()
        for client in list(self.clients):
            client.write(line)
            await client.drain()


@asynccontextmanager
async def toy(request: pytest.FixtureRequest) -> AsyncIterator[Source]:
    source = Toy({})

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source.clients.append(writer)
        source.joined.set()
        with suppress(OSError):
            await reader.read()  # it says nothing, and hangs up
        source.clients.remove(writer)
        if not source.clients:
            source.joined.clear()

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source.config = {"url": f"toy://127.0.0.1:{port}", "path": str(PATH)}
    try:
        yield source
    finally:
        server.close()
        for client in source.clients:
            client.close()


TestToy = connector_contract("toy", toy, Codec(st.binary(max_size=40), lambda line: [decode(PATH, line)]))
