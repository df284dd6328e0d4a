"""When something that failed is tried again: later each time, up to a ceiling."""

import time

BACKOFF_S = (5.0, 300.0)


class Retry:
    __slots__ = ("_at", "_wait_s")

    def __init__(self) -> None:
        self._at, self._wait_s = 0.0, BACKOFF_S[0]

    def failed(self) -> None:
        """It failed again."""
        self._at = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, BACKOFF_S[1])

    @property
    def due(self) -> bool:
        return self._at <= time.monotonic()
