"""A real source as the suite of connectors needs one, and when what it says is said."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from topology.namespace.path import Path

T0 = 2_000_000_000_000_000
"""µs: later than any value that a server gives its variables by itself at start."""
DEADLINE_S = 15.0


class Source(Protocol):
    """A real source that the suite reads: it must be able to say integers of the tag `State`.

    One whose values have no times of their own, because it is asked for the present one again and again, also says
    `polled = True`: then what it says next waits until the value before has been read, values are compared without their
    times, and what comes again is left out. One that is itself the client of our server says `listens = True`.
    """

    config: dict[str, Any]
    """A configuration of the connector that reads it."""
    path: Path
    """Where its values belong."""
    asks_again: bool
    """Whether what was not acknowledged comes again after a reopen."""
    also: tuple[tuple[str, Any], ...]
    """Further tags that it can say, each with a value."""

    async def say(self, tag: str, at: int, value: object) -> None:
        """Makes it say a value at a time in µs."""
        ...

    async def babble(self) -> None:
        """Makes it say something that is no reading."""
        ...

    async def vanish(self) -> None:
        """Drops the link, or the whole source."""
        ...


OpenSource = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Source]]
"""Starts the source of one test; takes what fixtures it needs from the request."""
