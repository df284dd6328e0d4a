"""Amounts spread over the time since the last one: whole parts, exact over any borders, whatever comes first."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.inputs.counters import MADE_BEFORE, PART, Counter, increments, of_energy, of_pieces
from processors.inputs.readings import Readings
from processors.units import HOUR
from topology.model.tags import CountTag, EnergyTag

S = 1_000_000
BOOKINGS = st.lists(
    st.tuples(st.integers(0, 3 * 3600), st.integers(0, 500)), min_size=1, max_size=12, unique_by=lambda pair: pair[0]
)


def booked(bookings: list[tuple[int, int]], max_s: float = 86_400) -> Counter:
    """A counter of increments: (second, amount)."""
    spec = CountTag(role="good_count", counts="increments", spread="since_last", spread_max_s=max_s)
    counter = of_pieces("Good", spec, lambda _at: S)
    for offset, (second, amount) in enumerate(bookings):
        counter.series.add(second * S - counter.before, amount, offset, offset)
    return counter


def shares(bookings: list[tuple[int, int]], at: int, max_s: int) -> int:
    """What was made before an instant (µs), by the definition: whole parts that have ended by then."""
    made, before = 0, None
    for second, amount in sorted(bookings):
        end = second * S
        if before is None:
            made += amount if end <= at else 0
        else:
            since = max(before, end - max_s * S)
            parts = max(min(amount, (end - since) // PART), 1)
            ended = max(min((at - since) * parts // (end - since), parts), 0)
            made += ended * amount // parts
        before = end
    return made


@given(BOOKINGS, st.lists(st.integers(0, 3 * HOUR + S), max_size=8), st.sampled_from([60, 3_600, 86_400]))
def test_every_border_cuts_the_same_whole_parts(bookings: list[tuple[int, int]], cuts: list[int], max_s: int) -> None:
    counter = booked(bookings, max_s)
    borders = sorted({-HOUR, *cuts, 4 * HOUR})
    for start, end in pairwise(borders):
        parts = list(increments(counter, start, end))
        assert all(start <= part.at < end for part in parts)
        assert sum(part.pieces for part in parts) == shares(bookings, end, max_s) - shares(bookings, start, max_s)
    assert sum(part.pieces for part in increments(counter, -HOUR, 4 * HOUR)) == sum(amount for _, amount in bookings)


@given(BOOKINGS, st.integers(0, 2**32))
def test_a_booking_changes_no_more_than_its_reach(bookings: list[tuple[int, int]], seed: int) -> None:
    shuffled = bookings[:]
    random.Random(seed).shuffle(shuffled)
    known, now = booked([]), [0] * (3 * 60 + 1)
    for offset, (second, amount) in enumerate(shuffled):
        at = second * S - MADE_BEFORE
        following = known.series.add(at, amount, offset, offset)
        assert following is not None
        start, end = known.reach(at, following)
        before, now = (
            now,
            [sum(part.pieces for part in increments(known, n * 60 * S, (n + 1) * 60 * S)) for n in range(3 * 60 + 1)],
        )
        for n, (was, is_now) in enumerate(zip(before, now, strict=True)):
            if was != is_now:
                assert start < (n + 1) * 60 * S
                assert end > n * 60 * S


def test_800_pieces_of_a_shift_are_100_an_hour() -> None:
    counter = booked([(0, 0), (8 * 3_600, 800)])
    hours = [sum(p.pieces for p in increments(counter, n * HOUR, (n + 1) * HOUR)) for n in range(9)]
    assert hours == [100] * 8 + [0]


def test_more_pieces_than_seconds_come_by_the_second() -> None:
    counter = booked([(0, 0), (10, 1_000_000_000_007)])
    parts = list(increments(counter, 0, HOUR))
    assert [part.at for part in parts] == [n * S - MADE_BEFORE for n in range(1, 11)]
    assert sum(part.pieces for part in parts) == 1_000_000_000_007


def test_a_total_read_rarely_is_spread_but_not_what_takes_back() -> None:
    """A glitch is no reading; a reset is said with the last of its parts."""
    counter = of_pieces("Good", CountTag(role="good_count", spread="since_last"), lambda _at: S)
    assert isinstance(counter.series, Readings)
    for minute, value in ((0, 1_000), (120, 1_200), (239, 0), (240, 1_400), (241, 1_398), (600, 50)):
        counter.series.add(minute * 60 * S - counter.before, value, minute)
    counter.series.settle()
    hours = [sum(p.pieces for p in increments(counter, n * HOUR, (n + 1) * HOUR)) for n in range(10)]
    assert hours[:4] == [100, 100, 100, 100]
    assert hours[4:] == [8 - 2, 8, 8, 9, 8, 9]
    assert [part.at for part in increments(counter, 0, 11 * HOUR) if part.reset] == [10 * HOUR - MADE_BEFORE]


def test_a_meter_read_once_a_shift() -> None:
    counter = of_energy("Energy", EnergyTag(role="energy", spread="since_last", spread_max_s=4 * 3_600))
    for hour, value in ((0, 0), (8, 80_000)):
        counter.series.add(hour * HOUR - counter.before, value, hour)
    hours = [sum(p.pieces for p in increments(counter, n * HOUR, (n + 1) * HOUR)) for n in range(9)]
    assert hours == [0] * 4 + [20_000] * 4 + [0]
