"""Records as text and back."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Break, Inputs, Oee, Sample, Samples, Shift, Tick
from schemas.text import from_plain, iso, micros, to_plain
from uns.cli.times import shown

TIMES = st.integers(min_value=0, max_value=4_102_444_800_000_000)


@given(TIMES)
def test_a_time_survives_as_text_to_the_microsecond(at: int) -> None:
    assert micros(iso(at)) == at


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        micros("2026-11-23T06:00:00")


def test_an_offset_is_honoured() -> None:
    assert micros("2026-11-23T07:00:00+01:00") == micros("2026-11-23T06:00:00Z")


@given(TIMES, TIMES)
def test_nested_times_are_text_too(begin: int, end: int) -> None:
    shift = Shift(id="s", name="early", started_at=begin, ended_at=end, breaks=(Break(begin, end),))
    plain = to_plain(shift)
    assert plain["breaks"] == [{"started_at": iso(begin), "ended_at": iso(end)}]
    assert from_plain(plain) == shift


def test_samples_and_derived_records_survive() -> None:
    samples = Samples(
        "opc",
        3,
        (
            Sample("State", 1, 6),
            Sample("Speed", 2, 1.5),
            Sample("Name", 3, "x"),
            Sample("On", 4, True),
            Sample("None", 5, None),
        ),
    )
    assert from_plain(to_plain(samples)) == samples
    oee = Oee(
        id="a#oee@x~d:0",
        path="a",
        started_at=1,
        ended_at=None,
        definition="d",
        status="provisional",
        revision=0,
        inputs=Inputs("t", 0, 1, 2),
        window="hour",
        window_name=None,
        element_us={"APT": 5},
        good=1,
        scrap=0,
        ideal_us=1,
        ideal_good_us=1,
        availability=None,
        performance=0.5,
        quality=1.0,
        oee=None,
        order=None,
        product=None,
    )
    assert from_plain(to_plain(oee)) == oee
    assert oee.natural_id == "a#oee@x~d"


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"type": "Nothing"}, "'Nothing' is no record"),
        ({"type": "Order", "id": "1"}, "Order"),
        ({}, "None is no record"),
    ],
)
def test_what_is_no_record_is_refused_with_its_name(plain: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_plain(plain)


@pytest.mark.parametrize("at", [2**63 - 1, -(2**63), 253_402_300_800_000_000])
def test_a_time_that_no_calendar_has_is_shown_all_the_same(at: int) -> None:
    assert iso(at) == f"{at} µs"
    assert to_plain(Tick(at=at, worker="w"))["at"] == f"{at} µs"
    assert shown(at, ZoneInfo("Europe/Berlin")) == f"{at} µs"
    with pytest.raises(ValueError, match="µs"):
        from_plain({"type": "Tick", "at": f"{at} µs", "worker": "w"})
