"""Glitches of counters: what comes back is no reset, and what is found does not depend on where reading begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.inputs.glitches import WITHIN, Rate, Run, Scanner, small
from processors.units import HOUR
from tests.harness.scanned import scan

S = 1_000_000
SECOND = Rate(lambda _at: S)
"""One piece a second."""
METER = Rate(None)


def runs(values: list[int], step_s: float = 1.0, rate: Rate = SECOND) -> list[tuple[float, float]]:
    samples = [(round(n * step_s * S), value) for n, value in enumerate(values)]
    return [(run.start / S, run.end / S) for run in scan(Scanner(rate), samples)[0]]


@pytest.mark.parametrize(
    ("values", "step_s", "expected"),
    [
        ([1_000_000, 1_000_100, 1_000_099, 1_000_500], 600, [(1200, 1800)]),  # a small step back
        ([15_600, 15_599, 15_601], 1, [(1, 2)]),
        ([15_600, 0, 0, 0, 15_601], 1, [(1, 4)]),  # a PLC that starts again
        ([1_000_000, 0, 1_000_001], 1, [(1, 2)]),  # one bad reading
        ([20, 0, 0, 21], 1, [(1, 3)]),
        ([100, 101, 999_999, 102, 103], 1, [(2, 3)]),  # a spike
        ([100, 101, 999_999, 888_888, 102, 103], 1, [(2, 4)]),
        ([5, 0, 1, 2, 3, 4, 5, 6], 1, []),  # a reset, counted up past the old value
        ([48, 0, *range(1, 60)], 1, []),
        ([48, 30, 58], 30, []),  # a reset between two readings
        ([5_000_000, 0, 1, 2, 3], 1, []),
    ],
)
def test_what_is_a_glitch(values: list[int], step_s: float, expected: list[tuple[float, float]]) -> None:
    assert runs(values, step_s) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5_000, 0, 5_001], [(1, 2)]),
        ([5_000, 4_999, 5_001], [(1, 2)]),
        ([5_000, 0, 1_000, 2_000, 3_000, 4_000, 5_000], []),
    ],
)
def test_a_meter_of_unknown_rate(values: list[int], expected: list[tuple[float, float]]) -> None:
    assert runs(values, rate=METER) == expected


def test_a_clock_set_back_mixes_old_values_among_new_ones() -> None:
    samples = sorted((n * 100_000 - (2_450_000 if n >= 300 else 0), n) for n in range(600))
    found, _ = scan(Scanner(Rate(lambda _at: 100_000)), samples)
    kept = [value for at, value in samples if not any(run.start <= at < run.end for run in found)]
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] == 599
    assert found


def test_what_does_not_come_back_in_time_is_no_glitch() -> None:
    samples = [(0, 15_600), (S, 0), (S + WITHIN, 15_601)]
    assert scan(Scanner(SECOND), samples)[0] == []
    assert scan(Scanner(SECOND), [(0, 15_600), (S, 0), (WITHIN, 15_601)])[0] == [Run(S, WITHIN)]


def test_a_small_step_back_lies_near_and_beyond_reach_of_a_reset() -> None:
    assert small(SECOND, 15_600, 15_599, S, 0)
    assert not small(SECOND, 15_600, 0, S, 0)
    assert not small(SECOND, 48, 30, 30 * S, 0)  # from 0 to 30 in 30 s
    assert not small(SECOND, 1_000_000, 500_000, S, 0)  # far


LATTICE = st.lists(
    st.tuples(st.integers(0, 12 * HOUR // (300 * S)), st.sampled_from([0, 1, 5, 100, 101, 99, 5_000, 5_010, 10**6])),
    min_size=2,
    max_size=40,
    unique_by=lambda pair: pair[0],
)


@given(LATTICE, st.integers(0, 12 * HOUR))
def test_a_scan_may_begin_twice_the_reach_before(pairs: list[tuple[int, int]], place: int) -> None:
    samples = sorted((n * 300 * S, value) for n, value in pairs)
    whole, odd = scan(Scanner(SECOND), samples)
    begin = next((n for n, (at, _) in enumerate(samples) if at >= place - 2 * WITHIN), len(samples))
    begin = max(0, begin - 1)
    first = samples[begin]
    changed = begin
    while changed and samples[changed - 1][1] == first[1]:
        changed -= 1
    scanner = Scanner(SECOND, None, *first, changed_at=samples[changed][0])
    part, part_odd = scan(scanner, samples[begin + 1 :])
    assert [at for at in part_odd if at > place] == [at for at in odd if at > place]
    assert [run for run in part if run.end >= place] == [run for run in whole if run.end >= place] or any(
        run.start < place - WITHIN for run in whole if run.end >= place
    )  # runs that overlap have become one


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(0, 5)), min_size=1, max_size=60))
def test_a_counter_that_only_rises_as_fast_as_it_can_has_no_glitches(steps: list[tuple[int, int]]) -> None:
    at = value = 0
    samples = [(0, 0)]
    for seconds, pieces in steps:
        at, value = at + seconds * S, value + min(pieces, seconds)
        samples.append((at, value))
    assert scan(Scanner(SECOND), samples) == ([], [])
