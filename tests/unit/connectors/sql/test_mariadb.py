"""The SQL connector on a real MariaDB, where its server is installed: types, late commits, time-outs, a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Reading, SourceUnavailable
from tests.harness.mariadb import MISSING, MariaDb, installed
from tests.unit.connectors.sql.driver import Session, in_loop

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
AT = 1_795_413_600_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    with server.connected() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE mes")
        cursor.execute("CREATE USER uns@'127.0.0.1' IDENTIFIED BY 'hunter2'")
        cursor.execute("GRANT SELECT, INSERT ON mes.* TO uns@'127.0.0.1'")
    yield server
    server.stop()


def options(server: MariaDb, folder: Path, **query: Any) -> dict[str, Any]:
    known = {"name": "q", "key": ["id"], "every_s": 0.05, "path": "acme/dallas/packaging/line-1/filler", "at": "at"}
    return {
        "url": f"mariadb://127.0.0.1:{server.port}/mes",
        "username": "uns",
        "password": "hunter2",
        "timeout_s": 1,
        "queries": [{**known, **query}],
    }


@in_loop
async def test_types_ties_and_late_commits(server: MariaDb, tmp_path: Path) -> None:
    writer, slow = server.connected(), server.connected()
    cursor = writer.cursor()
    cursor.execute("USE mes")
    cursor.execute(
        "CREATE TABLE lab (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, at DATETIME(6), stamp TIMESTAMP(6) DEFAULT"
        " CURRENT_TIMESTAMP(6), i BIGINT UNSIGNED, n DECIMAL(10,2), b BIT, t VARCHAR(20) CHARACTER SET latin1, y BLOB,"
        " d DATE, c TIME, e ENUM('a','b'))"
    )
    cursor.execute("SET sql_mode = ''")
    cursor.execute(
        "INSERT INTO lab (at, i, n, t, y, d, c, e) VALUES ('2026-11-23 07:00:00.25', 5, 1.50, 'Füller', x'00ff', '2026-11-23',"
        " '-01:30:00', 'b'), ('0000-00-00', 1, 1, 'x', NULL, NULL, NULL, NULL),"
        " ('2026-11-23 07:00:01', 18446744073709551615, NULL, '', NULL, '0000-00-00', NULL, NULL)"
    )
    slow.begin()
    with slow.cursor() as late:
        late.execute("INSERT INTO mes.lab (at, i) VALUES ('2026-11-23 07:00:02', 100)")
    cursor.execute("INSERT INTO lab (at, i) VALUES ('2026-11-23 07:00:03', 101)")
    tags = {name: name for name in "intydce"}
    config = options(
        server, tmp_path, table="lab", watermark="stamp", overlap_s=60, zone="Europe/Berlin", fields=tags, rows_max=2
    )
    async with Session(config) as session:
        await session.until(lambda: 101 in session.values)
        slow.commit()
        await session.until(lambda: 100 in session.values)
        await session.passes("q")
        samples = [thing.sample for thing in session.said if isinstance(thing, Reading)]
        assert {sample.tag: sample.value for sample in samples if sample.at == AT + 250_000} == {
            "i": 5,
            "n": 1.5,
            "t": "Füller",
            "y": "00ff",
            "d": "2026-11-23",
            "c": -5400.0,
            "e": "b",
        }
        assert session.values.count(100) == session.values.count(101) == 1
        assert [(bad.origin, bad.reason) for bad in session.malformed] == [("q: 2", "bad_time"), ("q: 3", "bad_value")]
    writer.close()
    slow.close()


@in_loop
async def test_a_slow_query_is_ended_and_silences_no_other(server: MariaDb, tmp_path: Path) -> None:
    with server.connected() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mes.numbers (id INT PRIMARY KEY, at DATETIME)")
        cursor.execute("INSERT INTO mes.numbers VALUES (1, '2026-11-23 06:00:00')")
    config = options(server, tmp_path, table="numbers", watermark="id", zone="UTC", fields={"Id": "id"})
    asked = {
        **config["queries"][0],
        "table": None,
        "query": "SELECT n.*, SLEEP(60) AS s FROM numbers n",
        "name": "slow",
    }
    async with Session({**config, "queries": [asked, config["queries"][0]]}) as session:
        await session.until(lambda: session.values == [1])
        await session.until(lambda: bool(session.connector.problems()))
        (problem,) = session.connector.problems()
        assert "max_statement_time" in problem
        assert session.connector.healthy()


@in_loop
async def test_a_wrong_password_and_a_server_that_restarts(server: MariaDb, tmp_path: Path) -> None:
    with server.connected() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mes.lots (id INT PRIMARY KEY, at DATETIME, v INT)")
        cursor.execute("INSERT INTO mes.lots VALUES (1, '2026-11-23 06:00:00', 1)")
    config = options(server, tmp_path, table="lots", watermark="id", zone="UTC", fields={"V": "v"})
    with pytest.raises(SourceUnavailable, match="Access denied") as caught:
        async with Session({**config, "password": "wrong-secret"}):
            pass
    assert "wrong-secret" not in str(caught.value)
    async with Session(config) as session:
        await session.until(lambda: session.values == [1])
        server.stop()
        with pytest.raises(SourceUnavailable):
            await session.until(lambda: False)
    server.start()
    with server.connected() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO mes.lots VALUES (2, '2026-11-23 06:00:01', 2)")
    async with Session(config, session.cursor) as session:
        await session.until(lambda: session.values == [2])
