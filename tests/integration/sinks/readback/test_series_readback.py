"""`uns sink verify` of time series: all is as wanted, and what another hand took out, doubled or changed is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.influxd import Influxd
from tests.harness.questdb import QuestDb
from tests.harness.spoiled import Verified, told_of
from tests.integration.sinks.readback.many import PATH, some_of_all, stops


@pytest.fixture
def database(influxdb: Influxd, enterprise: str) -> Iterator[str]:
    influxdb.query(f'CREATE DATABASE "{enterprise}"')
    yield enterprise
    influxdb.query(f'DROP DATABASE "{enterprise}"')


def test_influxdb(influxdb: Influxd, database: str, tmp_path: Path) -> None:
    found = stops(150)
    times = [each.record.started_at for each in found]  # type: ignore[union-attr]
    keys = [f"downtime {PATH} {PATH}#downtime@{n}~iso22400@1 iso22400@1 {at}" for n, at in enumerate(times)]

    def spoil() -> None:
        influxdb.query(f'DELETE FROM "downtime" WHERE time = {times[10]}u', database)
        where = f"downtime,path={PATH},id_kind={PATH}#downtime@20~iso22400@1,definition=iso22400@1"
        influxdb.write(database, f'{where},by=hand reason="reason 20" {times[20]}')
        [series] = influxdb.query(f'SELECT * FROM "downtime" WHERE time = {times[30]}u GROUP BY *', database)
        tags = ",".join(f"{name}={value}" for name, value in sorted(series["tags"].items()) if value)
        influxdb.write(database, f'downtime,{tags} reason="another" {times[30]}')

    config = {"url": influxdb.url, "version": 1, "database": database}
    assert told_of(Verified("influxdb", config, tmp_path), found, spoil) == [
        ("missing", keys[10]),
        ("twice", keys[20]),
        ("different", keys[30]),
    ]


def test_influxdb_with_records_of_every_kind(influxdb: Influxd, database: str, tmp_path: Path) -> None:
    found, verified = some_of_all(), Verified("influxdb", {"url": influxdb.url, "version": 1, "database": database}, tmp_path)  # fmt: skip
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 500
    assert (differences, beyond) == ([], 0)


@pytest.fixture
def prefix(questdb: QuestDb, enterprise: str) -> Iterator[str]:
    name = enterprise.replace("-", "_") + "_"
    yield name
    for row in questdb.sql(f"SELECT table_name FROM tables() WHERE table_name LIKE '{name}%'"):
        questdb.sql(f'DROP TABLE "{row["table_name"]}"')


def test_questdb(questdb: QuestDb, prefix: str, tmp_path: Path) -> None:
    """It has no DELETE of a row: a row is moved away, which leaves one missing and one that nobody wants."""
    found = stops(150)
    table, kinds = f"{prefix}downtime", [f"{PATH}#downtime@{n}~iso22400@1" for n in range(150)]
    times = [each.record.started_at for each in found]  # type: ignore[union-attr]
    keys = [f"downtime {PATH} {kind} iso22400@1 {at}" for kind, at in zip(kinds, times, strict=True)]

    def spoil() -> None:
        questdb.sql(f"ALTER TABLE {table} DEDUP DISABLE")
        questdb.sql(f"UPDATE {table} SET id_kind = 'away' WHERE id_kind = '{kinds[10]}'")
        questdb.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE id_kind = '{kinds[20]}'")
        questdb.sql(f"UPDATE {table} SET reason = 'another' WHERE id_kind = '{kinds[30]}'")
        questdb.rows(table)

    verified = Verified("questdb", {"url": questdb.address, "table_prefix": prefix}, tmp_path)
    assert told_of(verified, found, spoil) == [("missing", keys[10]), ("twice", keys[20]), ("different", keys[30])]
    assert verified.differences(found)[2] == 1


def test_questdb_with_records_of_every_kind(questdb: QuestDb, prefix: str, tmp_path: Path) -> None:
    found, verified = some_of_all(), Verified("questdb", {"url": questdb.address, "table_prefix": prefix}, tmp_path)
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 500
    assert (differences, beyond) == ([], 0)


def test_questdb_page_by_page_though_more_than_a_page_is_of_one_instant(
    questdb: QuestDb, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.questdb.readback.PAGE", 3)
    found, verified = some_of_all(60), Verified("questdb", {"url": questdb.address, "table_prefix": prefix}, tmp_path)
    verified.write(found)
    count, differences, beyond = verified.differences(found)
    assert count > 100
    assert (differences, beyond) == ([], 0)
