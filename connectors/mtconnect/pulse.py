"""When an agent last spoke, and when we last knew all that it had, by our monotonic clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    def __init__(self) -> None:
        self._heard = self._level = time.monotonic()
        self._waits = False

    def heard(self) -> None:
        """It spoke."""
        self._heard = time.monotonic()

    def level(self, at: float) -> None:
        """At that time we knew all that it had."""
        self._level = at

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While what was read waits for room: it is not silent, we do not listen."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
            self.heard()

    @property
    def unheard_s(self) -> float:
        """Seconds since it last said anything, while we listened."""
        return 0.0 if self._waits else time.monotonic() - self._heard

    @property
    def behind_s(self) -> float:
        """Seconds since we last knew all that it had: what is lost if we die, and its buffer has no room."""
        return time.monotonic() - self._level
