"""Every record as rows: the columns that its shape says, with their kinds, whatever the record says."""

from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import DERIVED_TYPES, FACT_TYPES, TYPES, Derived, Record, Samples, Tick
from sinks.base import Delivery
from sinks.kit.rows import Kind, plain, plain_names, record_of, rows, shapes
from tests.harness.any_record import records
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass

PYTHON: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.NUMBER: (float, int),
    Kind.BOOLEAN: bool,
    Kind.TIME: datetime,
    Kind.JSON: (dict, list, tuple),
}


def told(record: Record) -> Delivery:
    return Delivery("uns.acme.dallas.packaging.raw", 1, 5, PATH, MessageClass.RAW, record, T)


def check(record: Record) -> None:
    delivery = told(record)
    found = rows(delivery)
    if isinstance(record, Tick):
        assert found == []
        return
    shape = shapes()[record_of(delivery)]
    assert len(found) == (len(record.samples) if isinstance(record, Samples) else 1)
    for row in found:
        assert tuple(row) == shape.names
        assert all(row[name] is not None for name in shape.key)
        for column in shape.columns:
            value = row[column.name]
            assert column.nullable if value is None else isinstance(value, PYTHON[column.kind])
        assert plain_names(shape.record) == set(plain(row))
        if isinstance(record, Derived):
            assert (row["natural_id"], row["withdrawn"]) == (record.natural_id, record.withdrawn)


def test_every_kind_has_a_shape_and_its_examples_fit() -> None:
    assert set(shapes()) == {"samples", *(kind.__name__.lower() for kind in (*FACT_TYPES, *DERIVED_TYPES))}
    for record in EXAMPLES:
        check(record)


@given(st.sampled_from(sorted(TYPES)).flatmap(records))
def test_any_record_fits_or_has_a_time_that_no_calendar_has(record: Record) -> None:
    try:
        rows(told(record))
    except OverflowError:
        return
    check(record)
