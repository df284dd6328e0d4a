"""Databases that refuse, lock, vanish and only read: one bad row goes with the database's words, all else is waited for."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pytest

from sinks.base import Rejected, Retryable, Taken
from sinks.sql.sink import SqlSink
from tests.harness.waiting import until
from tests.integration.sinks.sql.databases import SECRET, Database, Maria, Sqlite, ask, mapping, run, sink
from uns.testing import delivery, downtime

COLUMNS = {
    "id": "{natural_id}",
    "rev": "{revision}",
    "reason": "{reason}",
    "code": "{reason_code}",
    "at": "{started_at}",
}
TABLE = "CREATE TABLE {} (id VARCHAR(120) {} PRIMARY KEY, rev INT, reason {} NOT NULL {}, code SMALLINT, at {})"


def theirs(database: Database, name: str = "stops", check: str = "CHECK (reason <> 'weather')", short: str = "") -> str:
    """A table of their own."""
    binary = "COLLATE utf8mb4_nopad_bin" if database.scheme == "mariadb" else ""
    moment = "TIMESTAMPTZ" if database.scheme == "postgresql" else "DATETIME"
    reason = short or ("VARCHAR(40)" if database.scheme != "sqlite" else "TEXT")
    ask(database, TABLE.format(database.name(name), binary, reason, check, moment))
    return name


def own(database: Database, **more: Any) -> SqlSink:
    return sink(database, mapping(database, "downtime", "stops", columns=COLUMNS), **more)


def reasons(database: Database) -> list[Any]:
    return [row[0] for row in ask(database, f"SELECT reason FROM {database.name('stops')} ORDER BY id")]


def test_each_bad_row_is_found_alone_with_the_databases_words(database: Database) -> None:
    theirs(database, check="CHECK (reason <> 'weather' AND length(reason) < 50)")
    bad: dict[int, dict[str, Any]] = {
        3: {"reason": "weather"},
        17: {"reason": None},
        40: {"reason": "x" * 60},
        41: {"reason": "a\ud800"},
        63: {"reason_code": 2**63 - 1 if database.scheme != "sqlite" else 3, "reason": "y" * 60},
    }

    async def go() -> None:
        one = own(database)
        await one.open()
        records = [msgspec.structs.replace(downtime(n, reason=f"r{n}"), **bad.get(n, {})) for n in range(64)]
        deliveries = [delivery(record, n) for n, record in enumerate(records)]
        end = {(deliveries[0].topic, 0): 64}
        rejected = await one.write(deliveries, end)
        assert [each.delivery.offset for each in rejected] == sorted(bad)
        assert all(isinstance(each, Rejected) and each.message for each in rejected)
        assert len({each.reason for each in rejected}) >= 2
        assert "NULL" in rejected[1].message.upper()
        assert "surrogate" in rejected[3].message
        assert await one.positions() == {(deliveries[0].topic, 0): 3}
        assert await one.write([], end) == []
        assert await one.positions() == end
        await one.close()
        assert sorted(reasons(database)) == sorted(f"r{n}" for n in range(64) if n not in bad)

    run(go())


def test_a_stranger_in_another_unique_column_is_not_touched(database: Database) -> None:
    theirs(database)
    table = database.name("stops")
    stranger = ("stranger", "r1")
    ask(
        database,
        f"CREATE UNIQUE INDEX by_reason ON {table} (reason)",
        f"INSERT INTO {table} (id, reason) VALUES {stranger}",
    )

    async def go() -> None:
        one = own(database)
        await one.open()
        for _ in range(2):
            deliveries = [delivery(downtime(n, reason=f"r{n}"), n) for n in range(3)]
            [rejected] = await one.write(deliveries, {})
            assert rejected.delivery.offset == 1
            assert "by_reason" in rejected.message or "UNIQUE" in rejected.message
        assert await one.write([delivery(downtime(0, 1, "other"), 4), delivery(downtime(2, 1, "r1b"), 5)], {}) == []
        assert await one.write([delivery(downtime(0, 0, "old"), 6)], {}) == []
        await one.close()
        assert sorted(reasons(database)) == ["other", "r1", "r1b"]
        assert ask(database, f"SELECT rev FROM {table} WHERE id = 'stranger'") == [(None,)]

    run(go())


def test_a_key_without_an_index_and_words_of_sql_for_names(database: Database) -> None:
    """And quotes, spaces, letters beyond ASCII."""
    letter = "`" if database.scheme == "mariadb" else '"'
    name = f"{letter}select Störung 'x'{letter}"
    qualified = f"{letter}{database.name('').rstrip('.')}{letter}.{name}" if database.scheme == "postgresql" else name
    ask(
        database, f"CREATE TABLE {qualified} ({letter}order{letter} VARCHAR(200), {letter}Grund (€) %s :x{letter} TEXT)"
    )
    columns = {"order": "{natural_id}", "Grund (€) %s :x": "{reason}"}
    table = mapping(database, "downtime", "select Störung 'x'", columns=columns)

    async def go() -> None:
        one = sink(database, table)
        await one.open()
        assert await one.write([delivery(downtime(1), 1), delivery(downtime(2), 2)], {}) == []
        assert await one.write([delivery(downtime(2, 1, "drive :x %s"), 3)], {}) == []
        await one.close()
        assert sorted(row[1] for row in ask(database, f"SELECT * FROM {qualified}")) == ["drive :x %s", "jam"]

    run(go())


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Somebody else changes a row of the table and does not end his transaction."""
    with closing(database.connected(autocommit=False)) as other, closing(other.cursor()) as cursor:
        if database.scheme == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(f"UPDATE {database.name('stops')} SET code = 7")
        yield
        other.rollback()


