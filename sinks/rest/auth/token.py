"""A token that ends: fetched once for all who need it, kept until shortly before its end, and never asked for in a storm."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from sinks.base import Retryable
from sinks.rest.auth.signing import Ask, NotAccepted

EARLY_S = 30.0
"""So long before its end a token is not used any more; of a short one a tenth of its life."""
PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 60.0
"""Between fetches where what they bring does not help: doubled each time."""


class Fetched(NamedTuple):
    """A token, and for how long it holds where that was said."""

    text: str
    holds_s: float | None = None


class Token:
    """One token for all requests of a target."""

    def __init__(self, fetch: Callable[[Ask], Awaitable[Fetched]], clock: Callable[[], float] = time.monotonic) -> None:
        """`fetch` raises `Retryable`. `clock`: seconds, monotonic."""
        self._fetch, self._clock = fetch, clock
        self._lock = asyncio.Lock()
        self._text: str | None = None
        self._ends: float | None = None
        self._not_before, self._pause_s = 0.0, 0.0
        self._why = ""

    async def get(self, ask: Ask) -> str:
        """Raises `Retryable`."""
        async with self._lock:
            if self._text is None or (self._ends is not None and self._clock() >= self._ends):
                await self._renew(ask)
            assert self._text is not None
            return self._text

    async def _renew(self, ask: Ask) -> None:
        if (wait_s := self._not_before - self._clock()) > 0:
            raise NotAccepted(f"{self._why}; it is tried again in {wait_s:.0f} s", wait_s=wait_s)
        self._text = None
        try:
            fetched = await self._fetch(ask)
        except Retryable as error:
            self._pause(str(error))
            raise
        self._text = fetched.text
        self._ends = None if fetched.holds_s is None else self._clock() + fetched.holds_s - early_s(fetched.holds_s)

    def refused(self, text: str) -> None:
        """The target did not take it; who comes with one that was replaced meanwhile changes nothing."""
        if text == self._text:
            self._text = None
            if self._pause_s:
                self._pause("a new token was refused as well")
            self._pause_s = max(self._pause_s, PAUSE_MIN_S / 2)

    def accepted(self, text: str) -> None:
        """The target took it."""
        if text == self._text:
            self._not_before, self._pause_s = 0.0, 0.0

    def _pause(self, why: str) -> None:
        self._pause_s = min(max(self._pause_s * 2, PAUSE_MIN_S), PAUSE_MAX_S)
        self._not_before, self._why = self._clock() + self._pause_s, why


def early_s(holds_s: float) -> float:
    """How long before its end it is taken for ended."""
    return min(EARLY_S, holds_s / 10)
