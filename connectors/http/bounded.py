"""What uvicorn leaves open: how many connections there are, and how long a slow one is borne."""

import asyncio

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from connectors.http.problem import RETRY_AFTER, problem

SPARE = 64
"""Connections beyond `connections_max` that are still answered: 503, and /health. One more is dropped unheard."""
LINGER_S = 2.0
"""How long the rest of a body is read whose answer was given before its end; closed at once, a client would miss it."""
UNREAD_S = 10.0
"""How long an answer waits for a client that does not read."""
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
"""What a client is told whose head does not come to its end."""


def bounded(head_timeout_s: float, connections_max: int) -> type[H11Protocol]:
    """What uvicorn makes one of for each connection."""
    return type("Bounded", (Bounded,), {"head_timeout_s": head_timeout_s, "connections_max": connections_max})


class Bounded(H11Protocol):
    """A connection that ends when its client owes something for too long. Its clock runs on, however many bytes come of it."""

    head_timeout_s: float
    connections_max: int
    _due: asyncio.TimerHandle | None = None
    _owed: object = None
    _unread = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.connections_max + SPARE:
            transport.abort()
        elif len(self.connections) > self.connections_max:
            self.app = _crowded(self.app)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._owes(None)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = True
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = False
        self._watch()

    def _watch(self) -> None:
        """What the client owes now. While a body comes or Kafka is waited for it owes nothing: the app has its own clocks."""
        answered = self.cycle is not None and self.cycle.response_complete
        if self.transport.is_closing() and not self._unread:
            self._owes(None)
        elif self._unread:
            self._owes("to read its answer", UNREAD_S)
        elif self.conn.their_state is h11.IDLE:
            self._owes(("a head after", self.cycle), self.head_timeout_s)
        elif self.conn.their_state is h11.SEND_BODY and answered:
            self._owes("the rest of its body", LINGER_S)
        else:
            self._owes(None)

    def _owes(self, what: object, within_s: float = 0.0) -> None:
        if what == self._owed:
            return
        if self._due is not None:
            self._due.cancel()
        self._owed = what
        self._due = None if what is None else self.loop.call_later(within_s, self._too_slow)

    def _too_slow(self) -> None:
        if self._unread:
            self.transport.abort()
            return
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self.transport.write(TOO_SLOW)
        self.transport.close()


def _crowded(app: ASGIApp) -> ASGIApp:
    """The app of a connection that is one too many: only its health is told."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/health":
            words = "too many connections; nothing was taken, post it again"
            app_or_answer: ASGIApp = problem(503, words, {**RETRY_AFTER, "connection": "close"})
        else:
            app_or_answer = app
        await app_or_answer(scope, receive, send)

    return answer
