"""The page as an application: one document for every screen, what the documents load, the feed, and what people tell."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from uns.web import live as feeding
from uns.web import menu
from uns.web.access.roles import ANYBODY, Who
from uns.web.feed import Feed
from uns.web.guard import Guard
from uns.web.live import BadAsk, Live
from uns.web.menu import PLACES
from uns.web.namespace import Namespace
from uns.web.screen import Screens
from uns.web.theme import THEMES, css, looks
from uns.web.words import LANGUAGES, STATIC, words


@dataclass(frozen=True)
class Site:
    """All that the application is made of. Other parts (sign-in, input, searches) add routes, middleware, acts here."""

    screens: Screens
    namespace: Namespace
    feed: Feed
    now: Callable[[], int]
    """Plant time, µs UTC: what a fact that a person tells now carries."""
    rate: float = 1.0
    """Seconds of the plant's clock in one of ours."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Place → time zone that its people live in; the nearest place above one without counts."""
    routes: Sequence[BaseRoute] = ()
    middleware: Sequence[Middleware] = ()
    """Inside the guard, in this order."""
    host_names: Sequence[str] = ()
    troubles: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    """What is wrong beside the feed, each with `place` and `text`."""


def create(site: Site) -> Starlette:
    """The application. Its lifespan runs the feed."""
    views = {name: partial(spec.view, picture) for name, (spec, picture) in site.screens.items()}
    live = Live(
        {**views, PLACES: partial(menu.view, site.namespace)},
        site.feed,
        lambda: _beat(site),
        lambda: site.namespace.now,
    )

    @contextlib.asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        site.feed.start()
        task = asyncio.create_task(live.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.to_thread(site.feed.stop)

    app = Starlette(
        routes=_routes(site, live),
        middleware=[Middleware(Guard, names=site.host_names), *site.middleware],
        lifespan=running,
    )
    app.state.live = live
    return app


def _routes(site: Site, live: Live) -> list[BaseRoute]:
    shell = _Shell(site)

    async def status(request: Request) -> Response:
        told = {"records": site.namespace.applied, "plant_time_us": site.namespace.now, "problem": site.feed.problem}
        return JSONResponse({**told, "silent_s": site.feed.silent_s, "clients": live.clients, "views": live.asked})

    async def theme(_: Request) -> Response:
        return PlainTextResponse(css(), media_type="text/css", headers={"cache-control": "no-cache"})

    async def socket(websocket: WebSocket) -> None:
        await _socket(live, websocket)

    routes: list[BaseRoute] = [
        Route("/api/status", status),
        Route("/theme.css", theme),
        Route("/words/{language}.json", shell.words),
        WebSocketRoute("/live", socket),
        *site.routes,
        Mount("/static", _Files(directory=STATIC)),
        *(Mount(f"/screens/{name}", _Files(directory=spec.static)) for name, (spec, _) in site.screens.items()),
    ]
    for number, name in enumerate(site.screens):
        document = partial(shell.document, name)
        if number == 0:
            routes.append(Route("/", document))
        routes += [Route(f"/{name}", document), Route(f"/{name}/{{place:path}}", document)]
    return routes


def _beat(site: Site) -> dict[str, Any]:
    trouble = site.feed.trouble()
    troubles = [{"place": "", "text": trouble}] if trouble is not None else []
    return {
        "now": site.namespace.now,
        "clock": site.now(),
        "rate": site.rate,
        "troubles": [*troubles, *site.troubles()],
    }


async def _socket(live: Live, websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        client = live.join(getattr(websocket.state, "who", ANYBODY))
    except BadAsk as error:
        await websocket.close(1013, str(error)[:120])
        return
    writer = asyncio.create_task(feeding.serve(live, client, websocket.send_text))
    try:
        while True:
            await live.ask(client, await websocket.receive_text())
    except (WebSocketDisconnect, KeyError):  # KeyError: bytes in place of text
        pass
    finally:
        writer.cancel()
        live.leave(client)
        await asyncio.gather(writer, return_exceptions=True)


class _Files(StaticFiles):
    """Files that a browser asks for anew each time, and gets again if they have changed: a page of today with a script of
    last week helps nobody."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response


class _Shell:
    """The document of every screen, with what the frame's script needs to begin."""

    def __init__(self, site: Site) -> None:
        self._site = site
        folders = {name: spec.static for name, (spec, _) in site.screens.items()}
        self._words = {language: json.dumps(words(language, folders), ensure_ascii=False) for language in LANGUAGES}

    async def words(self, request: Request) -> Response:
        text = self._words.get(request.path_params["language"])
        if text is None:
            return PlainTextResponse("no such language", 404)
        return Response(text, media_type="application/json", headers={"cache-control": "no-cache"})

    async def document(self, screen: str, request: Request) -> Response:
        who: Who = getattr(request.state, "who", ANYBODY)
        boot = {
            "screen": screen,
            "place": request.path_params.get("place", ""),
            "languages": LANGUAGES,
            "themes": list(THEMES),
            "looks": looks(),
            "zones": dict(self._site.zones),
            "token": request.state.token,
            "user": who.name or None,
            "roles": {place: int(role) for place, role in who.grants.items()},
            "screens": [
                {
                    "name": name,
                    "title": spec.title,
                    "summary": spec.summary,
                    "bare": spec.bare,
                    "styled": (Path(spec.static) / "screen.css").exists(),
                }
                for name, (spec, _) in self._site.screens.items()
            ],
        }
        text = DOCUMENT.replace("BOOT", escape(json.dumps(boot, ensure_ascii=False)))
        return Response(text, media_type="text/html", headers={"cache-control": "no-store"})


DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>uns</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/theme.css">
<link rel="stylesheet" href="/static/frame.css">
<script type="module" src="/static/frame.js"></script>
</head>
<body data-boot="BOOT"><noscript>This page needs JavaScript.</noscript></body>
</html>
"""
