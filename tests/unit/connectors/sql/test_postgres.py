"""The SQL connector on a real PostgreSQL: its types, transactions that commit late, time-outs, errors of one query."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from connectors.base import Reading, SourceUnavailable
from schemas.records import Inspection, Order
from tests.unit.connectors.sql.driver import Session, in_loop

AT = 1_795_413_600_000_000
ORDERS: dict[str, Any] = {
    "name": "orders",
    "watermark": "updated_at",
    "key": ["number"],
    "every_s": 0.05,
    "row": "order",
    "path": "acme/dallas/packaging/{line}",
    "levels": "spelled",
    "zone": "America/Chicago",
    "fields": {"id": "number", "product": "material", "started_at": "started", "planned_quantity": "quantity"},
}


class Database:
    """A schema of its own, and the options to reach it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.schema = dsn, f"mes_{secrets.token_hex(4)}"
        parts = conninfo_to_dict(dsn)
        url = f"postgresql://{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"
        self.config: dict[str, Any] = {"url": url}
        self.config |= {"username": parts.get("user"), "password": parts.get("password")}
        self.writer = self.connected()
        self.writer.execute(f"CREATE SCHEMA {self.schema}")
        self.writer.execute(
            f"CREATE TABLE {self.schema}.orders (number int PRIMARY KEY, material text, line char(20), quantity numeric(12,3),"
            " started timestamp, updated_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )

    def connected(self, autocommit: bool = True) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.dsn, autocommit=autocommit, options=f"-c search_path={self.schema}")

    def options(self, *queries: dict[str, Any], **others: Any) -> dict[str, Any]:
        return {**self.config, "queries": list(queries), **others}

    def orders(self, **options: Any) -> dict[str, Any]:
        return {**ORDERS, "table": f"{self.schema}.orders", **options}


@pytest.fixture
def database(postgres: str, tmp_path: Path) -> Iterator[Database]:
    made = Database(postgres, tmp_path)
    yield made
    made.writer.execute(f"DROP SCHEMA {made.schema} CASCADE")
    made.writer.close()


INSERT = "INSERT INTO orders (number, material, line, quantity, started) VALUES (%s, 'cola', 'Line 1', 100, '2026-11-23 00:00')"


@in_loop
async def test_orders_come_once_and_again_when_they_change(database: Database) -> None:
    order = Order(id="1", product="cola", started_at=AT, planned_quantity=100)
    config = database.options(database.orders(overlap_s=60))
    database.writer.execute(INSERT, [1])
    async with Session(config) as session:
        await session.until(lambda: len(session.said) == 1)
        assert session.facts == [order], "a number becomes an id of text, padding is cut, the zone is Chicago's"
        assert str(session.batches[0].facts[0].path) == "acme/dallas/packaging/line-1"
        await session.passes("orders")
        database.writer.execute("UPDATE orders SET quantity = 120 WHERE number = 1")
        await session.until(lambda: len(session.said) == 2)
        assert session.facts[1].planned_quantity == 120, "within the overlap by what it holds, not by its watermark"
    database.writer.execute(INSERT, [2])
    async with Session(database.options(database.orders()), session.cursor) as session:
        await session.until(lambda: bool(session.said))
        assert [fact.id for fact in session.facts] == ["2"], "a restart goes on"


@in_loop
async def test_a_transaction_that_commits_late_is_not_missed(database: Database) -> None:
    slow = database.connected(autocommit=False)
    async with Session(database.options(database.orders(overlap_s=60))) as session:
        slow.execute(INSERT, [1])
        database.writer.execute(INSERT, [2])
        await session.until(lambda: [fact.id for fact in session.facts] == ["2"])
        slow.commit()
        await session.until(lambda: [fact.id for fact in session.facts] == ["2", "1"])
        await session.passes("orders")
        assert len(session.said) == 2
    slow.close()


@in_loop
async def test_a_query_that_fails_or_is_slow_silences_no_other(database: Database) -> None:
    bad = database.orders(name="bad", table=f"{database.schema}.gone")
    slow = database.orders(name="slow", table=None, query=f"SELECT o.*, pg_sleep(60) FROM {database.schema}.orders o")
    short = database.orders(name="short", table=None, query=f"SELECT number, updated_at FROM {database.schema}.orders")
    writing = database.orders(name="writing", table=None, query="SELECT *, nextval('numbers') FROM orders")
    database.writer.execute("CREATE SEQUENCE numbers")
    database.writer.execute(INSERT, [1])
    config = database.options(bad, slow, short, writing, database.orders(), timeout_s=0.3)
    async with Session(config) as session:
        await session.until(lambda: [fact.id for fact in session.facts] == ["1"])
        await session.until(lambda: len(session.connector.problems()) == 4)
        told = "\n".join(session.connector.problems())
        assert 'query bad: it failed (relation "' in told
        assert "query slow: it failed (canceling statement due to statement timeout" in told
        assert "query short: its result lacks 'line', 'material', 'quantity', 'started'" in told
        assert "query writing: it failed" in told
        assert session.connector.healthy()
        database.writer.execute(f"CREATE TABLE gone AS SELECT * FROM {database.schema}.orders")
        await session.until(lambda: "query bad" not in "\n".join(session.connector.problems()))


