"""A real HTTP server with a list of objects, which can behave as badly as any."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.harness.serving import serving
from uns.runtime.ports import free_port
from uns.testing.component import SECRET


class _Cut(Response):
    """An answer that breaks off: the client never learns what became of its request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": ', "more_body": False})


class _Never(Response):
    """None comes, until the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


TROUBLES: dict[str, Callable[[], Response]] = {
    "500": lambda: PlainTextResponse("crashed", 500),
    "502 of a proxy": lambda: HTMLResponse("<h1>Bad gateway</h1>", 502),
    "503 with Retry-After": lambda: PlainTextResponse("busy", 503, {"Retry-After": "0"}),
    "429": lambda: PlainTextResponse("slow down", 429),
    "401": lambda: PlainTextResponse("who are you", 401),
    "409": lambda: JSONResponse({"error": "exists"}, 409),
    "torn body": _Cut,
    "no answer": _Never,
    "page to log in at": lambda: HTMLResponse("<html><form>password</form></html>"),
    "302 to a login": lambda: Response(status_code=302, headers={"Location": "/login"}),
}
"""What is answered in place of the true answer."""


@dataclass
class RestServer:
    """Takes every POST for a new object, whatever its idempotency key."""

    port: int = field(default_factory=free_port)
    objects: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    busy_share: float = 0.0
    """Of requests, answered 503 and not done."""
    lost_share: float = 0.0
    """Of requests, done, and then the answer is a 500 or is cut off."""
    trouble: Callable[[Request, Any], tuple[str, bool] | None] = lambda _request, _body: None
    """(request, body) → the trouble, and whether the request is done all the same."""
    answer: Callable[[], Response | None] | None = None
    """Instead of doing anything; None: do it."""
    made: Callable[[dict[str, Any]], Response] = lambda one: JSONResponse(one, 201)
    """The answer to a create."""
    filters: bool = True
    """Whether a lookup heeds what it is asked for."""
    page_size: int | None = None
    """Objects on a page of a lookup, the next one named in `Link`."""
    lag_s: float = 0.0
    """Until an object shows in a lookup."""
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
            "settle_s": 0,
            "requests": [
                {
                    "class": "downtime",
                    "create": {"url": "/orders", "body": body},
                    "lookup": {"url": "/orders?external_id={natural_id}", "items_field": "found.items"},
                    "update": {"method": "PATCH", "url": "/orders/{remote_id}", "body": body},
                }
            ],
        }

    def reset(self) -> None:
        """As new, on the same port."""
        fresh = RestServer(self.port)
        for name in (
            "busy_share",
            "lost_share",
            "trouble",
            "answer",
            "made",
            "filters",
            "page_size",
            "lag_s",
            "chance",
        ):
            setattr(self, name, getattr(fresh, name))
        self.objects.clear()
        self.requests.clear()

    def content(self) -> Any:
        return [{name: part for name, part in one.items() if name != "at"} for one in self.objects]

    async def create(self, request: Request) -> Response:
        return await self._do(request, self._create)

    async def single(self, request: Request) -> Response:
        return await self._do(request, self._delete if request.method == "DELETE" else self._update)

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
        name, done = self.trouble(request, body) or ("", True)
        answer = what(request, body) if done else Response()
        if name:
            return TROUBLES[name]()
        if self.chance.random() < self.lost_share:
            return self.chance.choice((_Cut(), PlainTextResponse("crashed", 500)))
        return answer

    def _create(self, request: Request, body: Any) -> Response:
        one = {"id": len(self.objects) + 1, **body}
        self.objects.append({**one, "at": time.monotonic()})
        return self.made(one)

    def _update(self, request: Request, body: Any) -> Response:
        self.objects[int(request.path_params["id"]) - 1] |= body
        return JSONResponse({})

    def _delete(self, request: Request, body: Any) -> Response:
        self.objects[int(request.path_params["id"]) - 1] |= {"external_id": None, "deleted": True}
        return Response(status_code=204)

    def _lookup(self, request: Request, body: Any) -> Response:
        wanted, shown = request.query_params.get("external_id"), time.monotonic() - self.lag_s
        found = [
            {name: part for name, part in one.items() if name != "at"}
            for one in self.objects
            if (one["external_id"] == wanted or not self.filters) and one.get("at", shown) <= shown
        ]
        size, begin = self.page_size or len(found) or 1, int(request.query_params.get("after", 0))
        more = begin + size < len(found)
        headers = {"Link": f'</orders?after={begin + size}>; rel="next"'} if more else {}
        return JSONResponse({"found": {"items": found[begin : begin + size]}}, headers=headers)

    @contextmanager
    def serving(self) -> Iterator["RestServer"]:
        app = Starlette(
            routes=[
                Route("/orders", self.create, methods=["POST"]),
                Route("/orders", self.lookup, methods=["GET"]),
                Route("/orders/{id}", self.single, methods=["PATCH", "DELETE"]),
            ]
        )
        with serving(app, self.port):
            yield self
