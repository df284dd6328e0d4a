"""From the tables of an older release to those of this one, with all that is in them, beside readers and writes.

Samples stood in a table, a row each. It is set aside, shown by the view `samples` together with the chunks, and emptied into
them in batches between writes. The tables of derived records become the first partition of partitioned ones: no row moves.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection, sql

from sinks.historian.chunks import Point
from sinks.historian.names import Names
from sinks.historian.partitions import PLAUSIBLE, Partitions, span
from sinks.historian.samples import SampleStore, Series, type_name
from sinks.historian.tables import Row, Table, micros

log = structlog.get_logger()
MOVED = 10_000
"""Rows of one transaction."""
_COLUMNS = ("path", "tag", "at", "value_number", "value_integer", "value_text", "value_boolean", "quality", "source",
            "sequence", "kafka_topic", "kafka_partition", "kafka_offset")  # fmt: skip
_VIEWS = """SELECT DISTINCT v.oid::regclass::text, pg_get_viewdef(v.oid) FROM pg_depend d
    JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass JOIN pg_class v ON v.oid = r.ev_class
    WHERE d.refobjid = %s::regclass AND d.refclassid = 'pg_class'::regclass AND v.relkind = 'v' AND v.oid <> d.refobjid"""
_GRANTS = """SELECT DISTINCT g.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) g
    WHERE c.oid = %s::regclass AND g.privilege_type = 'SELECT' AND g.grantee <> c.relowner AND g.grantee <> 0"""


async def _views(connection: AsyncConnection[Row], schema: str, table: str) -> list[tuple[Any, ...]]:
    """(name, definition) of the views that rest on a table, ours and people's, to be made again once another has its
    name: a view holds to the table that it was made over, whatever that is called later."""
    await connection.execute("SET LOCAL search_path = ''")
    return await (await connection.execute(_VIEWS, [f'"{schema}"."{table}"'])).fetchall()


async def _readers(connection: AsyncConnection[Row], schema: str, table: str) -> list[str]:
    found = await connection.execute(_GRANTS, [f'"{schema}"."{table}"'])
    return [role for (role,) in await found.fetchall()]


async def _again(
    connection: AsyncConnection[Row], views: list[tuple[Any, ...]], name: sql.Identifier, readers: list[str]
) -> None:
    for view, definition in views:
        await connection.execute(f"CREATE OR REPLACE VIEW {view} AS {definition}".encode())
    for role in readers:
        await connection.execute(sql.SQL("GRANT SELECT ON {} TO ").format(name) + sql.SQL(role))


async def set_aside_samples(connection: AsyncConnection[Row], schema: str, old: str) -> None:
    """Gives the table its other name; the view takes its place at the end of the same transaction."""
    views = await _views(connection, schema, "samples")
    readers = await _readers(connection, schema, "samples")
    await connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(schema, "samples"), sql.Identifier(old))
    )
    # Made over the old table alone, so that people's views find it; `_create_views` widens it to the chunks.
    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    name = sql.Identifier(schema, "samples")
    await connection.execute(
        sql.SQL("CREATE VIEW {} AS SELECT {} FROM {}").format(name, names, sql.Identifier(schema, old))
    )
    await _again(connection, views, name, readers)
    log.info("samples become chunks", table=f"{schema}.samples", set_aside=f"{schema}.{old}")


async def partition(connection: AsyncConnection[Row], schema: str, table: Table, days: int) -> None:
    """The table becomes the first partition of a new one of its name. A hypertable stays what it is."""
    assert table.time is not None
    old = sql.Identifier(schema, table.name)
    if await _is_hypertable(connection, schema, table.name):
        log.info("left as it is: a hypertable", table=f"{schema}.{table.name}")
        return
    views = await _views(connection, schema, table.name)
    readers = await _readers(connection, schema, table.name)
    time = sql.Identifier(table.time)
    newest = await connection.execute(
        sql.SQL("SELECT max({0}) FROM {1} WHERE {0} < %s").format(time, old), [PLAUSIBLE[1]]
    )
    [(last,)] = await newest.fetchall()
    border = span(table.name, max(datetime.now(UTC), last or PLAUSIBLE[0]), days).end or PLAUSIBLE[1]
    aside = sql.Identifier(schema, f"{table.name}_until_{border:%Y%m%d}")
    far = sql.SQL("CREATE TEMP TABLE far ON COMMIT DROP AS SELECT * FROM {} WHERE {} >= %s").format(old, time)
    await connection.execute(far, [border])
    await connection.execute(sql.SQL("DELETE FROM {} WHERE {} >= %s").format(old, time), [border])
    bound = sql.Literal(border.isoformat())
    await connection.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT before_the_others CHECK ({} < {})").format(old, time, bound)
    )
    index = sql.Identifier(schema, f"{table.name}_path_started_at")
    await connection.execute(
        sql.SQL("ALTER INDEX IF EXISTS {} RENAME TO {}").format(index, sql.Identifier(f"{table.name}_until_path_started_at"))
    )  # fmt: skip
    await connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(old, sql.Identifier(f"{table.name}_until_{border:%Y%m%d}"))
    )
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    await connection.execute(
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS, PRIMARY KEY ({})) PARTITION BY RANGE ({})").format(
            old, aside, key, time
        )
    )
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM (MINVALUE) TO ({})")
    await connection.execute(attach.format(old, aside, bound))
    await connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT before_the_others").format(aside))
    await _far(connection, schema, table, border, days)
    await _again(connection, views, old, readers)


async def _is_hypertable(connection: AsyncConnection[Row], schema: str, table: str) -> bool:
    query = "SELECT to_regclass('timescaledb_information.hypertables')::text"
    if await (await connection.execute(query)).fetchone() == (None,):
        return False
    query = """SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_schema = %s AND hypertable_name = %s"""
    return await (await connection.execute(query, (schema, table))).fetchone() != (0,)


async def _far(connection: AsyncConnection[Row], schema: str, table: Table, border: datetime, days: int) -> None:
    """Rows whose time is nonsense, into the partition for such."""
    rows = await (await connection.execute("SELECT count(*) FROM far")).fetchall()
    if rows != [(0,)]:
        await Partitions(schema, table.name, days).ensure(connection, [max(border, PLAUSIBLE[1]) + timedelta(days=1)])
        names = sql.SQL(", ").join(map(sql.Identifier, await _names(connection, schema, table.name)))
        await connection.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM far").format(sql.Identifier(schema, table.name), names, names)
        )
    await connection.execute("DROP TABLE far")


async def _names(connection: AsyncConnection[Row], schema: str, table: str) -> list[str]:
    query = """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
    return [name for (name,) in await (await connection.execute(query, [f'"{schema}"."{table}"'])).fetchall()]


