"""What became of everything a connector read: read = published + suppressed + quarantined + dropped + pending, always."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "connectors"
FILE = "spool.sqlite"
READ, PUBLISHED = "read", "published"
SUPPRESSED, QUARANTINED, DROPPED = "suppressed", "quarantined", "dropped"


@dataclass(frozen=True)
class Ledger:
    """Units since the connector's first start; a unit is one tag value, one fact or one malformed message."""

    read: int = 0
    published: int = 0
    suppressed: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    """In the spool, not yet confirmed by Kafka."""

    @property
    def lost(self) -> int:
        """What no column accounts for: 0, or there is a bug."""
        settled = (
            self.published
            + self.pending
            + sum(map(sum, (self.suppressed.values(), self.quarantined.values(), self.dropped.values())))
        )
        return self.read - settled


def of(counts: Mapping[tuple[str, str], int], pending: int) -> Ledger:
    """A ledger from (outcome, reason) → units."""

    def by_reason(outcome: str) -> dict[str, int]:
        return {reason: units for (name, reason), units in sorted(counts.items()) if name == outcome and units}

    return Ledger(
        counts.get((READ, ""), 0),
        counts.get((PUBLISHED, ""), 0),
        by_reason(SUPPRESSED),
        by_reason(QUARANTINED),
        by_reason(DROPPED),
        pending,
    )


def read_ledgers(state_dir: Path) -> dict[str, Ledger]:
    """Ledgers of every connector that keeps its spool below a state folder, running or not; none is disturbed."""
    return {file.parent.name: read_ledger(file) for file in sorted((state_dir / FOLDER).glob(f"*/{FILE}"))}


def read_ledger(file: Path) -> Ledger:
    """One consistent look into a spool; empty while its connector is only just making it. Raises `sqlite3.Error` when the file is none."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5, isolation_level=None)
    try:
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'newest'").fetchone():  # the last one made
            return Ledger()
        counts = {
            (outcome, reason): units
            for outcome, reason, units in connection.execute("SELECT outcome, reason, units FROM ledger")
        }
        (pending,) = connection.execute("SELECT coalesce(sum(units), 0) FROM outbox").fetchone()
        return of(counts, pending)
    finally:
        connection.close()
