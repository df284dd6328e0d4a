"""When a connector listened, and what it must say of the time in which it did not. Pure: it is told what time it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connectors.base import Span
from schemas.records import Gap
from topology.namespace.path import Path

CONNECTOR_DOWN, LINK_LOST, SESSION_LOST = "connector_down", "link_lost", "session_lost"
"""Causes of a gap, beside those that sources give (`Span`)."""


@dataclass
class Listening:
    """`last`: when the link was last known good (µs), also before this process; None: never yet.

    A gap's id follows from its begin: told again after a death in between, it replaces itself.
    """

    connector: str
    last: int | None
    cause: str = CONNECTOR_DOWN
    """Why it does not listen now, while it does not."""
    told: dict[Path, Gap] = field(default_factory=dict)
    """The newest gap of each path, as long as the source may yet tell all of what was missed."""
    overflow: dict[Path, Span] = field(default_factory=dict)
    """The newest stretch of each path in which the source dropped values."""

    def good(self, now: int) -> None:
        """The link has just been proved."""
        self.last = now if self.last is None else max(self.last, now)

    def lost(self) -> None:
        """The link is gone: from when it was last good on, nobody listens."""
        self.cause = LINK_LOST

    def opened(self, now: int, paths: Iterable[Path], kept: bool | None) -> dict[Path, Gap]:
        """The gaps to tell, now that the link is good again. `kept`: whether the source has kept what it said meanwhile
        and gives it now; None: it never does so by itself."""
        since, cause = self.last, self.cause if kept is None else SESSION_LOST
        self.good(now)
        self.told = {}
        if since is None or kept or now <= since:
            return {}
        gap = Gap(id=f"{self.connector}-{since}", started_at=since, ended_at=now, cause=cause, by=self.connector)
        self.told = dict.fromkeys(paths, gap)
        return dict(self.told)

    def caught_up(self, paths: Iterable[Path]) -> dict[Path, Gap]:
        """The withdrawals to tell: the source has told all that was missed of these paths."""
        gaps = {path: self.told.pop(path) for path in paths if path in self.told}
        return {path: _withdrawn(gap) for path, gap in gaps.items()}

    def dropped(self, missed: Mapping[Path, Span]) -> dict[Path, Gap]:
        """The gaps to tell of what the source had and has no more; one that goes on grows."""
        for path, span in missed.items():
            before = self.overflow.get(path)
            self.overflow[path] = span.joined(before) if before is not None and span.first <= before.last else span
        return {path: _missing(self.connector, self.overflow[path]) for path in missed}


def overflown(connector: str, missed: Mapping[str, tuple[int, int]]) -> dict[Path, Gap]:
    """The gaps that samples leave for which the spool had no room. `missed`: path → first and last of their times."""
    return {Path.parse(path): _missing(connector, Span(*span)) for path, span in missed.items()}


def _missing(connector: str, span: Span) -> Gap:
    first, last, cause = span
    return Gap(id=f"{connector}-{cause}-{first}", started_at=first, ended_at=last + 1, cause=cause, by=connector)


def _withdrawn(gap: Gap) -> Gap:
    return Gap(id=gap.id, started_at=gap.started_at, ended_at=gap.started_at, cause=gap.cause, by=gap.by, text=gap.text)
