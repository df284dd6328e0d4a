"""Requests that are held until Kafka has what they say, and those that were, by their Idempotency-Key."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from connectors.base import Batch, Malformed, Said

TOLD_MAX = 100
"""Malformed parts of a request that its answer names; all are in quarantine."""
KEYS_MAX = 1_000
"""Idempotency keys that are remembered, the latest; an answer of 100 bad parts is some 50 kB."""


class Key(NamedTuple):
    """A request that can be recognised: by whose key, and what it must be the same as."""

    name: tuple[bytes, str]
    content: bytes


class KeyOfAnother(Exception):
    """The key stood at another request."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a request, for its answer."""

    accepted: int
    quarantined: tuple[dict[str, str], ...]
    """The first of them, with reason and message."""
    quarantined_count: int

    @classmethod
    def of(cls, said: list[Said]) -> "Counts":
        bad = [thing for thing in said if isinstance(thing, Malformed)]
        told = tuple({"reason": thing.reason, "message": thing.message} for thing in bad[:TOLD_MAX])
        return cls(len(said) - len(bad), told, len(bad))


@dataclass(eq=False)
class Request:
    """What one request says, and whether Kafka has it (False: it was let go, the client must post it again)."""

    said: list[Said]
    counts: Counts
    kept: "asyncio.Future[bool]"

    def settle(self, kept: bool) -> None:
        if not self.kept.done():
            self.kept.set_result(kept)


class Held:
    """Lives as long as one opened connector."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        """Set when something waits, and by who else must wake the reader."""
        self._waiting: deque[Request] = deque()
        self._held: set[Request] = set()
        self._known: OrderedDict[tuple[bytes, str], tuple[bytes, Request]] = OrderedDict()

    def add(self, said: list[Said], key: Key | None) -> Request:
        """The request, put among those that wait; or the one before with the same key, if Kafka may have that.

        Raises `KeyOfAnother`.
        """
        if key is not None and (known := self._known.get(key.name)) is not None:
            content, request = known
            if content != key.content:
                raise KeyOfAnother
            return request
        request = Request(said, Counts.of(said), asyncio.get_running_loop().create_future())
        if not said:
            request.settle(True)
            return request
        if key is not None:
            self._known[key.name] = (key.content, request)
            if len(self._known) > KEYS_MAX:
                self._known.popitem(last=False)
        self._waiting.append(request)
        self._held.add(request)
        self.news.set()
        return request

    async def kept(self, request: Request, key: Key | None, timeout_s: float) -> bool:
        """Waits until Kafka has it; False when that takes too long. One that was not even read then is not taken at all."""
        try:
            await asyncio.wait([request.kept], timeout=timeout_s)
        finally:
            self._held.discard(request)
            if request in self._waiting:
                self._waiting.remove(request)
                request.settle(False)
                if key is not None:
                    self._known.pop(key.name, None)
        return request.kept.done() and request.kept.result()

    def next(self) -> Batch | None:
        """The batch of the one that waits longest; None without any."""
        if not self._waiting:
            return None
        request = self._waiting.popleft()
        batch, request.said = Batch.of(request.said, _ack(request)), []
        return batch

    def let_go(self) -> None:
        """All that wait are told that it is not known whether Kafka has them."""
        self._waiting.clear()
        for request in (*self._held, *(request for _, request in self._known.values())):
            request.settle(False)
        self._known.clear()


def _ack(request: Request) -> Callable[[], Awaitable[None]]:
    async def ack() -> None:
        request.settle(True)

    return ack
