"""Rows and positions in one transaction: what a crash repeats is written over itself."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from schemas.records import Downtime
from sinks.base import Delivery, Positions, Rejected, Retryable

from .config import ToyConfig

TABLES = """
CREATE TABLE IF NOT EXISTS stop (id TEXT PRIMARY KEY, reason TEXT CHECK (reason <> 'refuse me'));
CREATE TABLE IF NOT EXISTS place (topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (topic, partition));
"""


class ToySink:
    def __init__(self, name: str, config: ToyConfig, folder: Path) -> None:
        self._file = config.file
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        await self.close()
        try:
            self._db = sqlite3.connect(self._file, isolation_level=None)
            self._db.executescript(TABLES)
        except sqlite3.Error as error:
            raise Retryable(f"{self._file} cannot be opened: {error}; is its folder there?") from error

    async def positions(self) -> Positions:
        rows = self._opened().execute("SELECT topic, partition, next FROM place")
        return {(topic, partition): offset for topic, partition, offset in rows}

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Rejected]:
        db, rejected, reached = self._opened(), [], dict(positions)
        db.execute("BEGIN")
        for delivery in deliveries:
            record = delivery.record
            if isinstance(record, Downtime):
                try:
                    db.execute("REPLACE INTO stop VALUES (?, ?)", (record.natural_id, record.reason))
                except (sqlite3.IntegrityError, UnicodeEncodeError) as error:
                    rejected.append(Rejected(delivery, "refused", str(error)))
                    place = delivery.topic, delivery.partition
                    reached[place] = min(reached.get(place, delivery.offset), delivery.offset)
        for (topic, partition), offset in reached.items():
            db.execute("REPLACE INTO place VALUES (?, ?, ?)", (topic, partition, offset))
        db.execute("COMMIT")
        return rejected

    async def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise Retryable(f"{self._file} is not open")
        return self._db
