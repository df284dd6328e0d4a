"""The interface of all kinds: sign a request, and say whether an answer means that it is worth signing anew."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sinks.base import Retryable
from sinks.kit.answer import Answer


@dataclass(frozen=True)
class Outgoing:
    """A request as it would go out."""

    method: str
    url: str
    """Whole."""
    content: bytes = b""
    key: str = ""
    """What makes it known again: its idempotency key, empty where it changes nothing."""


@dataclass(frozen=True)
class Signed:
    """What is added to it."""

    headers: Mapping[str, bytes] = field(default_factory=dict)
    url: str | None = None
    """Another url, where the signature stands there."""
    token: str = ""
    """What it was signed with, where that ends."""


Ask = Callable[[Outgoing, Mapping[str, bytes]], Awaitable[Answer]]
"""Sends a request of our own (for a token, a login) with these headers; bounded in time and bytes. Raises `Retryable`
where nothing comes back."""


class NotAccepted(Retryable):
    """The target, or who gives out its tokens, does not take what we have: all records wait, and none is to blame."""


class Signing(Protocol):
    """One for each target, for all its requests, which may be under way at the same time."""

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        """Raises `Retryable` (`NotAccepted` where a person has to see to it)."""
        ...

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        """Told of each answer. Words where it says that what was signed with holds no longer, so that signing anew may
        help; None: the answer speaks of the request."""
        ...


class NoAuth:
    """Nobody asks who we are."""

    async def sign(self, request: Outgoing, ask: Ask) -> Signed:
        return Signed()

    def stale(self, signed: Signed, answer: Answer) -> str | None:
        return None
