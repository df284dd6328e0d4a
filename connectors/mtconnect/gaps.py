"""Time of which an agent has nothing more, by the agent's own clock, as facts. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from connectors.base import FactReading
from connectors.mtconnect.codec import Header, Observation
from connectors.mtconnect.tracker import Broken
from schemas.records import Gap
from topology.namespace.path import Path

CAUSES: dict[Broken, str] = {"restarted": "session_lost", "overrun": "overflow"}

SECOND = 1_000_000
"""µs."""


class _Hole(NamedTuple):
    broken: Broken
    lost: int
    since: int
    """µs."""
    last: int
    """µs; the last observation before it. What a source tells late is older than the time at which the agent had nothing."""


class Gaps:
    """For one agent. A gap is told as soon as it is known, and once more with its true end when something behind it is read:
    its id follows from the last observation before it, so that the later replaces the earlier."""

    def __init__(self, connector: str, url: str) -> None:
        self._connector, self._url = connector, url
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

    def broken(self, broken: Broken, lost: int, now: int | None, paths: Iterable[Path]) -> list[FactReading]:
        """The sequence does not go on: the gap of each path, as far as it is known now (µs, by the agent). A hole that grows
        before its end is read is one."""
        if self._hole is not None:
            self._hole = self._hole._replace(lost=self._hole.lost + lost)
        elif self._seen is not None:
            self._hole = _Hole(broken, lost, self._seen, self._seen if self._last is None else self._last)
        return [] if self._hole is None else self._facts(self._hole, now, paths)

    def ended(self, until: int | None, paths: Iterable[Path]) -> list[FactReading]:
        """The gap of each path, now that something is read behind it, from `until` (µs); nothing where there is none."""
        hole, self._hole = self._hole, None
        return [] if hole is None else self._facts(hole, until, paths)

    def _facts(self, hole: _Hole, until: int | None, paths: Iterable[Path]) -> list[FactReading]:
        begin = hole.since if until is not None and hole.since < until else hole.last
        if until is None or until <= begin:
            return []
        words = {"restarted": "the agent was restarted", "overrun": "the agent's buffer had no room"}[hole.broken]
        gap = Gap(
            id=f"{self._connector}-{self._url}-{hole.last}",
            started_at=begin,
            ended_at=until,
            cause=CAUSES[hole.broken],
            by=self._connector,
            text=f"{words}: {hole.lost} observations are no more" if hole.lost else words,
        )
        return [FactReading(path, gap) for path in paths]


def level(header: Header, following: int) -> bool:
    """Whether nothing waited in the buffer when a document was made behind which `following` is next."""
    return header.last is None or following > header.last
