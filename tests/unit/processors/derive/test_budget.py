"""The budget of false alarms: counted, said when it is spent, forgotten with the limits, and back after a restart."""

import random
from typing import Any

import pytest

from processors.spc.budget import REMEMBERED, beyond_budget, counted
from schemas.records import Limits, Quality
from tests.harness.line_logs import CELL, MINUTE, T0, Run, S, Told, beats, ordered, plant, play, samples, ticks
from topology.model.plant import Plant


def model(**chart: Any) -> Plant:
    told = plant().model_dump(mode="json")
    told["types"]["filler"]["tags"]["FillVolume"] |= {"lsl": None, "usl": None, "chart": chart}
    return Plant.model_validate(told)


def history(sigma: float, number: int = 300, seed: int = 1) -> list[Told]:
    draw = random.Random(seed)
    return [samples(T0 + n * 10 * S, FillVolume=round(draw.gauss(500, sigma), 3)) for n in range(number)]


def warnings(run: Run) -> list[str | None]:
    return [one.limits_warning for one in run.records if isinstance(one, Quality)]


CHART: dict[str, Any] = {"mean": 500, "sigma": 1, "rules": ["nelson-1"]}


def test_a_chart_that_alarms_more_than_its_budget_says_so_and_one_that_does_not_is_silent() -> None:
    wild = play(history(2.0), 55, run=Run(model(**CHART, budget=370)))
    said = [words for words in warnings(wild) if words]
    assert said[-1].endswith("one in 370 is stated")
    alerts = [one for one in wild.newest("alert") if one.kind == "quality"]
    assert said[-1].startswith(f"alarms beyond budget: {len(alerts)} in ")
    assert warnings(wild)[0] is None
    assert {*warnings(play(history(1.0), 55, run=Run(model(**CHART, budget=370))))} == {None}
    assert {*warnings(play(history(2.0), 55, run=Run(model(**CHART))))} == {None}


def test_a_decision_about_the_limits_begins_the_count_anew() -> None:
    wider: dict[str, Any] = {"mean": 500.0, "sigma": 2.0, "why": "wider material", "by": "Ann"}
    fact = (CELL, Limits(id="L", characteristic="FillVolume", at=T0 + 40 * MINUTE, **wider))
    found = warnings(play([*history(2.0), fact], 55, run=Run(model(**CHART, budget=370))))
    assert found[239] is not None
    assert {*found[241:]} == {None}


def test_a_fold_restarted_anywhere_counts_the_same() -> None:
    end = T0 + 55 * MINUTE
    log = ordered([*history(2.0), *beats(T0, end), *ticks(T0, end)])
    whole, cut = Run(model(**CHART, budget=370)), Run(model(**CHART, budget=370))
    whole.feed(log)
    for place, one in enumerate(log):
        cut.feed([one])
        if place % 83 == 5:
            cut.restart()
    assert cut.records == whole.records


@pytest.mark.parametrize("budget", [100, 370])
def test_a_process_within_its_budget_is_seldom_blamed(budget: int) -> None:
    """Alarms one in `budget` points, looked at after ten budgets: at most one chart in a hundred, within four standard errors."""
    draw, runs = random.Random(budget), 2_000
    blamed = sum(
        beyond_budget(sum(draw.random() < 1 / budget for _ in range(10 * budget)), 10 * budget, budget)
        for _ in range(runs // 10)
    )
    assert blamed / (runs // 10) <= 0.01 + 4 * (0.01 * 0.99 / (runs // 10)) ** 0.5


def test_counts_stay_bounded() -> None:
    alarms = points = 0
    for n in range(50_000):
        alarms, points = counted(alarms + (n % 100 == 0), points + 1, 100)
        assert points <= REMEMBERED * 100
    assert 5 <= alarms <= 20
