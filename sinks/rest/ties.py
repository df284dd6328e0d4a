"""Which records belong to which shared object, and what each adds: beside the ledger of objects, in its file.

An object is named by the record that opened it. A record is tied before anything is sent for it, so that after a crash it
goes on where it was meant to.
"""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS shared_object (
    request TEXT NOT NULL, opener TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL,
    closed INTEGER NOT NULL, PRIMARY KEY (request, opener)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shared_object_key ON shared_object (request, key, closed);
CREATE INDEX IF NOT EXISTS shared_object_path ON shared_object (request, path, at, closed);
CREATE TABLE IF NOT EXISTS tie (
    request TEXT NOT NULL, natural_id TEXT NOT NULL, opener TEXT, path TEXT NOT NULL, at INTEGER NOT NULL,
    lasted_us INTEGER NOT NULL, counts INTEGER NOT NULL, over INTEGER NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (request, natural_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tie_opener ON tie (request, opener, at, counts, lasted_us, over);
CREATE INDEX IF NOT EXISTS tie_path ON tie (request, opener, path);
CREATE TABLE IF NOT EXISTS summand (
    request TEXT NOT NULL, natural_id TEXT NOT NULL, name TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL,
    value REAL NOT NULL, PRIMARY KEY (request, natural_id, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS summand_by ON summand (request, by, name, at);
"""
TOLD = ""
"""The opener of a withheld record of which another has told."""


class Tie(NamedTuple):
    """A record's place."""

    opener: str | None
    """The object's; None: it is withheld, over the rate. `TOLD`: withheld, and told of."""
    revision: int
    """Newest that was dealt with; −1 before there is any."""

    @property
    def withheld(self) -> bool:
        return not self.opener


class Opened(NamedTuple):
    """A shared object."""

    opener: str
    key: str
    closed: bool
    last_at: int
    """µs: begin of its newest record."""


class Summary(NamedTuple):
    """What the records of an object come to."""

    times: int
    lasted_us: int
    first_at: int | None
    last_at: int | None
    over: bool
    """Whether all are."""


class Ties:
    """Over the ledger's connection, whose statements are transactions of their own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(SCHEMA)

    def find(self, request: str, natural_id: str) -> Tie | None:
        row = self._db.execute(
            "SELECT opener, revision FROM tie WHERE request = ? AND natural_id = ?", (request, natural_id)
        ).fetchone()
        return None if row is None else Tie(*row)

    def opened(self, request: str, opener: str) -> Opened | None:
        return self._opened("o WHERE o.request = ? AND o.opener = ?", request, opener)

    def open_of(self, request: str, key: str) -> Opened | None:
        """The newest that is open and has this key."""
        return self._opened(
            "o INDEXED BY shared_object_key WHERE o.request = ? AND o.key = ? AND o.closed = 0", request, key
        )

    def open_at(self, request: str, path: str) -> Opened | None:
        """The newest that is open and of this path."""
        return self._opened(
            "o INDEXED BY shared_object_path WHERE o.request = ? AND o.path = ? AND o.closed = 0", request, path
        )

    def _opened(self, which: str, *values: str) -> Opened | None:
        row = self._db.execute(
            "SELECT o.opener, o.key, o.closed, coalesce((SELECT max(t.at) FROM tie t WHERE t.request = o.request"
            f" AND t.opener = o.opener), o.at) FROM shared_object {which} ORDER BY o.at DESC, o.opener LIMIT 1",
            values,
        ).fetchone()
        return None if row is None else Opened(row[0], row[1], bool(row[2]), row[3])

    def made_within(self, request: str, path: str, at: int, span_us: int) -> int:
        """Objects of a path that were made for records less than so long before or after a time."""
        (number,) = self._db.execute(
            "SELECT count(*) FROM shared_object o JOIN remote_object r ON r.request = o.request AND r.natural_id = o.opener"
            " WHERE o.request = ? AND o.path = ? AND o.at > ? AND o.at < ? AND (r.remote_id IS NOT NULL OR r.revision >= 0)",
            (request, path, at - span_us, at + span_us),
        ).fetchone()
        return int(number)

    def tie(self, request: str, natural_id: str, opener: str | None, path: str, at: int) -> Tie:
        """The record belongs to that object from now on."""
        self._db.execute(
            "INSERT OR REPLACE INTO tie VALUES (?, ?, ?, ?, ?, 0, 1, 0, -1)", (request, natural_id, opener, path, at)
        )
        return Tie(opener, -1)

    def open(self, request: str, natural_id: str, key: str, path: str, at: int) -> Tie:
        """The record is the first of a new object."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO shared_object VALUES (?, ?, ?, ?, ?, 0)", (request, natural_id, key, path, at)
            )
            return self.tie(request, natural_id, natural_id, path, at)

    def take_over(self, request: str, opener: str, natural_id: str) -> None:
        """An object that was never made is another record's now, and so are its records."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            for table in ("shared_object", "tie"):
                self._db.execute(
                    f"UPDATE {table} SET opener = ? WHERE request = ? AND opener = ?", (natural_id, request, opener)
                )
            self._db.execute("UPDATE summand SET by = ? WHERE request = ? AND by = ?", (natural_id, request, opener))

    def close(self, request: str, opener: str) -> None:
        """It takes no more records."""
        self._db.execute("UPDATE shared_object SET closed = 1 WHERE request = ? AND opener = ?", (request, opener))

    def note(self, request: str, natural_id: str, lasted_us: int, counts: bool, over: bool) -> None:
        """What a record adds now; one that does not count adds nothing."""
        self._db.execute(
            "UPDATE tie SET lasted_us = ?, counts = ?, over = ? WHERE request = ? AND natural_id = ?",
            (lasted_us if counts else 0, counts, over, request, natural_id),
        )

    def deal(self, request: str, natural_id: str, revision: int) -> None:
        """This revision is dealt with."""
        self._db.execute(
            "UPDATE tie SET revision = ? WHERE request = ? AND natural_id = ?", (revision, request, natural_id)
        )

    def summary(self, request: str, opener: str) -> Summary:
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(lasted_us), 0), min(at), max(at), coalesce(min(over), 0) FROM tie"
            " WHERE request = ? AND opener = ? AND counts",
            (request, opener),
        ).fetchone()
        return Summary(row[0], row[1], row[2], row[3], bool(row[4]))

    def withheld(self, request: str, path: str) -> int:
        """Records of a path over the rate, of which none has told."""
        (number,) = self._db.execute(
            "SELECT count(*) FROM tie WHERE request = ? AND opener IS NULL AND path = ?", (request, path)
        ).fetchone()
        return int(number)

    def tell_withheld(self, request: str, path: str) -> None:
        """A request that was taken has told of them."""
        self._db.execute(
            "UPDATE tie SET opener = ? WHERE request = ? AND opener IS NULL AND path = ?", (TOLD, request, path)
        )

    def add(self, request: str, natural_id: str, by: str, at: int, summands: Mapping[str, float]) -> None:
        """What a record adds to the sums; nothing takes back what it added."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute("DELETE FROM summand WHERE request = ? AND natural_id = ?", (request, natural_id))
            self._db.executemany(
                "INSERT INTO summand VALUES (?, ?, ?, ?, ?, ?)",
                [(request, natural_id, name, by, at, value) for name, value in summands.items()],
            )

    def sum(self, request: str, by: str, name: str, until: int) -> float:
        """Over the records of a group that begin until then."""
        (total,) = self._db.execute(
            "SELECT coalesce(sum(value), 0.0) FROM summand WHERE request = ? AND by = ? AND name = ? AND at <= ?",
            (request, by, name, until),
        ).fetchone()
        return float(total)
