"""What the broker is to retain, in a small SQLite file: after its restart, or ours, it is compared and mended."""

import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath

from sinks.mqtt.newest import Known, Newest

FILE = "retained.sqlite"
_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS retained (
    topic TEXT NOT NULL, natural_id TEXT NOT NULL, started_at INTEGER NOT NULL, revision INTEGER NOT NULL,
    published_at REAL NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (topic, natural_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS removed (path TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
"""
# A commit that a power cut takes back is no loss: what the broker has retained is asked, and the newer one counts.

_NOTHING = ""
"""In place of a natural id: it is known that nothing is retained."""


class Ledger:
    """One file for one sink, used by one process."""

    def __init__(self, folder: FilePath) -> None:
        """Raises `sqlite3.Error` and `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / FILE, isolation_level=None, timeout=10)
        self._db.executescript(_SCHEMA)

    def load(self) -> Newest:
        newest = Newest()
        for topic, started_at, natural_id, revision in self._db.execute(
            "SELECT topic, started_at, natural_id, revision FROM retained"
        ):
            if natural_id == _NOTHING:
                newest.empty(topic)
            else:
                newest.load(topic, Known(started_at, natural_id, revision))
        return newest

    def removed(self) -> dict[str, int]:
        """Path → when it was taken out of the plant, in µs since 1970."""
        return dict(self._db.execute("SELECT path, at FROM removed"))

    def remove(self, path: str, at: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO removed VALUES (?, ?)", (path, at))

    def payload(self, topic: str, natural_id: str) -> tuple[bytes, float] | None:
        """What was published of a fact, and when, in seconds since 1970."""
        found: tuple[bytes, float] | None = self._db.execute(
            "SELECT payload, published_at FROM retained WHERE topic = ? AND natural_id = ?", (topic, natural_id)
        ).fetchone()
        return found

    def save(self, newest: Newest, topics: Collection[str], payloads: Mapping[tuple[str, Known], bytes], now: float) -> None:  # fmt: skip
        """What is known of these topics by now, in one transaction; `payloads` has those of what is new."""
        gone: list[tuple[str, str]] = []
        for topic in topics:
            kept = {one.natural_id for one in newest.known(topic)}
            stored = self._db.execute("SELECT natural_id FROM retained WHERE topic = ?", (topic,))
            gone += [(topic, natural_id) for (natural_id,) in stored if natural_id not in kept]
        new = [
            (topic, known.natural_id, known.started_at, known.revision, now, payload)
            for (topic, known), payload in payloads.items()
            if known in newest.known(topic)
        ]
        new += [(topic, _NOTHING, 0, 0, now, b"") for topic in topics if topic in newest and newest.top(topic) is None]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("DELETE FROM retained WHERE topic = ? AND natural_id = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO retained VALUES (?, ?, ?, ?, ?, ?)", new)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()
