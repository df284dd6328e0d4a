"""A client that posts to our HTTP server, one after another, and repeats what was not answered 2xx."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
from hypothesis import strategies as st

from connectors.base import Said
from connectors.http import codec as http_codec
from connectors.http.config import Lines
from connectors.opcua.codec import moment
from tests.contract.payloads import PAYLOADS
from tests.contract.sources import ALSO, PATH
from topology.namespace.path import Level
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract

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


def _said(message: tuple[str, bytes, bool]) -> list[Said]:
    kind, body, json_lines = message
    lines = Lines(path="acme/dallas/{measurement}", levels="spelled")
    return [
        *http_codec.decode(kind, PATH, body, 2_000_000_000_000_000, json_lines),
        *http_codec.decode_lines(lines, PATH.at(Level.SITE), body, http_codec.PRECISIONS["ns"], 2_000_000_000_000_000),
    ]


LINES = st.text(st.sampled_from('ab,= "\\\n#1i.u-eé')).map(str.encode)
CONTRACT = connector_contract(
    "http",
    lambda _request: http(),
    Codec(st.tuples(st.sampled_from(sorted(http_codec.KINDS)), PAYLOADS | LINES, st.booleans()), _said),
    lambda port: {"url": f"http://203.0.113.1:{port}"},
    cut_by_relay=False,  # the address is our own
)
