"""Active periods, blocked and starved, turning points: by example, by property, and through the fold."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.derive.bottleneck.active_period import ActivePeriod, Chain, chain, held_us
from processors.derive.bottleneck.activity import Activity, Stretch, activity, blocked_and_starved, turning_point
from processors.timeline.elements import Elements
from schemas.records import Bottleneck, BottleneckCell, Derived, Order, Shift
from tests.harness.line_logs import (
    ABORTED,
    CELL,
    EXECUTE,
    HELD,
    HOUR,
    IDLE,
    LINE,
    MINUTE,
    OTHER,
    SUSPENDED,
    T0,
    Run,
    S,
    Told,
    beats,
    ordered,
    plant,
    play,
    samples,
    ticks,
)
from tests.harness.line_scenarios import delayed, scenario
from tests.unit.processors.test_line_properties import some
from topology.kpi.definition import definition


def follow(periods: Sequence[ActivePeriod], start: int, end: int, watermark: int = 10**9) -> Chain:
    return chain(
        start,
        end,
        None,
        watermark,
        lambda at: [p for p in periods if p.start <= at < p.end],
        lambda at: sorted(p for p in periods if p.start > at),
    )


def method(machines: list[list[tuple[int, int]]], end: int, start: int = 0) -> tuple[list[tuple[int, int]], Chain]:
    """Shares over [start, end) of closed periods, and the chain."""
    found = follow([ActivePeriod(a, b, n, False) for n, of in enumerate(machines) for a, b in of], start, end)
    return held_us(found.periods, len(machines), start, end), found


# --- active periods


def test_two_machines_shift_where_their_periods_overlap() -> None:
    """The figure that explains the method (Roser, Nakano, Tanaka 2002, and allaboutlean.com): the first machine's period
    ends while the second's, which has begun before, is the longest: the overlap shifts, the rest is sole. Times [own]."""
    found, _ = method([[(0, 60)], [(0, 10), (40, 100)]], 100)
    assert found == [(40, 20), (40, 20)]


def test_the_longest_at_the_end_follows_and_not_any_that_ends_later() -> None:
    """[own] At 60 both B (50 to 70) and C (55 to 120) are active; C is longer, though B began first."""
    found, chained = method([[(0, 60)], [(50, 70)], [(55, 120)]], 120)
    assert [p.machine for p in chained.periods] == [0, 2]
    assert found == [(55, 5), (0, 0), (60, 5)]


def test_the_whole_period_counts_beyond_the_window() -> None:
    """[own] In [0, 30) both are active all the time; which is the bottleneck is decided by what lies outside."""
    machines = [[(-10, 100)], [(-50, 40)]]
    assert method(machines, 30)[0] == [(30, 0), (0, 0)]
    assert method(machines, 100)[0] == [(100, 0), (0, 0)]


def test_nobody_active_is_no_bottleneck_and_the_next_to_begin_is_one() -> None:
    assert method([[(0, 10), (30, 40)], [(5, 12), (50, 60)]], 100)[0] == [(15, 5), (12, 5)]


def test_a_period_that_still_lasts_makes_uncertain_only_what_it_can_change() -> None:
    def certain(*periods: ActivePeriod, watermark: int = 200) -> bool:
        return follow(periods, 0, 100, watermark).certain

    longest, short = ActivePeriod(0, 200, 0, True), ActivePeriod(60, 90, 1, False)
    assert certain(longest, short)
    assert not certain(longest, short, ActivePeriod(95, 200, 1, True))  # at 95 the longest that lasts may change
    assert not certain(ActivePeriod(0, 99, 0, False), ActivePeriod(60, 200, 1, True), ActivePeriod(70, 200, 2, True))
    assert certain(ActivePeriod(0, 99, 0, False), ActivePeriod(60, 200, 1, True))
    # the longest may yet turn out to have ended after 105, when the other was longer
    assert not certain(longest, ActivePeriod(-50, 60, 1, False), watermark=105)
    assert certain(longest, ActivePeriod(-50, 54, 1, False), watermark=105)


def test_the_chain_goes_on_to_the_last_that_begins_in_the_window() -> None:
    """m1 0 to 62, m2 40 to 65, m3 50 to 70: the second follows at 62, the third at 65; it shifts in the hour from 50 on.

    [own] Before, the chain stopped at the first that follows the one that reaches over the end.
    """
    held, chained = method([[(0, 62)], [(40, 65)], [(50, 70)]], 60)
    assert [p.machine for p in chained.periods] == [0, 1, 2]
    assert held == [(40, 20), (0, 20), (0, 10)]
    assert chained.holder == 0


