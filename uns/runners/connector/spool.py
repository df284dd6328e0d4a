"""The write-through spool: everything read is on disk, with its sequence and its ledger entry, before Kafka is asked.

One SQLite transaction a call (WAL, synchronous=NORMAL: it survives the death of the process; after a power cut the last
transactions may be gone, and with them their ledger entries). One process and one thread use a spool.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from topology.namespace.path import Path as PlantPath
from uns.kafka.message import Headers
from uns.runners.connector.ledger import DROPPED, FILE, PUBLISHED, QUARANTINED, READ, SUPPRESSED, Ledger, of
from uns.runtime.lock import FolderLock

SPOOL_FULL = "spool_full"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, partition INTEGER NOT NULL, key BLOB, value BLOB NOT NULL,
    headers BLOB NOT NULL, units INTEGER NOT NULL, quarantine TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (outcome TEXT, reason TEXT, units INTEGER NOT NULL, PRIMARY KEY (outcome, reason));
CREATE TABLE IF NOT EXISTS sequence (path TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS newest (path TEXT, tag TEXT, at INTEGER NOT NULL, PRIMARY KEY (path, tag)) WITHOUT ROWID;
"""

PLACES_MAX = 200_000
"""Tags whose newest time is remembered: a source that invents tags must fill neither memory nor disk."""
ROW_BYTES = 100
"""What an entry takes beside its value and headers, about: key, topic, indexes."""
_SIZE = f"length(value) + length(headers) + {ROW_BYTES}"


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
            self._counts = Counter(
                {(outcome, reason): units for outcome, reason, units in self._db.execute("SELECT * FROM ledger")}
            )
            self._sequence: dict[str, int] = dict(self._db.execute("SELECT path, last FROM sequence"))
            self._newest = {(path, tag): at for path, tag, at in self._db.execute("SELECT path, tag, at FROM newest")}
            self.bytes, self.pending = self._db.execute(
                f"SELECT coalesce(sum({_SIZE}), 0), coalesce(sum(units), 0) FROM outbox"
            ).fetchone()
            self._ledger = of(self._counts, self.pending)
        except sqlite3.Error as error:
            self._db.close()
            self._lock.release()
            raise self._error(error) from error

    def next_sequence(self, path: str) -> int:
        """The number of the next record of a path, from 1 without a gap; kept with the next `append`."""
        number = self._sequence.get(path, 0) + 1
        self._sequence[path] = number
        return number

    def newest(self) -> dict[tuple[PlantPath, str], int]:
        """Newest source time (µs) that is safe here, by path and tag."""
        return {(PlantPath.parse(path), tag): at for (path, tag), at in self._newest.items()}

    def append(
        self,
        entries: Sequence[SpoolEntry],
        read: int,
        suppressed: Mapping[str, int],
        newest: Mapping[tuple[str, str], int],
    ) -> list[int]:
        """Keeps entries, their sequences and their ledger entries, all or nothing; returns the entries' ids in order."""
        counts = Counter({(READ, ""): read, **{(SUPPRESSED, reason): units for reason, units in suppressed.items()}})
        room = PLACES_MAX - len(self._newest)
        later = {
            place: at
            for place, at in newest.items()
            if at > self._newest.get(place, -1) and (place in self._newest or (room := room - 1) >= 0)
        }
        packed = [
            (e.topic, e.partition, e.key, e.value, msgspec.msgpack.encode(e.headers), e.units, e.quarantine)
            for e in entries
        ]
        paths = {entry.key.decode() for entry in entries if entry.key is not None and not entry.quarantine}
        try:
            self._db.execute("BEGIN IMMEDIATE")
            ids = [
                int(self._db.execute("INSERT INTO outbox VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0)
                for row in packed
            ]
            self._db.executemany(
                "INSERT OR REPLACE INTO sequence VALUES (?, ?)",
                [(path, self._sequence[path]) for path in paths if path in self._sequence],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO newest VALUES (?, ?, ?)", [(*place, at) for place, at in later.items()]
            )
            self._count(counts)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._error(error) from error
        self._newest.update(later)
        self._settle(
            counts, sum(len(row[3]) + len(row[4]) + ROW_BYTES for row in packed), sum(entry.units for entry in entries)
        )
        return ids

    def read(self, after: int, limit: int) -> list[SpoolRow]:
        """Entries in the order they came, from after an id."""
        try:
            rows = self._db.execute("SELECT * FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, limit)).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return [
            SpoolRow(
                id_,
                SpoolEntry(
                    topic, partition, key, value, msgspec.msgpack.decode(headers, type=Headers), units, quarantine
                ),
            )
            for id_, topic, partition, key, value, headers, units, quarantine in rows
        ]

    def delivered(self, ids: Iterable[int]) -> None:
        """Kafka has these: they leave the spool and count as published or quarantined."""
        self._leave(list(ids), lambda quarantine: (QUARANTINED, quarantine) if quarantine else (PUBLISHED, ""))

    def drop_oldest(self, after: int, wanted_bytes: int) -> list[int]:
        """Makes room by dropping what came first and was not yet given to Kafka (`after` was); returns the ids dropped."""
        ids, freed = [], 0
        try:
            for row in self._db.execute(f"SELECT id, {_SIZE} FROM outbox WHERE id > ? ORDER BY id", (after,)):
                if freed >= wanted_bytes:
                    break
                ids.append(row[0])
                freed += row[1]
        except sqlite3.Error as error:
            raise self._error(error) from error
        self._leave(ids, lambda _quarantine: (DROPPED, SPOOL_FULL))
        return ids

    def ledger(self) -> Ledger:
        """As of the last transaction. Any thread may ask."""
        return self._ledger

    def close(self) -> None:
        """Idempotent."""
        self._db.close()
        self._lock.release()

    def _leave(self, ids: list[int], outcome_of: Callable[[str], tuple[str, str]]) -> None:
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
