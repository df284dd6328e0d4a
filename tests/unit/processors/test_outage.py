"""No worker ran, so nobody wrote ticks: what was logged meanwhile counts as if they had been there."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.base import Input
from schemas.records import Oee, Tick
from tests.harness.line_logs import (
    CELL,
    EXECUTE,
    HOUR,
    MINUTE,
    STOPPED,
    T0,
    TOPIC,
    Run,
    S,
    Told,
    final_numbers,
    ordered,
    plant,
    samples,
    tick,
    ticks,
)
from topology.model.plant import Plant

DAY = 24 * HOUR


def logged(model: Plant, told: Iterable[Told]) -> Run:
    """A run whose records are logged half a second after they are said."""
    return feed(Run(model), told)


def feed(run: Run, told: Iterable[Told]) -> Run:
    for path, record in told:
        at = record.at if isinstance(record, Tick) else max(s.at for s in record.samples)  # type: ignore[union-attr]
        run.outputs += run.fold.step(Input(path, TOPIC, 0, run.offset, record, at + S // 2))
        run.offset += 1
    return run


def machine(chance: random.Random, hours: float, every: int = 5 * MINUTE) -> list[Told]:
    at, good = T0, 0
    told = []
    while at < T0 + hours * HOUR:
        good += chance.randrange(30)
        told.append(samples(at, State=chance.choice((EXECUTE, EXECUTE, STOPPED)), Good=good % 1000, FillVolume=500.0))
        at += chance.randrange(1, every)
    return told


def through(told: list[Told], away: tuple[int, int], until: int, every: int = 30 * S) -> tuple[Run, Run]:
    """The numbers with all ticks, and without those of [away)."""
    marks = ticks(T0, until, every)
    left = [mark for mark in marks if not away[0] <= mark[1].at < away[1]]  # type: ignore[union-attr]
    return logged(PLANT, ordered([*told, *marks])), logged(PLANT, ordered([*told, *left]))


PLANT = plant(horizon_h=4)


@pytest.mark.long
@settings(max_examples=8)
@given(st.integers(0, 2**32).map(random.Random), st.floats(0.0, 5.5), st.floats(0.02, 3.9))
def test_ticks_that_nobody_wrote_are_not_missed(chance: random.Random, since_h: float, hours: float) -> None:
    begin = T0 + int(since_h * HOUR)
    whole, cut = through(machine(chance, 6, 10 * MINUTE), (begin, begin + int(hours * HOUR)), T0 + 10 * HOUR)
    assert not whole.rejections
    assert not cut.rejections
    assert final_numbers(cut) == final_numbers(whole)


def test_an_outage_longer_than_the_horizon_loses_no_window() -> None:
    told = machine(random.Random(3), 30)
    whole, cut = through(told, (T0 + 2 * HOUR, T0 + 29 * HOUR), T0 + 36 * HOUR)
    assert not cut.rejections
    hours = [
        r for r in cut.newest("oee") if isinstance(r, Oee) and r.window == "hour" and r.started_at < T0 + 30 * HOUR
    ]
    assert [r.started_at for r in hours] == [T0 + n * HOUR for n in range(30)]
    assert {r.status for r in hours} <= {"final", "corrected"}
    assert final_numbers(cut) == final_numbers(whole)


def test_a_clock_ahead_of_the_log_is_still_refused() -> None:
    run = Run().feed([samples(T0, State=EXECUTE), tick(T0 + S)])
    for at, logged_at in ((T0 + HOUR, T0 + HOUR), (T0 + 3 * HOUR, T0 + 2 * HOUR), (T0 + 2 * HOUR, 0)):
        path, record = samples(at, State=STOPPED)
        run.outputs += run.fold.step(Input(path, TOPIC, 0, 5, record, logged_at))
    assert [r.reason for r in run.rejections] == ["future", "future"]


def test_a_year_without_anything_goes_by_at_once() -> None:
    """As does a tick of a clock that runs wild: strides end where all samples have passed the horizon."""
    run = Run().feed([samples(T0, State=EXECUTE, Good=1), samples(T0 + MINUTE, Good=2), tick(T0 + 2 * MINUTE)])
    before = len(run.outputs)
    run.feed([tick(T0 + 365 * DAY)])
    assert len(run.outputs) - before < 2_000
    (hour,) = (r for r in run.newest("oee") if r.window == "hour" and r.started_at == T0)
    assert (hour.status, hour.good) == ("final", 1)
    run.feed([samples(T0 + 365 * DAY, State=EXECUTE, Good=3), tick(T0 + 365 * DAY + MINUTE)])
    assert not run.rejections


@pytest.mark.parametrize("hours", [1, 3, 11, 30, 100])
@pytest.mark.parametrize("first_tick", [0, 20])
def test_a_restored_fold_gets_over_it_byte_for_byte(hours: int, first_tick: int) -> None:
    for seed in range(10):
        chance = random.Random(seed)
        told = machine(chance, 0.5, every=30 * S)
        last = max(s.at for s in told[-1][1].samples)  # type: ignore[union-attr]
        if first_tick:
            told = [x for n, one in enumerate(told) for x in ([one, tick(T0 + n * S)] if n > first_tick else [one])]
        whole, run = logged(PLANT, told), logged(PLANT, told)
        run.restart(chance)
        later = [tick(last + (hours + more) * HOUR) for more in (0, 1, 4)]
        assert feed(whole, later).outputs == feed(run, later).outputs, f"seed {seed}"
        assert any(r.path == CELL for r in run.records)