machines = st.lists(
    st.lists(st.integers(0, 200), max_size=12, unique=True).map(
        lambda marks: [(a, b) for a, b in zip(*[iter(sorted(marks))] * 2, strict=False)]
    ),
    min_size=1,
    max_size=4,
)


@some
@given(machines, st.integers(0, 100), st.integers(1, 100))
@example(  # from 120 to 141 two overlaps of the chain overlap
    [[(70, 108)], [(120, 153)], [(41, 92), (101, 151)], [(36, 55), (90, 141)]], 63, 100
)
def test_at_any_instant_one_machine_is_sole_or_some_shift_or_none_is_active(
    found: list[list[tuple[int, int]]], start: int, length: int
) -> None:
    for at in range(start, start + length):
        held, _ = method(found, start + length)
        sums = method(found, start + length)[1].periods
        here = held_us(sums, len(found), at, at + 1)
        active = any(a <= at < b for periods in found for a, b in periods)
        sole, shifting = (sum(column) for column in zip(*here, strict=True))
        if sole:
            assert (sole, shifting, active) == (1, 0, True)
        else:
            assert shifting >= 2 if active else shifting == 0
        assert len(held) == len(found)
    whole = method(found, start + length)[1].periods
    for n, (sole, shifting) in enumerate(held_us(whole, len(found), start, start + length)):
        active_us = sum(max(0, min(b, start + length) - max(a, start)) for a, b in found[n])
        assert 0 <= sole + shifting <= active_us


# --- blocked and starved, turning point


@pytest.mark.parametrize(
    ("state", "mode", "order", "status", "does"),
    [
        ("execute", "production", True, "busy", Activity.RUNS),
        ("held", "production", True, "busy", Activity.HALTED),
        ("stopped", "setup", False, "busy", Activity.HALTED),
        ("aborted", "production", False, "busy", Activity.HALTED),
        ("suspended", "production", True, "busy", Activity.WAITS),
        ("idle", "production", True, "busy", Activity.WAITS),
        ("idle", "production", False, "busy", Activity.NEITHER),
        ("stopped", "production", False, "busy", Activity.NEITHER),
        ("execute", "production", True, "break", Activity.NEITHER),
        ("execute", "production", True, "unplanned", Activity.NEITHER),
        ("unknown", "unknown", True, "busy", Activity.NEITHER),
    ],
)
def test_activity(state: str, mode: str, order: bool, status: str, does: Activity) -> None:
    assert activity(Elements(definition("iso22400@1")), state, mode, order, status) is does


RUNS, HALTED, WAITS = Activity.RUNS, Activity.HALTED, Activity.WAITS


def test_the_side_that_stood_longer_is_the_cause() -> None:
    """[own] The third of four is broken down 10 to 40: before it blocked, after it starved, each a little later; a machine
    that waits itself is looked past; the buffer's time after the repair belongs to the wait."""
    flow = [
        [Stretch(0, 20, RUNS), Stretch(20, 43, WAITS), Stretch(43, 60, RUNS)],
        [Stretch(0, 15, RUNS), Stretch(15, 42, WAITS), Stretch(42, 60, RUNS)],
        [Stretch(0, 10, RUNS), Stretch(10, 40, HALTED), Stretch(40, 60, RUNS)],
        [Stretch(0, 15, RUNS), Stretch(15, 42, WAITS), Stretch(42, 60, RUNS)],
    ]
    assert blocked_and_starved(flow, [6] * 4) == [(23, 0), (27, 0), (0, 0), (0, 27)]


def test_without_a_halt_the_slowest_machine_decides() -> None:
    flow = [[Stretch(0, 5, WAITS)], [Stretch(0, 60, RUNS)], [Stretch(9, 11, WAITS)]]
    assert blocked_and_starved(flow, [6, 9, 6]) == [(5, 0), (0, 0), (0, 2)]
    assert blocked_and_starved(flow, [6, 6, 6]) == [(0, 5), (0, 0), (0, 2)]


