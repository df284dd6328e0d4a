"""The application: what each operation of the table does. It answers 2xx once Kafka has what was posted."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.base import Said
from connectors.http.body import read_body
from connectors.http.codec import PRECISIONS, SAID_MAX, decode, decode_lines
from connectors.http.config import HttpConfig
from connectors.http.held import Counts, Held, Key, KeyOfAnother
from connectors.http.openapi import document
from connectors.http.problem import RETRY_AFTER, of_influx, problem, refused
from connectors.http.routes import JSON, JSON_LINES, JSON_LINES_TOO, OPERATIONS, Operation
from connectors.http.tokens import Tokens
from connectors.http.webhooks import Webhooks
from topology.namespace.path import BadPath, Path

KEY_MAX_CHARACTERS = 200
AT_ONCE_BYTES = 20_000
"""Of a body that is read at once; what is larger takes so long that others would wait for it."""
PAGE = files("connectors.http") / "form"
PAGE_FILES = {"form.css": "text/css", "form.js": "text/javascript"}
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
NAME = "uns-backbone"


class Known(NamedTuple):
    """Who may post."""

    tokens: Tokens
    webhooks: Webhooks


class App:
    """`alive` says whether what is posted now can still be answered."""

    def __init__(self, config: HttpConfig, known: Known, held: Held, alive: Callable[[], bool]) -> None:
        self._config, self._held, self._alive = config, held, alive
        self._tokens, self._webhooks = known
        self._requests = 0
        self.operations = tuple(it for it in OPERATIONS if not it.needs or getattr(config, it.needs) is not None)
        self._document = document(self.operations)

    def asgi(self) -> Starlette:
        """What a server serves: exactly the operations of the table."""
        return Starlette(
            routes=[Route(it.route, self._handler(it), methods=[it.method], name=it.path) for it in self.operations],
            exception_handlers={HTTPException: refused},
        )

    def _handler(self, operation: Operation) -> Callable[[Request], object]:
        handler: Callable[[Request], object] = getattr(self, f"_{operation.handler}")
        return handler

    # -- what is posted ----------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        grant = self._tokens.grant(request.headers.get("authorization", ""))
        kind = request.url.path.split("/")[2]
        try:
            path = Path.parse(request.path_params["path"])
        except BadPath as error:
            raise HTTPException(404, f"no path: {error}; nothing was taken"[:500]) from None
        if not grant.prefix.contains(path):
            raise HTTPException(403, f"this token may post below {grant.prefix}, not to {path}; nothing was taken")
        media = _media(request)
        if media not in (JSON, "") and media not in JSON_LINES_TOO:
            words = f"{media[:80]} is not taken; send content-type {JSON} or {JSON_LINES}. Nothing was taken"
            raise HTTPException(415, words)
        with self._room():
            body = await self._body(request)
            key = _key(request, grant.digest, body)
            said = await _read(body, lambda: decode(kind, path, body, _now(), media in JSON_LINES_TOO))
            counts = await self._kept(said, key)
        return JSONResponse(asdict(counts), 202)

    async def _hook(self, request: Request) -> Response:
        name = request.path_params["hook"]
        if not self._webhooks.knows(name):
            raise HTTPException(404, "no such webhook; nothing was taken")
        if (media := _media(request)) not in (JSON, ""):
            raise HTTPException(415, f"{media[:80]} is not taken; send content-type {JSON}. Nothing was taken")
        with self._room():
            body = await self._body(request)
            posted = self._webhooks.checked(name, request.headers, body, time.time())
            key = _key(request, posted.digest, body)
            counts = await self._kept(await _read(body, lambda: self._webhooks.said(posted.hook, body)), key)
        return JSONResponse(asdict(counts), 202)

    async def _write(self, request: Request) -> Response:
        grant, lines = self._tokens.grant(request.headers.get("authorization", ""), password=True), self._config.lines
        precision = PRECISIONS.get(request.query_params.get("precision", ""))
        if precision is None or lines is None:
            raise HTTPException(400, f"precision is one of {', '.join(filter(None, PRECISIONS))}; nothing was taken")
        media = _media(request)
        if media in (JSON, "multipart/form-data") or media in JSON_LINES_TOO:
            raise HTTPException(415, f"{media} is not taken; the line protocol is text/plain. Nothing was taken")
        with self._room():
            body = await self._body(request)
            key = _key(request, grant.digest, body)
            said = await _read(body, lambda: decode_lines(lines, grant.prefix, body, precision, _now()))
            counts = await self._kept(said, key)
        if not counts.quarantined_count:
            return Response(status_code=204)
        # InfluxDB's own answer, by which its clients tell the user and do not post it again.
        first = counts.quarantined[0]["message"]
        all_of_it = counts.accepted + counts.quarantined_count
        words = f"partial write: {counts.quarantined_count} of {all_of_it} values are in quarantine, the others are taken; {first}"  # fmt: skip
        return of_influx(400, words, None, **asdict(counts))

    async def _query(self, request: Request) -> Response:
        self._tokens.grant(request.headers.get("authorization", ""), password=True)
        query = request.query_params.get("q", "")
        if not query and _media(request) == "application/x-www-form-urlencoded":
            with self._room():
                query = parse_qs((await self._body(request)).decode("utf-8", "replace")).get("q", [""])[0]
        if not query.strip().upper().startswith("CREATE DATABASE"):
            return problem(400, words := "queries are not answered here; only points are taken", error=words)
        return JSONResponse({"results": [{"statement_id": 0}]})

    @contextmanager
    def _room(self) -> Iterator[None]:
        """A place among the requests that are held: the bound of all memory here."""
        if self._requests >= self._config.requests_max:
            raise HTTPException(503, "too many requests wait; nothing was taken, post it again", RETRY_AFTER)
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    async def _body(self, request: Request) -> bytes:
        return await read_body(request, self._config.body_max_bytes, self._config.body_timeout_s)

    async def _kept(self, said: list[Said], key: Key | None) -> Counts:
        """Waits until Kafka has what was said."""
        if not self._alive():
            raise HTTPException(503, "going down; nothing was taken, post it again", RETRY_AFTER)
        try:
            posted = self._held.add(said, key)
        except KeyOfAnother:
            raise HTTPException(422, "this Idempotency-Key stood at another request; nothing was taken") from None
        if not await self._held.kept(posted, key, self._config.answer_s):
            raise HTTPException(503, "Kafka has not confirmed it; post the same again", RETRY_AFTER)
        return posted.counts

    # -- what is asked -----------------------------------------------------------------------------------------

    async def _ping(self, request: Request) -> Response:
        return Response(status_code=204, headers={"x-influxdb-version": NAME, "x-influxdb-build": NAME})

    async def _health(self, request: Request) -> Response:
        if not self._alive():
            return problem(503, "going down", RETRY_AFTER)
        return JSONResponse({"name": NAME, "status": "pass"})

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self._document)

    async def _form(self, request: Request) -> Response:
        return Response((PAGE / "form.html").read_bytes(), headers=PAGE_HEADERS, media_type="text/html")

    async def _form_file(self, request: Request) -> Response:
        media = PAGE_FILES.get(name := request.path_params["file"])
        if media is None:
            raise HTTPException(404)
        return Response((PAGE / name).read_bytes(), headers=PAGE_HEADERS, media_type=media)

    async def _form_for(self, request: Request) -> Response:
        grant, form = self._tokens.grant(request.headers.get("authorization", "")), self._config.form
        assert form is not None  # the table has it only with the option
        machines = [path for path in form.machines if grant.prefix.contains(Path.parse(path))]
        headers = {"cache-control": "no-store"}
        return JSONResponse({"machines": machines, "tags": dict(form.tags), "now": _now()}, headers=headers)


async def _read(body: bytes, decoded: Callable[[], list[Said]]) -> list[Said]:
    """What a body says. Raises `HTTPException`: 413 for one that says too much."""
    said = await asyncio.to_thread(decoded) if len(body) > AT_ONCE_BYTES else decoded()
    if len(said) > SAID_MAX:
        raise HTTPException(413, f"more than {SAID_MAX} values; post it in parts. Nothing was taken")
    return said


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _key(request: Request, poster: bytes, body: bytes) -> Key | None:
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    if not 0 < len(text) <= KEY_MAX_CHARACTERS:
        raise HTTPException(400, f"an Idempotency-Key has 1 to {KEY_MAX_CHARACTERS} characters; nothing was taken")
    # Not by the host: one that posts it again may reach us by another name of ours.
    asked = "\n".join((request.url.path, request.url.query, _media(request)))
    return Key((poster, text), hashlib.sha256(asked.encode("utf-8", "replace") + b"\n" + body).digest())


def _now() -> int:
    return time.time_ns() // 1000
