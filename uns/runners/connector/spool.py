"""The write-through spool: everything read is on disk, with its sequence and its ledger entry, before Kafka is asked.

One SQLite transaction a call (WAL, synchronous=NORMAL: it survives the death of the process; after a power cut the last
transactions may be gone, and with them their ledger entries). One process and one thread use a spool.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.base import Position, Safe
from topology.namespace.path import Path as PlantPath
from uns.kafka.message import Headers
from uns.runners.connector.health import Health
from uns.runners.connector.ledger import DROPPED, FILE, PUBLISHED, QUARANTINED, READ, SUPPRESSED, Ledger, of
from uns.runtime.lock import FolderLock

SPOOL_FULL = "spool_full"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, partition INTEGER NOT NULL, key BLOB, value BLOB NOT NULL,
    headers BLOB NOT NULL, units INTEGER NOT NULL, quarantine TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (outcome TEXT, reason TEXT, units INTEGER NOT NULL, PRIMARY KEY (outcome, reason));
CREATE TABLE IF NOT EXISTS sequence (path TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS missed (path TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS listened (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lease (one INTEGER PRIMARY KEY CHECK (one = 1), ours INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS health (one INTEGER PRIMARY KEY CHECK (one = 1), said BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, place NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (path TEXT, tag TEXT, at INTEGER NOT NULL, value BLOB, quality INTEGER,
    PRIMARY KEY (path, tag)) WITHOUT ROWID;
"""
_VALUE_OF_NEWEST = "ALTER TABLE newest ADD COLUMN value BLOB; ALTER TABLE newest ADD COLUMN quality INTEGER;"
"""For a spool of a release that kept the time alone."""
PARTS_MAX = 512
"""Ids that an entry has for itself and what may take its place (`replace`): all before those of the next entry."""
_ROOM_FOR_PARTS = f"""BEGIN; UPDATE outbox SET id = -id * {PARTS_MAX}; UPDATE outbox SET id = -id;
UPDATE sqlite_sequence SET seq = seq * {PARTS_MAX} WHERE name = 'outbox'; PRAGMA user_version = 1; COMMIT;"""
"""For a spool of a release that numbered its entries one by one."""

PLACES_MAX = 200_000
"""Tags whose newest value is remembered: a source that invents tags must fill neither memory nor disk."""
VALUE_MAX_BYTES = 1_000
"""Of a longer value only the time is remembered."""
ROW_BYTES = 100
"""What an entry takes beside its value and headers, about: key, topic, indexes."""
_SIZE = f"length(value) + length(headers) + {ROW_BYTES}"


_NEVER = Safe(-(2**63))
NOWHERE: Mapping[str, Position | None] = {}
_decode_value = msgspec.msgpack.decode


class SpoolError(RuntimeError):
    """The spool cannot be used: which file, why, and what to do. The process ends: nothing may be read without it."""


