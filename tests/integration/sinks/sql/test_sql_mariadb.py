"""What MariaDB is known for: letters of three bytes, silent cuts, users, limits, TLS, tables without transactions."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sinks.base import Retryable
from tests.harness.mariadb import MISSING, MariaDb, installed
from tests.harness.secure import certificates
from tests.integration.sinks.sql.databases import SECRET, Maria, ask, mapping, run, sink
from uns.testing import delivery, downtime

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
TABLE = """CREATE TABLE stops (id VARCHAR(150) COLLATE utf8mb4_bin PRIMARY KEY, rev TINYINT UNSIGNED,
    reason VARCHAR(20) CHARACTER SET utf8mb3, code DECIMAL(5,2), `local` DATETIME, `exact` DATETIME(6), stamp TIMESTAMP(3) NULL,
    day DATE, clock TIME, fresh TINYINT(1), kind ENUM('stop', 'failure'), parts JSON)"""
COLUMNS = {
    "id": "{natural_id}",
    "rev": "{revision}",
    "reason": "{reason}",
    "code": "{{ reason_code / 3 }}",
    **dict.fromkeys(("local", "exact", "stamp", "day", "clock"), "{started_at}"),
    "fresh": "{new_reason}",
    "kind": "{kind}",
    "parts": "{{ {'topic': inputs_topic} | tojson }}",
}
T = downtime(1).started_at


def test_types_zones_letters_and_limits(maria: Maria) -> None:
    ask(maria, TABLE)

    async def go() -> None:
        one = sink(maria, mapping(maria, "downtime", "stops", columns=COLUMNS), zone="Europe/Berlin")
        await one.open()
        bad: dict[int, dict[str, Any]] = {
            2: {"reason": "🏭"},  # four bytes
            3: {"reason": "x" * 21},
            4: {"reason_code": 10_000},
            5: {"revision": 300},
            6: {"kind": "nap"},
            7: {"id": "x" * 200 + ":0"},
        }
        records = [msgspec.structs.replace(downtime(n, reason="Füller €"), **bad.get(n, {})) for n in range(9)]
        records[1] = msgspec.structs.replace(records[1], started_at=T + 123_456)
        rejected = await one.write([delivery(record, n) for n, record in enumerate(records)], {})
        assert [each.delivery.offset for each in rejected] == sorted(bad)
        assert all(each.reason.startswith("mariadb_1") for each in rejected)
        assert "Incorrect string value" in rejected[0].message
        assert "Data too long" in rejected[1].message
        await one.close()
        rows = ask(maria, "SELECT * FROM stops ORDER BY id")
        assert len(rows) == 3
        query = "SELECT local, exact, UNIX_TIMESTAMP(stamp), day, clock, fresh, kind, JSON_VALUE(parts, '$.topic') FROM stops WHERE id LIKE %s"
        with closing(maria.connected()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(query, (records[1].natural_id,))
            [row] = cursor.fetchall()
        assert str(row[0]) == "2026-11-18 12:07:40"
        assert str(row[1]) == "2026-11-18 12:07:40.123456"
        assert int(row[2] * 1000) == (T + 123_456) // 1000
        assert (str(row[3]), str(row[4]), row[5:7]) == ("2026-11-18", "12:07:40", (1, "stop"))
        assert row[7].startswith("uns.")

    run(go())


def test_users_and_servers_that_do_not_let_us(maria: Maria) -> None:
    async def told(**more: Any) -> str:
        one = sink(maria, mapping(maria, "downtime"), **more)

        async def open_and_write() -> None:
            await one.open()
            await one.write([delivery(downtime(1), 1)], {})

        with pytest.raises(Retryable) as caught:
            await open_and_write()
        await one.close()
        assert SECRET not in str(caught.value)
        return str(caught.value)

    async def go() -> None:
        assert "are user and password right?" in await told(password="wrong")
        assert "may this user use this database?" in await told(username="lame")
        ask(maria, f"GRANT SELECT ON {maria.database}.* TO lame@'127.0.0.1'")
        assert "may this user write the table?" in await told(username="lame")
        ask(maria, "SET GLOBAL read_only = 1")
        ask(maria, f"GRANT ALL ON {maria.database}.* TO lame@'127.0.0.1'")
        try:
            assert "it only reads" in await told(username="lame")
        finally:
            ask(maria, "SET GLOBAL read_only = 0")
        ask(maria, "ALTER USER lame@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1")
        first = sink(maria, mapping(maria, "downtime"), username="lame")
        await first.open()
        assert "max_user_connections" in await told(username="lame")
        await first.close()

    ask(maria, f"CREATE OR REPLACE USER lame@'127.0.0.1' IDENTIFIED BY '{SECRET}'")
    run(go())


def test_what_takes_too_long_at_once_is_written_in_parts(maria: Maria) -> None:
    ask(maria, "CREATE TABLE stops (id VARCHAR(150) COLLATE utf8mb4_bin PRIMARY KEY, rev INT, reason TEXT)")
    # 20 ms a row: 200 rows run into the time-out, 40 do not.
    ask(
        maria,
        "CREATE TRIGGER slow BEFORE INSERT ON stops FOR EACH ROW SET NEW.reason = CONCAT(NEW.reason, SLEEP(0.02))",
    )
    columns = {"id": "{natural_id}", "rev": "{revision}", "reason": "{reason}"}

    async def go() -> None:
        one = sink(maria, mapping(maria, "downtime", "stops", columns=columns), timeout_s=2)
        await one.open()
        deliveries = [delivery(downtime(n), n) for n in range(200)]
        assert await one.write(deliveries, {("t", 0): 200}) == []
        assert await one.positions() == {("t", 0): 200}
        await one.close()
        assert ask(maria, "SELECT count(*) FROM stops") == [(200,)]

    run(go())


def test_a_row_beyond_the_packet_is_rejected_alone(tmp_path: Path) -> None:
    server = MariaDb(tmp_path, ["--max-allowed-packet=1M"])
    server.start()
    try:
        maria = Maria(server, "mes")

        async def go() -> None:
            one = sink(maria, mapping(maria, "downtime"))
            await one.open()
            reasons = ["a", "x" * 2_000_000, "y" * 300_000, "z" * 300_000, "b" * 300_000, "c"]
            deliveries = [delivery(downtime(n, reason=reason), n) for n, reason in enumerate(reasons)]
            [rejected] = await one.write(deliveries, {})
            assert rejected.delivery.offset == 1
            assert "max_allowed_packet" in rejected.message
            assert ask(maria, "SELECT count(*), sum(length(reason)) FROM uns_downtime") == [(5, 900_002)]
            await one.close()

        run(go())
    finally:
        server.stop()


def test_tls_is_checked(tmp_path: Path) -> None:
    known = certificates(tmp_path)
    key = tmp_path / "key.pem"
    both = known.server.read_bytes()
    end = both.index(b"-----BEGIN CERTIFICATE")
    key.write_bytes(both[:end])
    chain = tmp_path / "chain.pem"
    chain.write_bytes(both[end:])
    options = [f"--ssl-ca={known.ca}", f"--ssl-cert={chain}", f"--ssl-key={key}", "--require-secure-transport=ON"]
    server = MariaDb(tmp_path / "data", options, tls=known.ca)
    server.start()
    try:
        maria = Maria(server, "mes")
        others = certificates(_made(tmp_path / "others"))

        async def go() -> None:
            one = sink(maria, mapping(maria, "downtime"), ca_file=str(known.ca))
            await one.open()
            assert await one.write([delivery(downtime(1), 1)], {}) == []
            await one.close()
            with pytest.raises(Retryable, match="does ca_file hold the right certificate"):
                await sink(maria, mapping(maria, "downtime"), ca_file=str(others.ca)).open()

        run(go())
    finally:
        server.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_password_of_a_file_is_read_at_each_connection(maria: Maria, tmp_path: Path) -> None:
    file = tmp_path / "password"

    async def go() -> None:
        one = sink(maria, mapping(maria, "downtime"), password=None, password_file=str(file))
        with pytest.raises(Retryable, match="the password cannot be used"):
            await one.open()
        await asyncio.to_thread(file.write_text, f"{SECRET}\n")
        await one.open()
        await one.close()

    run(go())
