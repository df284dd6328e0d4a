"""What the links have heard and nobody has taken yet: bounded, filled by paho's threads, emptied by the event loop."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

WAITING_MAX = 5_000
WAITING_MAX_BYTES = 64_000_000
"""Beyond it the thread waits, and with it the broker, which drops messages of QoS 0 then: a gap that a rebirth mends."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, or that a link stands or is lost, at µs of our clock."""

    broker: int
    what: Literal["message", "up", "lost"]
    at: int
    topic: str = ""
    data: bytes = b""
    retained: bool = False


class Inbox:
    """In the order in which it was heard."""

    def __init__(self) -> None:
        self._room = threading.Condition()
        self._waiting: deque[Heard] = deque()
        self._bytes = 0
        self._closed = False
        self._tell: Callable[[], None] = lambda: None

    def opened(self, tell: Callable[[], None]) -> None:
        """Empty again. `tell` is called, in whatever thread, when something has come."""
        with self._room:
            self._waiting.clear()
            self._bytes, self._closed, self._tell = 0, False, tell

    def put(self, heard: Heard) -> None:
        """Waits for room; what is told of a link, which is little, has always some."""
        with self._room:
            while heard.what == "message" and not self._closed and self.full:
                self._tell()
                self._room.wait(1)
            if self._closed:
                return
            self._waiting.append(heard)
            self._bytes += len(heard.data)
        self._tell()

    def take(self, count_max: int) -> list[Heard]:
        with self._room:
            taken = [self._waiting.popleft() for _ in range(min(count_max, len(self._waiting)))]
            self._bytes -= sum(len(heard.data) for heard in taken)
            self._room.notify_all()
        return taken

    def close(self) -> None:
        """Whoever waits goes on, and what comes now is not taken."""
        with self._room:
            self._closed = True
            self._waiting.clear()
            self._room.notify_all()

    @property
    def full(self) -> bool:
        return len(self._waiting) >= WAITING_MAX or self._bytes >= WAITING_MAX_BYTES
