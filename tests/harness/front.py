"""A way to a real HTTP target that passes requests on, and answers as badly as any proxy: with the request done, or not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.contract.rest_server import TROUBLES
from tests.harness.serving import serving
from uns.runtime.ports import HOST, free_port

Trouble = tuple[str, bool]
"""A name of `TROUBLES`, and whether the request is done all the same."""
_KEPT = ("content-type", "content-encoding", "authorization", "x-requested-with")


@dataclass
class Front:
    """`trouble` says of each request (method, path, body) what goes wrong; None: nothing."""

    upstream: str
    trouble: Callable[[str, str, bytes], Trouble | None] = lambda _method, _path, _body: None
    done: Callable[[str, int], None] = lambda _path, _status: None
    """Is told of each request that was passed on, before its answer goes back."""
    translate: Callable[["Front", Request, bytes], Response | None] | None = None
    """Answers in the words of another version, by `forward`."""
    port: int = field(default_factory=free_port)
    _client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=60, verify=False))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def forward(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
        return self._client.request(method, f"{self.upstream}{path}?{query}", content=body, headers=headers)

    def _pass(self, request: Request, body: bytes) -> Response:
        if self.translate is not None and (answer := self.translate(self, request, body)) is not None:
            return answer
        headers = {name: value for name, value in request.headers.items() if name in _KEPT}
        try:
            upstream = self.forward(request.method, request.url.path, request.url.query, body, headers)
        except httpx2.HTTPError as error:
            return PlainTextResponse(f"bad gateway: {error}", 502)
        kept = {name: value for name, value in upstream.headers.items() if name == "content-type"}
        return Response(upstream.content, upstream.status_code, kept)

    async def _do(self, request: Request) -> Response:
        body = await request.body()
        trouble = self.trouble(request.method, request.url.path, body)
        if trouble is not None and not trouble[1]:
            return TROUBLES[trouble[0]]()
        answer = self._pass(request, body)
        self.done(request.url.path, answer.status_code)
        return answer if trouble is None else TROUBLES[trouble[0]]()

    @contextmanager
    def serving(self) -> Iterator["Front"]:
        app = Starlette(routes=[Route("/{path:path}", self._do, methods=["GET", "POST"])])
        with serving(app, self.port):
            yield self
