"""The compiled writers say what fastavro says, byte for byte, and take nothing that it refuses."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import Codec, _write
from schemas.records import GOOD, TYPES, Record, Sample, Samples
from schemas.writer import Unusual
from tests.harness.any_record import any_record
from tests.harness.records import EXAMPLES

CODEC = Codec({name: number for number, name in enumerate(TYPES, 1)})
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 63, 64, 1023, 1024, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1,
    2**64, 0.0, -0.0, 1.0, 1.5, float("nan"), float("inf"), "", "x", "ä" * 70, "\ud800", "\x00", b"x", (), (1,), [], ["x"],
    {}, {"a": 1}, {1: "a"}, object(),
)  # fmt: skip
"""Values at borders and of wrong types; each is put into each place of a record."""


def judged(record: Record) -> bytes | None:
    """What fastavro makes of it; None: it refuses."""
    try:
        return CODEC._judged(type(record).__name__, b"", record)
    except ValueError:
        return None


def written(record: Record) -> bytes | None:
    """What the compiled function makes of it; None: it does not take it."""
    try:
        return _write(type(record).__name__)(record)
    except Unusual:
        return None


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_usual_records_are_written_by_the_compiled_function(record: Record) -> None:
    assert written(record) == judged(record)


@given(any_record())
def test_whatever_a_schema_allows_is_the_same_bytes(record: Record) -> None:
    assert written(record) == judged(record)


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_nothing_is_taken_that_does_not_fit(record: Record) -> None:
    for other in spoiled(record):
        told = written(other)
        assert told is None or told == judged(other), other


@given(any_record(), st.data())
def test_nothing_is_taken_that_does_not_fit_in_any_record(record: Record, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(record.__struct_fields__))
    other = msgspec.structs.replace(record, **{name: data.draw(st.sampled_from(ODD))})
    told = written(other)
    assert told is None or told == judged(other)


@example([0.5, 1, True, None, "x"])
@given(st.lists(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(), max_size=90))
def test_samples_of_any_values(values: list[Any]) -> None:
    samples = tuple(Sample(f"t{n}", n, value, GOOD) for n, value in enumerate(values))
    record = Samples("source", 1, samples)
    assert written(record) == judged(record)


def spoiled(record: Any) -> list[Any]:
    """The record with an odd value in each place, one at a time, in what is inside it too."""
    found = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        found += [msgspec.structs.replace(record, **{name: odd}) for odd in ODD]
        if isinstance(value, msgspec.Struct):
            found += [msgspec.structs.replace(record, **{name: inner}) for inner in spoiled(value)]
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            found += [msgspec.structs.replace(record, **{name: (inner, *value[1:])}) for inner in spoiled(value[0])]
        elif isinstance(value, dict) and value:
            found += [msgspec.structs.replace(record, **{name: {**value, next(iter(value)): odd}}) for odd in ODD]
    return found
