"""Cells and rows of tables: numbers, times, qualities and empty cells by rule, and what a row becomes."""

from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import FactReading, Malformed, Reading
from connectors.kit.cells import EMPTY, Cells
from connectors.kit.payloads import BadPayload
from connectors.kit.row_shape import RowShape
from connectors.kit.rows import RowReader
from schemas.records import Acknowledge, Gap, Lot, Reason, Shift
from uns.testing.connectors import check_said
from uns.testing.text import TEXTS

AT = 1_795_413_600_000_000
MOMENT = "2026-11-23T06:00:00Z"
BERLIN = ZoneInfo("Europe/Berlin")
WIDE: dict[str, Any] = {"path": "acme/dallas/packaging/{line}", "at": "at"}


def said(options: dict[str, Any], row: dict[str, Any]) -> list[Any]:
    things = RowReader(RowShape.model_validate(options)).said("t:1", row, b"row")
    for thing in things:
        check_said(thing)
    return things


def values(options: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    return {thing.sample.tag: thing.sample.value for thing in said(options, row) if isinstance(thing, Reading)}


@pytest.mark.parametrize(
    ("decimal", "thousands", "text", "value"),
    [
        (".", "", "12", 12),
        (".", "", " +12.50 ", 12.5),
        (".", "", "-.5", -0.5),
        (".", "", "1e-3", 0.001),
        (".", "", "1,5", "1,5"),
        (",", "", "1,5", 1.5),
        (",", "", "1.5", "1.5"),
        (",", ".", "1.234.567,8", 1_234_567.8),
        (",", ".", "1.234", 1_234),
        (",", ".", "1.23", "1.23"),
        (".", ",", "12,345", 12_345),
        (".", "'", "12'345.5", 12_345.5),
        (",", " ", "12\u202f345,5", 12_345.5),
        (".", "", "NaN", "NaN"),
        (".", "", "1e999", "1e999"),
        (".", "", str(2**63), str(2**63)),
        (".", "", "١٢", "١٢"),
        (".", "", "1_000", "1_000"),
        (".", "", "0x10", "0x10"),
    ],
)
def test_numbers_as_they_are_written(decimal: str, thousands: str, text: str, value: Any) -> None:
    read = Cells(decimal, thousands).value("c", text)
    assert (read, type(read)) == (value, type(value))


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([(".", ""), (",", "."), (",", " "), (".", "'")])
)
def test_a_number_comes_back_however_it_is_written(number: float, marks: tuple[str, str]) -> None:
    decimal, thousands = marks
    text = f"{number:,.6f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    if len(text) <= 64:
        assert Cells(decimal, thousands).value("c", text) == float(f"{number:.6f}")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (None, EMPTY),
        ("  ", EMPTY),
        (float("nan"), EMPTY),
        (Decimal("NaN"), EMPTY),
        (Decimal("5"), 5),
        (Decimal("5.00"), 5.0),
        (True, True),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, 6, tzinfo=UTC), "2026-11-23T06:00:00+00:00"),
        (time_of_day(6), "06:00:00"),
        (timedelta(minutes=-1), -60.0),
        (b"\x00\xff", "00ff"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_cells_with_a_type(cell: Any, value: Any) -> None:
    read = Cells().value("c", cell)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("cell", [2**63, float("inf"), Decimal("1e400"), Decimal(10) ** 5000, [1], {"a": 1}, "#DIV/0!"])
def test_cells_that_are_no_value(cell: Any) -> None:
    with pytest.raises(BadPayload) as caught:
        Cells().value("c", cell)
    assert caught.value.reason == "bad_value"


@pytest.mark.parametrize(
    ("cell", "cells"),
    [
        (MOMENT, Cells()),
        ("2026-11-23 07:00:00", Cells(zone=BERLIN)),
        (datetime(2026, 11, 23, 7), Cells(zone=BERLIN)),
        (datetime(2026, 11, 23, 6, tzinfo=UTC), Cells(zone=BERLIN)),
        (AT // 1000, Cells()),
        (str(AT // 1_000_000), Cells(unit="s")),
        (Decimal(AT) / 1_000_000, Cells(unit="s")),
        ("23.11.2026 07:00:00", Cells(format="%d.%m.%Y %H:%M:%S", zone=BERLIN)),
        ("23/Nov/2026:06:00:00 +0000", Cells(format="%d/%b/%Y:%H:%M:%S %z")),
    ],
)
def test_times(cell: Any, cells: Cells) -> None:
    assert cells.time("c", cell) == AT


@pytest.mark.parametrize(
    "cell", ["x", "2026-11-23 07:00", datetime(2026, 11, 23), 12, True, [1], b"1", Decimal("1e5000"), "9" * 30]
)
def test_what_is_no_time_is_named(cell: Any) -> None:
    with pytest.raises(BadPayload) as caught:
        Cells().time("c", cell)
    assert caught.value.reason == "bad_time"


def test_every_other_column_is_a_tag_and_a_bad_cell_spoils_no_other() -> None:
    row = {"line": "Linie 1", "at": MOMENT, "Druck": "1.5", "Lot": "007", "bad": [1], "none": None, "": "a note"}
    things = said({**WIDE, "levels": "spelled", "texts": ["Lot"]}, row)
    assert {thing.sample.tag: thing.sample.value for thing in things if isinstance(thing, Reading)} == {
        "Druck": 1.5,
        "Lot": "007",
    }
    assert [(bad.reason, bad.payload) for bad in things if isinstance(bad, Malformed)] == [
        ("bad_value", b'{"bad": [1]}')
    ]
    assert {str(thing.path) for thing in things} == {"acme/dallas/packaging/linie-1"}


def test_null_is_said_only_where_it_is_asked_for() -> None:
    row = {"line": "a", "at": MOMENT, "x": None, "y": "---", "z": "AUS"}
    words = {"---": None, "AUS": False}
    assert values({**WIDE, "words": words}, row) == {"z": False}
    assert values({**WIDE, "words": words, "empty": "null"}, row) == {"x": None, "y": None, "z": False}


@pytest.mark.parametrize(
    ("quality", "code"), [("good", 0), ("BAD", 0x80000000), (192, 0), ("0", 0x80000000), ("1083179008", 0x40900000)]
)
def test_qualities_by_word_and_by_number(quality: Any, code: int) -> None:
    options = {**WIDE, "quality": "q", "qualities": {"Good": 0, "bad": 0x80000000, "192": 0, "0": 0x80000000}}
    (thing,) = said(options, {"line": "a", "at": MOMENT, "q": quality, "x": 1})
    assert thing.sample.quality == code


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"line": None}, "no_path"),
        ({"line": "a/b"}, "no_path"),
        ({"line": "Füller"}, "no_path"),
        ({"at": None}, "bad_time"),
        ({"q": None}, "bad_quality"),
        ({"q": "so-so"}, "bad_quality"),
        ({"q": -1}, "bad_quality"),
    ],
)
def test_a_row_without_place_time_or_quality_is_malformed_whole(change: dict[str, Any], reason: str) -> None:
    row = {"line": "a", "at": MOMENT, "q": "good", "x": 1, "y": 2} | change
    (bad,) = said({**WIDE, "quality": "q"}, row)
    assert isinstance(bad, Malformed)
    assert (bad.reason, bad.payload) == (reason, b"row")