class SpoolEntry(NamedTuple):
    """One Kafka record to be. `quarantine`: the reason when it goes there, else empty."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers
    units: int
    quarantine: str = ""


class SpoolRow(NamedTuple):
    id: int
    entry: SpoolEntry


Spans = Callable[[Sequence[SpoolEntry]], Mapping[str, tuple[int, int]]]


class Spool:
    """Opened for one connector, alone. Raises `SpoolError` from every method when the disk fails."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Raises `SpoolError` when the file is no spool, and `ServiceError` when another process has it."""
        self._lock = FolderLock(folder)
        self._file = folder / FILE
        self.max_bytes = max_bytes
        try:
            self._db = sqlite3.connect(self._file, isolation_level=None, timeout=10)
        except sqlite3.Error as error:
            self._lock.release()
            raise self._error(error) from error
        try:
            self._db.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=2000;" + _SCHEMA
            )
            if len(self._db.execute("PRAGMA table_info(newest)").fetchall()) == 3:
                self._db.executescript(_VALUE_OF_NEWEST)
            if self._db.execute("PRAGMA user_version").fetchone() == (0,):
                self._db.executescript(_ROOM_FOR_PARTS)
            last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            self._last_id = -(-last[0] // PARTS_MAX) * PARTS_MAX if last is not None else 0
            self._counts = Counter(
                {(outcome, reason): units for outcome, reason, units in self._db.execute("SELECT * FROM ledger")}
            )
            self._sequence: dict[str, int] = dict(self._db.execute("SELECT path, last FROM sequence"))
            self._newest = {
                (path, tag): Safe(at, None if quality is None else _decode_value(value), quality)
                for path, tag, at, value, quality in self._db.execute("SELECT * FROM newest")
            }
            self.bytes, self.pending = self._db.execute(
                f"SELECT coalesce(sum({_SIZE}), 0), coalesce(sum(units), 0) FROM outbox"
            ).fetchone()
            self._ledger = of(self._counts, self.pending)
            listened = self._db.execute("SELECT at FROM listened").fetchone()
            self.listened: int | None = listened[0] if listened is not None else None
            """When its connector was last known to listen (µs); None: never yet."""
            lease = self._db.execute("SELECT ours FROM lease").fetchone()
            self.ours = lease is None or bool(lease[0])
            """Whether the source was ours to read when Kafka last said whose it is; before it did, too."""
            self.missed: dict[str, tuple[int, int]] = {
                path: (first, last) for path, first, last in self._db.execute("SELECT * FROM missed")
            }
            """Path → times (µs) of the first and last sample that was dropped, and of which nothing was told yet."""
        except sqlite3.Error as error:
            self._db.close()
            self._lock.release()
            raise self._error(error) from error

    def next_sequence(self, path: str) -> int:
        """The number of the next record of a path, from 1 without a gap; kept with the next `append`."""
        number = self._sequence.get(path, 0) + 1
        self._sequence[path] = number
        return number

    def newest(self) -> dict[tuple[PlantPath, str], Safe]:
        """The value with the newest source time that is safe here, by path and tag."""
        return {(PlantPath.parse(path), tag): safe for (path, tag), safe in self._newest.items()}

    def cursor(self) -> dict[str, Position]:
        """Where the source is to be read on from, as the batches said that are safe."""
        try:
            return dict(self._db.execute("SELECT name, place FROM cursor"))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def listens(self, at: int) -> None:
        """Keeps that the connector listened then."""
        try:
            self._db.execute("INSERT OR REPLACE INTO listened VALUES (1, ?)", (at,))
        except sqlite3.Error as error:
            raise self._error(error) from error
        self.listened = at

    def leases(self, ours: bool) -> None:
        """Keeps whether the source is ours to read, for a start while Kafka is away."""
        try:
            self._db.execute("INSERT OR REPLACE INTO lease VALUES (1, ?)", (ours,))
        except sqlite3.Error as error:
            raise self._error(error) from error
        self.ours = ours

    def says(self, health: Health) -> None:
        """Keeps what the connector says of itself, for who looks from beside (`read_health`)."""
        try:
            self._db.execute("INSERT OR REPLACE INTO health VALUES (1, ?)", (msgspec.json.encode(health),))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def append(
        self,
        entries: Sequence[SpoolEntry],
        read: int,
        suppressed: Mapping[str, int],
        newest: Mapping[tuple[str, str], Safe],
        cursor: Mapping[str, Position | None] = NOWHERE,
    ) -> list[int]:
        """Keeps entries, their sequences and their ledger entries, all or nothing; returns the entries' ids in order."""
        counts = Counter({(READ, ""): read, **{(SUPPRESSED, reason): units for reason, units in suppressed.items()}})
        room = PLACES_MAX - len(self._newest)
        later = {
            place: safe
            for place, safe in newest.items()
            if safe.at >= self._newest.get(place, _NEVER).at and (place in self._newest or (room := room - 1) >= 0)
        }
        ids = [self._last_id + PARTS_MAX * number for number in range(1, len(entries) + 1)]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            size = self._insert(ids, entries)
            self._db.executemany(
                "INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?, ?)",
                [(*place, *_columns(safe)) for place, safe in later.items()],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO cursor VALUES (?, ?)",
                [(name, place) for name, place in cursor.items() if place is not None],
            )
            self._db.executemany(
                "DELETE FROM cursor WHERE name = ?", [(name,) for name, place in cursor.items() if place is None]
            )
            self._count(counts)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error
        self._last_id = ids[-1] if ids else self._last_id
        self._newest.update(later)
        self._settle(counts, size, sum(entry.units for entry in entries))
        return ids

    def replace(self, id_: int, *parts: SpoolEntry) -> list[int]:
        """Puts others in the place of an entry, in their order, with their sequences; together they stand for the same
        units. Returns their ids: they follow that of the entry, which the first one keeps."""
        ids = list(accumulate((part.units for part in parts[:-1]), initial=id_))
        assert ids[-1] // PARTS_MAX == id_ // PARTS_MAX, "an entry has fewer units than ids for its parts"
        try:
            self._db.execute("BEGIN IMMEDIATE")
            (before,) = self._db.execute(f"DELETE FROM outbox WHERE id = ? RETURNING {_SIZE}", (id_,)).fetchone()
            size = self._insert(ids, parts)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error
        self._settle({}, size - before, 0)
        return ids

    def _insert(self, ids: Sequence[int], entries: Sequence[SpoolEntry]) -> int:
        """Within a transaction; the bytes that they take."""
        rows = [
            (id_, e.topic, e.partition, e.key, e.value, msgspec.msgpack.encode(e.headers), e.units, e.quarantine)
            for id_, e in zip(ids, entries, strict=True)
        ]
        self._db.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        paths = {entry.key.decode() for entry in entries if entry.key is not None and not entry.quarantine}
        self._db.executemany(
            "INSERT OR REPLACE INTO sequence VALUES (?, ?)",
            [(path, self._sequence[path]) for path in paths if path in self._sequence],
        )
        return sum(len(row[4]) + len(row[5]) + ROW_BYTES for row in rows)

    def read(self, after: int, limit: int) -> list[SpoolRow]:
        """Entries in the order they came, from after an id."""
        try:
            rows = self._db.execute("SELECT * FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return [_row(*row) for row in rows]

    def delivered(self, ids: Iterable[int]) -> None:
        """Kafka has these: they leave the spool and count as published or quarantined."""
        self._leave(list(ids), lambda quarantine: (QUARANTINED, quarantine) if quarantine else (PUBLISHED, ""))

    def drop_oldest(self, after: int, wanted_bytes: int, spans: Spans = lambda _: {}) -> list[int]:
        """Makes room by dropping what came first and was not yet given to Kafka (`after` was); returns the ids dropped.

        What the connector says of itself has no units, and stays. `spans`: dropped entries → what is `missed` with them.
        """
        rows: list[SpoolRow] = []
        freed = 0
        query = f"SELECT *, {_SIZE} FROM outbox WHERE id > ? AND units > 0 ORDER BY id"
        try:
            for *columns, size in self._db.execute(query, (after,)):
                if freed >= wanted_bytes:
                    break
                rows.append(_row(*columns))
                freed += size
        except sqlite3.Error as error:
            raise self._error(error) from error
        missed = dict(self.missed)
        for path, (first, last) in spans([row.entry for row in rows]).items():
            before = missed.get(path, (first, last))
            missed[path] = min(before[0], first), max(before[1], last)
        ids = [row.id for row in rows]
        self._leave(ids, lambda _quarantine: (DROPPED, SPOOL_FULL), missed)
        self.missed = missed
        return ids

    def told_missed(self) -> None:
        """What is missed has been told."""
        try:
            self._db.execute("DELETE FROM missed")
        except sqlite3.Error as error:
            raise self._error(error) from error
        self.missed = {}

    def ledger(self) -> Ledger:
        """As of the last transaction. Any thread may ask."""
        return self._ledger

    def close(self) -> None:
        """Idempotent."""
        self._db.close()
        self._lock.release()

    def _leave(
        self,
        ids: list[int],
        outcome_of: Callable[[str], tuple[str, str]],
        missed: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        size = units = 0
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for id_ in ids:
                row = self._db.execute(
                    f"DELETE FROM outbox WHERE id = ? RETURNING units, quarantine, {_SIZE}", (id_,)
                ).fetchone()
                if row is not None:
                    counts[outcome_of(row[1])] += row[0]
                    units += row[0]
                    size += row[2]
            self._count(counts)
            self._db.executemany(
                "INSERT OR REPLACE INTO missed VALUES (?, ?, ?)",
                [(path, *span) for path, span in (missed or {}).items()],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error
        self._settle(counts, -size, -units)

    def _count(self, counts: Counter[tuple[str, str]]) -> None:
        self._db.executemany(
            "INSERT INTO ledger VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET units = units + excluded.units",
            [(*place, units) for place, units in counts.items() if units],
        )

    def _settle(self, counts: Mapping[tuple[str, str], int], size: int, units: int) -> None:
        self._counts.update(counts)
        self.bytes += size
        self.pending += units
        self._ledger = of(self._counts, self.pending)

    def _error(self, error: sqlite3.Error) -> SpoolError:
        return SpoolError(
            f"spool {self._file}: {error}. Free the disk, or mend its permissions; a damaged file may be moved away, "
            "with it goes what Kafka has not confirmed"
        )


def read_cursor(file: Path) -> dict[str, Position]:
    """The cursor in a spool that nobody runs over; empty where there is none yet. Raises `sqlite3.Error` when the file is none."""
    if not file.exists():
        return {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'cursor'").fetchone():
            return {}
        return dict(connection.execute("SELECT name, place FROM cursor"))


def _columns(safe: Safe) -> tuple[int, bytes | None, int | None]:
    """(at, value, quality) as the file has them."""
    value = None if safe.quality is None else msgspec.msgpack.encode(safe.value)
    return (safe.at, None, None) if value is None or len(value) > VALUE_MAX_BYTES else (safe.at, value, safe.quality)


def _row(
    id_: int, topic: str, partition: int, key: bytes | None, value: bytes, headers: bytes, units: int, quarantine: str
) -> SpoolRow:
    """A row of the outbox."""
    decoded = msgspec.msgpack.decode(headers, type=Headers)
    return SpoolRow(id_, SpoolEntry(topic, partition, key, value, decoded, units, quarantine))
