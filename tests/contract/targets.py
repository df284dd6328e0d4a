"""Real targets of the kinds we write to."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import uvicorn
from psycopg import sql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from uns.runtime.ports import free_port
from uns.testing.component import SECRET
from uns.testing.patience import patient
from uns.testing.sinks import Target


@dataclass
class Database:
    dsn: str
    config: dict[str, Any]
    refused = "a\x00b"
    words = "NUL"

    def content(self) -> Any:
        schema = self.config["schema_name"]
        content = {}
        with psycopg.connect(self.dsn) as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
            for (name,) in names.fetchall():
                query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t ORDER BY 1").format(sql.Identifier(schema, name))
                content[name] = [row for (row,) in connection.execute(query)]
        return content


@contextmanager
def historian(postgres: str, name: str) -> Iterator[Target]:
    schema = name.replace("-", "_")
    try:
        yield Database(postgres, {"dsn": postgres, "schema_name": schema})
    finally:
        with psycopg.connect(postgres) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


class _Cut(Response):
    """An answer that breaks off: the client never learns what became of its request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": ', "more_body": False})


@dataclass
class RestServer:
    """A real HTTP server with a list of objects; takes every POST for a new one, whatever its idempotency key."""

    port: int = field(default_factory=free_port)
    objects: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    busy_share: float = 0.0
    """Of requests, answered 503 and not done."""
    lost_share: float = 0.0
    """Of requests, done, and then the answer is a 500 or is cut off."""
    answer: Callable[[], Response | None] | None = None
    """Instead of doing anything; None: do it."""
    refused = "refuse me"
    words = "not with that reason"
    chance: random.Random = field(default_factory=lambda: random.Random(11))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> dict[str, Any]:
        body = {"external_id": "{natural_id}", "reason": "{reason}", "revision": "{revision}"}
        return {
            "base_url": self.url,
            "auth": {"kind": "bearer", "secret": SECRET},
            "timeout_s": 5,
            "requests": [
                {
                    "class": "downtime",
                    "create": {"url": "/orders", "body": body},
                    "lookup": {"url": "/orders?external_id={natural_id}", "items_field": "found.items"},
                    "update": {"method": "PATCH", "url": "/orders/{remote_id}", "body": body},
                }
            ],
        }

    def content(self) -> Any:
        return [dict(one) for one in self.objects]

    async def create(self, request: Request) -> Response:
        return await self._do(request, self._create)

    async def update(self, request: Request) -> Response:
        return await self._do(request, self._update)

    async def lookup(self, request: Request) -> Response:
        return await self._do(request, self._lookup)

    async def _do(self, request: Request, what: Callable[[Request, Any], Response]) -> Response:
        self.requests.append((request.method, request.url.path, dict(request.headers)))
        if self.answer is not None and (instead := self.answer()) is not None:
            return instead
        if self.chance.random() < self.busy_share:
            return PlainTextResponse("busy", 503)
        body = json.loads(await request.body() or b"null")
        if body is not None and self.refused in (body.get("reason") or ""):
            return PlainTextResponse(self.words, 422)
        done = what(request, body)
        if self.chance.random() < self.lost_share:
            return self.chance.choice((_Cut(), PlainTextResponse("crashed", 500)))
        return done

    def _create(self, request: Request, body: Any) -> Response:
        self.objects.append({"id": len(self.objects) + 1, **body})
        return JSONResponse(self.objects[-1], 201)

    def _update(self, request: Request, body: Any) -> Response:
        self.objects[int(request.path_params["id"]) - 1] |= body
        return JSONResponse({})

    def _lookup(self, request: Request, body: Any) -> Response:
        wanted = request.query_params["external_id"]
        return JSONResponse({"found": {"items": [one for one in self.objects if one["external_id"] == wanted]}})

    @contextmanager
    def serving(self) -> Iterator["RestServer"]:
        app = Starlette(
            routes=[
                Route("/orders", self.create, methods=["POST"]),
                Route("/orders", self.lookup, methods=["GET"]),
                Route("/orders/{id}", self.update, methods=["PATCH"]),
            ]
        )
        server = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="critical", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            deadline = time.monotonic() + patient(10)
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield self
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


@contextmanager
def rest() -> Iterator[Target]:
    with RestServer().serving() as server:
        yield server


def away_historian(port: int) -> dict[str, Any]:
    return {"dsn": f"postgresql://uns:{SECRET}@127.0.0.1:{port}/uns"}


def away_rest(port: int) -> dict[str, Any]:
    return RestServer(port).config