def test_a_lock_of_somebody_else_is_named_and_waited_for(database: Database) -> None:
    theirs(database)

    async def go() -> None:
        one = own(database, timeout_s=2)
        await one.open()
        first = [delivery(downtime(1), 1)]
        end = {(first[0].topic, 0): 2}
        assert await one.write(first, end) == []
        with held(database):
            for _ in range(2):
                with pytest.raises(Retryable, match="somebody else holds a lock"):
                    await one.write([delivery(downtime(1, 1, "drive"), 2)], {(first[0].topic, 0): 3})
        assert await one.positions() == end
        assert await one.write([delivery(downtime(1, 1, "drive"), 2)], {(first[0].topic, 0): 3}) == []
        assert await one.positions() == {(first[0].topic, 0): 3}
        await one.close()
        assert reasons(database) == ["drive"]

    run(go())


def test_a_deadlock_is_waited_for(maria: Maria) -> None:
    theirs(maria)

    async def go() -> None:
        one = own(maria, timeout_s=20)
        await one.open()
        assert await one.write([delivery(downtime(n), n) for n in (1, 2)], {}) == []
        with closing(maria.connected(autocommit=False)) as other, closing(other.cursor()) as cursor:
            ids = [row[0] for row in ask(maria, "SELECT id FROM stops ORDER BY id")]
            # The more it has changed, the sooner the other one is chosen to end.
            cursor.execute("CREATE TABLE ballast (n INT)")
            cursor.execute("INSERT INTO ballast VALUES " + ",".join(["(1)"] * 500))
            cursor.execute("UPDATE stops SET code = 7 WHERE id = %s", (ids[1],))
            write = asyncio.create_task(one.write([delivery(downtime(n, 1, "drive"), n + 2) for n in (1, 2)], {}))
            waiting = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            await asyncio.to_thread(until, lambda: ask(maria, waiting))
            await asyncio.to_thread(cursor.execute, "UPDATE stops SET code = 7 WHERE id = %s", (ids[0],))
            with pytest.raises(Retryable, match="a deadlock"):
                await write
            other.rollback()
        assert await one.write([delivery(downtime(n, 1, "drive"), n + 2) for n in (1, 2)], {}) == []
        await one.close()
        assert reasons(maria) == ["drive", "drive"]

    run(go())


