"""Time of which an agent has nothing more, by the agent's own clock. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from connectors.base import Span
from connectors.mtconnect.codec import Header, Observation
from connectors.mtconnect.tracker import Broken

CAUSES: dict[Broken, str] = {"restarted": "session_lost", "overrun": "overflow"}

SECOND = 1_000_000
"""µs."""


class _Hole(NamedTuple):
    broken: Broken
    since: int
    """µs."""
    last: int
    """µs; the last observation before it. What a source tells late is older than the time at which the agent had nothing."""


class Gaps:
    """For one agent. A hole is told with its end, when something behind it is read."""

    def __init__(self) -> None:
        self._hole: _Hole | None = None
        self._seen: int | None = None
        """Up to when all is read."""
        self._last: int | None = None
        """When the last observation was made that was read."""

    def begin(self, now: int) -> None:
        """From now (µs) on, what nobody reads is a gap, though nothing was read yet."""
        if self._seen is None:
            self._seen = now

    def saw(self, header: Header, following: int, observations: Sequence[Observation]) -> None:
        """A document was read, and `following` is next: all up to now, or up to its last observation where more waits."""
        last = self._last = observations[-1].at if observations else self._last
        if header.created is not None and level(header, following):
            # The reference agent's clock tells whole seconds.
            self._seen = last if last is not None and 0 <= last - header.created < SECOND else header.created
        elif observations:
            self._seen = last

    def broken(self, broken: Broken) -> None:
        """The sequence does not go on. A hole that grows before its end is read is one."""
        if self._hole is None and self._seen is not None:
            self._hole = _Hole(broken, self._seen, self._seen if self._last is None else self._last)

    def ended(self, until: int | None) -> Span | None:
        """The hole, now that something is read behind it, from `until` (µs); None where there is none."""
        hole, self._hole = self._hole, None
        if hole is None or until is None:
            return None
        begin = hole.since if hole.since < until else hole.last
        return Span(begin, until - 1, CAUSES[hole.broken]) if begin < until else None


def level(header: Header, following: int) -> bool:
    """Whether nothing waited in the buffer when a document was made behind which `following` is next."""
    return header.last is None or following > header.last
