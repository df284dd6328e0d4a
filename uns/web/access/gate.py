"""The gate before every request: who it is, by the session's cookie, and whether they have to sign in first."""

import time
from collections.abc import Callable
from urllib.parse import quote

from prometheus_client import Counter
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from uns.web.access.roles import ANYBODY, Who
from uns.web.access.sessions import COOKIE, Session, fault
from uns.web.access.store import Store

ended = Counter("uns_page_sessions_ended", "sessions that a request came with, and that were over", ["reason"])

FREE = ("/login", "/access/", "/static/", "/theme.css", "/words/")
"""What one needs to sign in: it says nothing of the plant."""
LOOK_S = 5.0
"""An open websocket is looked at so often: it ends with its session."""
CLOSED = 4401
"""How a websocket is closed when one has to sign in (again)."""


class Gate:
    """Middleware inside the frame's guard. Sets `state.who` (a `Who`) and `state.user` (the name, or None)."""

    def __init__(self, app: ASGIApp, store: Store, now_s: Callable[[], float] = time.time) -> None:
        self._app, self._store, self._now_s = app, store, now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        session, why = self._session(HTTPConnection(scope))
        state = scope.setdefault("state", {})
        who = self._who(session)
        state["who"], state["user"], state["session"] = who, (who.name or None) if who else None, session
        if who is None and not scope["path"].startswith(FREE):
            await _refuse(scope, receive, send, why)
        elif session is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, self._watched(session, send))
        else:
            await self._app(scope, receive, self._renewing(scope, session, send))

    def _session(self, connection: HTTPConnection) -> tuple[Session | None, str]:
        """The session that a request comes with, and why it has none."""
        if not self._store.required:
            return None, ""
        cookie = connection.cookies.get(COOKIE)
        session = None if cookie is None else self._store.seal.session(cookie)
        if session is None:
            return None, "sign in"
        why = self._over(session)
        if why is not None:
            ended.labels(why).inc()
            return None, why
        return session, ""

    def _over(self, session: Session) -> str | None:
        known = self._store.known
        if known.is_out(session):
            return "signed out"
        users = self._store.users
        if session.user not in users.users:
            return "the user was removed"
        return fault(session, users, known.seen_s(session), int(self._now_s()))

    def _who(self, session: Session | None) -> Who | None:
        if not self._store.required:
            return ANYBODY
        return None if session is None else self._store.users.who(session.user)

    def _renewing(self, scope: Scope, session: Session, send: Send) -> Send:
        """Writes the cookie anew when it is a minute old: it is in use."""
        used = self._store.known.touch(session, int(self._now_s()))
        if used is session:
            return send

        async def renewed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not any(value.startswith(COOKIE + "=") for value in headers.getlist("set-cookie")):
                    headers.append("set-cookie", cookie_of(self._store.seal.cookie(used), scope["scheme"]))
            await send(message)

        return renewed

    def _watched(self, session: Session, send: Send) -> Send:
        """Ends a websocket with its session: at the first thing that would be sent afterwards."""
        looked, closed = time.monotonic(), False

        async def watched(message: Message) -> None:
            nonlocal looked, closed
            if closed:
                return
            if message["type"] == "websocket.send" and time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                if (why := self._over(session)) is not None:
                    closed = True
                    ended.labels(why).inc()
                    await send({"type": "websocket.close", "code": CLOSED, "reason": why})
                    return
            await send(message)

        return watched


def cookie_of(value: str, scheme: str, age_s: int | None = None) -> str:
    """A `Set-Cookie` of the session: no script reads it, no other site's page sends it along with what changes anything."""
    secure = "; Secure" if scheme in ("https", "wss") else ""
    age = "" if age_s is None else f"; Max-Age={age_s}"
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}"


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        # Accepted first: a browser tells its page the code and the words of an accepted one alone.
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": CLOSED, "reason": why})
        return
    asks_page = scope["method"] == "GET" and "text/html" in HTTPConnection(scope).headers.get("accept", "")
    if not asks_page:
        await JSONResponse({"problem": why, "sign_in": True}, 401)(scope, receive, send)
        return
    query = scope["query_string"].decode("latin-1")
    there = quote(scope["path"] + (f"?{query}" if query else ""), safe="")
    await RedirectResponse(f"/login?to={there}", 303)(scope, receive, send)
