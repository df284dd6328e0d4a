"""Signing in and out: the page for it, and what it asks for."""

import asyncio
import json
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from uns.web.access import passwords
from uns.web.access.gate import cookie_of
from uns.web.access.limiting import Key, Limiter
from uns.web.access.roles import Who
from uns.web.access.sessions import begun
from uns.web.access.store import Store

log = structlog.get_logger()

tries = Counter("uns_page_sign_ins", "tries to sign in", ["outcome"])

CHECKS_MAX = 2
"""Passwords checked at once: each takes 64 MiB."""
WAITING_MAX = 20
BODY_MAX = 4096
STATIC = Path(__file__).parent / "static"


class Door:
    """Makes the routes. `now_s`: epoch, s."""

    def __init__(self, store: Store, now_s: Callable[[], float] = time.time) -> None:
        self._store, self._now_s = store, now_s
        self._limiter = Limiter()
        self._checks = asyncio.Semaphore(CHECKS_MAX)
        self._waiting = 0

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/login", self._page, methods=["GET"]),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
            Route("/api/me", self._me),
            Mount("/access", StaticFiles(directory=STATIC)),
        ]

    async def _page(self, request: Request) -> Response:
        to = _inside(request.query_params.get("to", "/"))
        text = PAGE.replace("TOKEN", escape(request.state.token)).replace("TARGET", escape(to))
        return Response(text, media_type="text/html", headers={"cache-control": "no-store"})

    async def _sign_in(self, request: Request) -> Response:
        said = await _said(request)
        if said is None:
            return JSONResponse({"problem": "a name and a password are expected"}, 422)
        name, password = said
        address = request.client.host if request.client else ""
        keys: list[Key] = [("user", name), ("address", address)]
        if (wait_s := self._limiter.wait_s(keys, self._now_s())) > 0:
            tries.labels("too_often").inc()
            words = f"too many wrong tries; wait {wait_s:.0f} s"
            return JSONResponse({"problem": words}, 429, headers={"retry-after": f"{int(wait_s) + 1}"})
        if self._waiting >= WAITING_MAX:
            tries.labels("busy").inc()
            return JSONResponse({"problem": "too many sign in at once; try again"}, 503, headers={"retry-after": "2"})
        user = self._store.users.users.get(name)
        # Counted as it begins: of many tries at once no more are free than one after another.
        self._limiter.failed(keys, self._now_s())
        if not await self._matches(None if user is None else user.password, password) or user is None:
            tries.labels("refused").inc()
            log.warning("sign-in refused", user=name if user is not None else "(unknown)", address=address)
            return JSONResponse({"problem": "name or password is wrong"}, 401)
        self._limiter.succeeded(name, address)
        tries.labels("let_in").inc()
        log.info("signed in", user=name, address=address)
        session = begun(name, user.stamp, int(self._now_s()))
        limits = self._store.users.sessions
        lasts_s = int(limits.lasting_days * 86_400 if user.lasting else limits.absolute_h * 3600)
        answer = JSONResponse({"user": name})
        answer.headers["set-cookie"] = cookie_of(self._store.seal.cookie(session), request.url.scheme, lasts_s)
        return answer

    async def _matches(self, kept: str | None, password: str) -> bool:
        self._waiting += 1
        try:
            async with self._checks:
                return await asyncio.to_thread(passwords.matches, kept, password)
        finally:
            self._waiting -= 1

    async def _sign_out(self, request: Request) -> Response:
        session = request.state.session
        if session is not None:
            longest_s = self._store.users.sessions.lasting_days * 86_400
            self._store.known.sign_out(session, int(self._now_s()), longest_s)
            await asyncio.to_thread(self._store.save)
            log.info("signed out", user=session.user)
        answer = JSONResponse({})
        answer.headers["set-cookie"] = cookie_of("", request.url.scheme, 0)
        return answer

    async def _me(self, request: Request) -> Response:
        who: Who = request.state.who
        roles = {place or "#": role.word for place, role in who.grants.items()}
        answer = {"user": who.name or None, "signed_in": bool(who.name), "roles": roles}
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def _inside(to: str) -> str:
    """Where to go on after signing in: a path of this page, never another site. A browser leaves out tabs and line breaks and
    takes \\ for /, so what has them anywhere is none."""
    ours = to.startswith("/") and not to.startswith("//") and to.isprintable() and "\\" not in to and len(to) <= 2000
    return to if ours else "/"


async def _said(request: Request) -> tuple[str, str] | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            return None
    try:
        said = json.loads(body)
        name, password = said["user"], said["password"]
    except (ValueError, KeyError, TypeError):
        return None
    return (name, password) if isinstance(name, str) and isinstance(password, str) else None


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>uns · sign in</title>
<link rel="stylesheet" href="/theme.css">
<link rel="stylesheet" href="/access/login.css">
<script type="module" src="/access/login.js"></script>
</head>
<body>
<main>
<h1>uns</h1>
<form id="sign-in" data-token="TOKEN" data-to="TARGET">
<label for="user">Name</label>
<input id="user" name="user" autocomplete="username" autocapitalize="none" required maxlength="60">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="200">
<button type="submit">Sign in</button>
<p id="problem" role="alert"></p>
</form>
</main>
</body>
</html>
"""
