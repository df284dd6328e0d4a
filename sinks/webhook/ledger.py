"""What the receiver has taken: natural id → revision, in a small SQLite file."""

import sqlite3
import time
from pathlib import Path as FilePath

_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS told (
    natural_id TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""
DAY_S = 86_400.0


class Ledger:
    """One file for one sink, used by one process."""

    def __init__(self, folder: FilePath, remembered_days: int) -> None:
        """Raises `sqlite3.Error` and `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "told.sqlite", isolation_level=None, timeout=10)
        self._db.executescript(_SCHEMA)
        self._db.execute("DELETE FROM told WHERE at < ?", (time.time() - remembered_days * DAY_S,))

    def revision(self, natural_id: str) -> int | None:
        """The newest that was taken; None: none was."""
        row = self._db.execute("SELECT revision FROM told WHERE natural_id = ?", (natural_id,)).fetchone()
        return None if row is None else int(row[0])

    def told(self, natural_id: str, revision: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (natural_id, revision, time.time()))

    def close(self) -> None:
        self._db.close()
