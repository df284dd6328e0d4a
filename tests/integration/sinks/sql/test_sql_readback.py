"""What `uns sink verify` says of tables: what was written is as wanted, whatever the columns make of it; what somebody took
out, doubled or changed is named."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas.records import Sample, Value
from sinks.base import Delivery
from sinks.sql import spec
from sinks.sql.readback import found, wanted
from tests.harness.records import EXAMPLES, T
from tests.integration.sinks.sql.databases import Database, ask, delivery, mapping, samples, sink
from tests.integration.sinks.sql.test_sql_tables import RECORDS
from uns.runners.sink.comparison import Comparison, Difference
from uns.testing import delivery as downtime_delivery
from uns.testing import downtime

EVER = 2**62
TIGHT = """CREATE TABLE {} (id VARCHAR(200) {}, machine CHAR(40), seconds NUMERIC(12, 1), ratio REAL, begun TIMESTAMP,
    day DATE, note VARCHAR(300), withdrawn BOOLEAN)"""
TIGHT_COLUMNS = {
    "id": "{natural_id}",
    "machine": "{path[4]}",
    "seconds": "{{ ((ended_at | epoch_s) - (started_at | epoch_s)) / 7 }}",
    "ratio": "{{ 1 / 3 }}",
    "begun": "{started_at}",
    "day": "{started_at}",
    "note": "{reason}  ",
    "withdrawn": "{withdrawn}",
}


def write(database: Database, tables: Sequence[dict[str, Any]], deliveries: Sequence[Delivery]) -> None:
    async def go() -> None:
        one = sink(database, *tables)
        await one.open()
        assert await one.write(deliveries, {}) == []
        await one.close()

    asyncio.run(go())


def verify(
    database: Database, tables: Sequence[dict[str, Any]], deliveries: Sequence[Delivery], folder: Path
) -> tuple[int, list[Difference]]:
    """(how many are wanted, what differs)."""
    config = spec.config.model_validate({**database.config, "tables": list(tables)})
    comparison = Comparison(folder)

    async def go() -> None:
        for each in deliveries:
            for one in wanted(config, each):
                comparison.want(one, False)
        async for one_found in found("mes", config, folder, 0, EVER, comparison.wanted):
            comparison.find(one_found)

    try:
        asyncio.run(go())
        assert comparison.beyond() == 0
        return comparison.count(), list(comparison.differences(10))
    finally:
        comparison.close()


def test_every_record_is_as_wanted_once_it_is_written_and_missing_before(database: Database, tmp_path: Path) -> None:
    tables = [mapping(database, record) for record in RECORDS]
    deliveries = [delivery(record, offset) for offset, record in enumerate(EXAMPLES)]
    write(database, tables, [])
    count, differences = verify(database, tables, deliveries, tmp_path)
    assert count > 20
    assert {each.kind for each in differences} == {"missing"}
    write(database, tables, deliveries)
    assert verify(database, tables, deliveries, tmp_path) == (count, [])


def test_samples_of_any_value(database: Database, tmp_path: Path) -> None:
    values: list[Value] = [
        1.5,
        2**63 - 1,
        -(2**63),
        0.1,
        1e300,
        float("nan"),
        float("inf"),
        "",
        "Stück 🏭 'x' %s %% {",
        True,
        False,
        None,
    ]
    told = [delivery(samples(*(Sample(f"t {n}", T + n, value) for n, value in enumerate(values))), 1)]
    tables = [mapping(database, "samples")]
    write(database, tables, told)
    assert verify(database, tables, told, tmp_path) == (len(values), [])


def test_columns_that_round_cut_and_pad_make_no_difference_and_a_hand_does(database: Database, tmp_path: Path) -> None:
    table = database.name("tight")
    ask(database, TIGHT.format(table, ""))  # no key: the same row may stand there twice
    tables = [mapping(database, "downtime", "tight", columns=TIGHT_COLUMNS)]
    told = [downtime_delivery(downtime(n), n) for n in range(450)]
    write(database, tables, told)
    assert verify(database, tables, told, tmp_path) == (450, [])

    name = [downtime(n).natural_id for n in range(450)]
    ask(database, f"DELETE FROM {table} WHERE id = '{name[17]}'")
    ask(database, f"INSERT INTO {table} SELECT * FROM {table} WHERE id = '{name[230]}'")
    ask(database, f"UPDATE {table} SET seconds = seconds + 0.1 WHERE id = '{name[449]}'")
    count, differences = verify(database, tables, told, tmp_path)
    assert count == 450
    assert [(each.kind, each.key.split()[-1]) for each in differences] == [
        ("missing", name[17]),
        ("twice", name[230]),
        ("different", name[449]),
    ]
    assert differences[2].words.startswith("seconds is ")


def test_of_a_withdrawn_record_the_row_is_gone_and_one_that_is_there_is_named(
    database: Database, tmp_path: Path
) -> None:
    tables = [mapping(database, "downtime")]
    gone = msgspec.structs.replace(downtime(1, 1), ended_at=downtime(1).started_at)
    told = [downtime_delivery(record, n) for n, record in enumerate([downtime(1), downtime(2), gone])]
    write(database, tables, told)
    assert verify(database, tables, told, tmp_path) == (2, [])
    write(database, tables, [downtime_delivery(downtime(1), 7)])  # somebody's backup
    _, [difference] = verify(database, tables, told, tmp_path)
    assert (difference.kind, difference.key.split()[-1]) == ("different", downtime(1).natural_id)
    assert "withdrawn" in difference.words


def test_a_marked_row_is_wanted_marked(database: Database, tmp_path: Path) -> None:
    tables = [mapping(database, "downtime", on_withdrawn="mark", when={"category": "breakdown"})]
    broken = [msgspec.structs.replace(downtime(n), category="breakdown") for n in (1, 2)]
    micro = [msgspec.structs.replace(downtime(1, 1), category="micro"), downtime(5)]
    told = [downtime_delivery(record, n) for n, record in enumerate([*broken, *micro])]
    write(database, tables, told)
    assert verify(database, tables, told, tmp_path) == (3, [])
    no = "false" if database.scheme == "postgresql" else "0"
    ask(database, f"UPDATE {database.name('uns_downtime')} SET withdrawn = {no} WHERE category = 'micro'")
    _, [difference] = verify(database, tables, told, tmp_path)
    assert difference.words in ("withdrawn is False, wanted True", "withdrawn is 0, wanted 1")
