"""Makes what is missing in the database, and only that: a statement that changes nothing would wait for locks, too."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from psycopg import AsyncConnection, sql

from sinks.historian.config import HistorianConfig
from sinks.historian.migration import partition, set_aside_samples
from sinks.historian.tables import FACT_HISTORY, Row, Table, tables
from sinks.historian.views import digest, run, statements, text

OLD_SAMPLES = "samples_v1"


class Kept(NamedTuple):
    """What the schema holds: columns by name of a table or view, in their order; kinds; names of indexes and functions."""

    columns: dict[str, list[str]]
    kinds: dict[str, str]
    indexes: set[str]
    functions: set[str]

    def is_table(self, name: str) -> bool:
        return self.kinds.get(name) in ("r", "p")


async def create(connection: AsyncConnection[Row], config: HistorianConfig) -> bool:
    """To be called inside a transaction; whether an older table of samples is there still. Raises `psycopg.Error`."""
    schema = sql.Identifier(config.schema_name)
    await _alone(connection, config)
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
    if kept.is_table("samples"):
        await set_aside_samples(connection, config.schema_name, OLD_SAMPLES)
    for statement in text("tables.sql").split(";\n")[:-1]:
        if _named(statement) not in kept.columns:
            await run(connection, config.schema_name, statement)
    for table in (FACT_HISTORY, *tables()):
        await _create_table(connection, config, table, kept)
    await _create_views(connection, config, await _kept(connection, config.schema_name))
    await _let_read(connection, config)
    return OLD_SAMPLES in kept.columns or kept.is_table("samples")


async def drop_old(connection: AsyncConnection[Row], config: HistorianConfig) -> None:
    """Once it is empty: the views without it, and away with it. Inside a transaction."""
    await _alone(connection, config)
    kept = await _kept(connection, config.schema_name)
    if kept.columns.pop(OLD_SAMPLES, None) is not None:
        await _create_views(connection, config, kept)
        await connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(config.schema_name, OLD_SAMPLES)))


async def _alone(connection: AsyncConnection[Row], config: HistorianConfig) -> None:
    """Two that make the schema at once make it one after the other."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{config.schema_name}//schema"])


def _named(statement: str) -> str:
    """The table that a statement makes."""
    return statement.partition("CREATE TABLE ")[2].split()[0]


async def _kept(connection: AsyncConnection[Row], schema_name: str) -> Kept:
    query = """SELECT c.relname, c.relkind::text, coalesce(array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '{}')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'i', 'I') AND NOT c.relispartition GROUP BY c.relname, c.relkind"""
    found = await (await connection.execute(query, (schema_name,))).fetchall()
    indexes = {name for name, kind, _ in found if kind in ("i", "I")}
    functions = """SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %s"""
    return Kept(
        {name: list(names) for name, kind, names in found if name not in indexes},
        {name: kind for name, kind, _ in found},
        indexes,
        {name for (name,) in await (await connection.execute(functions, (schema_name,))).fetchall()},
    )


async def _create_table(connection: AsyncConnection[Row], config: HistorianConfig, table: Table, kept: Kept) -> None:
    name = sql.Identifier(config.schema_name, table.name)
    if table.name not in kept.columns:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in table.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, table.key))
        parted = (
            sql.SQL("")
            if table.time is None
            else sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(table.time))
        )
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({})){}").format(name, columns, key, parted)
        )  # fmt: skip
    else:
        for column in table.columns:  # a record type that has grown: old rows keep null
            if column.name not in kept.columns[table.name]:
                await connection.execute(
                    sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                        name, sql.Identifier(column.name), sql.SQL(column.type.removesuffix(" NOT NULL"))
                    )
                )
        if table.time is not None and kept.kinds[table.name] == "r":
            await partition(connection, config.schema_name, table, config.class_partition_days)
    index = f"{table.name}_path_started_at"
    if "started_at" in table.names and "revision" in table.names and index not in kept.indexes:
        await connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (path, started_at)").format(sql.Identifier(index), name)
        )


async def _create_views(connection: AsyncConnection[Row], config: HistorianConfig, kept: Kept) -> None:
    made = statements(tables(), kept.columns, OLD_SAMPLES in kept.columns)
    wanted = digest(made, kept.columns, tables())
    query = sql.SQL("SELECT version FROM {} WHERE part = 'views'").format(
        sql.Identifier(config.schema_name, "schema_version")
    )
    known = await (await connection.execute(query)).fetchone()
    if known == (wanted,) and _complete(made, kept):
        return
    for statement in made:
        await run(connection, config.schema_name, statement)
    await connection.execute(
        sql.SQL(
            "INSERT INTO {} VALUES ('views', %s) ON CONFLICT (part) DO UPDATE SET version = excluded.version, since = now()"
        ).format(sql.Identifier(config.schema_name, "schema_version")),
        [wanted],
    )


def _complete(made: Sequence[str], kept: Kept) -> bool:
    """Whether each view and function is there: somebody may have dropped a column, and what rested on it."""
    words = " ".join(made).replace('"', "").replace("(", " ").split()
    pairs = [(kind, name) for kind, name in pairwise(words) if kind in ("VIEW", "FUNCTION")]
    return all(name in (kept.columns if kind == "VIEW" else kept.functions) for kind, name in pairs)


async def _let_read(connection: AsyncConnection[Row], config: HistorianConfig) -> None:
    """Who may read, and nothing else: the schema, and what is in it now. A role that has it already costs no lock."""
    schema = sql.Identifier(config.schema_name)
    for reader in config.readers:
        query = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND NOT has_table_privilege(%s, c.oid, 'SELECT')"""
        if await (await connection.execute(query, (config.schema_name, reader))).fetchone() == (0,):
            continue
        role = sql.Identifier(reader)
        await connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        await connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, role))
