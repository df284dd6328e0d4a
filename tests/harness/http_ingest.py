"""The HTTP connector opened, a client of it, and the runner's part of the conversation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from connectors.base import Batch
from connectors.http.config import HttpConfig
from connectors.http.connector import HttpConnector
from uns.runtime.ports import free_port

PLACE = "acme/dallas/packaging/line-1/filler"
GOOD = b'{"at": "2026-11-23T06:00:00Z", "values": {"Good": 17}}'


@dataclass
class Running:
    connector: HttpConnector
    client: httpx2.AsyncClient
    config: HttpConfig
    batches: list[Batch] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    confirms: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """The runner's part: takes all, and confirms when it may."""
        stream = self.connector.batches()
        async with aclosing(stream):  # type: ignore[type-var]
            async for batch in stream:
                self.batches.append(batch)
                self.came.set()
                await self.confirms.wait()
                await batch.ack()

    async def post(self, content: Any = GOOD, path: str = f"/v1/samples/{PLACE}", **headers: str) -> httpx2.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=content, headers=names)


@asynccontextmanager
async def running(confirms: bool = True, **options: Any) -> AsyncIterator[Running]:
    tokens = [{"prefix": "acme/dallas", "token": "dallas"}, {"prefix": "acme/austin", "token": "austin"}]
    lines = {"path": "acme/dallas/packaging/line-1/{measurement}"}
    config = HttpConfig.model_validate({"url": f"http://127.0.0.1:{free_port()}", "tokens": tokens, "lines": lines, **options})  # fmt: skip
    connector = HttpConnector("test", config)
    await connector.open({})
    client = httpx2.AsyncClient(base_url=config.url, headers={"authorization": "Bearer dallas"}, timeout=30)
    here = Running(connector, client, config)
    if confirms:
        here.confirms.set()
    reading = asyncio.create_task(here.read())
    try:
        yield here
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await client.aclose()
        await connector.close()