class Move:
    """Empties the table set aside into chunks, a batch at a time, in the order of its key; `step` inside a transaction."""

    def __init__(self, schema: str, old: str, store: SampleStore, names: Names) -> None:
        self._name = f'"{schema}"."{old}"'
        self._old, self._store, self._names = sql.Identifier(schema, old), store, names

    async def step(self, connection: AsyncConnection[Row]) -> int:
        """Rows moved; 0: it is empty, or gone."""
        if await (await connection.execute("SELECT to_regclass(%s)", [self._name])).fetchone() == (None,):
            return 0
        await self._store.alone(connection)
        columns = sql.SQL(", ").join(sql.Identifier("o", name) for name in _COLUMNS)
        query = sql.SQL(
            "WITH first AS (SELECT path, tag, at FROM {old} ORDER BY path, tag, at LIMIT %s) DELETE FROM {old} o USING first f"
            " WHERE (o.path, o.tag, o.at) = (f.path, f.tag, f.at) RETURNING {columns}"
        ).format(old=self._old, columns=columns)
        rows = await (await connection.execute(query, [MOVED])).fetchall()
        if rows:
            await self._store.put(connection, await old_series(connection, rows, self._names), older=True)
        return len(rows)

    async def take(
        self, connection: AsyncConnection[Row], spans: Sequence[tuple[str, str, datetime, datetime]]
    ) -> list[Series]:
        """Out of the table what it has of tags (path, tag) between two times."""
        columns = sql.SQL(", ").join(sql.Identifier("o", name) for name in _COLUMNS)
        query = sql.SQL(
            "DELETE FROM {old} o USING unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])"
            " AS w(path, tag, low, high) WHERE o.path = w.path AND o.tag = w.tag AND o.at BETWEEN w.low AND w.high"
            " RETURNING {columns}"
        ).format(old=self._old, columns=columns)
        rows = await (await connection.execute(query, [list(column) for column in zip(*spans, strict=True)])).fetchall()
        return await old_series(connection, rows, self._names)


async def old_series(connection: AsyncConnection[Row], rows: list[Row], names: Names) -> list[Series]:
    """Rows of the older table as samples by tag."""
    origins = await names.origins(connection, {(row[10], row[11], row[8]) for row in rows})
    found: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for path, tag, at, number, integer, text, boolean, quality, source, sequence, topic, part, offset in rows:
        value = next((each for each in (integer, number, text, boolean) if each is not None), None)
        found[path, tag].append((micros(at), value, quality, origins[topic, part, source], offset, sequence))
    ids = await names.tags(connection, {key: type_name(each) for key, each in found.items()})
    return [Series(ids[key], each, *key) for key, each in found.items()]
