"""What people read: views and functions over the tables, made anew where a release, or a table, has changed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from psycopg import AsyncConnection, sql

from sinks.historian.tables import SAMPLES, Row, Table

NATURAL_ID = "natural_id"
_PACKED = """SELECT l.path, t.name AS tag, c.first_at + v.at_us * interval '1 microsecond' AS at,
    coalesce(v.number, v.integer::double precision) AS value_number, v.integer AS value_integer, v.text AS value_text,
    v.boolean AS value_boolean, coalesce(v.quality, 0) AS quality, o.source, c.sequence + coalesce(v.sequences, 0) AS sequence,
    o.kafka_topic, o.kafka_partition, c.kafka_offset + coalesce(v.offsets, 0) AS kafka_offset, c.first_at AS chunk_at
FROM sample_chunk c JOIN tag t ON t.id = c.tag_id JOIN location l ON l.id = t.location_id JOIN origin o ON o.id = c.origin_id
CROSS JOIN LATERAL unnest(c.at_us, c.number, c.integer, c.text, c.boolean, c.quality, c.offsets, c.sequences)
    AS v(at_us, number, integer, text, boolean, quality, offsets, sequences)"""
_BETWEEN = """CREATE OR REPLACE FUNCTION samples_between(path text, tag text, since timestamptz, until timestamptz)
RETURNS TABLE (at timestamptz, value_number double precision, value_integer bigint, value_text text, value_boolean boolean,
    quality bigint, source text)
LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT c.first_at + v.at_us * interval '1 microsecond', coalesce(v.number, v.integer::double precision), v.integer, v.text,
        v.boolean, coalesce(v.quality, 0), o.source
    FROM sample_chunk c JOIN origin o ON o.id = c.origin_id
    CROSS JOIN LATERAL unnest(c.at_us, c.number, c.integer, c.text, c.boolean, c.quality)
        AS v(at_us, number, integer, text, boolean, quality)
    WHERE c.tag_id = (SELECT t.id FROM tag t JOIN location l ON l.id = t.location_id
            WHERE l.path = samples_between.path AND t.name = samples_between.tag)
        AND c.first_at >= date_trunc('day', samples_between.since, 'UTC') AND c.first_at < samples_between.until
        AND c.last_at >= samples_between.since
        AND c.first_at + v.at_us * interval '1 microsecond' >= samples_between.since
        AND c.first_at + v.at_us * interval '1 microsecond' < samples_between.until{older};
END"""
_OLDER = """
    UNION ALL SELECT s.at, s.value_number, s.value_integer, s.value_text, s.value_boolean, s.quality, s.source FROM samples_v1 s
    WHERE s.path = samples_between.path AND s.tag = samples_between.tag
        AND s.at >= samples_between.since AND s.at < samples_between.until"""


def samples(old_table: bool) -> list[str]:
    """The view `samples` and the function that reads a span of one tag; `old_table`: over `samples_v1` too."""
    names = ", ".join(SAMPLES.names)
    view = f"CREATE OR REPLACE VIEW samples AS SELECT {names}, chunk_at FROM ({_PACKED}) AS packed"
    if old_table:
        view += f" UNION ALL SELECT {names}, at FROM samples_v1"
    return [view, _BETWEEN.replace("{older}", _OLDER if old_table else "")]


def latest(table: Table, shown: Sequence[str]) -> str:
    """The view of the newest revisions. One that is there keeps the order of its columns (`shown`): PostgreSQL lets others
    only follow behind, and people's own views rest on it. Path and begin are in every natural id; named here, a reader's
    condition on them reaches the index and the partitions."""
    columns = [*shown, *(column for column in (*table.names, NATURAL_ID) if column not in shown)]
    chosen = ", ".join(f'"{column}"' for column in columns)
    return (
        f'CREATE OR REPLACE VIEW "{table.name}_latest" AS SELECT DISTINCT ON (path, started_at, natural_id) {chosen} FROM'
        f" (SELECT *, regexp_replace(id, ':[0-9]+$', '') AS natural_id FROM \"{table.name}\") AS revisions"
        " ORDER BY path, started_at, natural_id, revision DESC"
    )


def known_at(table: Table) -> str:
    """The revisions that were the newest at a time. What an older release wrote has no such time, and was always known."""
    return (
        f'CREATE OR REPLACE FUNCTION "{table.name}_known_at"(at timestamptz) RETURNS SETOF "{table.name}" LANGUAGE sql STABLE'
        f" BEGIN ATOMIC SELECT DISTINCT ON (d.path, d.started_at, regexp_replace(d.id, ':[0-9]+$', '')) d.* FROM \"{table.name}\" d"
        f' WHERE d.known_at IS NULL OR d.known_at <= "{table.name}_known_at".at'
        " ORDER BY d.path, d.started_at, regexp_replace(d.id, ':[0-9]+$', ''), d.revision DESC; END"
    )


def statements(tables: Iterable[Table], columns: Mapping[str, Sequence[str]], old_table: bool) -> list[str]:
    """All, in the order in which they rest on each other. `columns`: of the views and tables that are there."""
    made = samples(old_table)
    for table in tables:
        if "revision" in table.names:
            made += [latest(table, columns.get(f"{table.name}_latest", [])), known_at(table)]
    return [*made, text("views.sql")]


def text(name: str) -> str:
    return (files("sinks.historian") / "sql" / name).read_text(encoding="utf-8")


def digest(made: Sequence[str], columns: Mapping[str, Sequence[str]], tables: Iterable[Table]) -> str:
    """Of the statements, and of the tables' columns that `SELECT *` stands for."""
    there = [(table.name, list(columns.get(table.name, []))) for table in tables]
    return hashlib.sha256(repr((made, there)).encode()).hexdigest()[:16]


async def run(connection: AsyncConnection[Row], schema: str, script: str) -> None:
    """Statements of ours, with the schema alone on the search path."""
    await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
    await connection.execute(script.encode())
