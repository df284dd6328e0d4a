"""Makes what is missing in the database, and only that: a statement that changes nothing would wait for locks, too."""

from typing import NamedTuple

import psycopg
import structlog
from psycopg import AsyncConnection, sql

from sinks.historian.config import HistorianConfig
from sinks.historian.tables import Row, Table, tables

log = structlog.get_logger()
NATURAL_ID = "natural_id"


class Kept(NamedTuple):
    """What the schema holds: columns by name of a table or view, in their order, and the names of indexes."""

    columns: dict[str, list[str]]
    indexes: set[str]


async def create(connection: AsyncConnection[Row], config: HistorianConfig) -> None:
    """To be called inside a transaction. Raises `psycopg.Error`."""
    schema = sql.Identifier(config.schema_name)
    kept = await _kept(connection, config.schema_name)
    if not kept.columns:
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    if "sink_offset" not in kept.columns:
        await connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {}.sink_offset (sink text, topic text, partition integer, next_offset bigint NOT NULL,"
                " PRIMARY KEY (sink, topic, partition))"
            ).format(schema)
        )
    timescale = config.hypertables and await _timescale(connection)
    for table in tables():
        await _create_table(connection, config, table, kept)
        if timescale and table.time is not None:
            await connection.execute(
                "SELECT create_hypertable(%s, %s, chunk_time_interval => make_interval(days => %s), if_not_exists => true, migrate_data => true)",
                (f"{config.schema_name}.{table.name}", table.time, config.chunk_days),
            )
        if "revision" in table.names:
            await _create_latest(connection, config, table, kept)


async def _kept(connection: AsyncConnection[Row], schema_name: str) -> Kept:
    query = """SELECT c.relname, c.relkind, coalesce(array_agg(a.attname ORDER BY a.attnum), '{}')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'i') GROUP BY c.relname, c.relkind"""
    found = await (await connection.execute(query, (schema_name,))).fetchall()
    columns = {name: list(names) for name, kind, names in found if _text(kind) != "i"}
    return Kept(columns, {name for name, kind, _ in found if _text(kind) == "i"})


def _text(kind: str | bytes) -> str:
    """PostgreSQL's type "char" comes as bytes."""
    return kind.decode() if isinstance(kind, bytes) else kind


async def _timescale(connection: AsyncConnection[Row]) -> bool:
    query = "SELECT installed_version IS NOT NULL FROM pg_available_extensions WHERE name = 'timescaledb'"
    available = await (await connection.execute(query)).fetchone()
    if available is None or available[0]:
        return available is not None
    try:
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        log.warning("timescaledb is there and cannot be used: plain tables", error=" ".join(str(error).split())[:500])
        return False
    return True


async def _create_table(connection: AsyncConnection[Row], config: HistorianConfig, table: Table, kept: Kept) -> None:
    name = sql.Identifier(config.schema_name, table.name)
    if table.name not in kept.columns:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, table.key))
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(name, columns, key)
        )
        return
    for column in table.columns:  # a record type that has grown: old rows keep null
        if column.name not in kept.columns[table.name]:
            await connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                    name, sql.Identifier(column.name), sql.SQL(column.type.removesuffix(" NOT NULL"))
                )
            )


async def _create_latest(connection: AsyncConnection[Row], config: HistorianConfig, table: Table, kept: Kept) -> None:
    """The index that most ask by, and the view of the newest revisions. A view that is there keeps the order of its
    columns: PostgreSQL lets others only follow behind, and people's own views rest on it."""
    name, index = sql.Identifier(config.schema_name, table.name), f"{table.name}_path_started_at"
    if index not in kept.indexes:
        await connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (path, started_at)").format(sql.Identifier(index), name)
        )
    shown = kept.columns.get(f"{table.name}_latest", [])
    columns = [*shown, *(column for column in (*table.names, NATURAL_ID) if column not in shown)]
    if columns == shown:
        return
    await connection.execute(
        sql.SQL(
            "CREATE OR REPLACE VIEW {} AS SELECT DISTINCT ON (natural_id) {} FROM"
            " (SELECT *, regexp_replace(id, ':[0-9]+$', '') AS natural_id FROM {}) AS revisions"
            " ORDER BY natural_id, revision DESC"
        ).format(
            sql.Identifier(config.schema_name, f"{table.name}_latest"),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            name,
        )
    )
