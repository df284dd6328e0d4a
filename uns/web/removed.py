"""Which paths a screen shows: what has left the plant is gone until a snapshot of it comes. Pure."""

from dataclasses import dataclass, field

from schemas.records import Current, Derived

UNIT_SLASHES = 4
"""In the path of a work unit; only they have snapshots."""


@dataclass
class Presence:
    """Alerts, stops and windows of a machine that is gone stay in their topics, and come to every reader anew. So a work
    unit is shown if the model names it or it has a snapshot, and not once it was removed."""

    order: tuple[str, ...] = ()
    """Work units of the model; empty: it cannot be read, and all that is heard of is shown."""
    gone: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    """Work units with a snapshot."""

    def __post_init__(self) -> None:
        self._named = frozenset(self.order)

    def apply(self, record: Derived) -> None:
        if isinstance(record, Current):
            self.gone.discard(record.path)
            self.seen.add(record.path)

    def remove(self, path: str) -> None:
        self.seen.discard(path)
        self.gone.add(path)

    def shows(self, path: str) -> bool:
        """Places above work units are always shown."""
        if path.count("/") != UNIT_SLASHES:
            return True
        return path in self.seen or (path not in self.gone and (not self._named or path in self._named))
