"""Shift calendars: local time to the shifts of any stretch, through changes of the clock, midnights and holidays."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.records import Shift
from schemas.text import iso
from tests.unit.topology.model.test_loader import GOOD, plant_of
from topology.model.loader import PlantError
from topology.model.shifts import Calendar
from topology.namespace.path import Path

THREE = {
    "early": {"begin": "06:00", "end": "14:00", "breaks": [{"begin": "09:00", "end": "09:15"}]},
    "late": {"begin": "14:00", "end": "22:00"},
    "night": {"begin": "22:00", "end": "06:00", "breaks": [{"begin": "01:30", "end": "02:00"}]},
}


def calendar(zone: str = "Europe/Berlin", shifts: Any = None, **more: Any) -> Calendar:
    return Calendar.model_validate({"filter": "acme/#", "zone": zone, "shifts": shifts or THREE, **more})


def micros(*moment: int) -> int:
    return round(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


def of(shifts: list[Shift], name: str) -> Shift:
    return next(shift for shift in shifts if shift.id == name)


def hours(shift: Shift) -> float:
    return (shift.ended_at - shift.started_at) / 3.6e9


def test_a_winter_day_in_berlin() -> None:
    early, late, night = calendar().on(date(2026, 11, 23))
    assert [iso(early.started_at), iso(early.ended_at)] == [
        "2026-11-23T05:00:00.000000+00:00",
        "2026-11-23T13:00:00.000000+00:00",
    ]
    assert [iso(part.started_at) for part in early.breaks] == ["2026-11-23T08:00:00.000000+00:00"]
    assert late.started_at == early.ended_at
    assert night.started_at == late.ended_at
    assert night.id == "2026-11-23-night"
    assert iso(night.ended_at) == "2026-11-24T05:00:00.000000+00:00"
    assert [iso(part.ended_at) for part in night.breaks] == ["2026-11-24T01:00:00.000000+00:00"]


def test_the_night_of_the_25_hour_day_is_nine_hours_long_and_of_the_23_hour_day_seven() -> None:
    autumn = calendar().between(micros(2026, 10, 24), micros(2026, 10, 26))
    assert hours(of(autumn, "2026-10-24-night")) == 9
    spring = calendar().between(micros(2026, 3, 28), micros(2026, 3, 30))
    assert hours(of(spring, "2026-03-28-night")) == 7
    assert hours(of(spring, "2026-03-29-early")) == 8


def test_a_time_that_the_clock_skips_is_the_hour_after() -> None:
    pattern = {"odd": {"begin": "02:30", "end": "10:00"}}
    (odd,) = calendar(shifts=pattern).on(date(2026, 3, 29))
    assert iso(odd.started_at) == "2026-03-29T01:30:00.000000+00:00"  # 03:30 in Berlin


def test_yaml_reads_an_unquoted_time_as_minutes() -> None:
    plant = plant_of(
        GOOD
        + "shifts: {dallas: {filter: acme/dallas/#, zone: America/Chicago, shifts: {d: {begin: 8:30, end: 16:30}}}}\n"
    )
    (day,) = plant.shifts["dallas"].on(date(2026, 7, 1))
    assert iso(day.started_at) == "2026-07-01T13:30:00.000000+00:00"
    assert plant.calendars == {Path.parse("acme/dallas/packaging/line-1"): "dallas"}


def test_a_holiday_takes_back_what_was_told_and_can_have_shifts_of_its_own() -> None:
    short = {"short": {"begin": "08:00", "end": "12:00"}}
    exceptions = [
        {"day": "2026-12-24", "name": "Christmas Eve", "shifts": short},
        {"day": "2026-12-25", "until": "2026-12-26", "name": "Christmas"},
    ]
    there = calendar(exceptions=exceptions)
    worked = {s.id: hours(s) for s in there.between(micros(2026, 12, 24), micros(2026, 12, 27)) if hours(s)}
    assert worked == {
        "2026-12-23-early": 8,
        "2026-12-23-late": 8,
        "2026-12-23-night": 8,
        "2026-12-24-short": 4,
        "2026-12-27-early": 8,
        "2026-12-27-late": 8,
        "2026-12-27-night": 8,
    }
    taken_back = {shift.id for shift in there.on(date(2026, 12, 25))}
    assert taken_back == {f"2026-12-25-{name}" for name in ("early", "late", "night", "short")}


def test_days_of_the_week() -> None:
    weekdays = {"day": {"begin": "08:00", "end": "16:00", "days": ["mon", "tue", "wed", "thu", "fri"]}}
    there = calendar(shifts=weekdays).between(micros(2026, 11, 23), micros(2026, 11, 30))
    assert [shift.id for shift in there if hours(shift)] == [f"2026-11-{day}-day" for day in (23, 24, 25, 26, 27, 30)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zone": "Mars/Olympus"}, "is no time zone"),
        ({"shifts": {"a": {"begin": "6", "end": "14:00"}}}, "is no time of day"),
        ({"shifts": {"a": {"begin": "06:00", "end": "24:30"}}}, "is no time of day"),
        ({"shifts": {"a": {"begin": "06:00", "end": "14:00"}, "b": {"begin": "13:00", "end": "15:00"}}}, "overlap"),
        ({"shifts": {"a": {"begin": "22:00", "end": "06:30"}, "b": {"begin": "06:00", "end": "12:00"}}}, "overlap"),
        (
            {"shifts": {"a": {"begin": "06:00", "end": "14:00", "breaks": [{"begin": "13:50", "end": "14:10"}]}}},
            "is not inside the shift",
        ),
        ({"exceptions": [{"day": "2026-12-25", "until": "2026-12-24", "name": "x"}]}, "is before"),
        (
            {"exceptions": [{"day": "2026-12-25", "name": "x", "shifts": {"y": {"begin": "04:00", "end": "12:00"}}}]},
            "night of Thu 24 Dec and y of Fri 25 Dec overlap",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        calendar(**change)


def test_a_line_has_one_calendar_and_a_calendar_has_lines() -> None:
    one = "{filter: %s, zone: UTC, shifts: {d: {begin: '08:00', end: '16:00'}}}"
    text = GOOD + f"shifts:\n  a: {one % 'acme/#'}\n  b: {one % 'acme/dallas/#'}\n  c: {one % 'acme/paris/#'}\n"
    with pytest.raises(PlantError) as caught:
        plant_of(text)
    said = [str(problem) for problem in caught.value.problems]
    assert any(
        "plant.yaml:21: shifts.b.filter: acme/dallas/packaging/line-1 is in the calendars a and b" in line
        for line in said
    ), said
    assert any("plant.yaml:22: shifts.c.filter: 'acme/paris/#' names no line" in line for line in said), said


zones = st.sampled_from(["Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
days = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@given(zones, days)
def test_shifts_round_the_clock_leave_no_gap_on_any_day(zone: str, day: date) -> None:
    shifts = [s for n in range(3) for s in calendar(zone).on(day + timedelta(days=n))]
    assert all(a.ended_at == b.started_at for a, b in pairwise(shifts))
    assert all(
        shift.started_at <= part.started_at < part.ended_at <= shift.ended_at
        for shift in shifts
        for part in shift.breaks
    )


@given(zones, days, st.integers(0, 72 * 3600), st.integers(1, 72 * 3600))
def test_every_shift_of_a_stretch_is_found_whatever_the_cut(zone: str, day: date, after_s: int, length_s: int) -> None:
    there = calendar(zone)
    start = micros(day.year, day.month, day.day) + after_s * 1_000_000
    end = start + length_s * 1_000_000
    found = {shift.id for shift in there.between(start, end)}
    wide = there.between(start - 30 * 86_400_000_000, end + 30 * 86_400_000_000)
    assert {shift.id for shift in wide if shift.started_at < end and shift.ended_at > start} <= found
