"""Scrap of a start-up: the sixth of the big losses, told from other scrap by the definition."""

import random

import pytest

from schemas.records import Kpi, Order
from tests.harness.line_logs import (
    CELL,
    LINE,
    MINUTE,
    T0,
    Run,
    beats,
    final_numbers,
    ordered,
    plant,
    samples,
    tick,
    ticks,
)

AT = T0 + 30 * MINUTE
END = T0 + 4 * 60 * MINUTE
TOLD = [
    samples(T0, State=6, Mode=1, Good=0, Scrap=0),
    (LINE, Order(id="o", product="cola", started_at=AT, ended_at=END, ideal_cycle_s=2.0)),
    samples(AT - MINUTE, Scrap=1),  # before the order, in production: scrap as any other
    samples(AT + 10 * MINUTE, Scrap=4),  # within a quarter of an hour of its begin
    samples(AT + 20 * MINUTE, Scrap=9, Good=100),
    samples(AT + 40 * MINUTE, Mode=4),  # setup: a trial run
    samples(AT + 45 * MINUTE, Scrap=11),
    samples(AT + 50 * MINUTE, Mode=1),
    samples(AT + 55 * MINUTE, Scrap=20),
]
LIFE = [*beats(T0, END), *ticks(T0, END + 60 * MINUTE, 5 * MINUTE)]


def shift(run: Run, window: str) -> Kpi:
    (found,) = (r for r in run.newest("kpi") if isinstance(r, Kpi) and r.path == CELL and r.window == window)
    return found


def test_the_six_big_losses() -> None:
    order = shift(Run(plant("nakajima@1")).feed(ordered([*TOLD, *LIFE])), "order")
    (made,) = order.pieces
    assert (made.good, made.scrap, made.start_up) == (100, 19, 5)
    assert (order.values["loss_defects"], order.values["loss_start_up"]) == (14 * 2 / 60, 5 * 2 / 60)
    assert order.loss_us["quality.start_up"] == 10_000_000
    assert order.loss_us["quality.scrap"] == 28_000_000
    losses = [value for name, value in order.values.items() if name.startswith("loss_")]
    assert len(losses) == 6
    base_min = sum(order.loss_us.values()) / MINUTE
    assert sum(filter(None, losses)) + order.loss_us["valuable"] / MINUTE == pytest.approx(base_min, abs=1e-9)


def test_a_definition_without_it_has_scrap_alone() -> None:
    order = shift(Run(plant("iso22400@2")).feed(ordered([*TOLD, *LIFE])), "order")
    assert [(one.scrap, one.start_up) for one in order.pieces] == [(19, 0)]
    assert "quality.start_up" not in order.loss_us


def test_a_mode_told_late_and_an_order_that_moves_correct_it() -> None:
    moved = (LINE, Order(id="o", product="cola", started_at=AT - 10 * MINUTE, ended_at=END, ideal_cycle_s=2.0))
    final = [*TOLD[:1], moved, *TOLD[2:]]
    punctual = Run(plant("nakajima@1")).feed([*ordered([*final, *LIFE]), tick(END + 90 * MINUTE)])
    late = ordered([*(one for one in TOLD if one not in (TOLD[5], TOLD[7])), *LIFE])
    corrected = Run(plant("nakajima@1")).feed([*late, TOLD[7], moved, TOLD[5], tick(END + 90 * MINUTE)])
    assert [one.start_up for one in shift(corrected, "order").pieces] == [
        3
    ]  # one before the old begin, two of the trial
    assert final_numbers(corrected) == final_numbers(punctual)
    told = [*late, TOLD[7], moved, TOLD[5]]
    whole, run = Run(plant("nakajima@1")).feed(told), Run(plant("nakajima@1")).feed(told)
    run.restart(random.Random(1))
    last = [tick(END + 90 * MINUTE)]
    assert run.feed(last).outputs == whole.feed(last).outputs
