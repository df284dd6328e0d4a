"""Reads rows back from the database, for `uns sink verify`, and compares them with those that the records should have made.

What a column makes of a value is the database's own affair: it rounds, pads and converts. So what is wanted goes into a
temporary table with columns of the same types first, and what comes out of both has to be the same.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Connection, Engine, Integer, MetaData, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from schemas.text import micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.kit.rows import Row, record_of, rows
from sinks.kit.template import UnfitValue
from sinks.sql import database, tables
from sinks.sql.changes import Change, Maker, key_of
from sinks.sql.config import SqlSinkConfig
from sinks.sql.fitting import Unfit, written
from sinks.sql.statements import Key, Target, one_of
from sinks.sql.troubles import judged, told

AT_ONCE = 200
"""Rows that are asked for in one statement."""
AS_WANTED, OTHERWISE = 1, 0
"""Digests: the comparison is made here, where the column types are known."""
_NUMBER = "uns_number"
_WORDS_MAX = 5
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def wanted(config: SqlSinkConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A row by its key, as the newest revision has it; of a record that was withdrawn, that it is not there."""
    record = record_of(delivery)
    for number, mapping in enumerate(config.tables):
        if mapping.record != record:
            continue
        try:
            for row in rows(delivery):
                at = _time(row)
                if at is not None and (key := key_of(config, mapping, row)) is not None:
                    name = f"{mapping.called} {' '.join(map(written, key))}"
                    yield Wanted(name, at, row.get("revision", 0), AS_WANTED, hint=_encode((number, row)))
        except (OverflowError, Unfit, UnfitValue):
            continue  # in quarantine


