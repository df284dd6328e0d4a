"""Rows of a lake's tables as Arrow, for those who read it back, whatever format they have. Blocking."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import pyarrow as pa

from sinks.lake.columns import FIRST_US, LAST_US
from sinks.lake.rows import Table, tables

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


KnownT = TypeVar("KnownT")


class Reading(ABC, Generic[KnownT]):
    """Of one state of each table. Raises `Retryable`; `OSError` and `BadSecret` for a secret that cannot be used."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, KnownT] = {}

    def there(self) -> dict[str, Table]:
        """The tables that the lake has."""
        found = {}
        for table in tables().values():
            known = self._look(table.name)
            if known is not None:
                found[table.name], self._known[table.name] = table, known
        return found

    @abstractmethod
    def _look(self, table: str) -> KnownT | None:
        """A table as it is now; None: there is none."""

    @abstractmethod
    def batches(self, table: Table, begin: int, end: int, rows: int) -> Iterator[pa.RecordBatch]:
        """Rows of one that is there, of [begin, end) (µs), at most so many at once."""


def moment(at: int) -> datetime:
    """Of µs UTC; within the years that a table holds."""
    return _EPOCH + timedelta(microseconds=min(max(at, FIRST_US), LAST_US))
