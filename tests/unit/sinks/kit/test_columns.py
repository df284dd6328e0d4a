"""A record as columns: the same names and types, whatever its values."""

from typing import Any

import pytest
from msgspec.structs import replace

from processors.output.identity import natural_id
from schemas.records import DERIVED_TYPES, Derived, Kpi, Oee, Order, Sample, Samples
from sinks.kit.columns import BadColumns, cells, columns, id_kind, is_series, levels, map_fields
from sinks.kit.rows import Kind
from tests.harness.records import EXAMPLES

RECORDS = [each for each in EXAMPLES if isinstance(each, Derived)]
PYTHON = {
    Kind.TEXT: str,
    Kind.JSON: str,
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.BOOLEAN: bool,
    Kind.TIME: int,
}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_cells_have_the_columns_of_the_type(record: Derived) -> None:
    found = {cell.name: cell for cell in cells(record)}
    maps = map_fields(type(record))
    static = {name for name in found if not any(name.startswith(f"{one}_") for one in maps)}
    assert static == {column.name for column in columns(type(record))}
    for column in columns(type(record)):
        assert (found[column.name].kind, found[column.name].always) == (column.kind, column.always)
    for cell in found.values():
        assert cell.value is None or type(cell.value) is PYTHON[cell.kind], cell
        assert cell.value is not None or not cell.always, cell


@pytest.mark.parametrize("kind", DERIVED_TYPES, ids=lambda kind: kind.__name__)
def test_no_two_columns_have_one_name(kind: type[Derived]) -> None:
    names = [column.name.lower() for column in columns(kind)]
    assert len(set(names)) == len(names)
    assert not {"path", "started_at"} & set(names)


def test_times_are_told_from_integers_and_maps_are_parted() -> None:
    hour = next(each for each in RECORDS if isinstance(each, Oee))
    found = {cell.name: (cell.kind, cell.value) for cell in cells(hour)}
    assert found["ended_at"] == (Kind.TIME, hour.ended_at)
    assert found["element_us_APT"] == (Kind.INTEGER, 1)
    assert found["inputs_first_offset"] == (Kind.INTEGER, 10)
    shift = next(each for each in RECORDS if isinstance(each, Kpi))
    found = {cell.name: (cell.kind, cell.value) for cell in cells(shift)}
    assert found["loss_us_availability_ADET"] == (Kind.INTEGER, 10_000_000)
    assert found["values_mtbf"] == (Kind.NUMBER, None)
    assert found["stops"][0] is Kind.JSON


def test_members_that_come_to_one_column_are_refused() -> None:
    shift = next(each for each in RECORDS if isinstance(each, Kpi))
    values: dict[str, Any] = {"a.b": 1.0, "A_b": 2.0}
    with pytest.raises(BadColumns, match="two members of values come to one column, values_A_b"):
        list(cells(replace(shift, values=values)))


@pytest.mark.parametrize("kind", ["oee.hour", "quality-Offset~2", "kpi.order-47@11", "alert#x"])
def test_the_kind_of_an_id_is_what_path_start_and_definition_leave(kind: str) -> None:
    hour = next(each for each in RECORDS if isinstance(each, Oee))
    made = natural_id(hour.path, kind, hour.started_at, hour.definition)
    assert id_kind(replace(hour, id=f"{made}:3")) == kind


@pytest.mark.parametrize(
    "other",
    [
        {"started_at": 7},
        {"path": "acme"},
        {"definition": "other@1"},
        {"id": "x"},
        {"id": ""},
        {"started_at": 2**63 - 1},
    ],
)
def test_an_id_that_is_made_otherwise_stays_whole(other: dict[str, Any]) -> None:
    hour = next(each for each in RECORDS if isinstance(each, Oee))
    made = natural_id(hour.path, "oee.hour", hour.started_at, hour.definition)
    changed = replace(hour, **{"id": f"{made}:0", **other})
    assert id_kind(changed) == changed.natural_id


def test_levels_are_those_of_the_path() -> None:
    assert levels("acme/dallas") == [("enterprise", "acme"), ("site", "dallas")]
    assert dict(levels("a/b/c/d/e/f"))["cell"] == "e"


def test_what_a_series_can_hold() -> None:
    assert is_series(Samples("plc", 1, (Sample("a", 1, 1),)))
    assert not is_series(Order(id="1", product="cola", started_at=1))