async def found(
    name: str,
    config: SqlSinkConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """Asks for each row. Rows that no topic says are not looked for: tables of the user's own hold others' too."""
    reader = _Reader(name, config)
    try:
        await asyncio.to_thread(reader.open)
        asked = expected()
        while some := list(islice(asked, AT_ONCE)):
            for each in await asyncio.to_thread(reader.compare, some):
                yield each
    finally:
        await asyncio.to_thread(reader.close)


class _Asked(NamedTuple):
    wanted: Wanted
    change: Change


class _Reader:
    """One connection. Every call blocks."""

    def __init__(self, name: str, config: SqlSinkConfig) -> None:
        self._name, self._config = name, config
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._targets: list[Target | None] = []
        self._makers: list[Maker | None] = []
        self._copies: dict[int, Table] = {}

    def open(self) -> None:
        """Raises `Retryable`."""
        config = self._config
        if config.scheme == "oracle":
            raise Retryable(f"sink {self._name}: an Oracle database has no temporary table that could be compared with")
        if config.scheme == "sqlite" and not FilePath(config.database).is_file():
            raise Retryable(f"sink {self._name}: {config.url} is not there")
        self._engine = database.engine(config)
        self._connection = connection = database.connect(self._engine, config)
        try:
            self._targets = [tables.there(connection, config, mapping) for mapping in config.tables]
            self._makers = [
                None if target is None else Maker(config, number, target, config.scheme)
                for number, target in enumerate(self._targets)
            ]
            connection.commit()
        except (SQLAlchemyError, OSError) as error:
            raise self._retryable(error) from error

    def close(self) -> None:
        if self._connection is not None:
            database.close(self._connection)
        if self._engine is not None:
            self._engine.dispose()

    def compare(self, expected: Sequence[Wanted]) -> list[Found]:
        """Raises `Retryable`."""
        asked: dict[int, list[_Asked]] = {}
        for each in expected:
            number, row = _decode(each.hint)
            if (maker := self._makers[number]) is not None:
                try:
                    asked.setdefault(number, []).extend(_Asked(each, change) for change in maker.change(row))
                except (Unfit, UnfitValue):
                    continue  # no row can be made of it, so none is there
        return [each for number, some in asked.items() for each in self._of_table(number, some)]

    def _of_table(self, number: int, asked: Sequence[_Asked]) -> list[Found]:
        assert self._connection is not None
        target = self._targets[number]
        assert target is not None
        try:
            stored = self._stored(self._connection, number, target, asked)
            there = self._there(self._connection, target, [key for key, _ in stored])
            self._connection.rollback()
        except (SQLAlchemyError, OSError) as error:
            self._connection.rollback()
            if not judged(error, self._config.scheme).of_record:
                raise self._retryable(error) from error
            if len(asked) == 1:
                return []  # the database takes no such row
            half = len(asked) // 2
            return self._of_table(number, asked[:half]) + self._of_table(number, asked[half:])
        found = []
        for each, (key, row) in zip(asked, stored, strict=True):
            found += list(_judged(each, row, there.get(_plain(key), []), target))
        return found

    def _stored(
        self, connection: Connection, number: int, target: Target, asked: Sequence[_Asked]
    ) -> list[tuple[Key, Row | None]]:
        """Key and row of each as the columns have them; a row that is to go has its key alone."""
        copy = self._copy(connection, number, target)
        new = [{_NUMBER: place, **each.change.row} for place, each in enumerate(asked) if each.change.row is not None]
        connection.execute(delete(copy))  # SQLite is not told of transactions
        if new:
            connection.execute(insert(copy), new)
        held = {row[0]: dict(zip(target.columns, row[1:], strict=True)) for row in connection.execute(select(copy))}
        told: list[tuple[Key, Row | None]] = []
        for place, each in enumerate(asked):
            row = held.get(place)
            told.append((each.change.key if row is None else tuple(row[name] for name in target.key), row))
        return told

    def _copy(self, connection: Connection, number: int, target: Target) -> Table:
        """A temporary table with the columns that we write, without keys and checks."""
        if number in self._copies:
            return self._copies[number]
        is_mssql = self._config.scheme == "mssql"
        name = f"{'#' if is_mssql else ''}uns_verify_{number}"
        columns = [SqlColumn(column, target.table.c[column].type) for column in target.columns]
        copy = Table(name, MetaData(), SqlColumn(_NUMBER, Integer()), *columns)
        quote = connection.dialect.identifier_preparer
        source, listed = quote.format_table(target.table), ", ".join(map(quote.quote, target.columns))
        none = f"FROM {source} WHERE 1 = 0"
        made = (
            f"SELECT 0 AS {_NUMBER}, {listed} INTO {quote.format_table(copy)} {none}"
            if is_mssql
            else f"CREATE TEMPORARY TABLE {name} AS SELECT 0 AS {_NUMBER}, {listed} {none}"
        )
        connection.exec_driver_sql(made.replace("%", "%%") if self._config.scheme != "sqlite" else made)
        connection.commit()
        self._copies[number] = copy
        return copy

    def _there(self, connection: Connection, target: Target, keys: Sequence[Key]) -> dict[Any, list[Row]]:
        """Key → the rows of it."""
        asked = one_of(target, keys)
        found: dict[Any, list[Row]] = {}
        for values in connection.execute(select(*(target.table.c[name] for name in target.columns)).where(asked)):
            row = dict(zip(target.columns, values, strict=True))
            found.setdefault(_plain(tuple(row[name] for name in target.key)), []).append(row)
        return found

    def _retryable(self, error: BaseException) -> Retryable:
        return Retryable(f"sink {self._name}: database {self._config.url}: {told(error, self._config.scheme)}")


def _judged(asked: _Asked, row: Row | None, there: Sequence[Row], target: Target) -> Iterator[Found]:
    key, change = asked.wanted.key, asked.change
    if row is None or (change.only_there and not there):
        if there:
            yield Found(key, OTHERWISE, "it is there, though its record was withdrawn or does not fit `when`")
        else:
            yield Found(key, AS_WANTED)
        return
    for held in there:
        words = "; ".join(_differences(row, held, target)[:_WORDS_MAX])
        yield Found(key, OTHERWISE if words else AS_WANTED, words)


def _differences(row: Row, held: Row, target: Target) -> list[str]:
    return [
        f"{name} is {held[name]!r}, wanted {row[name]!r}"
        for name in target.columns
        if _plain(held[name]) != _plain(row[name])
    ]


def _plain(value: Any) -> Any:
    """What can be compared, and looked up."""
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case Decimal():
            return value.normalize() if value.is_finite() else str(value)
        case memoryview():
            return bytes(value)
        case list() | dict():
            return written(value)
        case tuple():
            return tuple(map(_plain, value))
    return value


def _time(row: Row) -> int | None:
    at = next((row[name] for name in ("started_at", "at") if isinstance(row.get(name), datetime)), None)
    return None if at is None else micros_of(at)


verification = Verification(wanted, found)
