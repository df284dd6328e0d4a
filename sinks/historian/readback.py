"""Reads samples, facts and derived records back from the database, for `uns sink verify`: all that it holds of a span of time.

The one module that knows of both sides: the rows that a record should have made, and those that are there.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo

from schemas.records import Samples, Value
from schemas.text import micros_of
from sinks.base import Delivery, Found, Retryable, Verification, Wanted
from sinks.historian.config import HistorianConfig
from sinks.historian.tables import PLACE, Row, Table, derived_tables, fact_tables, moment, rows
from sinks.historian.troubles import told
from sinks.kit.digest import digest, numbers_as_one
from topology.endpoint import BadSecret

AT_ONCE = 20_000
"""Rows in memory."""
_OF_PLACE = {column.name for column in PLACE}


def wanted(config: HistorianConfig, delivery: Delivery) -> Iterable[Wanted]:
    """A sample by path, tag and time; a revision of a derived record by its id; a fact by path and id."""
    record = delivery.record
    if isinstance(record, Samples):
        for sample in record.samples:
            yield Wanted(
                _sample_key(delivery.key, sample.tag, sample.at), sample.at, 0, _sample(sample.value, sample.quality)
            )
        return
    tabular = rows(delivery)
    if tabular is None:
        return
    table, new = tabular
    at, columns = _time(table), _columns(table)
    for row in new:
        values = dict(zip(table.names, row, strict=True))
        if at is not None and values[at] is not None:
            told_at = micros_of(values[at])
            yield Wanted(_key(table, values), told_at, 0, _digest(table, [values[name] for name in columns]))


async def found(
    name: str,
    config: HistorianConfig,
    folder: FilePath,
    begin: int,
    end: int,
    expected: Callable[[], Iterator[Wanted]],
) -> AsyncIterator[Found]:
    """In one transaction that only reads. Raises `Retryable`."""
    span = moment(begin), moment(end)
    try:
        dsn = make_conninfo(config.dsn.get_secret_value(), password=config.password)
        connection = await AsyncConnection.connect(
            dsn,
            connect_timeout=max(2, int(config.connect_timeout_s)),
            application_name=f"uns-verify-{name}",
            options="-c timezone=UTC -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read",
        )
    except (OSError, BadSecret) as error:
        raise Retryable(f"historian {name}: the password cannot be used: {error}") from None
    except psycopg.Error as error:
        raise Retryable(f"historian {name}: {told(error)}") from error
    try:
        async for each in _samples(connection, config, span):
            yield each
        for table in (*derived_tables().values(), *fact_tables().values()):
            async for each in _rows(connection, config, table, span):
                yield each
    except psycopg.Error as error:
        raise Retryable(f"historian {name}: {told(error)}") from error
    finally:
        await connection.close()


async def _samples(
    connection: AsyncConnection[Row], config: HistorianConfig, span: tuple[datetime, datetime]
) -> AsyncIterator[Found]:
    query = sql.SQL(
        "SELECT path, tag, (extract(epoch FROM at) * 1000000)::bigint,"
        " value_number, value_integer, value_text, value_boolean, quality FROM {} WHERE at >= %s AND at < %s"
        # A chunk has samples of one day: what follows from the first condition, said for partitions and index.
        " AND chunk_at >= date_trunc('day', %s) AND chunk_at < %s"
    ).format(sql.Identifier(config.schema_name, "samples"))
    async for path, tag, at, number, integer, text, boolean, quality in _read(connection, query, (*span, *span)):
        held = [each for each in (integer, number, text, boolean) if each is not None]
        yield Found(_sample_key(path, tag, at), _sample(held[0] if held else None, quality))


async def _rows(
    connection: AsyncConnection[Row], config: HistorianConfig, table: Table, span: tuple[datetime, datetime]
) -> AsyncIterator[Found]:
    at = _time(table)
    if at is None:
        return
    columns = _columns(table)
    query = sql.SQL("SELECT {0} FROM {1} WHERE {2} >= %s AND {2} < %s").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(config.schema_name, table.name),
        sql.Identifier(at),
    )
    async for row in _read(connection, query, span):
        yield Found(_key(table, dict(zip(columns, row, strict=True))), _digest(table, row))


async def _read(connection: AsyncConnection[Row], query: sql.Composed, span: Sequence[Any]) -> AsyncIterator[Row]:
    async with connection.cursor(name="verify", binary=True) as cursor:
        cursor.itersize = AT_ONCE
        await cursor.execute(query, span)
        async for row in cursor:
            yield row


def _sample_key(path: str, tag: str, at: int) -> str:
    return f"{path} {tag} {at}"


def _sample(value: Value, quality: int) -> int:
    return digest((value, quality))


def _key(table: Table, values: dict[str, Any]) -> str:
    """A derived record's id says all; a fact is one of its path."""
    if "revision" in values:
        return str(values["id"])
    return " ".join((table.name, *(str(values[name]) for name in table.key)))


def _time(table: Table) -> str | None:
    return next((name for name in ("started_at", "at") if name in table.names), None)


def _columns(table: Table) -> list[str]:
    return [name for name in table.names if name not in _OF_PLACE]


def _digest(table: Table, values: Sequence[Any]) -> int:
    types = {column.name: column.type for column in table.columns}
    return digest([_plain(value, types[name]) for name, value in zip(_columns(table), values, strict=True)])


def _plain(value: Any, type_: str) -> Any:
    if isinstance(value, datetime):
        return micros_of(value)
    if type_.startswith("jsonb"):
        return numbers_as_one(json.loads(value) if isinstance(value, str) else value)
    return value


verification = Verification(wanted, found)
