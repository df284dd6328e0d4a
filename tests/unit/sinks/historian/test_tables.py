"""Every record type has a table, and its rows hold its exact values."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import DERIVED_TYPES, FACT_TYPES, TYPES, Derived, Oee, Record, Sample, Samples, Shift, Tick, Value
from sinks.base import Delivery
from sinks.historian.tables import SAMPLES, derived_tables, moment, rows, tables
from tests.harness.any_record import records
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass

INT64 = (-(2**63), -1, 0, 2**53 + 1, 2**63 - 1)
LAST_TIME = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z"""


def delivery(record: Record, offset: int = 5) -> Delivery:
    return Delivery("uns.acme.dallas.packaging.raw", 1, offset, PATH, MessageClass.RAW, record, T)


def as_dicts(record: Record) -> list[dict[str, Any]]:
    found = rows(delivery(record))
    assert found is not None
    table, new = found
    assert all(len(row) == len(table.names) for row in new)
    return [dict(zip(table.names, row, strict=True)) for row in new]


def test_every_type_has_one_table_but_ticks() -> None:
    names = [table.name for table in tables()]
    assert len(set(names)) == len(names) == len(DERIVED_TYPES) + len(FACT_TYPES)
    for example in EXAMPLES:
        found = rows(delivery(example))
        assert (found is None) == isinstance(example, Tick)
        assert found is None or found[0] in [SAMPLES, *tables()]
    assert {type(example) for example in EXAMPLES} == set(TYPES.values())


def test_a_class_has_a_table_of_its_name() -> None:
    names = {name: table.name for name, table in derived_tables().items()}
    assert names == {kind.__name__: kind.message_class for kind in DERIVED_TYPES}


def test_keys_and_time_are_columns_that_may_not_be_null() -> None:
    for table in tables():
        types = {column.name: column.type for column in table.columns}
        assert len(types) == len(table.columns)
        assert all(types[name].endswith("NOT NULL") for name in table.key)
        assert table.time is None or (table.time in table.key and types[table.time] == "timestamptz NOT NULL")


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if not isinstance(e, Samples | Tick)], ids=lambda e: type(e).__name__
)
def test_a_row_holds_every_field(example: Record) -> None:
    [row] = as_dicts(example)
    place = {
        "kafka_topic": "uns.acme.dallas.packaging.raw",
        "kafka_partition": 1,
        "kafka_offset": 5,
        "known_at": moment(T),
    }
    assert {name: row[name] for name in place} == place
    if not isinstance(example, Derived):
        assert row["path"] == PATH
    for name in example.__struct_fields__:
        value, stored = getattr(example, name), row[name]
        if isinstance(stored, datetime):
            assert stored == moment(value)
        elif isinstance(value, str | int | float | None):
            assert (stored, type(stored)) == (value, type(value))
        else:
            assert json.loads(stored) == json.loads(msgspec.json.encode(value))


def test_times_are_exact_to_the_microsecond() -> None:
    assert moment(1_795_000_000_000_001) == datetime(2026, 11, 18, 11, 6, 40, 1, UTC)
    assert moment(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)
    assert moment(LAST_TIME) == datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    with pytest.raises(OverflowError):
        moment(LAST_TIME + 1)


@given(st.integers(-62_135_596_800_000_000, LAST_TIME))
def test_times_come_back(at: int) -> None:
    since = moment(at) - datetime(1970, 1, 1, tzinfo=UTC)
    assert (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds == at


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        (None, (None, None, None, None)),
        (True, (None, None, None, True)),
        (False, (None, None, None, False)),
        ("", (None, None, "", None)),
        ("ä", (None, None, "ä", None)),
        (1.5, (1.5, None, None, None)),
        *((number, (float(number), number, None, None)) for number in INT64),
    ],
)
def test_a_value_stands_in_the_column_of_its_type(value: Value, columns: tuple[object, ...]) -> None:
    [row] = as_dicts(Samples("s", 2**63 - 1, (Sample("a", T, value, 0xFFFFFFFF),)))
    found = tuple(row[f"value_{kind}"] for kind in ("number", "integer", "text", "boolean"))
    assert [(type(v), v) for v in found] == [(type(v), v) for v in columns]
    assert (row["sequence"], row["quality"], row["path"], row["tag"]) == (2**63 - 1, 0xFFFFFFFF, PATH, "a")


@given(records("Samples"))
def test_a_row_for_each_sample(record: Record) -> None:
    assert isinstance(record, Samples)
    times = [sample.at for sample in record.samples]
    if all(abs(at) <= 62_135_596_800_000_000 for at in times):
        assert [(row["tag"], row["at"]) for row in as_dicts(record)] == [(s.tag, moment(s.at)) for s in record.samples]


def test_inner_records_and_maps_are_json() -> None:
    [oee] = [e for e in EXAMPLES if isinstance(e, Oee)]
    [row] = as_dicts(msgspec.structs.replace(oee, element_us={"APT": 2**63 - 1}))
    assert row["element_us"] == '{"APT":9223372036854775807}'
    assert json.loads(row["inputs"])["last_offset"] == 20
    [shift] = [e for e in EXAMPLES if isinstance(e, Shift)]
    [row] = as_dicts(shift)
    assert json.loads(row["breaks"]) == [{"started_at": T + 1, "ended_at": T + 2}]
