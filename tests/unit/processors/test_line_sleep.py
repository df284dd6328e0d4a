"""Cells asleep after a restart: ticks pass them by, and whatever wakes them finds them as if they had never slept."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors import line
from schemas.records import Acknowledge, Alert, Order, Reason
from tests.harness.line_logs import CELL, LINE, OTHER, T0, Run, S, Told, plant, samples, tick
from tests.unit.processors.test_line_properties import encoded

CELLS = (CELL, OTHER)


def told(chance: random.Random, steps: int) -> list[Told]:
    """Some ticks a minute, cells that speak seldom, facts of the line and of cells, late samples, silences."""
    found: list[Told] = []
    now, made = T0, dict.fromkeys(CELLS, 0)
    for number in range(steps):
        now += chance.choice([1, 3, 7, 20]) * S
        cell = chance.choice(CELLS)
        made[cell] += chance.randrange(4)
        at = now - chance.choice([0, 0, 0, 5, 90, 1000]) * S
        match chance.randrange(12):
            case 0 | 1 | 2:
                found.append(samples(at, {"State": chance.choice([6, 6, 2, 9]), "Good": made[cell] % 1000}, path=cell))
            case 3:
                found.append(samples(at, {"FillVolume": round(chance.gauss(500, 3), 2)}, path=cell))
            case 4 if number % 3 == 0:
                fact = Reason(id=f"r{number}", code=201, started_at=at, ended_at=at + 60 * S, by="anna")
                found.append((chance.choice([LINE, cell]), fact))
            case 5 if number % 3 == 0:
                found.append((LINE, Order(id=f"o{number}", product="p", started_at=at)))
            case _:
                found.append(tick(now))
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 250]))
@example(518515, 0)  # an order told within an interval: its offsets depended on where the sums had stood
@example(134, 0)  # a corrected alert without an end was packed, and no longer counted as open
def test_a_fold_restarted_anywhere_says_what_the_fold_says_that_never_was(seed: int, woken: int) -> None:
    chance = random.Random(seed)
    log = told(chance, 150)
    straight, broken = Run(plant()).feed(log), Run(plant())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "LOADED_PER_TICK", woken)
        for item in log:
            broken.feed([item])
            if chance.random() < 0.1:
                broken.restart(chance)
            elif chance.random() < 0.2:
                broken.save()
    assert encoded(broken.outputs) == encoded(straight.outputs)


def test_a_tick_opens_only_cells_of_which_there_is_something_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "LOADED_PER_TICK", 0)
    run = Run(plant()).feed(
        [samples(T0, {"State": 6}), samples(T0, {"State": 6}, path=OTHER), tick(T0 + 20 * S), tick(T0 + 21 * S)]
    )
    run.restart()
    run.feed([tick(T0 + 22 * S)])
    assert set(run.fold._dormant) == {CELL, OTHER}
    run.feed([samples(T0 + 22 * S, {"State": 2}), tick(T0 + 23 * S)])
    assert set(run.fold._dormant) == {OTHER}
    run.feed([tick(T0 + 24 * S)])
    assert set(run.fold._dormant) == {OTHER}
    run.feed([tick(T0 + 62 * S)])  # a minute has passed: production is due, and silence
    assert not run.fold._dormant


def test_an_alert_of_a_sleeping_cell_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "LOADED_PER_TICK", 0)
    run = Run(plant()).feed([samples(T0, {"State": 9}), tick(T0 + 20 * S), tick(T0 + 21 * S)])
    (alert,) = [record for record in run.records if isinstance(record, Alert)]
    run.restart()
    run.feed([tick(T0 + 22 * S), (CELL, Acknowledge(alert=alert.natural_id, at=T0 + 22 * S, by="anna"))])
    run.feed([tick(T0 + 23 * S)])
    newest = [record for record in run.records if isinstance(record, Alert)][-1]
    assert newest.acknowledged_by == "anna"
