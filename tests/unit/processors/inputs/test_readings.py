"""What is known of a counter's glitches follows from its samples, in whatever order they come."""

from hypothesis import given
from hypothesis import strategies as st

from processors.inputs.glitches import WITHIN, Rate, Run, Scanner
from processors.inputs.readings import KEPT_H, Readings
from processors.units import HOUR
from tests.harness.scanned import scan

S = 1_000_000
SECOND = Rate(lambda _at: S)


def readings(samples: list[tuple[int, int]]) -> Readings:
    series = Readings(SECOND)
    for offset, (at, value) in enumerate(samples):
        series.add(at, value, offset)
    series.settle()
    return series


HISTORY = st.lists(
    st.tuples(st.integers(0, 500), st.sampled_from([0, 1, 2, 5, 100, 101, 99, 5_000, 5_010, 10**6, 10**6 + 1])),
    min_size=1,
    max_size=30,
    unique_by=lambda pair: pair[0],
)


def test_a_late_reading_between_two_spikes_is_judged_by_what_was_before_both() -> None:
    """What is read again begins where nothing waits to be undone, and ends where nothing does."""
    at = (415, 249, 8217, 166, 3237, 3652, 332, 10624, 83, 0, 22244)
    shown = dict.fromkeys(at, 0) | {8217: 10**6, 166: 5_000, 3237: 10**6}
    for order in (at, (*at[3:5], 332, 3652, 22244, 8217, 249, 415, 0, 83, 10624)):
        series = Readings(SECOND)
        for offset, second in enumerate(order):
            series.add(second * S, shown[second], offset)
            if offset % 3 == 0:
                series.settle()
        series.settle()
        assert [(run.start // S, run.end // S) for run in series.runs] == [(166, 249), (3237, 3652), (8217, 10624)]


@given(HISTORY, st.randoms(use_true_random=False), st.integers(1, 300))
def test_the_order_of_arrival_does_not_matter(pairs: list[tuple[int, int]], random: object, step_s: int) -> None:
    samples = [(n * step_s * S, value) for n, value in pairs]
    in_order = readings(sorted(samples))
    shuffled = samples[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    series = Readings(SECOND)
    for offset, (at, value) in enumerate(shuffled):
        series.add(at, value, offset)
        if offset % 3 == 0:
            series.settle()
    series.settle()
    runs, odd = [], []
    scanner = Scanner(SECOND)
    for at, value in sorted(samples):
        ended, strange = scanner.see(at, value)
        runs += ended
        odd += [at] * strange
    for one in (in_order, series):
        assert sorted(one.runs) == sorted(runs)
        assert one.odd == odd
        assert (one.scanner.at, one.scanner.value, one.scanner.changed_at) == (
            scanner.at,
            scanner.value,
            scanner.changed_at,
        )
        last = max(at for at, _ in samples)  # what has expired may still be there until it is asked for
        for mine, other in ((one.scanner.falls, scanner.falls), (one.scanner.jumps, scanner.jumps)):
            assert [p for p in mine if last - p.before_at <= WITHIN] == [
                p for p in other if last - p.before_at <= WITHIN
            ]


def test_runs_are_joined_and_bounded() -> None:
    series = readings([(0, 15_600), (S, 0), (2 * S, 0), (3 * S, 15_601), (4 * S, 15_602)])
    assert series.glitches(0, 10 * S) == [Run(S, 3 * S)]
    assert series.glitches(0, S) == []
    assert series.glitches(2 * S, 3 * S) == [Run(S, 3 * S)]
    assert series.glitches(3 * S, 10 * S) == []
    before = series.believed(3 * S)
    assert before is not None
    assert (before.at, before.value) == (0, 15_600)


def test_a_late_sample_makes_a_glitch_and_says_what_it_changes() -> None:
    series = readings([(0, 15_600), (2 * S, 15_601)])
    series.retold.clear()
    series.add(S, 0, 9)
    series.settle()
    assert series.runs == [Run(S, 2 * S)]
    assert (S, 2 * S) in series.retold


def test_the_newest_that_is_dropped_is_no_glitch() -> None:
    series = readings([(0, 15_600), (HOUR - S, 0), (HOUR + S, 15_700), (2 * WITHIN, 15_701)])
    assert series.runs == [Run(HOUR - S, HOUR + S)]
    series.evict(1 + KEPT_H)
    assert series.carry is not None
    assert series.carry.value == 15_600
    series.evict(10 + KEPT_H)
    assert series.carry is not None
    assert series.standing_since(10 * HOUR) == series.carry.at


def test_how_long_a_counter_has_stood() -> None:
    series = readings([(0, 5), (S, 7), *((n * 60 * S, 7) for n in range(1, 400))])
    assert series.standing_since(series.newest + 1) == S
    assert scan(Scanner(SECOND), [(0, 5)]) == ([], [])
