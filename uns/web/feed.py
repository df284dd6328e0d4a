"""Keeps a board up to date from the derived topics, in a thread of its own."""

import threading
import time
from collections.abc import Callable

import structlog

from schemas.records import Derived
from topology.namespace.classes import MessageClass
from uns.client.subscribe import NothingMatches, Subscription
from uns.web.line.board import Board

log = structlog.get_logger()

CLASSES = (
    MessageClass.CURRENT,
    MessageClass.STATE,
    MessageClass.DOWNTIME,
    MessageClass.OEE,
    MessageClass.QUALITY,
    MessageClass.ALERT,
)
REOPEN_S = 2.0


class Feed:
    """Applies every committed derived record to `board`. Read `lock`-ed; `silent_s` says how long nothing has come.

    Each snapshot is published at least every `provisional_s`, so a feed without any for clearly longer, `limit_s`, is
    not live, whatever the plant does.
    """

    def __init__(self, board: Board, open_subscription: Callable[[], Subscription], limit_s: float) -> None:
        self.board, self.limit_s = board, limit_s
        self.lock = threading.Lock()
        self.problem: str | None = "connecting"
        self._open = open_subscription
        self._heard = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._heard

    def trouble(self) -> str | None:
        """Why what the board shows is not live; None when it is."""
        if self.problem is not None:
            return self.problem
        return f"no data for {self.silent_s:.0f} s: what is shown is not live" if self.silent_s > self.limit_s else None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._open() as messages:
                    self._follow(messages)
            except NothingMatches as error:
                self._wait(str(error))
            except Exception as error:  # the page stays up and says what is wrong; the next attempt may do better
                log.warning("feed lost", error=str(error))
                self._wait(f"{type(error).__name__}: {error}")

    def _follow(self, messages: Subscription) -> None:
        self.problem = None
        while not self._stop.is_set():
            received = messages.poll()
            if not received:
                continue
            self._heard = time.monotonic()
            with self.lock:
                for message in received:
                    if isinstance(message.record, Derived):
                        self.board.apply(message.record)

    def _wait(self, problem: str) -> None:
        self.problem = problem
        self._stop.wait(REOPEN_S)
