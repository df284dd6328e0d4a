"""What no request may do, whoever sends it: come for another host, act from another site, load anything from elsewhere."""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

import structlog
from prometheus_client import Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

refused = Counter("uns_page_requests_refused", "requests that the page did not answer", ["reason"])

TOKEN_COOKIE = "uns_token"
TOKEN_HEADER = "x-uns-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def host_of(value: str) -> str:
    """The name or address of a `Host` header or an origin, without port and brackets, lower case."""
    rest = value.rpartition("://")[2].rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0].lower()
    return rest.partition(":")[0].lower()


def own_names() -> frozenset[str]:
    """What this machine is called."""
    return frozenset({"localhost", socket.gethostname().lower(), socket.getfqdn().lower()})


class Guard:
    """Middleware. A host must be an address (a name of somebody else's cannot be made to mean it), one of `names`, or this
    machine's; a request that may change something carries the token of its own page, and so comes from none of another
    site's. Open websockets are held to the same origin."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = own_names() | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        token = _cookie(headers)
        reason = self._reason(scope, headers, token)
        if reason is not None:
            refused.labels(reason).inc()
            await _refuse(scope, receive, send, _WORDS[reason])
            return
        fresh = token or secrets.token_urlsafe(24)
        scope.setdefault("state", {})["token"] = fresh

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    told.setdefault(name, value)
                if token is None and scope["type"] == "http":
                    told.append("set-cookie", f"{TOKEN_COOKIE}={fresh}; Path=/; SameSite=Strict; HttpOnly")
            await send(message)

        await self._app(scope, receive, guarded)

    def _reason(self, scope: Scope, headers: Headers, token: str | None) -> str | None:
        host = headers.get("host", "")
        if not self._known(host_of(host)):
            return "host"
        origin = headers.get("origin")
        if scope["type"] == "websocket":
            return None if origin is not None and _same(origin, host) else "origin"
        if scope["method"] in SAFE:
            return None
        if origin is not None and not _same(origin, host):
            return "origin"
        given = headers.get(TOKEN_HEADER, "")
        return None if token is not None and hmac.compare_digest(token.encode(), given.encode()) else "token"

    def _known(self, host: str) -> bool:
        if host in self._names:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True


_WORDS = {
    "host": "this page is not called so; open it by its address, or name the host with `uns run page --host-name NAME`",
    "origin": "another site's page may not do this",
    "token": "this did not come from a page of ours; load the page again",
}


def _same(origin: str, host: str) -> bool:
    return origin.partition("://")[2].lower() == host.lower()


def _cookie(headers: Headers) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(TOKEN_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and 20 <= len(morsel.value) <= 100 else None


async def _refuse(scope: Scope, receive: Receive, send: Send, words: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403, "reason": words[:120]})
        return
    await PlainTextResponse(words, 403, headers=HEADERS)(scope, receive, send)
