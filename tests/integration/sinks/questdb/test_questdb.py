"""A real QuestDB: what is written is there value by value; what it refuses, what is dropped or dies is told apart."""

import asyncio
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.records import Bottleneck, Derived, Kpi, Oee, Sample, Samples, Value
from sinks.base import Delivery, Rejected, Retryable, Sink, Unwritten
from sinks.questdb import spec
from tests.harness import eventually
from tests.harness.questdb import QuestDb
from tests.harness.records import EXAMPLES
from tests.integration.sinks.series.targets import QuestTarget, micros
from tests.integration.sinks.series.writing import PATHS, T, deliveries, expected, some
from topology.namespace.classes import MessageClass
from uns.runtime.child import Child
from uns.testing.sinks import downtime
from uns.testing.text import TEXTS

VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXTS
TAGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30)


@pytest.fixture
def tables(questdb: QuestDb, enterprise: str) -> Iterator[QuestTarget]:
    prefix = enterprise.replace("-", "_") + "_"
    yield QuestTarget(questdb, prefix)
    for row in questdb.sql(f"SELECT table_name FROM tables() WHERE table_name LIKE '{prefix}%'"):
        questdb.sql(f'DROP TABLE "{row["table_name"]}"')


def build(tables: QuestTarget, folder: Path, **more: Any) -> Sink:
    config = {"url": tables.server.address, "table_prefix": tables.prefix, **more}
    return spec.build("series", spec.config.model_validate(config), folder)


def write(sink: Sink, found: list[Delivery]) -> list[Unwritten]:
    async def go() -> list[Unwritten]:
        await sink.open()
        try:
            return list(await sink.write(found, {}))
        finally:
            await sink.close()

    return asyncio.run(go())


def samples(*found: Sample, path: str = PATHS[0]) -> list[Delivery]:
    return deliveries([(path, Samples("plc", 1, found))])


def test_every_value_is_there_as_it_was(tables: QuestTarget, tmp_path: Path) -> None:
    sink = build(tables, tmp_path)
    wanted: dict[int, dict[str, Any]] = {}
    with asyncio.Runner() as runner:
        runner.run(sink.open())

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @given(TAGS, VALUES, st.integers(0, 2**32 - 1))
        def one(tag: str, value: Value, quality: int) -> None:
            at = len(wanted) + 1
            unwritten = runner.run(sink.write(samples(Sample(tag, at, value, quality)), {}))
            if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
                assert [type(each) for each in unwritten] == [Rejected]
                return
            assert unwritten == []
            wanted[at] = {"tag": tag, "quality": quality, **_said(value)}

        one()
        runner.run(sink.close())
    rows = {micros(row["at"]): row for row in tables.server.rows(f"{tables.prefix}samples")}
    assert rows.keys() == wanted.keys()
    for at, one_wanted in wanted.items():
        assert {name: rows[at].get(name) for name in one_wanted} == one_wanted


