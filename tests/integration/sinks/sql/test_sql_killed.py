"""The SQL sink killed fifty times in the midst, MariaDB killed under it, connections cut: every row once, none missing."""

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
import pytest

from sinks.base import Retryable
from tests.harness.mariadb import MISSING, MariaDb, installed
from tests.integration.sinks.killing import deliver, log
from tests.integration.sinks.kills import KILLS, check, kill, wanted
from tests.integration.sinks.sql.databases import Database, Maria, ask, mapping, run, sink
from uns.testing import delivery, downtime
from uns.testing.patience import patient

STOPS = "SELECT natural_id, revision, reason, started_at, kafka_offset FROM {}"
SAMPLES = "SELECT tag, at, value_number, value_integer, value_text, value_boolean, kafka_offset FROM {}"


def job(database: Database, folder: Path, **more: Any) -> dict[str, Any]:
    tables = [mapping(database, "downtime"), mapping(database, "samples")]
    config = {**database.config, "tables": tables, **more.pop("config", {})}
    known = {"kind": "sql", "config": config, "folder": str(folder / "state"), "group": str(folder / "group.json")}
    return {**known, **more}


def moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def stored(database: Database) -> tuple[Counter[Any], Counter[Any]]:
    """Stops and samples, value by value."""
    stops = ask(database, STOPS.format(database.name("uns_downtime")))
    samples = ask(database, SAMPLES.format(database.name("uns_samples")))
    return (
        Counter((row[0], row[1], row[2], moment(row[3]), row[4]) for row in stops),
        Counter(
            (row[0], moment(row[1]), *row[2:5], None if row[5] is None else bool(row[5]), row[6]) for row in samples
        ),
    )


def check_all(database: Database) -> None:
    for found, meant in zip(stored(database), wanted(), strict=False):
        check(found, meant)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("own", [True, False], ids=["own-positions", "group-positions"])
def test_killed_again_and_again(database: Database, tmp_path: Path, own: bool, kills: int) -> None:
    kill(job(database, tmp_path, kills=kills, config={} if own else {"offsets_table": None}))
    check_all(database)


def test_connections_that_are_cut_again_and_again(maria: Maria, tmp_path: Path) -> None:
    """By somebody who may: the sink opens anew, and goes on where its transaction begins."""
    stop = threading.Event()
    cut = 0

    def cutting() -> None:
        nonlocal cut
        query = "SELECT id FROM information_schema.processlist WHERE user = 'uns'"
        while not stop.is_set():
            for (number,) in ask(maria, query):
                try:
                    ask(maria, f"KILL {number}")
                    cut += 1
                except pymysql.err.Error:
                    pass
            stop.wait(0.01)

    cutter = threading.Thread(target=cutting)
    cutter.start()
    deadline = time.monotonic() + patient(60)
    try:
        while cut <= 3:  # a fast machine is through before so many are cut: then what was delivered comes again
            assert time.monotonic() < deadline, f"{cut} connections were cut"
            with contextlib.suppress(Retryable):
                asyncio.run(deliver(job(maria, tmp_path), log(), random.Random(2), batch_max=20))
    finally:
        stop.set()
        cutter.join()
    asyncio.run(deliver(job(maria, tmp_path), log(), random.Random(3)))
    check_all(maria)


@pytest.mark.skipif(not installed(), reason=MISSING)
def test_a_server_that_is_killed_and_comes_back(tmp_path: Path, enterprise: str) -> None:
    server = MariaDb(tmp_path, ["--innodb-flush-log-at-trx-commit=1"])
    server.start()
    try:
        database = Maria(server, enterprise.replace("-", "_"))

        async def go() -> None:
            one = sink(database, mapping(database, "downtime"))
            await one.open()
            topic = delivery(downtime(0), 0).topic
            for number in range(6):
                part = [delivery(downtime(n, reason=f"r{n}"), n) for n in range(number * 100, number * 100 + 100)]
                end = {(topic, 0): number * 100 + 100}
                if number % 2:
                    server.stop()
                    with pytest.raises(Retryable, match="the connection was lost"):
                        await one.write(part, end)
                    with pytest.raises(Retryable, match="is it up"):
                        await one.open()
                    await asyncio.to_thread(server.start)
                    await one.open()
                    assert await one.positions() == {(topic, 0): number * 100}
                assert await one.write(part, end) == []
            await one.close()
            assert ask(database, "SELECT count(*), count(DISTINCT reason) FROM uns_downtime") == [(600, 600)]

        run(go())
    finally:
        server.stop()


def test_a_connection_that_was_closed_while_nothing_came_is_opened_anew(maria: Maria, monkeypatch: Any) -> None:
    monkeypatch.setattr("sinks.sql.writer.IDLE_S", 0.0)

    async def go() -> None:
        one = sink(maria, mapping(maria, "downtime"))
        await one.open()
        with closing(maria.connected()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE user = 'uns' AND db = %s", (maria.database,)
            )
            [(number,)] = cursor.fetchall()
            cursor.execute(f"KILL {number}")
        assert await one.write([delivery(downtime(1), 1)], {("t", 0): 2}) == []
        await one.close()

    run(go())
