"""Which of our records is which of the target's objects: a small SQLite file that survives any crash.

An intent is written before a request and settled after its answer, so that after a crash it is known what is unclear.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    request INTEGER NOT NULL, natural_id TEXT NOT NULL, remote_id TEXT, revision INTEGER NOT NULL, unclear INTEGER NOT NULL,
    PRIMARY KEY (request, natural_id)) WITHOUT ROWID;
"""


class RemoteObject(NamedTuple):
    remote_id: str | None
    """None: not created, or not known whether it was."""
    revision: int
    """Newest revision the target has; −1 before it has any."""
    unclear: bool
    """A request was sent whose answer nobody saw."""


class ObjectLedger:
    """One file for one sink, used by one process."""

    def __init__(self, folder: Path) -> None:
        """Raises `sqlite3.Error`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "objects.sqlite", isolation_level=None, timeout=10)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)

    def find(self, request: int, natural_id: str) -> RemoteObject | None:
        row = self._db.execute(
            "SELECT remote_id, revision, unclear FROM object WHERE request = ? AND natural_id = ?",
            (request, natural_id),
        ).fetchone()
        return None if row is None else RemoteObject(row[0], row[1], bool(row[2]))

    def intend(self, request: int, natural_id: str) -> None:
        """From now on the outcome is unclear."""
        self._db.execute(
            "INSERT INTO object VALUES (?, ?, NULL, -1, 1) ON CONFLICT DO UPDATE SET unclear = 1", (request, natural_id)
        )

    def settle(self, request: int, natural_id: str, remote_id: str | None, revision: int) -> None:
        """The target has this revision, under this id."""
        self._db.execute(
            "INSERT INTO object VALUES (?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET remote_id = excluded.remote_id,"
            " revision = excluded.revision, unclear = 0",
            (request, natural_id, remote_id, revision),
        )

    def clear(self, request: int, natural_id: str) -> None:
        """The target refused, or surely never got it: nothing is unclear."""
        self._db.execute("UPDATE object SET unclear = 0 WHERE request = ? AND natural_id = ?", (request, natural_id))

    def close(self) -> None:
        self._db.close()
