"""Two sides of a comparison on disk: what a target should hold, and what it holds. Memory is bounded, disk is not."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sinks.base import Found, Wanted

CACHE_KB = 64_000
"""Memory of each of the two sides."""
AT_ONCE = 10_000
MISSING, TWICE, DIFFERENT = KINDS = ("missing", "twice", "different")
_SCHEMA = """
CREATE TABLE wanted (key TEXT PRIMARY KEY, revision INTEGER, digest INTEGER, open INTEGER, hint BLOB) WITHOUT ROWID;
CREATE TABLE found (key TEXT PRIMARY KEY, digest INTEGER, count INTEGER, words TEXT) WITHOUT ROWID;
CREATE TABLE unsure (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_QUERIES = {
    MISSING: "SELECT w.key, '' FROM wanted w LEFT JOIN found f USING (key) WHERE w.open = 0 AND f.key IS NULL",
    TWICE: "SELECT f.key, f.count || ' times' FROM found f JOIN wanted w USING (key) WHERE f.count > 1",
    DIFFERENT: "SELECT w.key, f.words FROM wanted w JOIN found f USING (key)"
    " WHERE w.open = 0 AND f.count = 1 AND f.digest <> w.digest",
}
_BEYOND = "SELECT count(*) FROM found f LEFT JOIN wanted w USING (key) WHERE w.key IS NULL"


class Difference(NamedTuple):
    kind: str
    """`missing`, `twice` or `different`."""
    key: str
    words: str


class Comparison:
    """In a database file of its own in `folder`, which goes when this is closed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "comparison.sqlite"
        self._db = sqlite3.connect(self._file, isolation_level=None)
        # Nothing of it has to outlive the process.
        self._db.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{CACHE_KB};" + _SCHEMA
        )
        self._db.execute("BEGIN")
        self._wanted: list[tuple[object, ...]] = []
        self._found: list[tuple[object, ...]] = []
        self._unsure: list[tuple[object, ...]] = []

    def want(self, wanted: Wanted, unsure: bool) -> None:
        """`unsure`: the target may not have it yet, or is known to have refused it. Of two with one key the greater revision
        counts, of equal ones the later."""
        self._wanted.append((wanted.key, wanted.revision, wanted.digest, int(unsure or wanted.optional), wanted.hint))
        if len(self._wanted) >= AT_ONCE:
            self._put_wanted()

    def find(self, found: Found) -> None:
        if found.unsure:
            self._unsure.append((found.key,))
            if len(self._unsure) >= AT_ONCE:
                self._put_unsure()
            return
        self._found.append((found.key, found.digest, 1, found.words))
        if len(self._found) >= AT_ONCE:
            self._put_found()

    def wanted(self) -> Iterator[Wanted]:
        """What is surely wanted, in order of keys."""
        self._put_wanted()
        cursor = self._db.execute("SELECT key, revision, digest, open, hint FROM wanted WHERE open = 0 ORDER BY key")
        for key, revision, digest, unsure, hint in cursor:
            yield Wanted(key, 0, revision, digest, bool(unsure), hint or b"")

    def count(self) -> int:
        """Keys that are surely wanted."""
        self._settle()
        return int(self._db.execute("SELECT count(*) FROM wanted WHERE open = 0").fetchone()[0])

    def held(self) -> int:
        """What the target holds, once for every time."""
        self._put_found()
        return int(self._db.execute("SELECT coalesce(sum(count), 0) FROM found").fetchone()[0])

    def beyond(self) -> int:
        """Keys that the target holds, and no topic says: older than what Kafka keeps, or by another hand."""
        self._put_found()
        return int(self._db.execute(_BEYOND).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Kind of difference → how many."""
        self._settle()
        return {
            kind: int(self._db.execute(f"SELECT count(*) FROM ({query})").fetchone()[0])
            for kind, query in _QUERIES.items()
        }

    def differences(self, most: int) -> Iterator[Difference]:
        """At most so many of each kind, in order of keys."""
        self._settle()
        for kind, query in _QUERIES.items():
            for key, words in self._db.execute(f"{query} ORDER BY 1 LIMIT ?", (most,)):
                yield Difference(kind, key, words)

    def _put_wanted(self) -> None:
        self._put(
            "INSERT INTO wanted VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision,"
            " digest = excluded.digest, open = excluded.open, hint = excluded.hint WHERE excluded.revision >= revision",
            self._wanted,
        )

    def _put_unsure(self) -> None:
        self._put("INSERT OR IGNORE INTO unsure VALUES (?)", self._unsure)

    def _settle(self) -> None:
        """All that was told counts. Not while somebody goes through `wanted`."""
        self._put_wanted()
        self._put_found()
        self._put_unsure()
        self._db.execute("UPDATE wanted SET open = 1 WHERE open = 0 AND key IN (SELECT key FROM unsure)")

    def _put_found(self) -> None:
        self._put(
            "INSERT INTO found VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1, words = excluded.words",
            self._found,
        )

    def _put(self, statement: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._db.executemany(statement, _drained(rows))

    def close(self) -> None:
        self._db.close()
        self._file.unlink(missing_ok=True)


def _drained(rows: list[tuple[object, ...]]) -> Iterable[tuple[object, ...]]:
    taken = list(rows)
    rows.clear()
    return taken
