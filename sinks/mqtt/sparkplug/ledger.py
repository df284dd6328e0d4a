"""The newest snapshot of each machine, in a small SQLite file: a birth says all of them, after a restart, too."""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath

import msgspec

from schemas.records import Current

_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS devices (path TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS births (one INTEGER PRIMARY KEY CHECK (one = 1), bd_seq INTEGER NOT NULL);
"""
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Current).decode


class Ledger:
    """One file for one sink, used by one process. Raises `sqlite3.Error` and `OSError`."""

    def __init__(self, folder: FilePath) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "devices.sqlite", isolation_level=None, timeout=10)
        self._db.executescript(_SCHEMA)

    def load(self) -> dict[str, Current]:
        """Path → snapshot. One that an older release has written in a way that is none any more is left out."""
        found = {}
        for path, record in self._db.execute("SELECT path, record FROM devices ORDER BY path"):
            try:
                found[path] = _decode(record)
            except msgspec.ValidationError:
                continue
        return found

    def next_birth(self) -> int:
        """The number of the next connection, kept before it is used."""
        self._db.execute("INSERT INTO births VALUES (1, 0) ON CONFLICT DO UPDATE SET bd_seq = (bd_seq + 1) % 256")
        return int(self._db.execute("SELECT bd_seq FROM births").fetchone()[0])

    def save(self, records: Mapping[str, Current], gone: Collection[str]) -> None:
        """In one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("DELETE FROM devices WHERE path = ?", [(path,) for path in gone])
            rows = [(path, _encode(record)) for path, record in records.items()]
            self._db.executemany("INSERT OR REPLACE INTO devices VALUES (?, ?)", rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()
