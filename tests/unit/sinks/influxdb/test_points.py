"""Points as line protocol: whatever a record says, two parsers that are not ours or not this side's read it back."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from connectors.http.line_protocol import Point, points
from schemas.records import DERIVED_TYPES, Derived, Downtime, Oee, Sample, Samples
from sinks.base import Delivery
from sinks.influxdb.points import Points
from sinks.kit.batches import Row
from tests.harness.records import EXAMPLES
from topology.namespace.classes import MessageClass
from uns.testing.sinks import downtime
from uns.testing.text import TEXTS

PATH = "acme/dallas/packaging/line-1/filler"
T = 1_795_000_000_000_000
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_subnormal=False)  # the foreign parser knows no subnormals; the real server does
    | TEXTS
    | st.sampled_from([2**63 - 1, -(2**63), 0, -0.0, 1e22, 1.7976931348623157e308, "ü€😀", 'a"b\\', "a\nb"])
)
NAMES = TEXTS | st.sampled_from(["a b", "a,b", "a=b", 'a"b', "\\a", "a\\,b", "ns=2;s=Übergabe Nr. 1", "#x", "", "tag"])


def of(record: Any, key: str = PATH) -> list[Row | str]:
    return list(Points("").of(Delivery("t", 0, 0, key, MessageClass.RAW, record, T)))


def fields(value: Any) -> dict[str, Any]:
    """What the README says of a value, in other words."""
    match value:
        case bool():
            return {"type": "boolean", "value_boolean": value}
        case int():
            return {"type": "integer", "value": float(value), "value_integer": value}
        case float() if math.isnan(value):
            return {"type": "nan"}
        case float() if math.isinf(value):
            return {"type": "inf" if value > 0 else "-inf"}
        case float():
            return {"type": "number", "value": value}
        case None:
            return {"type": "null"}
        case _:
            return {"type": "text", "value_text": value}


def writable(text: str, name: bool = False) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not name or not ("\n" in text or "\r" in text or text.endswith("\\"))


@given(NAMES, VALUES, st.integers(-9_223_372_036_854_775, 9_223_372_036_854_775), st.integers(0, 2**32 - 1))
def test_a_sample_is_read_back_as_it_was(tag: str, value: Any, at: int, quality: int) -> None:
    [row] = of(Samples("plc", 1, (Sample(tag, at, value, quality),)))
    if not (writable(tag, name=True) and (not isinstance(value, str) or writable(value))):
        assert isinstance(row, str)
        row.encode()
        return
    assert isinstance(row, Row)
    levels = dict(zip(("enterprise", "site", "area", "line", "cell"), PATH.split("/"), strict=True))
    tags = {"path": PATH, **levels, **({"tag": tag} if tag else {})}
    expected = {**fields(value), "quality": quality}
    assert row.content.count("\n") == (value.count("\n") if isinstance(value, str) else 0)
    [ours] = points(row.content)
    assert isinstance(ours, Point)
    assert (ours.measurement, ours.tags, ours.fields, ours.bad, ours.at) == ("samples", tags, expected, {}, at)
    if "\x00" in row.content:
        return  # the foreign parser is C, and ends there
    assert parse_line(row.content) == {"measurement": "samples", "tags": tags, "fields": expected, "time": at}


@pytest.mark.parametrize(
    "record", [each for each in EXAMPLES if isinstance(each, Derived)], ids=lambda r: type(r).__name__
)
def test_a_derived_record_is_a_point_of_its_class(record: Derived) -> None:
    [row] = of(record)
    assert isinstance(row, Row)
    read = parse_line(row.content)
    assert read["measurement"] == record.message_class
    assert read["time"] == record.started_at
    assert read["tags"]["path"] == record.path
    assert read["tags"]["definition"] == record.definition
    assert not set(read["tags"]) & set(read["fields"]), "no field is called as a tag"
    assert read["fields"]["id"] == record.id
    assert read["fields"]["withdrawn"] is record.withdrawn
    assert set(read["fields"]["fields"].split(",")) - {""} <= set(read["fields"])


def test_all_types_are_among_the_examples() -> None:
    assert {type(each) for each in EXAMPLES if isinstance(each, Derived)} == set(DERIVED_TYPES)


def test_the_series_of_a_derived_record_holds_no_time() -> None:
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    # started_at 1_795_000_000 s is 2026-11-18T11:06:40Z, as its id says
    [row] = of(hour)
    assert isinstance(row, Row)
    assert parse_line(row.content)["tags"]["id_kind"] == "oee-hour"
    [foreign] = of(downtime(7))
    assert isinstance(foreign, Row)
    assert parse_line(foreign.content)["tags"]["id_kind"] == downtime(7).natural_id, (
        "an id that is not made as ours are"
    )


def test_revisions_of_a_record_are_one_point_and_other_records_are_others() -> None:
    [first], [second], [other] = of(downtime(1)), of(downtime(1, revision=1, reason="drive")), of(downtime(2))
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert isinstance(other, Row)
    assert first.key == second.key != other.key


@given(TEXTS, TEXTS)
def test_whatever_a_record_says_it_is_one_line_or_words(reason: str, path: str) -> None:
    [row] = of(downtime(1, reason=reason, path=path))
    if isinstance(row, str):
        row.encode()
        assert not writable(path, name=True) or not writable(reason)
        return
    [read] = points(row.content)
    assert isinstance(read, Point)
    assert read.fields["reason"] == reason
    assert read.tags.get("path", "") == path


@pytest.mark.parametrize("at", [9_223_372_036_854_776, -9_223_372_036_854_776, 2**63 - 1, 2**70])
def test_times_that_nanoseconds_cannot_hold_are_refused(at: int) -> None:
    [row] = of(Samples("plc", 1, (Sample("a", at, 1),)))
    assert isinstance(row, str)
    assert "1677 to 2262" in row


def test_a_part_that_is_no_point_takes_no_other_along() -> None:
    found = of(Samples("plc", 1, (Sample("a", T, 1), Sample("b\n", T, 2), Sample("c", T, 2**63), Sample("d", T, 4))))
    assert [isinstance(row, Row) for row in found] == [True, False, False, True]


def test_a_number_that_cannot_be_written_is_none() -> None:
    stop: Downtime = downtime(1)
    hour = next(each for each in EXAMPLES if isinstance(each, Oee))
    [row] = of(type(hour)(**{**{name: getattr(hour, name) for name in hour.__struct_fields__}, "oee": math.inf}))
    assert isinstance(row, Row)
    read = parse_line(row.content)["fields"]
    assert "oee" not in read
    assert "oee" not in read["fields"].split(",")
    assert "availability" in read["fields"].split(",")
    assert "order" not in parse_line(of(stop)[0].content)["fields"]  # type: ignore[union-attr]
