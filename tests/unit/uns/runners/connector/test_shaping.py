"""Rules of tags: what is published under which name, in which unit, how often; and tags worked out from others."""

import re
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.base import Reading
from schemas.records import Sample, Value
from tests.harness.line_logs import BAD, CELL, OTHER, plant
from topology.model.shaping import DerivedTag, TagRule
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path
from topology.units import conversion
from uns.runners.connector.shaping import DEADBAND, NO_DATA, OUT_OF_RANGE, RATE, TOO_OLD, UNCHANGED, Shaping

S = 1_000_000
PLANT = plant()
UNCERTAIN = 0x408F0000
"""One of OPC UA's uncertain codes."""


def shaping(*tags: dict[str, Any], derived: tuple[dict[str, Any], ...] = (), **suppress: Any) -> Shaping:
    entry = {"protocol": "p", "config": {}, "tags": tags, "derived": derived, "suppress": suppress}
    return Shaping(ConnectorEntry.model_validate(entry), PLANT)


def told(
    *values: Value, tag: str = "T", at: int = 0, every: int = S, path: str = CELL, quality: int = 0
) -> list[Reading]:
    return [Reading(Path.parse(path), Sample(tag, at + n * every, value, quality)) for n, value in enumerate(values)]


def said(one: Shaping, *readings: Reading, now: int = 0) -> list[tuple[str, Value]]:
    return [(reading.sample.tag, reading.sample.value) for reading in one.shape(readings, now).readings]


def test_without_a_rule_everything_passes_as_it_is() -> None:
    readings = told(1, "a", None, True)
    shaped = shaping().shape(readings, 0)
    assert shaped.readings == shaped.safe == readings


@pytest.mark.parametrize(
    ("rule", "value", "wanted"),
    [
        ({"scale": 0.1}, 3, 0.3),
        ({"scale": 0.1}, 1234567, 123456.7),
        ({"scale": 10}, 3, 30),
        ({"scale": 2, "offset": -40}, 3, -34),
        ({"scale": 0.25, "offset": 1}, 3, 1.75),
        ({"unit": "degF", "to_unit": "degC"}, 212.0, 100.0),
        ({"scale": 0.1, "unit": "bar", "to_unit": "kPa"}, 25, 250),
        ({"unit": "kWh", "to_unit": "MJ"}, 2, 7.2),
        ({"scale": 2}, True, True),
        ({"scale": 2}, "12", "12"),
        ({"scale": 2}, None, None),
    ],
)
def test_numbers_are_scaled_and_converted_and_nothing_else_is(
    rule: dict[str, Any], value: Value, wanted: Value
) -> None:
    ((_, found),) = said(shaping({"tag": "T", **rule}), *told(value))
    assert type(found) is type(wanted)
    assert found == wanted


def test_the_first_rule_that_fits_a_tag_is_its_own() -> None:
    one = shaping(
        {"tag": "Fill*", "path": "acme/+/+/+/capper", "name": "Cap"},
        {"tag": "Fill*", "type": "filler", "name": "Volume"},
        {"tag": "*", "scale": 2},
    )
    assert said(one, *told(1, tag="FillA"), *told(1, tag="FillB", path=OTHER), *told(1, tag="Else")) == [
        ("Volume", 1),
        ("Cap", 1),
        ("Else", 2),
    ]
    assert said(shaping({"tag": "F*", "type": "press", "name": "No"}), *told(1, tag="Fill")) == [("Fill", 1)]


def test_what_is_safe_is_told_as_the_source_said_it() -> None:
    shaped = shaping({"tag": "T", "name": "N", "scale": 2, "unchanged": True}).shape(told(1, 1, 2), 0)
    assert [reading.sample.value for reading in shaped.readings] == [2, 4]
    assert shaped.safe == told(1, 1, 2)
    assert shaped.suppressed == {UNCHANGED: 1}


def test_a_rule_goes_before_what_the_connector_suppresses() -> None:
    one = shaping({"tag": "T", "unchanged": False}, unchanged=True)
    assert said(one, *told(1, 1), *told(1, 1, tag="U")) == [("T", 1), ("T", 1), ("U", 1)]


