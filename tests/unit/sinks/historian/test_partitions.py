"""Every time has one partition, and only what is wholly older is dropped."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.historian.partitions import PLAUSIBLE, Span, outlived, span

TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
NEAR = st.datetimes(datetime(1999, 12, 1), datetime(2101, 1, 1), timezones=st.just(UTC))


@given(st.one_of(TIMES, NEAR), st.integers(1, 400))
def test_a_time_is_inside_its_partition(at: datetime, days: int) -> None:
    found = span("state", at, days)
    assert found.begin is None or found.begin <= at
    assert found.end is None or at < found.end
    for border in (found.begin, found.end):
        assert (
            border is None
            or border in PLAUSIBLE
            or (border - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(days=days) == timedelta(0)
        )


@given(NEAR, NEAR, st.integers(1, 400))
def test_two_partitions_are_one_or_do_not_meet(one: datetime, other: datetime, days: int) -> None:
    first, second = sorted([span("s", one, days), span("s", other, days)], key=lambda each: each.begin or PLAUSIBLE[0])
    assert first == second or (
        first.end is not None and (second.begin is None or first.end <= second.begin or first.begin is None)
    )


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "s_before_2000"),
        (datetime(9999, 1, 1, tzinfo=UTC), "s_after_2100"),
        (datetime(2000, 1, 1, tzinfo=UTC), "s_20000101"),
        (datetime(2026, 11, 25, tzinfo=UTC), "s_20261119"),
    ],
)
def test_names(at: datetime, name: str) -> None:
    assert span("s", at, 7).name == name


def test_a_partition_goes_once_all_of_it_is_older() -> None:
    day = datetime(2026, 11, 19, tzinfo=UTC)
    found = [
        Span("far", None, PLAUSIBLE[0]),
        Span("week", day, day + timedelta(days=7)),
        Span("later", PLAUSIBLE[1], None),
    ]
    assert outlived(found, day + timedelta(days=16), 10) == []
    assert outlived(found, day + timedelta(days=17), 10) == [found[1]]
