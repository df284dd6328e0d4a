"""A client that posts to our HTTP server, one after another, and repeats what was not answered 2xx."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2

from connectors.opcua.codec import moment
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port

TOKEN = "a-token-of-the-tests"


class HttpSource:
    path = PATH
    also = ALSO
    asks_again = True  # the client repeats
    listens = True

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.config: dict[str, Any] = {"url": self.url, "tokens": [{"prefix": "acme", "token": TOKEN}]}
        self._bodies: asyncio.Queue[bytes] = asyncio.Queue()

    async def say(self, tag: str, at: int, value: object) -> None:
        self._bodies.put_nowait(json.dumps({"at": moment(at).isoformat(), "values": {tag: value}}).encode())

    async def babble(self) -> None:
        for body in (b"\xff{", b'{"\\ud800": 1}', b'{"at": 1, "values": {"Name": 1}}'):
            self._bodies.put_nowait(body)

    async def vanish(self) -> None:
        """There is no link."""

    async def post(self) -> None:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
            while True:
                body = await self._bodies.get()
                while not await self._posted(client, body):  # noqa: ASYNC110 - a client's back-off
                    await asyncio.sleep(0.05)

    async def _posted(self, client: httpx2.AsyncClient, body: bytes) -> bool:
        try:
            answer = await client.post(f"{self.url}/v1/samples/{PATH}", content=body)
        except httpx2.TransportError:
            return False
        return answer.status_code == 202


@asynccontextmanager
async def http() -> AsyncIterator[HttpSource]:
    source = HttpSource()
    posting = asyncio.create_task(source.post())
    try:
        yield source
    finally:
        posting.cancel()
        with suppress(asyncio.CancelledError):
            await posting