def test_a_heartbeat_lets_an_unchanged_value_through() -> None:
    one = shaping({"tag": "T", "unchanged": True, "heartbeat_s": 3})
    shaped = one.shape(told(*[7] * 8), 0)
    assert [reading.sample.at // S for reading in shaped.readings] == [0, 3, 6]
    assert shaped.suppressed == {UNCHANGED: 5}
    band = shaping({"tag": "T", "deadband": 1, "heartbeat_s": 2}).shape(told(1.0, 1.1, 1.2, 1.3), 0)
    assert [reading.sample.value for reading in band.readings] == [1.0, 1.2]
    assert band.suppressed == {DEADBAND: 2}


def test_a_rate_holds_the_newest_back_and_lets_it_out() -> None:
    one = shaping({"tag": "T", "every_s": 1})
    burst = told(1, 2, 3, 4, every=S // 10)
    shaped = one.shape(burst, now=0)
    assert [reading.sample.value for reading in shaped.readings] == [1]
    assert (shaped.suppressed, shaped.held, one.holds) == ({RATE: 2}, 1, 1)
    assert shaped.safe == burst[:3], "what is held back is not safe"
    assert one.due(S // 2).readings == []
    out = one.due(S)
    assert (out.readings, out.safe, out.held, one.holds) == ([burst[3]], [burst[3]], -1, 0)
    assert said(one, *told(5, at=3 * S)) == [("T", 5)]
    one.shape(told(6, at=3 * S + 1), 0)
    assert said(one, *told(7, at=3 * S + 2, quality=BAD)) == [("T", 7)], "a change of quality waits for nothing"
    assert one.holds == 0


def test_a_held_value_that_goes_back_to_what_is_published_is_not_let_out() -> None:
    one = shaping({"tag": "T", "every_s": 1, "unchanged": True})
    shaped = one.shape(told(1, 2, 1, every=S // 10), 0)
    assert shaped.suppressed == {RATE: 1, UNCHANGED: 1}
    assert one.holds == 0


def test_what_is_too_old_as_it_arrives_is_left_out() -> None:
    shaped = shaping({"tag": "T", "max_age_s": 5}).shape(told(1, 2, at=0, every=10 * S), now=12 * S)
    assert [reading.sample.value for reading in shaped.readings] == [2]
    assert shaped.suppressed == {TOO_OLD: 1}


POWER = {"tag": "Power", "formula": "u * i / 1000", "inputs": {"u": "Voltage L1", "i": "Current"}}


def test_a_tag_is_worked_out_once_all_its_inputs_have_spoken() -> None:
    one = shaping(derived=(POWER, {"tag": "Twice", "formula": "2 * Power"}))
    assert said(one, *told(230, tag="Voltage L1")) == [("Voltage L1", 230)]
    assert said(one, *told(10, tag="Current", at=S)) == [("Current", 10), ("Power", 2.3), ("Twice", 4.6)]
    assert said(one, *told(99, tag="Other", at=S)) == [("Other", 99)]
    assert said(one, *told(1, tag="Current", path=OTHER)) == [("Current", 1)], "each machine for itself"


def test_a_derived_tag_has_the_newest_time_and_the_worst_quality_of_its_inputs() -> None:
    one = shaping(derived=(POWER,))
    one.shape(told(230, tag="Voltage L1", at=5, quality=UNCERTAIN), 0)
    *_, power = one.shape(told(10, tag="Current", at=9), 0).readings
    assert power.sample == Sample("Power", 9, 2.3, UNCERTAIN)
    *_, none = one.shape(told("off", tag="Current", at=10), 0).readings
    assert none.sample == Sample("Power", 10, None, OUT_OF_RANGE)
    share = shaping(derived=({"tag": "Share", "formula": "a / b"},))
    *_, divided = share.shape([*told(1, tag="a"), *told(0, tag="b")], 0).readings
    assert divided.sample.value is None
    assert divided.sample.quality == OUT_OF_RANGE


def test_a_derived_tag_has_rules_of_its_own() -> None:
    one = shaping({"tag": "Sum", "deadband": 5}, derived=({"tag": "Sum", "formula": "a + b"},))
    shaped = one.shape([*told(1, tag="a"), *told(1, tag="b"), *told(2, tag="a", at=1), *told(9, tag="b", at=2)], 0)
    assert [(r.sample.tag, r.sample.value) for r in shaped.readings if r.sample.tag == "Sum"] == [
        ("Sum", 2),
        ("Sum", 11),
    ]
    assert (shaped.suppressed, shaped.derived) == ({DEADBAND: 1}, 3)


def test_the_example_of_the_docs_works() -> None:
    page = (FilePath(__file__).parents[5] / "docs" / "connectors.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    one = Shaping(ConnectorEntry.model_validate(yaml.safe_load(example)["connectors"]["plc"]), PLANT)
    assert said(one, *told(2120, tag="DB1_Temp7")) == [("Temperature", 100.0)]
    assert said(one, *told(230, tag="Voltage L1-N"), *told(10, tag="Current L1"))[-1] == ("Power", 2.3)


RULES = st.lists(
    st.fixed_dictionaries(
        {"tag": st.sampled_from(["*", "a", "b", "?"])},
        optional={
            "name": st.sampled_from(["a", "b", "c"]),
            "scale": st.sampled_from([2, 0.1, -1]),
            "unchanged": st.booleans(),
            "deadband": st.sampled_from([1, 2.5]),
            "heartbeat_s": st.sampled_from([1, 3]),
            "every_s": st.sampled_from([1, 2]),
            "max_age_s": st.sampled_from([2, 5]),
        },
    ),
    max_size=3,
)
READINGS = st.lists(
    st.tuples(st.sampled_from("abd"), st.integers(0, 9), st.integers(0, 3) | st.none() | st.just("x"), st.sampled_from([0, BAD]), st.booleans()),
    max_size=30,
)  # fmt: skip


@given(RULES, READINGS, st.integers(1, 5))
def test_everything_that_goes_in_comes_out_is_counted_or_is_held(
    rules: list[dict[str, Any]], parts: list[tuple[str, int, Value, int, bool]], size: int
) -> None:
    one = shaping(*rules, derived=({"tag": "c", "formula": "a + b"},))
    readings = [
        Reading(Path.parse(CELL), Sample(tag, at * S, value, quality), ahead=ahead)
        for tag, at, value, quality, ahead in parts
    ]
    went = out = left = derived = held = 0
    safe: list[Reading] = []
    for start in range(0, len(readings), size):
        for shaped in (one.shape(readings[start : start + size], start * S), one.due(start * S)):
            out, left = out + len(shaped.readings), left + shaped.suppressed.total()
            derived, held = derived + shaped.derived, held + shaped.held
            safe += shaped.safe
        went += len(readings[start : start + size])
        assert went + derived == out + left + held
        assert held == one.holds
    shaped = one.due(None)
    assert one.holds == 0
    assert went + derived + shaped.derived == out + left + len(shaped.readings) + shaped.suppressed.total()
    assert sorted([*safe, *shaped.safe], key=repr) == sorted(readings, key=repr), "in the end all that was said is safe"


@given(READINGS)
def test_the_last_value_of_a_tag_is_published_in_the_end(parts: list[tuple[str, int, Value, int, bool]]) -> None:
    """However fast a source is: where it stops, what it said last is known."""
    one = shaping({"tag": "*", "every_s": 1})
    readings = [
        Reading(Path.parse(CELL), Sample(tag, n, value, quality)) for n, (tag, _, value, quality, _) in enumerate(parts)
    ]
    found = [*one.shape(readings, 0).readings, *one.due(None).readings]
    assert {r.sample.tag: r.sample for r in found} == {r.sample.tag: r.sample for r in readings}


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (TagRule, {"tag": "T", "unit": "degF"}, "go together"),
        (TagRule, {"tag": "T", "unit": "degF", "to_unit": "kWh"}, "degF and kWh measure different things"),
        (TagRule, {"tag": "T", "unit": "furlogs", "to_unit": "m"}, "furlogs"),
        (TagRule, {"tag": "T", "scale": 0}, "every value the same"),
        (DerivedTag, {"tag": "T", "formula": "__import__('os')"}, "not allowed"),
        (DerivedTag, {"tag": "T", "formula": "sum(a)"}, "for KPIs"),
        (DerivedTag, {"tag": "T", "formula": "1 + 2"}, "names no tag"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(model: type[TagRule], values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("(", r"\(")):
        model.model_validate(values)


def test_decibels_are_no_straight_line() -> None:
    with pytest.raises(ValueError, match="dB to dimensionless"):
        conversion("dB", "dimensionless")


@pytest.mark.parametrize(
    ("rule", "value", "quality", "wanted"),
    [
        ({"valid": [-40, 150]}, 150, 0, (150, 0)),
        ({"valid": [-40, 150]}, 150.5, 0, (150.5, OUT_OF_RANGE)),
        ({"valid": [None, 150]}, -1e9, 0, (-1e9, 0)),
        ({"valid": [0, None]}, -1, UNCERTAIN, (-1, OUT_OF_RANGE)),
        ({"valid": [0, 10]}, "far", 0, ("far", 0)),
        ({"valid": [0, 10]}, True, 0, (True, 0)),
        ({"valid": [0, 10]}, None, 0, (None, 0)),
        ({"valid": [0, 10]}, 99, BAD, (99, BAD)),
        ({"valid": [0, 10], "scale": 0.1}, 99, 0, (9.9, 0)),
        ({"valid": [0, 10], "scale": 0.1}, 101, 0, (10.1, OUT_OF_RANGE)),
        ({"bad_values": [-9999, "n/a"]}, -9999.0, 0, (None, NO_DATA)),
        ({"bad_values": [-9999, "n/a"], "scale": 0.1}, -9999, 0, (None, NO_DATA)),
        ({"bad_values": [-9999, "n/a"]}, "n/a", 0, (None, NO_DATA)),
        ({"bad_values": [1]}, True, 0, (True, 0)),
        ({"bad_values": [True]}, 1, 0, (1, 0)),
        ({"bad_values": [0], "quality": "good"}, 0, BAD, (0, BAD)),
        ({"quality": "good"}, 7, UNCERTAIN, (7, 0)),
        ({"quality": "good"}, 7, BAD, (7, BAD)),
        ({"quality": "good"}, 7, 0x00960000, (7, 0x00960000)),
        ({"quality": "uncertain"}, 7, 0, (7, 0x40000000)),
        ({"quality": "uncertain"}, 7, UNCERTAIN, (7, UNCERTAIN)),
        ({"quality": "bad"}, 7, 0, (7, 0x80000000)),
        ({"quality": "good", "valid": [0, 1]}, 7, UNCERTAIN, (7, OUT_OF_RANGE)),
    ],
)
def test_quality_is_what_a_rule_makes_of_it(
    rule: dict[str, Any], value: Value, quality: int, wanted: tuple[Value, int]
) -> None:
    (reading,) = shaping({"tag": "T", **rule}).shape(told(value, quality=quality), 0).readings
    assert (reading.sample.value, reading.sample.quality) == wanted


def test_a_derived_tag_rests_on_the_quality_that_rules_gave_and_has_limits_of_its_own() -> None:
    one = shaping(
        {"tag": "A", "valid": [0, 10]},
        {"tag": "Sum", "valid": [0, 15]},
        derived=({"tag": "Sum", "formula": "A + B"}, {"tag": "Half", "formula": "Sum / 2"}),
    )
    one.shape(told(9, tag="B"), 0)
    for value, wanted in ((5, 0), (7, OUT_OF_RANGE), (11, OUT_OF_RANGE)):
        found = one.shape(told(value, tag="A"), 0).readings
        by_tag = {reading.sample.tag: reading.sample.quality for reading in found}
        assert by_tag == {"A": OUT_OF_RANGE if value > 10 else 0, "Sum": wanted, "Half": wanted}


def test_limits_that_no_number_can_keep_are_refused() -> None:
    with pytest.raises(ValueError, match="the least comes first"):
        shaping({"tag": "T", "valid": [5, 4]})
    with pytest.raises(ValueError, match="valid"):
        shaping({"tag": "T", "valid": [float("nan"), 4]})
