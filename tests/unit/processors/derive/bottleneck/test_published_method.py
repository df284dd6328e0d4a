"""Bottleneck records against an evaluator of the published method that shares nothing with the fold: minute by minute,
from the begin of the shift on, with every period at hand."""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import Bottleneck, Shift
from tests.harness.line_logs import EXECUTE, HELD, HOUR, LINE, MINUTE, SUSPENDED, T0, Run, Told, samples, ticks
from topology.model.plant import Plant

pytestmark = pytest.mark.long

LOOK_H = 4
"""What lasts longer than this after an hour counts as it is (docs/line.md)."""


class Period(NamedTuple):
    """Minutes from T0 on."""

    start: int
    end: int
    machine: int


def evaluate(periods: list[Period], machines: int, hours: int) -> list[list[tuple[int, int, int | None]]]:
    """(minutes sole, minutes shifting, mean µs active) of each machine in each hour."""
    found = []
    holder: int | None = None
    for hour in range(hours):
        start, end = hour * 60, hour * 60 + 60
        cut = end + LOOK_H * 60
        known = [Period(p.start, min(p.end, cut), p.machine) for p in periods if p.start < cut]
        chained: list[Period] = []
        at, current = start, [p for p in known if p.machine == holder and p.start <= start < p.end]
        holder = None
        while True:
            current = current or [p for p in known if p.start <= at < p.end]
            if not current:
                at += 1
                if at >= end:
                    break
                continue
            bottleneck = max(current, key=lambda p: (p.end - p.start, -p.machine))
            if bottleneck.start >= end:
                break
            chained.append(bottleneck)
            if at < end <= bottleneck.end:
                holder = bottleneck.machine
            at, current = bottleneck.end, []
        sole, shifting = [0] * machines, [0] * machines
        for minute in range(start, end):
            here = [p.machine for p in chained if p.start <= minute < p.end]
            for machine in here:
                if len(here) == 1:
                    sole[machine] += 1
                else:
                    shifting[machine] += 1
        means = [mean(periods, machine, start, end) for machine in range(machines)]
        found.append(list(zip(sole, shifting, means, strict=True)))
    return found


def mean(periods: list[Period], machine: int, start: int, end: int) -> int | None:
    own = [p for p in periods if p.machine == machine]
    lengths = [(p.end - p.start) * MINUTE for p in own if start < p.end <= end]
    if not lengths:
        lengths = [(end - p.start) * MINUTE for p in own if p.start < end < p.end]
    return (2 * sum(lengths) + len(lengths)) // (2 * len(lengths)) if lengths else None


def line_of(machines: int, **time: float) -> Plant:
    cells = {f"m{n}": "machine" for n in range(machines)}
    areas = {"packaging": {"lines": {"line-1": {"cells": cells}}}}
    return Plant.model_validate(
        {
            "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": areas}}},
            "types": {"machine": {"tags": {"State": {"role": "state"}}, "ideal_cycle_s": 1.0, "silent_after_s": None}},
            "time": {"kpi_s": 600, "provisional_s": 600, "future_s": 3600, **time},
        }
    )


def told_of(periods: Iterable[Period], machines: int, chance: random.Random) -> list[Told]:
    """State samples: active is execute or held, in one piece or in two; else suspended."""
    told = []
    marks: dict[tuple[int, int], int] = {}
    for n in range(machines):
        marks[n, 0] = SUSPENDED
    for period in sorted(periods, key=lambda p: p.start):
        marks.setdefault((period.machine, period.end), SUSPENDED)
        marks[period.machine, period.start] = chance.choice((EXECUTE, HELD))
        if period.end - period.start > 2 and chance.random() < 0.3:
            marks[period.machine, chance.randrange(period.start + 1, period.end)] = HELD
    for (n, minute), state in marks.items():
        told.append(samples(T0 + minute * MINUTE, path=f"{LINE}/m{n}", State=state))
    return told


def played(
    plant: Plant, told: list[Told], hours: int, chance: random.Random, *, late: bool = False, restarts: bool = False
) -> Run:
    """`told`, some of it up to an hour late, with ticks every ten minutes and a shift of `hours`."""
    shift: Told = (LINE, Shift(id="s", name="s", started_at=T0, ended_at=T0 + hours * HOUR))
    arrivals: list[tuple[int, int, Told]] = []
    for item in told:
        at: int = item[1].samples[0].at  # type: ignore[union-attr]
        arrivals.append((at + (chance.randrange(60) * MINUTE if late and chance.random() < 0.3 else 0), 0, item))
    arrivals += [(item[1].at, 1, item) for item in ticks(T0, T0 + (hours + 6) * HOUR, 10 * MINUTE)]  # type: ignore[union-attr]
    run = Run(plant).feed([shift])
    for _, _, item in sorted(arrivals, key=lambda arrival: arrival[:2]):
        run.feed([item])
        if restarts and chance.random() < 0.03:
            run.restart(chance)
    assert not run.rejections
    return run


