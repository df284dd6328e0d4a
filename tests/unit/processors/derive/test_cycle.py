"""Cycles by example: what is measured, what is left out, and what an ideal cycle is suspected of. [own]"""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.derive.cycle import percentiles, rounded, suspect
from schemas.records import Cycle, Order
from tests.harness.line_logs import (
    CELL,
    EXECUTE,
    HELD,
    LINE,
    MINUTE,
    OTHER,
    T0,
    Run,
    S,
    Told,
    play,
    samples,
    ticks,
)
from tests.harness.line_scenarios import delayed, scenario
from tests.unit.processors.test_line_properties import some


def counts(*pairs: tuple[float, int]) -> list[Told]:
    return [samples(T0 + round(at_s * S), Good=count) for at_s, count in pairs]


def only(run: Run) -> Cycle:
    (found,) = run.newest("cycle")
    assert isinstance(found, Cycle)
    return found


RUNNING = samples(T0, State=EXECUTE, Good=0, Scrap=0)


def test_an_increment_of_n_pieces_is_n_cycles() -> None:
    """First piece at 10 s: its begin is not known. Then 6 s, two in 13 s, and 10 s (slow at 1.5 × 6 s)."""
    found = only(play([RUNNING, *counts((10, 1), (16, 2), (29, 4), (39, 5))]))
    assert (found.cycles, found.interrupted, found.cycles_us) == (4, 1, 29 * S)
    assert (found.min_us, found.median_us, found.max_us, found.mean_us) == (6 * S, 6.5 * S, 10 * S, 7.25 * S)
    assert (found.slow, found.ideal_cycle_us, found.suspicion, found.status) == (1, 6 * S, None, "final")


def test_good_and_scrap_are_cycles_of_one_machine() -> None:
    found = only(
        play([RUNNING, *counts((6, 1), (18, 2)), samples(T0 + 12 * S, Scrap=1), samples(T0 + 25 * S, Scrap=2)])
    )
    assert (found.cycles, found.cycles_us, found.max_us) == (3, 19 * S, 7 * S)


def test_what_is_interrupted_is_left_out_and_counted() -> None:
    """A halt at 20 s, a counter that began again at 60 s with two pieces, another product at 70 s."""
    told = [RUNNING, *counts((6, 1), (12, 2), (40, 3), (46, 4), (60, 2), (66, 3))]
    told += [samples(T0 + 20 * S, State=HELD), samples(T0 + 30 * S, State=EXECUTE)]
    told.append((LINE, Order(id="o", product="b", started_at=T0 + 70 * S)))
    found = {one.product: one for one in play([*told, *counts((72, 4), (78, 5))]).newest("cycle")}
    assert (found[None].cycles, found[None].interrupted, found[None].cycles_us) == (3, 4, 18 * S)
    assert (found["b"].cycles, found["b"].interrupted, found["b"].started_at) == (1, 1, T0)


def test_a_cycle_is_of_the_hour_in_which_it_ends() -> None:
    run = play([RUNNING, *counts((3500, 1), (3590, 2), (3605, 3))], 122)
    first, second = run.newest("cycle")
    assert ((first.cycles, first.cycles_us), (second.cycles, second.cycles_us)) == ((1, 90 * S), (1, 15 * S))
    run.feed([*counts((3598, 2), (3550, 2)), *ticks(T0 + 124 * MINUTE, T0 + 125 * MINUTE)])
    first, second = run.newest("cycle")
    assert ((first.cycles, first.cycles_us, first.status), (second.cycles, second.status)) == (
        (1, 50 * S, "corrected"),
        (1, "corrected"),
    )
    assert second.cycles_us == 55 * S


@pytest.mark.parametrize(
    ("each_s", "suspicion", "suggested_s"),
    [(5.5, "too_long", 5.5), (6.0, None, None), (8.0, None, None), (9.5, "too_short", 9.5)],
)
def test_an_ideal_cycle_is_suspect(each_s: float, suspicion: str | None, suggested_s: float | None) -> None:
    found = only(play([RUNNING, *counts(*((n * each_s, n) for n in range(1, 60)))]))
    assert found.suspicion == suspicion
    assert found.suggested_ideal_us == (None if suggested_s is None else suggested_s * S)


def test_a_fast_tenth_is_suspect_though_the_whole_is_slow() -> None:
    assert suspect(100, 900 * S, 600 * S, 4 * S) == "too_long"
    assert suspect(100, 900 * S, 600 * S, 5 * S) is None  # a counter read each second blurs six seconds to five
    assert suspect(19, 100 * S, 114 * S, 4 * S) is None


def test_pieces_that_are_taken_back_take_their_record_back() -> None:
    told = [RUNNING, (LINE, Order(id="o", product="b", started_at=T0)), *counts((6, 1), (12, 2))]
    run = play(told, 130)
    run.feed([(LINE, Order(id="o", product="c", started_at=T0)), *ticks(T0 + 132 * MINUTE, T0 + 133 * MINUTE)])
    assert only(run).product == "c"
    gone = [r for r in run.records if isinstance(r, Cycle) and r.ended_at == r.started_at]
    assert [(r.product, r.cycles, r.median_us) for r in gone] == [("b", 0, None)]


def test_percentiles_are_nearest_ranks() -> None:
    """The textbook example of the nearest rank: 15 20 35 40 50 has 15, 20, 20, 35, 50 (Wikipedia, Percentile)."""
    lengths = [(35, 1), (20, 1), (15, 1), (50, 1), (40, 1)]
    assert percentiles(lengths, (5, 30, 40, 50, 100)) == [15, 20, 20, 35, 50]
    assert percentiles([(7, 3), (9, 1)], (0, 75, 76)) == [7, 7, 9]
    assert percentiles([], (0, 50, 100)) == [None, None, None]


@some
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 5)), min_size=1, max_size=30), st.integers(0, 100))
def test_percentiles_agree_with_a_written_out_list(lengths: list[tuple[int, int]], percent: int) -> None:
    spread = sorted(value for value, count in lengths for _ in range(count))
    rank = next(n for n in range(1, len(spread) + 1) if Fraction(n * 100, len(spread)) >= percent)
    assert percentiles(lengths, (percent,)) == [spread[rank - 1]]
    assert rounded(sum(spread), len(spread)) == (2 * sum(spread) + len(spread)) // (2 * len(spread))


@pytest.mark.long
@some
@given(st.integers(0, 2**32).map(random.Random))
def test_every_piece_is_measured_or_left_out(chance: random.Random) -> None:
    run = Run().feed(delayed(chance, scenario(chance), 10 * MINUTE))
    for path in (CELL, OTHER):
        made = sum(r.good + r.scrap + r.rework for r in run.newest("production", path))
        found: list[Cycle] = run.newest("cycle", path)
        assert sum(one.cycles + one.interrupted for one in found) == made
        for one in found:
            if one.cycles:
                known = [one.min_us, one.p5_us, one.p10_us, one.median_us, one.p95_us, one.max_us]
                assert known == sorted(us for us in known if us is not None)
                assert one.min_us * one.cycles <= one.cycles_us < (one.max_us + 1) * one.cycles  # type: ignore[operator]
