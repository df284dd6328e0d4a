"""The historian beside a bare COPY of the same rows into the same tables, in one run; and what a sample takes on the disk."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from bench.cluster import Failed
from bench.figures import Figure, median
from bench.sinks.job import Job, batches, deliveries, postgres
from sinks.base import Delivery
from sinks.historian import spec

SCHEMA = "bench_historian"
LIVE_S = 3_600
_TABLES = """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname = 'sample_chunk' ORDER BY 1"""
_BYTES = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname ~ '^(sample|tag|location|origin)'"""


class Run(NamedTuple):
    rate: float
    """Samples a second."""
    core_rate: float
    """Samples a second of the sink's CPU."""
    bare_rate: float
    ready_rate: float
    """Of bare COPY where the rows are text already."""
    bytes: float
    """A sample, indexes included."""


def measure(job: Job) -> list[Figure]:
    found = deliveries(job.samples)
    with postgres(job.folder) as dsn:
        live = asyncio.run(_live(dsn, min(LIVE_S, max(60, job.samples // 100))))
        runs = []
        for _ in range(job.runs):
            runs.append(_run(dsn, found, job))
            job.say(
                f"  {runs[-1].rate:,.0f} samples/s, {runs[-1].core_rate:,.0f} a core, bare COPY {runs[-1].bare_rate:,.0f}"
            )
    return [
        Figure("historian, samples", median([run.rate for run in runs]), "samples/s"),
        Figure("historian, samples on one core of sink", median([run.core_rate for run in runs]), "samples/s", 50_000),
        Figure("bare COPY of the same rows", median([run.bare_rate for run in runs]), "samples/s"),
        Figure("historian against bare COPY", median([run.rate / run.bare_rate for run in runs]), "ratio", 0.4),
        Figure("bare COPY of rows that are text already", median([run.ready_rate for run in runs]), "samples/s"),
        Figure("historian against that", median([run.rate / run.ready_rate for run in runs]), "ratio"),
        Figure("a double on disk, indexes included", median([run.bytes for run in runs]), "B", 50, at_most=True),
        Figure(
            "a double on disk, written each second", live, "B", 50, at_most=True, note="an hour, vacuumed each minute"
        ),
    ]


def _run(dsn: str, found: Sequence[Delivery], job: Job) -> Run:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
        took_s, cpu_s = asyncio.run(_write(dsn, found))
        if (stored := _count(connection)) != job.samples:
            raise Failed(f"{stored} of {job.samples} samples are stored")
        bare_s = _bare(connection, ready=False)
        ready_s = _bare(connection, ready=True)
        if (stored := _count(connection)) != job.samples:
            raise Failed(f"bare COPY: {stored} of {job.samples} samples are stored")
        row = connection.execute(_BYTES, [SCHEMA]).fetchone()
        size = int(row[0]) if row else 0
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(SCHEMA)))
    return Run(
        job.samples / took_s, job.samples / cpu_s, job.samples / bare_s, job.samples / ready_s, size / job.samples
    )


async def _write(dsn: str, found: Sequence[Delivery]) -> tuple[float, float]:
    """(seconds, CPU seconds of this process) until all are durable."""
    sink = spec.build("bench", spec.config.model_validate({"dsn": dsn, "schema_name": SCHEMA}), Path())
    await sink.open()
    begun, cpu = time.monotonic(), time.process_time()
    for batch in batches(found):
        if refused := await sink.write(batch, {(batch[0].topic, 0): batch[-1].offset + 1}):
            raise Failed(f"refused: {refused[0]}")
    took = time.monotonic() - begun, time.process_time() - cpu
    await sink.close()
    return took


async def _live(dsn: str, seconds: int) -> float:
    """Bytes a sample of an hour of one machine that says twenty tags a second, a transaction each; the table is vacuumed
    each minute of it, as the server's own autovacuum would."""
    found = deliveries(seconds * 20, machines=1)
    sink = spec.build("bench", spec.config.model_validate({"dsn": dsn, "schema_name": SCHEMA}), Path())
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
        await sink.open()
        for number, each in enumerate(found, 1):
            await sink.write([each], {(each.topic, 0): each.offset + 1})
            if number % 60 == 0:
                await connection.execute(sql.SQL("VACUUM {}.sample_chunk").format(sql.Identifier(SCHEMA)))
        await sink.close()
        row = await (await connection.execute(_BYTES, [SCHEMA])).fetchone()
    return float(row[0]) / (20 * seconds) if row else 0.0


def _count(connection: psycopg.Connection) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}.samples").format(sql.Identifier(SCHEMA))).fetchone()
    return int(row[0]) if row else 0


def _bare(connection: psycopg.Connection, ready: bool) -> float:
    """Seconds that COPY takes for what the sink has stored, into the same tables, emptied: from the rows' values by the same
    driver, as any program would; `ready`: from text that is made already, which no program has."""
    took_s = 0.0
    tables = [sql.Identifier(SCHEMA, name) for (name,) in connection.execute(_TABLES, [SCHEMA])]
    kept: list[tuple[sql.Identifier, list[Any]]] = []
    for table in tables:
        if ready:
            with connection.cursor().copy(sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(table)) as out:
                kept.append((table, [bytes(block) for block in out]))
        else:
            kept.append((table, connection.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall()))
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
    for table, blocks in kept:
        begun = time.monotonic()
        with connection.transaction(), connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as into:
            for block in blocks:
                into.write(block) if ready else into.write_row(block)
        took_s += time.monotonic() - begun
    return took_s
