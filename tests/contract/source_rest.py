"""A system of record with a list of objects behind a real HTTP server: filtered by a watermark, in pages."""

import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors.base import Said
from connectors.kit.message import FACTS
from connectors.rest.config import Query
from connectors.rest.reader import Answer, BadAnswer, QueryReader
from tests.contract.payloads import KEYS
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract
from uns.testing.patience import patient
from uns.testing.text import json_documents

PAGE_ITEMS = 7


class RestSource:
    path = PATH
    also = ALSO
    asks_again = True  # a system of record keeps its objects

    def __init__(self, **tls: str) -> None:
        """`tls`: uvicorn's options of it."""
        self.items: list[Any] = []
        self.trouble: Response | None = None
        self.requests: list[str] = []
        self.authorization: str | None = None
        self.port = free_port()
        app = Starlette(routes=[Route("/api/told", self._list), Route("/api/", lambda _: PlainTextResponse("no", 404))])
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=self.port, log_level="critical", ws="none", lifespan="off", **tls)  # type: ignore[arg-type]
        )
        self._thread = threading.Thread(target=self._server.run)
        self.config: dict[str, Any] = {
            "url": f"http{'s' if tls else ''}://127.0.0.1:{self.port}/api",
            "queries": [
                {
                    "name": "told",
                    "url": "/told?from={since}&page={page}",
                    "items": "found.items",
                    "key": ["id"],
                    "watermark": "id",
                    "watermark_is": "number",
                    "every_s": 0.02,
                    "row": "long",
                    "path": str(PATH),
                    "columns": {"at": "at", "tag": "said.tag", "value": "said.value"},
                    "at": "at",
                    "time": "us",
                    "tag": "{tag}",
                    "value": "value",
                }
            ],
        }

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + patient(10)
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        if self._thread.is_alive():
            self._thread.join(patient(10))

    def _list(self, request: Request) -> Response:
        self.requests.append(str(request.url))
        self.authorization = request.headers.get("authorization")
        if self.trouble is not None:
            return self.trouble
        since, page = int(request.query_params["from"]), int(request.query_params["page"])
        found = [item for item in self.items if item["id"] >= since]
        begin = (page - 1) * PAGE_ITEMS
        return JSONResponse({"found": {"items": found[begin : begin + PAGE_ITEMS]}})

    def add(self, **fields: Any) -> None:
        self.items.append({"id": len(self.items) + 1, **fields})

    async def say(self, tag: str, at: int, value: object) -> None:
        self.add(at=at, said={"tag": tag, "value": value})

    async def babble(self) -> None:
        """No time, no tag, a value that is none."""
        self.add(said={"tag": "State", "value": 1})
        self.add(at=2_000_000_000_000_000, said=None)
        self.add(at=2_000_000_000_000_000, said={"tag": "State", "value": {"no": ["number"]}})

    async def vanish(self) -> None:
        self.stop()


@asynccontextmanager
async def rest() -> AsyncIterator[RestSource]:
    source = RestSource()
    source.start()
    try:
        yield source
    finally:
        source.stop()


def _said(message: tuple[str, Any]) -> list[Said]:
    kind, document = message
    shape = {"name": "q", "url": "/q", "key": ["id"], "watermark": "id", "row": kind, "path": "acme/dallas/{line}"}
    query = Query.model_validate(shape | ({"at": "at", "quality": "quality"} if kind == "wide" else {}))
    reader = QueryReader(query, None, "http://127.0.0.1")
    reader.begin()
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        page = reader.take(Answer(body), datetime(2026, 11, 23, tzinfo=UTC))
    except BadAnswer:
        return []
    return [thing for part in page.parts for thing in part.said]


JSONS = json_documents(KEYS)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"id": JSONS, "line": st.sampled_from(["line-1", "Line 1", "", None]) | JSONS},
        optional={"at": JSONS, "quality": JSONS, "value": JSONS},
    ),
    max_size=4,
)
CONTRACT = connector_contract(
    "rest",
    lambda _request: rest(),
    Codec(st.tuples(st.sampled_from(["wide", *FACTS]), ITEMS | JSONS | st.binary(max_size=40)), _said),
    lambda port: {"url": f"http://127.0.0.1:{port}/api", "auth": None},
)
