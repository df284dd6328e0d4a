"""One query's way through its rows: which to ask for next, what they say, and how far that reaches. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select

from connectors.base import Position, Said
from connectors.kit.cursor import entries
from connectors.kit.mark import BadMark, Mark, Place, ahead, before
from connectors.kit.rows import RowReader, as_json
from connectors.kit.times import shown
from connectors.kit.told import TOLD_MAX, Told
from connectors.sql.config import Query
from connectors.sql.statement import page

BATCH_MAX = 1_000
"""Things of a batch, about."""
AHEAD_MAX = 1_000
"""Rows with a watermark that is still to come, which are read again in each pass."""


class Answer(NamedTuple):
    """What the database gave."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class BadColumns(ValueError):
    """An answer without a column that is needed, or with two of it; the words say which."""


class Part(NamedTuple):
    """What some rows say, and how the cursor changes behind them."""

    said: list[Said]
    cursor: dict[str, Position | None]


class Page(NamedTuple):
    """What came of one answer. `then`: what to ask next; None: the pass is over."""

    parts: list[Part]
    then: Select[Any] | None


class QueryReader:
    """Goes through a query's rows in passes: each from behind the last row told, or an overlap before it, to the newest."""

    def __init__(self, query: Query, place: Place | None) -> None:
        self.query = query
        self._mark = None if place is None else place.mark
        self._cursor: bytes | None = None
        """The place behind which the present pass asks."""
        self._rows = RowReader(query)
        self._told = Told({} if place is None else place.told)
        self._ahead = 0
        """Rows of the present pass whose watermark is still to come; beyond `AHEAD_MAX` that is how this column is."""
        self._example: Mark | None = None

    def begin(self) -> Select[Any]:
        """The first request of a pass."""
        self._told.begin()
        if self._ahead <= AHEAD_MAX:
            self._ahead = 0
        query, mark = self.query, self._mark
        self._cursor = None
        if mark is None:
            return page(query, None, above=query.start)
        since, floor = self._since(mark), self._told.floor
        if since is None:
            return page(query, mark)
        return (
            page(query, None, above=floor) if floor is not None and floor >= since else page(query, None, since=since)
        )

    def _since(self, mark: Mark) -> Any:
        return before(mark.watermark, self.query.overlap_s, self.query.overlap_numbers)

    def take(self, answer: Answer, now: datetime) -> Page:
        """What an answer says at a time in UTC. Raises `BadColumns`, and `BadMark` for rows that no place can be made of:
        then none is told.
        """
        query, columns = self.query, tuple(answer.columns)
        self._check(columns)
        rows = [dict(zip(columns, cells, strict=True)) for cells in answer.rows]
        marks = [Mark(row[query.watermark], tuple(row[name] for name in query.key)) for row in rows]
        places = [mark.encode() for mark in marks]
        whole = len(rows) < query.rows_max
        if len(set(places)) < len(places) or (not whole and places[-1:] == [self._cursor]):
            raise BadMark(
                "rows have the same watermark and key, so that they cannot be told apart; is `key` the primary key?"
            )
        parts: list[Part] = []
        said: list[Said] = []
        for row, mark in zip(rows, marks, strict=True):
            if self._told.news(mark, row):
                origin = f"{query.name}: {', '.join(str(part)[:60] for part in mark.key)}"
                said += self._rows.said(origin, row, as_json(row))
            self._reach(mark, now)
            if len(said) >= BATCH_MAX:
                parts.append(Part(said, self._reached()))
                said = []
        if said:
            parts.append(Part(said, self._reached()))
        if whole:
            self._told.end()
            return Page(parts, None)
        self._cursor = places[-1]
        return Page(parts, page(query, marks[-1]))

    def _reach(self, mark: Mark, now: datetime) -> None:
        """Moves the place to a row that was told. One whose watermark is still to come would have us miss all before it."""
        if self._ahead <= AHEAD_MAX and ahead(mark.watermark, now):
            self._ahead += 1
            self._example = mark
        else:
            self._mark = mark

    def _reached(self) -> dict[str, Position | None]:
        return entries(self.query.name, self._mark, self._told.changes())

    def problem(self) -> str | None:
        """What is not read as it was asked for."""
        if self._ahead > AHEAD_MAX:
            return f"{self.query.watermark} holds times that are still to come: rows that get smaller ones are missed"
        if self._ahead and self._example is not None:
            key = ", ".join(str(part)[:60] for part in self._example.key)
            return (
                f"{self._ahead} rows have a {self.query.watermark} that is still to come, {key!r} for one: is a clock off? "
                "They are told, and passed over for what comes next"
            )
        if self._told.full and self._mark is not None and self._since(self._mark) is not None:
            return f"more than {TOLD_MAX} rows are within its overlap; only so many are read again: make it shorter"
        return None

    def _check(self, columns: Sequence[str]) -> None:
        query = self.query
        needed = query.columns_named | {query.watermark, *query.key}
        if missing := sorted(needed - set(columns)):
            raise BadColumns(
                f"lacks {', '.join(map(shown, missing))[:300]}; it has {', '.join(map(shown, columns))[:300]}"
            )
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise BadColumns(f"has {', '.join(map(shown, twice))[:300]} twice: nobody knows which counts")
