"""A database of the release before chunks becomes one of this release: all that is in it, beside readers and writes."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from schemas.records import Sample
from sinks.base import Retryable
from sinks.historian import migration
from tests.harness.records import PATH, T
from tests.integration.sinks.historian.database import RAW, Database, delivery, run, samples
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime

OLD = Path(__file__).parents[3] / "cases" / "historian" / "samples_in_rows.sql"
DAY_US = 86_400_000_000
ROWS = 3_000
ALL = "SELECT path, tag, at, value_number, value_integer, value_text, value_boolean, quality, source, sequence, kafka_topic, kafka_partition, kafka_offset FROM samples"


def fill(database: Database) -> None:
    """As the older release left it: samples of three tags over four days, revisions of stops, one of them of nonsense time."""
    with psycopg.connect(database.dsn, autocommit=True) as c:
        c.execute(f"CREATE SCHEMA {database.schema}".encode())
        c.execute(f"SET search_path = {database.schema}; SET timezone = UTC".encode())
        c.execute(OLD.read_bytes())
        c.execute(
            "INSERT INTO samples SELECT %s, 'tag ' || n %% 3, to_timestamp(%s) + n * interval '2 minutes' + interval '17 microseconds',"
            " CASE WHEN n %% 3 < 2 THEN n / 7.0 END, CASE WHEN n %% 3 = 1 THEN n END, CASE WHEN n %% 3 = 2 THEN 'ü' || n END, NULL,"
            " CASE WHEN n %% 50 = 0 THEN 2147483648 ELSE 0 END, 'plc', n, %s, 1, n FROM generate_series(0, %s) AS n",
            [PATH, T / 1_000_000, RAW, ROWS - 1],
        )
        c.execute("UPDATE samples SET value_number = value_integer WHERE value_integer IS NOT NULL")
        for number, revision, began in [(1, 0, "2026-11-20"), (1, 1, "2026-11-20"), (2, 0, "9999-01-01")]:
            c.execute(
                "INSERT INTO downtime (id, path, started_at, ended_at, definition, status, revision, inputs, kind, state, reason,"
                " new_reason, new_category, kafka_topic, kafka_partition, kafka_offset) VALUES (%s, %s, %s, NULL, 'd', 'final', %s,"
                " '{}', 'stop', 'stopped', %s, true, true, 't', 0, %s)",
                [f"{PATH}#downtime@{number}~d:{revision}", PATH, began, revision, f"old {revision}", revision],
            )
        c.execute("CREATE VIEW hot AS SELECT at, value_number FROM samples WHERE value_number > 100")
        c.execute("CREATE VIEW long_stops AS SELECT id, reason FROM downtime")
        c.execute("CREATE VIEW newest_stops AS SELECT natural_id, reason FROM downtime_latest")


def content(database: Database) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(map(str, row)) for row in database.ask(ALL))


def test_samples_move_in_batches_between_writes_and_every_row_is_read_at_any_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "MOVED", 700)
    fill(database)
    before = content(database)
    assert before.total() == ROWS

    async def go() -> None:
        sink = database.sink()
        await sink.open()
        assert content(database) == before
        # New ones, one that corrects an old one, and an old record brought again.
        at = T + 6 * 120_000_000 + 17
        corrected = Sample("tag 0", at, 4711.0)
        again = Sample("tag 1", T + 7 * 120_000_000 + 17, 7)
        wanted = before.copy()
        old = next(row for row in before if row[1] == "tag 0" and row[-1] == "6")
        del wanted[old]
        new = (*old[:3], "4711.0", "None", "None", "None", "0", "opcua", "1", RAW, "1", str(ROWS))
        wanted[new] += 1
        assert await sink.write([delivery(samples(corrected), ROWS), delivery(samples(again), 7)], {}) == []
        late = [row for row in content(database) if row[1] == "tag 1" and row[-1] == "7"]
        assert len(late) == 1
        left = wanted.copy()
        steps = 0
        while database.ask("SELECT to_regclass('samples_v1') IS NOT NULL") == [(True,)]:
            found = content(database)
            assert found.total() == ROWS
            assert {row[:3] for row in found} == {row[:3] for row in left}
            assert await sink.write([], {(RAW, 1): ROWS + 1 + steps}) == []
            steps += 1
            assert steps < 20
        assert steps > 3
        after = content(database)
        assert {row[:8] for row in after} == {row[:8] for row in wanted}
        assert after[new] == 1
        assert database.ask("SELECT count(*) FROM hot") == [
            (sum(1 for row in after if row[3] not in ("None",) and float(row[3]) > 100),)
        ]
        await sink.close()

    run(go())  # fmt: skip


def test_tables_of_derived_records_become_partitioned_and_keep_their_rows_and_views(database: Database) -> None:
    fill(database)
    reader = f"{database.schema}_reader"
    database.ask(f"CREATE ROLE {reader}; GRANT SELECT ON downtime, samples TO {reader}")

    async def go() -> None:
        sink = database.sink()
        await sink.open()
        assert database.ask("SELECT reason, known_at FROM downtime ORDER BY kafka_offset") == [("old 0", None), ("old 0", None), ("old 1", None)]  # fmt: skip
        assert database.ask("SELECT reason FROM downtime_latest ORDER BY 1") == [("old 0",), ("old 1",)]
        assert await sink.write([downtime_delivery(downtime(3, reason="new"), 9)], {}) == []
        assert database.ask("SELECT count(*) FROM long_stops") == [(4,)]
        assert database.ask("SELECT count(*) FROM newest_stops") == [(3,)]
        kinds = database.ask(
            "SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = to_regnamespace(current_schema())::oid"
        )
        assert {"downtime", "state", "oee", "sample_chunk"} <= {name for (name,) in kinds}
        assert database.ask("SELECT count(*) FROM downtime_after_2100") == [(1,)]
        await sink.close()
        with psycopg.connect(database.dsn) as c:
            c.execute(
                f"GRANT USAGE ON SCHEMA {database.schema} TO {reader}; SET ROLE {reader}; SET search_path = {database.schema}".encode()
            )
            assert c.execute("SELECT count(*) FROM downtime").fetchall() == [(4,)]
            assert c.execute("SELECT count(*) FROM samples").fetchall() == [(ROWS,)]

    try:
        run(go())  # fmt: skip
    finally:
        database.ask(f"DROP OWNED BY {reader} CASCADE; DROP ROLE {reader}")


def test_two_that_open_at_once_migrate_once(database: Database) -> None:
    fill(database)
    before = content(database)

    async def go() -> None:
        sinks = [database.sink("one"), database.sink("two")]
        await asyncio.gather(*(sink.open() for sink in sinks))
        assert content(database) == before
        rounds = 0
        while database.ask("SELECT to_regclass('samples_v1') IS NOT NULL") == [(True,)]:
            await asyncio.gather(*(sink.write([], {(RAW, 1): rounds}) for sink in sinks))
            rounds += 1
            assert rounds < 20
        for sink in sinks:
            assert await sink.write([], {(RAW, 1): 100}) == []
            assert await sink.write([delivery(samples(Sample("tag 9", T, 1.0)), 100)], {}) == []
        assert content(database).total() == before.total() + 1
        for sink in sinks:
            await sink.close()

    run(go())


def test_a_reader_in_the_way_of_the_migration_is_named(database: Database) -> None:
    fill(database)
    before = content(database)

    async def go() -> None:
        sink = database.sink(statement_timeout_s=1)
        with psycopg.connect(database.dsn, application_name="a long report") as other:
            other.execute(f"SELECT * FROM {database.schema}.samples LIMIT 1".encode())
            with pytest.raises(Retryable, match="a long report"):
                await sink.open()
        assert content(database) == before
        await sink.open()
        assert content(database) == before
        await sink.close()

    run(go())


def test_a_hypertable_stays_what_it_is(database: Database) -> None:
    """As TimescaleDB lists them; there is none here to make a real one."""
    if database.ask("SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL") == [(True,)]:
        pytest.skip("the server has TimescaleDB: its list is not ours to write")
    fill(database)
    database.ask("CREATE SCHEMA IF NOT EXISTS timescaledb_information")
    database.ask("CREATE TABLE timescaledb_information.hypertables (hypertable_schema name, hypertable_name name)")
    database.ask("INSERT INTO timescaledb_information.hypertables SELECT current_schema(), 'downtime'")

    async def go() -> None:
        sink = database.sink(retention_days={"downtime": 1})
        await sink.open()
        assert await sink.write([downtime_delivery(downtime(3, reason="new"), 9)], {}) == []
        assert database.ask("SELECT relkind::text FROM pg_class WHERE oid = 'downtime'::regclass") == [("r",)]
        assert database.ask("SELECT count(*) FROM stops") == [(3,)]
        await sink.open()
        await sink.close()

    try:
        run(go())
    finally:
        database.ask("DROP SCHEMA timescaledb_information CASCADE")
