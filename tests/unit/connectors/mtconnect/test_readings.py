"""Observations as readings: values by the kind of their data item, conditions, sets, series; and what is no value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Reading, Said
from connectors.mtconnect.codec import Cell, DataItem, Observation
from connectors.mtconnect.places import Place
from connectors.mtconnect.readings import BAD_NO_DATA, BAD_NOT_CONNECTED, Readings
from topology.namespace.path import Path

AT = 1_795_413_600_000_000
PATH = Path.parse("acme/dallas/machining/line-1/mill")
ITEMS = {
    "speed": DataItem("speed", None, "SAMPLE", "ROTARY_VELOCITY", "", "VALUE", "REVOLUTION/MINUTE", None, ""),
    "where": DataItem("where", None, "SAMPLE", "PATH_POSITION", "", "VALUE", "MILLIMETER_3D", None, ""),
    "amps": DataItem("amps", None, "SAMPLE", "AMPERAGE", "", "TIME_SERIES", "AMPERE", 10.0, ""),
    "volts": DataItem("volts", None, "SAMPLE", "VOLTAGE", "", "TIME_SERIES", "VOLT", None, ""),
    "count": DataItem("count", None, "EVENT", "PART_COUNT", "", "VALUE", "", None, ""),
    "program": DataItem("program", None, "EVENT", "PROGRAM", "", "VALUE", "", None, ""),
    "system": DataItem("system", None, "CONDITION", "SYSTEM", "", "VALUE", "", None, ""),
    "macros": DataItem("macros", None, "EVENT", "VARIABLE", "", "DATA_SET", "", None, ""),
    "tools": DataItem("tools", None, "EVENT", "TOOL_OFFSET", "", "TABLE", "", None, ""),
}


def readings() -> Readings:
    made = Readings("http://mill")
    made.mapped({id_: Place(item, ((PATH, id_.title()),)) for id_, item in ITEMS.items()})
    return made


def observation(item: str, text: str = "", at: int = AT, **more: Any) -> Observation:
    kind = ITEMS[item]
    element = {"DATA_SET": "VariableDataSet", "TABLE": "ToolOffsetTable", "TIME_SERIES": "AmperageTimeSeries"}.get(kind.representation, "Block")  # fmt: skip
    fields = {"level": "", "code": "", "native_code": "", "rate": None, "samples": None, "cells": None, "reset": ""}
    return Observation(item, 1, at, kind.category, element, text, **(fields | more))


def condition(level: str, code: str = "") -> Observation:
    return observation("system", level=level, code=code, native_code=code)


def told(said: list[Said]) -> list[tuple[str, int, Any, int]]:
    assert all(isinstance(one, Reading) for one in said), said
    return [(one.sample.tag, one.sample.at - AT, one.sample.value, one.sample.quality) for one in said if isinstance(one, Reading)]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "text", "value"),
    [
        ("speed", "1200", 1200.0),
        ("speed", "-1.5E+2", -150.0),
        ("speed", ".5", 0.5),
        ("count", "17", 17),
        ("count", "17.0", 17.0),
        ("program", "0017", "0017"),
        ("program", "", ""),
        ("program", "Füller A", "Füller A"),
    ],
)
def test_a_value_is_what_its_data_item_is(item: str, text: str, value: object) -> None:
    ((_, _, read, quality),) = told(readings().said(observation(item, text)))
    assert (read, type(read), quality) == (value, type(value), 0)


@pytest.mark.parametrize(
    ("item", "text"),
    [("speed", "fast"), ("speed", "NaN"), ("speed", "1e999"), ("speed", ""), ("speed", "1 2"), ("speed", "1_000"), ("where", "1 2"), ("count", "many")],
)  # fmt: skip
def test_what_is_no_number_is_malformed_with_what_was_said(item: str, text: str) -> None:
    (said,) = readings().said(observation(item, text))
    assert isinstance(said, Malformed)
    assert (said.reason, said.payload, said.path) == ("bad_value", text.encode(), PATH)


def test_a_value_in_space_is_three_tags() -> None:
    assert told(readings().said(observation("where", "1 -2.5 3"))) == [("Where.X", 0, 1.0, 0), ("Where.Y", 0, -2.5, 0), ("Where.Z", 0, 3.0, 0)]  # fmt: skip
    gone = told(readings().said(observation("where", "UNAVAILABLE")))
    assert gone == [(f"Where.{axis}", 0, None, BAD_NOT_CONNECTED) for axis in "XYZ"]


@pytest.mark.parametrize("item", ["speed", "count", "program", "amps"])
def test_unavailable_is_a_quality_and_no_value(item: str) -> None:
    assert told(readings().said(observation(item, "UNAVAILABLE"))) == [(item.title(), 0, None, BAD_NOT_CONNECTED)]


def test_a_part_count_that_is_reset_needs_nothing_more() -> None:
    assert told(readings().said(observation("count", "0", reset="DAY"))) == [("Count", 0, 0, 0)]


def test_an_item_that_nobody_asked_for_says_nothing() -> None:
    assert readings().said(observation("speed", "1")._replace(item="other")) == []


# -- series ------------------------------------------------------------------------------------------------


def test_a_series_ends_at_its_time_and_the_others_are_computed() -> None:
    said = readings().said(observation("amps", "1 2 3", samples=3))
    assert told(said) == [("Amps", -200_000, 1.0, 0), ("Amps", -100_000, 2.0, 0), ("Amps", 0, 3.0, 0)]
    assert [one.time_of for one in said if isinstance(one, Reading)] == ["server", "server", "source"]


def test_a_series_may_say_its_own_rate() -> None:
    assert [at for _, at, _, _ in told(readings().said(observation("volts", "1 2", rate=4.0)))] == [-250_000, 0]
    assert [at for _, at, _, _ in told(readings().said(observation("amps", "1 2", rate=4.0)))] == [-250_000, 0]


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (observation("volts", "1 2"), "bad_value"),  # no rate
        (observation("amps", "1 2", samples=3), "bad_value"),
        (observation("amps", "1 x"), "bad_value"),
        (observation("amps", "1 2", rate=1e-10), "bad_time"),
    ],
)
def test_a_series_without_times_is_malformed(series: Observation, reason: str) -> None:
    (said,) = readings().said(series)
    assert isinstance(said, Malformed)
    assert said.reason == reason


# -- conditions --------------------------------------------------------------------------------------------


def test_a_condition_is_the_worst_that_is_active() -> None:
    made = readings()
    steps = [
        (condition("NORMAL"), "NORMAL"),
        (condition("WARNING", "12"), "WARNING 12"),
        (condition("FAULT", "401"), "FAULT 401"),
        (condition("FAULT", "402"), "FAULT 402"),
        (condition("WARNING", "13"), "FAULT 402"),
        (condition("NORMAL", "402"), "FAULT 401"),
        (condition("WARNING", "401"), "WARNING 401"),
        (condition("NORMAL"), "NORMAL"),
        (condition("FAULT"), "FAULT"),
        (condition("UNAVAILABLE"), None),
        (condition("NORMAL", "12"), "NORMAL"),
    ]
    assert [told(made.said(step))[0][2] for step, _ in steps] == [value for _, value in steps]


def test_what_was_active_is_forgotten_when_it_is_told_anew() -> None:
    made = readings()
    made.said(condition("FAULT", "401"))
    made.forget_conditions()
    assert told(made.said(condition("WARNING", "12"))) == [("System", 0, "WARNING 12", 0)]


def test_a_level_that_there_is_not_is_malformed() -> None:
    (said,) = readings().said(condition("WEIRD"))
    assert isinstance(said, Malformed)


LEVELS = st.sampled_from(["NORMAL", "WARNING", "FAULT", "UNAVAILABLE"])


@given(st.lists(st.tuples(LEVELS, st.sampled_from(["", "1", "2", "3"])), max_size=12))
def test_conditions_are_as_a_plain_reading_of_the_standard_has_them(steps: list[tuple[str, str]]) -> None:
    made, active = readings(), dict[str, str]()
    for level, code in steps:
        ((_, _, value, quality),) = told(made.said(condition(level, code)))
        if level == "UNAVAILABLE" or (level == "NORMAL" and not code):
            active = {}
        else:
            active.pop(code, None)
            if level != "NORMAL":
                active[code] = level
        if level == "UNAVAILABLE":
            assert (value, quality) == (None, BAD_NOT_CONNECTED)
        elif faults := [code for code, level in active.items() if level == "FAULT"]:
            assert value == f"FAULT {faults[-1]}".strip()
        else:
            warnings = [code for code, level in active.items() if level == "WARNING"]
            assert value == (f"WARNING {warnings[-1]}".strip() if warnings else "NORMAL")


# -- sets --------------------------------------------------------------------------------------------------


def macros(*cells: tuple[str, str | None], **more: Any) -> Observation:
    return observation("macros", cells=tuple(Cell(key, text) for key, text in cells), **more)


def test_a_set_tells_what_changed_and_what_is_no_more() -> None:
    made = readings()
    assert told(made.said(macros(("a", "1"), ("b", "x")))) == [("Macros.a", 0, 1, 0), ("Macros.b", 0, "x", 0)]
    assert told(made.said(macros(("b", None), ("never", None)))) == [("Macros.b", 0, None, BAD_NO_DATA)]
    assert told(made.said(macros(("c", "2.5")))) == [("Macros.c", 0, 2.5, 0)]
    assert told(made.said(macros(("c", "3"), reset="NEW"))) == [
        ("Macros.a", 0, None, BAD_NO_DATA),
        ("Macros.c", 0, 3, 0),
    ]
    assert told(made.said(macros(("d", "4")), complete=True)) == [
        ("Macros.c", 0, None, BAD_NO_DATA),
        ("Macros.d", 0, 4, 0),
    ]


def test_a_set_that_is_unavailable_takes_all_its_entries_along() -> None:
    made = readings()
    made.said(macros(("a", "1"), ("b", "UNAVAILABLE")))
    gone = told(made.said(macros()._replace(text="UNAVAILABLE")))
    assert gone == [("Macros.a", 0, None, BAD_NOT_CONNECTED), ("Macros.b", 0, None, BAD_NOT_CONNECTED)]


def test_a_row_is_taken_out_with_its_cells() -> None:
    made = readings()
    made.said(observation("tools", cells=(Cell("T1.length", "1"), Cell("T1.side", "2"), Cell("T10.length", "3"))))
    gone = told(made.said(observation("tools", cells=(Cell("T1", None),))))
    assert gone == [("Tools.T1.length", 0, None, BAD_NO_DATA), ("Tools.T1.side", 0, None, BAD_NO_DATA)]


def test_a_set_that_grows_for_ever_is_malformed() -> None:
    made = readings()
    made.said(macros(*((str(n), "1") for n in range(9_999))))
    (said,) = made.said(macros(("x", "1"), ("y", "1")))
    assert isinstance(said, Malformed)
    assert told(made.said(macros(("x", "1"))))