@pytest.mark.parametrize(
    ("waits", "found"),
    [
        ([(30, 0), (20, 5), (2, 3), (1, 25), (0, 30)], 2),
        ([(1, 2), (0, 25), (0, 30)], 0),
        ([(30, 0), (20, 5), (2, 1)], 2),
        ([(0, 30), (20, 5)], None),
        ([(5, 0), (6, 0), (0, 6)], None),
        ([(0, 0)], None),
    ],
)
def test_the_turning_point(waits: list[tuple[int, int]], found: int | None) -> None:
    """Conditions of Li, Chang, Ni (2009); numbers [own]. At an end of the line there is one neighbour only."""
    assert turning_point(waits) == found


# --- through the fold


def at(minutes: float) -> int:
    return T0 + round(minutes * MINUTE)


def states(path: str, *told: tuple[float, int]) -> list[Told]:
    return [samples(at(minute), path=path, State=state) for minute, state in told]


ORDER: Told = (LINE, Order(id="o", product="p", started_at=T0 - HOUR))


def played(told: list[Told], minutes: int = 70) -> Run:
    """`told` of two machines with an order."""
    return play([ORDER, *told], minutes, alive=(CELL, OTHER))


def only(run: Run, window: str = "hour", start: int = T0) -> Bottleneck:
    found: list[Bottleneck] = run.newest("bottleneck", LINE)
    return next(r for r in found if r.window == window and r.started_at == start)


def minutes(cell: BottleneckCell) -> tuple[float, ...]:
    parts = cell.sole_us, cell.shifting_us, cell.active_us, cell.blocked_us, cell.starved_us, cell.other_us
    return tuple(us / MINUTE for us in parts)


def test_an_hour_of_two_machines() -> None:
    """The filler waits 10 to 20, the capper is broken down 5 to 18 and waits from 40 on, when the filler is held to 55."""
    filler = states(CELL, (0, EXECUTE), (10, SUSPENDED), (20, EXECUTE), (38, HELD), (55, EXECUTE))
    capper = states(OTHER, (0, EXECUTE), (5, ABORTED), (18, EXECUTE), (40, SUSPENDED), (56, EXECUTE))
    found = only(played([*filler, *capper, *states(OTHER, (62, SUSPENDED))]))
    first, second = found.cells
    # filler active 0-10 and 20-, capper 0-40 and 56-: the capper first, the filler follows at 40, for good
    assert minutes(first) == (20, 20, 50, 10, 0, 0)
    assert minutes(second) == (20, 20, 44, 0, 16, 0)
    assert (first.average_active_us, second.average_active_us) == (10 * MINUTE, 40 * MINUTE)
    assert (found.bottleneck, found.turning_point, found.agrees) == (CELL, CELL, True)
    assert (found.path, found.status, found.ended_at) == (LINE, "final", T0 + HOUR)


def test_provisional_while_a_period_that_lasts_can_change_it() -> None:
    """At 60 both are active, the filler since 30, the capper since 40; the filler waits from 65, the capper from 90 on."""
    told = [
        *states(CELL, (0, SUSPENDED), (30, EXECUTE), (65, SUSPENDED)),
        *states(OTHER, (0, SUSPENDED), (40, EXECUTE)),
    ]
    run = played(told, 62)
    open_hour = only(run)
    assert (open_hour.status, open_hour.bottleneck) == ("provisional", CELL)
    run = played([*told, *states(OTHER, (90, SUSPENDED))], 100)
    closed = only(run)
    assert (closed.status, closed.bottleneck) == ("final", CELL)
    # the capper's 50 minutes outlast the filler's 35: it follows at 65, and the hour's last 20 minutes shift
    assert [minutes(cell)[:2] for cell in closed.cells] == [(10, 20), (0, 20)]
    assert [minutes(cell)[:2] for cell in open_hour.cells] == [(30, 0), (0, 0)]
    assert {r.started_at for r in run.newest("bottleneck", LINE)} == {T0, T0 + HOUR}


def test_a_late_state_corrects_the_hours_its_period_reaches() -> None:
    told = [
        *states(CELL, (0, EXECUTE), (80, SUSPENDED)),
        *states(OTHER, (0, SUSPENDED), (50, EXECUTE), (75, SUSPENDED)),
    ]
    run = played(told, 150)
    assert (only(run).status, only(run).cells[1].shifting_us) == ("final", 0)
    run.feed([*states(CELL, (30, SUSPENDED), (58, EXECUTE)), *ticks(at(152), at(160))])
    assert (only(run).status, only(run).bottleneck) == ("corrected", CELL)
    assert [minutes(cell)[:2] for cell in only(run).cells] == [(30, 2), (8, 2)]


