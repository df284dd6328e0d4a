"""Records as rows: every type comes back as it was, borders hold, and what no row can hold is refused alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import TYPES, Derived, Record, Sample, Samples, Tick, Value
from sinks.base import Delivery, Rejected
from sinks.lake.columns import FIRST_US, LAST_US
from sinks.lake.rows import DAY_US, build, home, table_of, tables
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import DERIVED, MessageClass
from uns.testing import downtime
from uns.testing.text import TEXTS

RAW = "uns.acme.dallas.packaging.raw"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def delivery(record: Record, offset: int = 7, key: str = PATH) -> Delivery:
    return Delivery(RAW, 1, offset, key, MessageClass(type(record).message_class), record, T + 1)


def rows(*records: Record) -> list[dict[str, Any]]:
    rejected: list[Rejected] = []
    built = build([delivery(record, offset) for offset, record in enumerate(records)], rejected)
    assert rejected == []
    return [row for batches in built.values() for batch in batches for row in batch.to_pylist()]


def plain(value: Any) -> Any:
    """A value of a row as the record had it: times as µs, maps as dicts, values in one piece."""
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, list) and value and all(isinstance(each, tuple) for each in value):
        return {key: plain(each) for key, each in value}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        own = {key: plain(each) for key, each in value.items() if not key.startswith("value_")}
        if "value_number" not in value:
            return own
        kinds = (value["value_boolean"], value["value_integer"], value["value_number"], value["value_text"])
        return own | {"value": next((each for each in kinds if each is not None), None)}
    return value


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_every_type_comes_back_as_it_was(record: Record) -> None:
    if isinstance(record, Tick):
        assert table_of(delivery(record)) is None
        assert rows(record) == []
        return
    found = rows(record)
    wanted = msgspec.json.decode(msgspec.json.encode(record))
    if isinstance(record, Samples):
        assert [plain(row)["value"] for row in found] == [sample.value for sample in record.samples]
        assert {(row["source"], row["sequence"]) for row in found} == {(record.source, record.sequence)}
        return
    (row,) = found
    kept = plain(row)
    empty_maps: dict[str, Any] = {name: {} for name, value in wanted.items() if value == {}}
    assert {name: kept[name] for name in wanted} | empty_maps == wanted
    if isinstance(record, Derived):
        assert (row["natural_id"], row["withdrawn"]) == (record.natural_id, record.withdrawn)
    assert (row["site"], row["path"], row["kafka_topic"], row["kafka_partition"]) == ("dallas", PATH, RAW, 1)


def test_there_is_a_table_a_type_and_a_home_a_class() -> None:
    names = [table.name for table in tables().values()]
    assert len(names) == len(set(names)) == len(TYPES) - 1  # ticks have none
    assert {home(message_class) for message_class in (MessageClass.RAW, *DERIVED)} <= set(names)
    for table in tables().values():
        assert table.schema.names[:2] == ["site", "day"]
        assert all(field.nullable for field in table.schema)


def test_a_tag_may_change_its_type_and_nothing_is_rounded() -> None:
    values: list[Value] = [
        1.5,
        2**63 - 1,
        -(2**63),
        2**53 + 1,
        True,
        "x",
        None,
        float("inf"),
        float("-inf"),
        5e-324,
        "",
    ]
    found = rows(Samples("plc", 1, tuple(Sample("t", T + n, value) for n, value in enumerate(values))))
    assert [plain(row)["value"] for row in found] == values
    assert [row["value_number"] for row in found[:4]] == [1.5, 2.0**63, -(2.0**63), 2.0**53]
    assert found[4]["value_integer"] is None
    (nan,) = rows(Samples("plc", 1, (Sample("t", T, float("nan")),)))
    assert repr(nan["value_number"]) == "nan"


@given(st.integers(FIRST_US, LAST_US))
def test_the_day_is_the_utc_day(at: int) -> None:
    (row,) = rows(Samples("plc", 1, (Sample("t", at, 1),)))
    assert row["day"] == date(1970, 1, 1) + timedelta(days=at // DAY_US)
    assert (row["at"] - EPOCH) // timedelta(microseconds=1) == at


def test_what_is_said_of_the_enterprise_has_no_site() -> None:
    built = build([delivery(downtime(1), key="acme")], [])
    assert built["downtime"][0].column("site").to_pylist() == [None]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (Samples("plc", 1, (Sample("t", FIRST_US - 1, 1),)), "years 1 to 9999"),
        (Samples("plc", 1, (Sample("t", 2**63, 1),)), "large"),
        (Samples("plc", 1, (Sample("t", T, 2**63),)), "large"),
        (Samples("plc", 1, (Sample("t", T, "a\ud800"),)), "surrogates"),
        (Samples("plc\udfff", 1, (Sample("t", T, 1),)), "surrogates"),
        (next(r for r in EXAMPLES if type(r).__name__ == "Shift"), "years 1 to 9999"),
        (next(r for r in EXAMPLES if type(r).__name__ == "Current"), "years 1 to 9999"),
    ],
    ids=[
        "before_year_1",
        "time_beyond_64_bits",
        "value_beyond_64_bits",
        "text",
        "source",
        "nested_break",
        "nested_tag",
    ],
)
def test_what_no_row_can_hold_is_refused_alone(record: Record, words: str) -> None:
    name = type(record).__name__
    if name == "Shift":
        record = msgspec.structs.replace(record, breaks=(type(record.breaks[0])(T, LAST_US + 1),))  # type: ignore[union-attr]
    if name == "Current":
        record = msgspec.structs.replace(record, tags=(Sample("t", LAST_US + 1, 1),))
    good = next(each for each in EXAMPLES if type(each).__name__ == name)
    rejected: list[Rejected] = []
    bad = delivery(record, 2)
    built = build([delivery(good, 0), delivery(good, 1), bad, delivery(good, 3)], rejected)
    assert [refusal.delivery for refusal in rejected] == [bad]
    assert words in rejected[0].message
    assert rejected[0].reason == "lake_value"
    offsets = {o for batches in built.values() for batch in batches for o in batch.column("kafka_offset").to_pylist()}
    assert offsets == {0, 1, 3}


@given(st.lists(TEXTS, max_size=6), TEXTS)
def test_whatever_is_said_a_row_is_made_or_refused(texts: list[str], key: str) -> None:
    deliveries = [delivery(downtime(n, reason=text), n) for n, text in enumerate(texts)]
    deliveries += [delivery(Samples("plc", n, (Sample(text, T, text),)), 100 + n) for n, text in enumerate(texts)]
    deliveries.append(delivery(downtime(99), 99, key))
    rejected: list[Rejected] = []
    built = build(deliveries, rejected)
    made = [o for batches in built.values() for batch in batches for o in batch.column("kafka_offset").to_pylist()]
    assert sorted([*made, *(each.delivery.offset for each in rejected)]) == sorted(each.offset for each in deliveries)


def test_no_records_make_no_rows() -> None:
    assert build([], []) == {}
    (batch,) = build([delivery(Samples("plc", 1, ()))], [])["samples"]
    assert isinstance(batch, pa.RecordBatch)
    assert batch.num_rows == 0