@pytest.mark.parametrize(
    ("kind", "options", "row", "fact"),
    [
        (
            "lot",
            {"fields": {"id": "Charge", "material": "{Stoff}/{Werk}", "started_at": "ab"}},
            {"Charge": 7.0, "Stoff": "PET", "Werk": 12, "ab": MOMENT},
            Lot(id="7", material="PET/12", started_at=AT),
        ),
        (
            "shift",
            {},
            {"id": "s1", "name": "early", "started_at": MOMENT, "ended_at": MOMENT, "breaks": "?", "more": 1},
            Shift(id="s1", name="early", started_at=AT, ended_at=AT),
        ),
        (
            "reason",
            {"constants": {"by": "mes"}},
            {"id": 1, "code": "12", "started_at": MOMENT, "ended_at": "", "comment": " 5 "},
            Reason(id="1", code=12, started_at=AT, by="mes", comment="5"),
        ),
        (
            "gap",
            {"constants": {"by": "scada", "cause": "backup"}},
            {"id": "g", "started_at": MOMENT, "ended_at": None},
            Gap(id="g", started_at=AT, cause="backup", by="scada"),
        ),
        ("acknowledge", {}, {"alert": "a", "at": MOMENT, "by": "ann"}, Acknowledge(alert="a", at=AT, by="ann")),
    ],
)
def test_rows_that_are_facts(kind: str, options: dict[str, Any], row: dict[str, Any], fact: Any) -> None:
    (thing,) = said({"row": kind, "path": "acme/dallas", **options}, row)
    assert isinstance(thing, FactReading)
    assert thing.fact == fact


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"code": 1, "started_at": MOMENT, "by": "x"}, "bad_fact"),
        ({"id": "1", "code": "x", "started_at": MOMENT, "by": "x"}, "bad_value"),
        ({"id": "1", "code": 1.5, "started_at": MOMENT, "by": "x"}, "bad_fact"),
        ({"id": "1", "code": 1, "started_at": "x", "by": "x"}, "bad_time"),
    ],
)
def test_rows_that_are_no_facts(row: dict[str, Any], reason: str) -> None:
    (bad,) = said({"row": "reason", "path": "acme/dallas"}, row)
    assert isinstance(bad, Malformed)
    assert bad.reason == reason


CELLS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
    | st.binary(max_size=4)
    | TEXTS
    | st.sampled_from([MOMENT, "good", "line-1"])
)
ROWS = st.dictionaries(
    st.sampled_from(["line", "at", "q", "tag", "value", "id", "code", "by", "started_at"]) | TEXTS, CELLS, max_size=8
)


@given(ROWS, st.sampled_from(["wide", "long", "reason", "order", "inspection"]), st.booleans())
def test_whatever_stands_in_a_row_is_told_or_malformed(row: dict[str, Any], kind: str, spelled: bool) -> None:
    options: dict[str, Any] = {"row": kind, "path": "acme/{line}", "levels": "spelled" if spelled else "as_they_are"}
    if kind in ("wide", "long"):
        options |= {"at": "at", "quality": "q", "zone": "Europe/Berlin"}
    if kind == "long":
        options |= {"tag": "{tag}", "value": "value"}
    said(options, row)