@in_loop
async def test_every_type_is_a_value_or_named(database: Database) -> None:
    database.writer.execute(
        "CREATE TABLE lab (id bigserial PRIMARY KEY, at timestamptz, i bigint, n numeric, f float8, b boolean, t text, d date,"
        " y bytea, u uuid, j jsonb, a int[], v interval, o time)"
    )
    database.writer.execute(
        "INSERT INTO lab (at, i, n, f, b, t, d, y, u, j, a, v, o) VALUES"
        " ('2026-11-23 06:00:00+00', 9223372036854775807, 1.50, 2.5, true, 'ä', '2026-11-23', '\\x00ff',"
        " '00000000-0000-0000-0000-000000000001', '{}', '{1}', '90 s', '06:00'),"
        " ('2026-11-23 07:00:00+01', NULL, 'NaN', 'NaN', NULL, '', 'infinity', NULL, NULL, NULL, NULL, NULL, NULL),"
        " ('infinity', 1, 1, 1, true, 'x', '4713-01-01 BC', NULL, NULL, NULL, NULL, NULL, NULL),"
        " (NULL, 1, 1, 1, true, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
        " ('2026-11-23 06:00:02+00', NULL, 1e30, 'Infinity', false, '12', NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    lab = {"name": "lab", "watermark": "id", "key": ["id"], "path": "acme/dallas/packaging/line-1/filler", "at": "at"}
    tags = {name: name for name in "infbtdyujavo"}
    query = {**lab, "table": f"{database.schema}.lab", "every_s": 0.05, "fields": tags}
    async with Session(database.options(query)) as session:
        await session.until(lambda: len(session.said) == 19)
        samples = [thing.sample for thing in session.said if isinstance(thing, Reading)]
        first = {sample.tag: sample.value for sample in samples[:10]}
        assert first == {
            "i": 2**63 - 1,
            "n": 1.5,
            "f": 2.5,
            "b": True,
            "t": "ä",
            "d": "2026-11-23",
            "y": "00ff",
            "u": "00000000-0000-0000-0000-000000000001",
            "v": 90.0,
            "o": "06:00:00",
        }
        assert [(sample.tag, sample.value) for sample in samples[10:]] == [
            ("d", "infinity"),
            ("n", 1e30),
            ("b", False),
            ("t", 12),
        ]
        assert {sample.at for sample in samples[:11]} == {AT}
        bad = [(thing.origin, thing.reason) for thing in session.malformed]
        assert bad == [
            ("lab: 1", "bad_value"),
            ("lab: 1", "bad_value"),
            ("lab: 3", "bad_time"),
            ("lab: 4", "bad_time"),
            ("lab: 5", "bad_value"),
        ]


@in_loop
async def test_inspections_of_a_query_with_a_percent_sign_and_a_colon(database: Database) -> None:
    database.writer.execute("CREATE TABLE results (id int, test text, at timestamptz, result numeric)")
    database.writer.execute("INSERT INTO results VALUES (7, 'torque %', '2026-11-23 06:00:00+00', 1.25)")
    query = {
        "name": "lims",
        "query": f"SELECT r.*, 'line-1'::text AS line, '12:30' AS shown FROM {database.schema}.results r WHERE test LIKE 'torque %';",
        "watermark": "id",
        "key": ["id"],
        "row": "inspection",
        "path": "acme/dallas/packaging/{line}/filler",
        "fields": {"id": "lims-{id}", "characteristic": "test", "at": "at", "value": "result"},
        "constants": {"by": "lims"},
    }
    async with Session(database.options(query)) as session:
        await session.until(lambda: bool(session.said))
        assert session.facts == [Inspection(id="lims-7", characteristic="torque %", at=AT, value=1.25, by="lims")]


@in_loop
async def test_a_password_is_not_repeated_and_a_lost_database_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sql.connector.PROBE_S", 0.1)
    with pytest.raises(SourceUnavailable) as caught:
        async with Session({**database.options(database.orders()), "username": "nobody", "password": "hunter2"}):
            pass
    assert "hunter2" not in str(caught.value)
    async with Session(database.options(database.orders())) as session:
        await session.passes("orders")
        database.writer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'uns'")
        with pytest.raises(SourceUnavailable, match="does not answer any more"):
            await session.until(lambda: False)
        assert not session.connector.healthy()