def test_a_shift_is_the_sum_of_its_hours_parts() -> None:
    shift: Told = (LINE, Shift(id="s", name="early", started_at=at(30), ended_at=at(90)))
    filler = states(CELL, (0, EXECUTE), (45, SUSPENDED), (70, EXECUTE))
    run = played([shift, *filler, *states(OTHER, (0, EXECUTE), (60, HELD), (75, EXECUTE))], 130)
    found = only(run, "shift", at(30))
    assert (found.window_name, found.status) == ("s", "final")
    for cell in found.cells:
        assert cell.active_us + cell.blocked_us + cell.starved_us + cell.other_us == HOUR
    hours = [only(run, start=T0), only(run, start=T0 + HOUR)]
    for n, cell in enumerate(found.cells):  # nothing is planned outside the shift
        assert cell.active_us == sum(hour.cells[n].active_us for hour in hours)
        assert cell.sole_us == sum(hour.cells[n].sole_us for hour in hours)


def test_silence_is_neither_and_ends_a_period() -> None:
    run = Run().feed(
        ordered([ORDER, *beats(T0, at(80)), *states(CELL, (0, EXECUTE)), *states(OTHER, (0, IDLE)), *ticks(T0, at(80))])
    )
    cells = only(run).cells
    assert minutes(cells[0]) == (60, 0, 60, 0, 0, 0)
    assert minutes(cells[1]) == (0, 0, 0, 0, 0, 60)


def test_a_period_from_before_the_floor_counts_whole_after_a_restart() -> None:
    """The filler works from 00:10 to 01:00:50 of a shift that is longer than the horizon; at 03:30 a new worker takes over."""

    def after(restarts: bool) -> list[Derived]:
        begin, end, over = T0 + 10 * MINUTE, T0 + HOUR + 50 * S, T0 + 12 * HOUR
        told: list[Told] = [
            (LINE, Shift(id="day", name="day", started_at=T0, ended_at=over)),
            samples(begin, State=EXECUTE),
            samples(begin, State=IDLE, path=OTHER),
            samples(end, State=IDLE),
            *beats(T0, over),
            *beats(T0, over, path=OTHER),
            *ticks(T0, over + HOUR, every=MINUTE),
        ]
        found, half = Run(plant(horizon_h=2, kpi_s=60)), T0 + 3 * HOUR + 30 * MINUTE
        everything = ordered(told)
        taken = next(n for n, (_, record) in enumerate(everything) if getattr(record, "at", 0) > half)
        found.feed(everything[:taken])
        if restarts:
            found.restart()
        said = len(found.records)
        return found.feed(everything[taken:]).records[said:]

    found = after(restarts=True)
    assert found == after(restarts=False)
    shifts = [record for record in found if isinstance(record, Bottleneck) and record.window == "shift"]
    assert shifts[0].cells[0].average_active_us == 50 * MINUTE + 50 * S


@pytest.mark.long
@some
@given(st.integers(0, 2**32).map(random.Random))
def test_times_sum_to_the_window_and_shares_never_exceed_it(chance: random.Random) -> None:
    scene = scenario(chance)
    run = Run().feed(delayed(chance, scene, 10 * MINUTE))
    found = [r for r in run.records if isinstance(r, Bottleneck) and r.ended_at != r.started_at]
    assert found
    for record in found:
        cells = record.cells
        if record.ended_at is not None:
            for cell in cells:
                whole = record.ended_at - record.started_at
                assert cell.active_us + cell.blocked_us + cell.starved_us + cell.other_us == whole
        assert all(cell.sole_us + cell.shifting_us <= cell.active_us for cell in cells)
        if cells:
            first = cells[0]
            length = first.active_us + first.blocked_us + first.starved_us + first.other_us
            assert sum(2 * cell.sole_us + cell.shifting_us for cell in cells) <= 2 * length
        best = max(cells, key=lambda cell: (cell.sole_us + cell.shifting_us, cell.sole_us))
        assert record.bottleneck == (best.path if best.sole_us + best.shifting_us else None)