def hourly(run: Run, machines: int, hours: int) -> list[list[tuple[float, float, int | None]]]:
    newest: list[Bottleneck] = [r for r in run.newest("bottleneck", LINE) if r.window == "hour"]
    by_start = {record.started_at: record for record in newest}
    assert all(by_start[T0 + hour * HOUR].status != "provisional" for hour in range(hours))
    return [
        [(c.sole_us / MINUTE, c.shifting_us / MINUTE, c.average_active_us) for c in by_start[T0 + hour * HOUR].cells]
        for hour in range(hours)
    ]


def check(periods: list[Period], machines: int, hours: int, chance: random.Random, **how: Any) -> None:
    told = told_of(periods, machines, chance)
    time = {key: how.pop(key) for key in ("horizon_h", "lateness_s") if key in how}
    run = played(line_of(machines, **time), told, hours, chance, **how)
    expected = evaluate(periods, machines, hours)
    assert hourly(run, machines, hours) == expected
    shift = next(r for r in run.newest("bottleneck", LINE) if r.window == "shift")
    sums = [(sum(h[n][0] for h in expected), sum(h[n][1] for h in expected)) for n in range(machines)]
    assert [(c.sole_us / MINUTE, c.shifting_us / MINUTE) for c in shift.cells] == sums
    assert all(cell.active_us + cell.starved_us + cell.blocked_us == hours * HOUR for cell in shift.cells)


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[Period], int, int]:
    """(periods, machines, hours). Few distinct times, so that equal lengths and simultaneous ends are common."""
    machines, hours = draw(st.integers(2, 6)), draw(st.integers(2, 9))
    step = draw(st.sampled_from((5, 12, 20, 30)))
    periods = []
    for n in range(machines):
        marks = draw(st.lists(st.integers(0, hours * 60 // step), max_size=14, unique=True).map(sorted))
        periods += [Period(a * step, b * step, n) for a, b in zip(marks[::2], marks[1::2], strict=False)]
    return periods, machines, hours


few = settings(max_examples=40)
LASTING = [Period(0, 400, 0), Period(100, 395, 1), Period(380, 540, 2), Period(0, 30, 2)]
seeds = st.integers(0, 2**32).map(random.Random)


@few
@given(lines(), seeds)
@example(([Period(0, 62, 0), Period(40, 65, 1), Period(50, 70, 2)], 3, 2), random.Random(0))
@example(([Period(0, 60, 0), Period(60, 120, 1)], 2, 3), random.Random(0))
@example((LASTING, 3, 9), random.Random(0))
def test_a_file_known_whole(line: tuple[list[Period], int, int], chance: random.Random) -> None:
    check(*line, chance, lateness_s=0)


@few
@given(lines(), seeds, st.sampled_from((0, 10, 1800)))
@example((LASTING, 3, 9), random.Random(0), 0)
def test_the_horizon_changes_nothing(
    line: tuple[list[Period], int, int], chance: random.Random, lateness_s: float
) -> None:
    check(*line, chance, lateness_s=lateness_s, horizon_h=2, restarts=True)


@few
@given(lines(), seeds, st.sampled_from((0, 10, 1800)))
def test_nor_does_what_comes_late_or_a_restart(
    line: tuple[list[Period], int, int], chance: random.Random, lateness_s: float
) -> None:
    check(*line, chance, lateness_s=lateness_s, late=True, restarts=True)


@pytest.mark.parametrize("late", [False, True])
def test_the_third_shifts_in_the_hour_before_it_follows(late: bool) -> None:
    """m1 0 to 62, m2 40 to 65, m3 50 to 70: m3 shifts from 50 on."""
    periods = [Period(0, 62, 0), Period(40, 65, 1), Period(50, 70, 2)]
    run = played(line_of(3), told_of(periods, 3, random.Random(1)), 2, random.Random(1), late=late)
    assert hourly(run, 3, 2)[0] == [(40, 20, HOUR), (0, 20, 20 * MINUTE), (0, 10, 10 * MINUTE)]
