"""Keeps the server up to date from the derived topics, in a thread of its own."""

import threading
from collections.abc import Callable

import structlog

from schemas.records import Derived
from uns.client.subscribe import NothingMatches, Subscription
from uns.i3x.server import Server

log = structlog.get_logger()

REOPEN_S = 2.0


class Feed:
    """Reads until it is stopped; what it cannot read now it tries again, and says so by `problem`."""

    def __init__(self, server: Server, open_subscription: Callable[[], Subscription]) -> None:
        self.problem: str | None = "connecting"
        self._server, self._open = server, open_subscription
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="i3x-feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends the thread; waits at most 5 s for it."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open() as messages:
                    self._follow(messages)
            except NothingMatches as error:
                self._wait(str(error))
            except Exception as error:  # the server stays up and says what is wrong; the next attempt may do better
                log.warning("feed lost", error=str(error))
                self._wait(f"{type(error).__name__}: {error}")

    def _follow(self, messages: Subscription) -> None:
        while not self._stop.is_set():
            received = messages.poll()
            self.problem = None if messages.at_end else "what there is, is still being read"
            with self._server.lock:
                for message in received:
                    if isinstance(message.record, Derived):
                        self._server.take(message.record)
                    elif message.removed:
                        self._server.remove(str(message.path))

    def _wait(self, problem: str) -> None:
        self.problem = problem
        self._stop.wait(REOPEN_S)
