"""Which of our records is which of the target's objects: a small SQLite file that survives any crash.

An intent is written before a request and settled after its answer, so that after a crash it is known what is unclear.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sinks.rest.ties import Ties

_SCHEMA = """
CREATE TABLE IF NOT EXISTS remote_object (
    request TEXT NOT NULL, natural_id TEXT NOT NULL, remote_id TEXT, revision INTEGER NOT NULL,
    unclear_since REAL, intended INTEGER NOT NULL, cancelled INTEGER NOT NULL,
    PRIMARY KEY (request, natural_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unclear_object ON remote_object (request) WHERE unclear_since IS NOT NULL;
"""


class RemoteObject(NamedTuple):
    remote_id: str | None
    """None: not created, or not known whether it was, or the target named no id."""
    revision: int
    """Newest revision that was dealt with; −1 before there is any."""
    unclear_since: float | None = None
    """When a request was last sent whose answer nobody saw, in seconds since 1970; None: all is clear."""
    intended: int = -1
    """The revision that was sent then."""
    cancelled: bool = False
    """It was taken back, or never made: without an id nothing is there."""

    @property
    def there(self) -> bool:
        """It surely is."""
        made = self.unclear_since is None and self.revision >= 0 and not self.cancelled
        return self.remote_id is not None or made


class ObjectLedger:
    """One file for one sink, used by one process."""

    def __init__(self, folder: Path, requests: Sequence[str]) -> None:
        """`requests`: their names, in the order of the configuration. Raises `sqlite3.Error`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "objects.sqlite", isolation_level=None, timeout=10)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._take_over(requests)
        self.ties = Ties(self._db)
        """Which records share an object."""

    def _take_over(self, requests: Sequence[str]) -> None:
        """Before 0.1 requests were known by their place in the list."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'object'").fetchone() is None:
            return
        self._db.execute("BEGIN IMMEDIATE")
        for number, name in enumerate(requests):
            self._db.execute(
                "INSERT OR IGNORE INTO remote_object SELECT ?, natural_id, remote_id, revision,"
                " CASE unclear WHEN 1 THEN 0.0 END, -1, 0 FROM object WHERE request = ?",
                (name, number),
            )
        self._db.execute("DROP TABLE object")
        self._db.execute("COMMIT")

    def find(self, request: str, natural_id: str) -> RemoteObject | None:
        row = self._db.execute(
            "SELECT remote_id, revision, unclear_since, intended, cancelled FROM remote_object"
            " WHERE request = ? AND natural_id = ?",
            (request, natural_id),
        ).fetchone()
        return None if row is None else RemoteObject(row[0], row[1], row[2], row[3], bool(row[4]))

    def intend(self, request: str, natural_id: str, revision: int, now: float) -> None:
        """From now on the outcome is unclear."""
        self._db.execute(
            "INSERT INTO remote_object VALUES (?, ?, NULL, -1, ?, ?, 0) ON CONFLICT DO UPDATE SET"
            " unclear_since = excluded.unclear_since, intended = excluded.intended",
            (request, natural_id, now, revision),
        )

    def settle(
        self, request: str, natural_id: str, remote_id: str | None, revision: int, cancelled: bool = False
    ) -> None:
        """This revision is dealt with, and the object has this id."""
        self._db.execute(
            "INSERT OR REPLACE INTO remote_object VALUES (?, ?, ?, ?, NULL, -1, ?)",
            (request, natural_id, remote_id, revision, cancelled),
        )

    def clear(self, request: str, natural_id: str) -> None:
        """The target refused, or surely never got it: nothing is unclear."""
        self._db.execute(
            "UPDATE remote_object SET unclear_since = NULL WHERE request = ? AND natural_id = ?", (request, natural_id)
        )

    def unclear(self) -> int:
        """Objects of which it is not known whether the last request reached the target."""
        query = "SELECT count(*) FROM remote_object WHERE unclear_since IS NOT NULL"
        return int(self._db.execute(query).fetchone()[0])

    def close(self) -> None:
        self._db.close()
