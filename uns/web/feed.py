"""Keeps pictures up to date from the derived topics, in a thread of its own."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from schemas.records import Derived
from uns.client.subscribe import NothingMatches, Subscription

log = structlog.get_logger()

REOPEN_S = 2.0


class Feed:
    """Gives every committed derived record to each of `receivers`. Read what they hold under `lock`.

    Each snapshot is published at least every `provisional_s`, so a feed without any for clearly longer, `limit_s`, is
    not live, whatever the plant does.
    """

    def __init__(
        self,
        receivers: Sequence[Callable[[Derived], None]],
        open_subscription: Callable[[], Subscription],
        limit_s: float,
        removers: Sequence[Callable[[str], None]] = (),
    ) -> None:
        """`removers` are told of every path that has left the plant."""
        self.limit_s = limit_s
        self.lock = threading.Lock()
        self.problem: str | None = "connecting"
        self._receivers, self._removers = tuple(receivers), tuple(removers)
        self._open = open_subscription
        self._heard = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    @property
    def silent_s(self) -> float:
        """Seconds since the last record."""
        return time.monotonic() - self._heard

    def trouble(self) -> str | None:
        """Why what the screens show is not live; None when it is."""
        if self.problem is not None:
            return self.problem
        return f"no data for {self.silent_s:.0f} s: what is shown is not live" if self.silent_s > self.limit_s else None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits at most 5 s for it."""
        self._stop.set()
        self._thread.join(timeout=5)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def take(self, record: Derived) -> None:
        """Gives one record to every receiver, under the caller's lock. One that fails on it harms itself alone."""
        for receive in self._receivers:
            try:
                receive(record)
            except Exception as error:  # a third party's screen; the others still show what is
                log.error("a screen cannot take a record", id=record.id, error=f"{type(error).__name__}: {error}")

    def remove(self, path: str) -> None:
        """Tells of one path that has left the plant, under the caller's lock."""
        for forget in self._removers:
            try:
                forget(path)
            except Exception as error:
                log.error("a screen cannot remove a path", path=path, error=f"{type(error).__name__}: {error}")

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
                        self.take(message.record)
                    elif message.removed:
                        self.remove(str(message.path))

    def _wait(self, problem: str) -> None:
        self.problem = problem
        self._stop.wait(REOPEN_S)
