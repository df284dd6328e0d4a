"""What was said about a span of time: records as an iterator, as Arrow tables, as data frames."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from schemas.records import Derived, Record, Samples
from schemas.text import micros, micros_of
from uns.client.frame import table
from uns.client.subscribe import Received, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas
    import pyarrow

log = structlog.get_logger()

Instant = datetime | str | int
"""A time with a zone, an ISO 8601 text with an offset, or microseconds UTC."""


def instant(at: Instant) -> int:
    """Microseconds UTC. Raises `ValueError` for a time without a zone: it would be a guess."""
    if isinstance(at, int):
        return at
    if isinstance(at, str):
        return micros(at)
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no zone; write datetime(…, tzinfo=UTC)")
    return micros_of(at)


def times(record: Record) -> tuple[int, ...]:
    """The times that say whether a record belongs to a span: of its begin, or of its values. µs UTC."""
    if isinstance(record, Samples):
        return tuple(sample.at for sample in record.samples)
    return (record.started_at if hasattr(record, "started_at") else record.at,)


class History:
    """Records of [start, end) in event time: a window, a stop or an order that begins in it, a sample or an inspection
    that was taken in it.

    Each way of reading it reads Kafka anew, up to the topics' ends at that moment. Of a derived fact the newest revision
    alone is in it, unless `every` asks for all. `problems` holds what could not be read, as of the last reading: such a
    record has no time, and hides no other.
    """

    def __init__(self, open_: "Callable[[], Subscription]", start: int, end: int, every: bool) -> None:
        """Raises `ValueError` for an empty span."""
        if start >= end:
            raise ValueError("the span is empty: its start is not before its end")
        self._open, self._start, self._end, self._every = open_, start, end, every
        self.problems: list[Received] = []

    def __iter__(self) -> Iterator[Received]:
        if self._every:
            yield from self._read()
            return
        newest: dict[object, Received] = {}
        for item in self._read():
            record = item.record
            fact = record.natural_id if isinstance(record, Derived) else (item.topic, item.partition, item.offset)
            before = newest.get(fact)
            if before is None or _revision(item) >= _revision(before):
                newest[fact] = item
        yield from newest.values()

    def tables(self) -> "dict[str, pyarrow.Table]":
        """Record type → its records, a row each. Raises `MissingExtra` without pyarrow."""
        by_type: dict[type[Record], list[Received]] = {}
        for item in self:
            if item.record is not None:
                by_type.setdefault(type(item.record), []).append(item)
        return {kind.__name__: table(kind, items) for kind, items in by_type.items()}

    def table(self) -> "pyarrow.Table":
        """The records as one Arrow table, where they are of one type; without columns where there are none.

        Raises `ValueError` for more than one type, and `MissingExtra` without pyarrow.
        """
        tables = self.tables()
        if len(tables) > 1:
            raise ValueError(f"there are {', '.join(sorted(tables))}; ask for one class, or take `tables()`")
        return next(iter(tables.values()), None) or table(None, [])

    def frame(self) -> "pandas.DataFrame":
        """`table()` as a pandas data frame, times with zone UTC. Raises as it does, and `MissingExtra` without pandas."""
        from uns.client.frame import to_pandas

        return to_pandas(self.table())

    def _read(self) -> Iterator[Received]:
        self.problems = []
        with self._open() as received:
            for item in received:
                if item.removed:
                    continue
                if item.record is None:
                    self.problems.append(item)
                elif any(self._start <= at < self._end for at in times(item.record)):
                    yield item
        if self.problems:
            log.warning("records could not be read", count=len(self.problems), first=self.problems[0].problem)


def _revision(item: Received) -> int:
    return item.record.revision if isinstance(item.record, Derived) else 0