def test_of_two_instances_the_one_that_opened_last_writes(database: Database) -> None:
    async def go() -> None:
        first, second = sink(database, mapping(database, "downtime")), sink(database, mapping(database, "downtime"))
        other = sink(database, mapping(database, "downtime"), name="other")
        await first.open()
        await other.open()
        assert await first.write([delivery(downtime(1), 1)], {("t", 0): 2}) == []
        await second.open()
        with pytest.raises(Taken, match="another instance"):
            await first.write([delivery(downtime(2), 2)], {("t", 0): 3})
        assert await second.positions() == {("t", 0): 2}
        assert await second.write([delivery(downtime(2), 2)], {("t", 0): 3}) == []
        assert await other.write([delivery(downtime(2), 2)], {("t", 0): 1}) == []
        for one in (first, second, other):
            await one.close()

    run(go())


def test_what_is_not_there_is_named(database: Database) -> None:
    theirs(database)

    async def told(*tables: dict[str, Any], **more: Any) -> str:
        one = sink(database, *tables, **more)
        with pytest.raises(Retryable) as caught:
            await one.open()
        await one.close()
        assert SECRET not in str(caught.value)
        return str(caught.value)

    async def go() -> None:
        assert "did you mean 'stops'?" in await told(mapping(database, "downtime", "stopps", columns=COLUMNS))
        missing = {**COLUMNS, "raeson": "{reason}"}
        assert "no column 'raeson'; did you mean 'reason'?" in await told(
            mapping(database, "downtime", "stops", columns=missing)
        )
        assert "was not made by us" in await told(mapping(database, "downtime", "stops"))
        if database.scheme != "sqlite":
            gone = {**database.config, "url": database.config["url"] + "_none"}
            assert "_none" in await told(mapping(database, "downtime"), **gone)

    run(go())


def test_without_a_table_for_positions(database: Database) -> None:
    theirs(database)

    async def go() -> None:
        one = own(database, offsets_table=None)
        await one.open()
        assert await one.positions() is None
        for _ in range(2):
            assert await one.write([delivery(downtime(n), n) for n in range(3)], {("t", 0): 3}) == []
        await one.close()
        assert reasons(database) == ["jam"] * 3

    run(go())


def test_a_file_that_is_none_or_cannot_be_written(tmp_path: Any) -> None:
    async def go() -> None:
        database = Sqlite(tmp_path)
        database.file.write_bytes(b"This is no database at all. " * 100)
        with pytest.raises(Retryable, match="the file is another one"):
            await sink(database, mapping(database, "downtime")).open()
        database.config["url"] = f"sqlite:///{tmp_path}/gone/mes.db"
        with pytest.raises(Retryable, match="is its folder there"):
            await sink(database, mapping(database, "downtime")).open()

    run(go())


def test_a_full_disk_is_waited_for(tmp_path: Any) -> None:
    """SQLite's own limit stands for the disk."""

    async def go() -> None:
        database = Sqlite(tmp_path)
        one = sink(database, mapping(database, "downtime"))
        await one.open()
        assert await one.write([delivery(downtime(0), 0)], {("t", 0): 1}) == []
        connection = one._writer._connection
        assert connection is not None
        connection.exec_driver_sql("PRAGMA max_page_count = 12")
        connection.rollback()
        many = [delivery(downtime(n, reason="x" * 900), n) for n in range(200)]
        with pytest.raises(Retryable, match="its disk is full"):
            await one.write(many, {("t", 0): 200})
        assert await one.positions() == {("t", 0): 1}
        await one.open()
        assert await one.write(many, {("t", 0): 200}) == []
        await one.close()
        assert ask(database, "SELECT count(*) FROM uns_downtime") == [(200,)]

    run(go())