def _said(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean", "value_boolean": value, "value": None}
        case int():
            return {"type": "integer", "value": float(value), "value_integer": None if value == -(2**63) else value}
        case float() if not math.isfinite(value):
            return {"type": repr(value), "value": None}
        case float():
            return {"type": "number", "value": value, "value_integer": None}
        case None:
            return {"type": "null", "value": None, "value_text": None}
    return {"type": "text", "value_text": value, "value": None}


def test_all_records_are_rows_with_their_fields(tables: QuestTarget, tmp_path: Path) -> None:
    records = [(each.path, each) for each in EXAMPLES if isinstance(each, Derived)]
    found = [Delivery("t", 0, n, path, MessageClass(record.message_class), record, T) for n, (path, record) in enumerate(records)]  # fmt: skip
    assert write(build(tables, tmp_path), found) == []
    for _, record in records:
        [row] = tables.server.rows(f"{tables.prefix}{record.message_class}")
        assert row["id"] == record.id
        assert micros(row["started_at"]) == record.started_at
        assert micros(row["ended_at"]) == record.ended_at
        if isinstance(record, Kpi):
            assert (row["values_oee"], row["loss_us_availability_ADET"]) == (0.5, 10_000_000)
            assert "values_mtbf" not in row
        if isinstance(record, Bottleneck):
            assert row.get("agrees") == {True: "true", False: "false", None: None}[record.agrees]


def test_a_correction_replaces_the_whole_row(tables: QuestTarget, tmp_path: Path) -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    newer = replace(hour, id=f"{hour.natural_id}:1", revision=1, oee=None, element_us={"APT": 3})
    for number, record in enumerate((hour, newer)):
        assert write(build(tables, tmp_path), [Delivery("t", 0, number, hour.path, MessageClass.OEE, record, T)]) == []
        [row] = tables.server.rows(f"{tables.prefix}oee")
        assert (row["revision"], row.get("oee"), row.get("element_us_unknown")) == ((0, hour.oee, 2), (1, None, None))[
            number
        ]


def test_a_record_that_does_not_fit_a_column_costs_itself_alone(tables: QuestTarget, tmp_path: Path) -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    assert write(build(tables, tmp_path), [Delivery("t", 0, 0, hour.path, MessageClass.OEE, hour, T)]) == []
    tables.server.sql(f'ALTER TABLE "{tables.prefix}oee" ADD COLUMN element_us_STRANGE BOOLEAN')
    bad = replace(hour, started_at=hour.started_at + 1, element_us={"STRANGE": 1})
    records = some(60, random.Random(2))
    found = [*deliveries(records), Delivery("t", 0, 98, hour.path, MessageClass.OEE, bad, T)]
    good = replace(hour, started_at=hour.started_at + 2)
    found.insert(30, Delivery("t", 0, 99, hour.path, MessageClass.OEE, good, T))
    [rejected] = write(build(tables, tmp_path), found)
    assert isinstance(rejected, Rejected)
    assert rejected.delivery.record is bad
    assert "cast error" in rejected.message
    assert tables.held() == expected("questdb", records)
    assert len(tables.server.rows(f"{tables.prefix}oee")) == 2


@pytest.mark.parametrize("at", [-1, 253_402_300_800_000_000, 2**63 - 1])
def test_times_that_it_cannot_sort_by_are_refused_before_it_breaks_over_them(
    tables: QuestTarget, tmp_path: Path, at: int
) -> None:
    [rejected] = write(build(tables, tmp_path), samples(Sample("a", at, 1), Sample("b", T, 2)))
    assert isinstance(rejected, Rejected)
    assert "1970 to 9999" in rejected.message
    assert [row["tag"] for row in tables.server.rows(f"{tables.prefix}samples")] == ["b"]


def test_a_table_without_our_keys_is_not_written_to(tables: QuestTarget, tmp_path: Path) -> None:
    name = f"{tables.prefix}samples"
    tables.server.sql(
        f'CREATE TABLE "{name}" (at TIMESTAMP, path SYMBOL, tag SYMBOL) TIMESTAMP(at) PARTITION BY DAY WAL'
    )
    with pytest.raises(Retryable, match=r"other upsert keys \(none\)"):
        write(build(tables, tmp_path), samples(Sample("a", T, 1)))
    assert tables.server.rows(name) == []
    tables.server.sql(f'ALTER TABLE "{name}" DEDUP ENABLE UPSERT KEYS(at, path, tag)')
    assert write(build(tables, tmp_path), samples(Sample("a", T, 1))) == []
    assert write(build(tables, tmp_path), samples(Sample("a", T, 2))) == []
    assert [row["value_integer"] for row in tables.server.rows(name)] == [2], (
        "columns that it lacked are there, and keys hold"
    )


def test_what_is_no_questdb_is_named(tables: QuestTarget, tmp_path: Path) -> None:
    with pytest.raises(Retryable, match=r"GET .*/nowhere/exec"):
        write(build(tables, tmp_path, url=f"{tables.server.address}/nowhere"), samples(Sample("a", T, 1)))


def died(child: Child) -> None:
    eventually(lambda: not child.alive, 10, "it is dead")


def test_a_server_killed_in_midst_holds_all_afterwards(tmp_path: Path) -> None:
    chance = random.Random(7)
    with QuestDb(tmp_path / "questdb") as server:
        target, records = QuestTarget(server, "uns_"), some(150, chance)
        waiting, tries, kills = deliveries(records), 0, 0

        async def go() -> None:
            nonlocal tries, kills
            sink = build(target, tmp_path, timeout_s=5, rows_max=9)
            await sink.open()
            while waiting:
                part, tries = waiting[:25], tries + 1
                assert tries < 200
                child = server.child
                assert child is not None
                strike = tries == 3
                handle = asyncio.get_running_loop().call_later(chance.uniform(0, 0.05), child.kill) if strike else None
                try:
                    assert await sink.write(part, {}) == []
                    del waiting[: len(part)]
                except Retryable:
                    pass
                if handle is not None:
                    await asyncio.to_thread(died, child)
                    await asyncio.to_thread(server.stop)
                    await asyncio.to_thread(server.start)
                    kills += 1
            await sink.close()

        asyncio.run(go())
        assert kills == 1
        assert target.held() == expected("questdb", records)


def test_stops_of_any_text_are_one_row_each(tables: QuestTarget, tmp_path: Path) -> None:
    reasons = ["", " ", '"', "\\", "a\\", 'a\\"b', "a\nb\r\n", "x" * 70_000, "ü€😀", "\x7f", "#", "a=b,c d"]
    found = deliveries([(PATHS[0], downtime(n, 0, reason, PATHS[0])) for n, reason in enumerate(reasons)])
    assert write(build(tables, tmp_path), found) == []
    rows = sorted(tables.server.rows(f"{tables.prefix}downtime"), key=lambda row: row["started_at"])
    assert [row["reason"] for row in rows] == reasons
