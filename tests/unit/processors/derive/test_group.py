"""Charts of groups: what makes a point, learnt and judged, the alert and its words, decisions, restarts, the plant model."""

import random
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.records import Alert, Derived, Limits, Order, Quality
from tests.harness.line_logs import CELL, LINE, MINUTE, T0, Run, S, Told, beats, ordered, plant, play, samples, ticks
from topology.model.plant import Plant


def model(**group: Any) -> Plant:
    told = plant().model_dump(mode="json")
    told["types"]["filler"]["tags"] |= {"Temp": {"role": "characteristic"}, "Pressure": {"role": "characteristic"}}
    told["types"]["filler"]["groups"] = {
        "seal": {"characteristics": ["Temp", "Pressure"], "baseline": 20, "run_length": 200, "restart_on": [], **group}
    }
    return Plant.model_validate(told)


def pairs(number: int, seed: int = 1) -> list[tuple[float, float]]:
    """Values that go together."""
    draw = random.Random(seed)
    made = []
    for _ in range(number):
        x = draw.gauss(0, 1)
        made.append((round(180 + 2 * x, 3), round(5 + 0.1 * x + draw.gauss(0, 0.02), 4)))
    return made


def measured(n: float, pair: tuple[float, float], apart: int = 0) -> list[Told]:
    at = T0 + round(n * MINUTE)
    return [samples(at, Temp=pair[0]), samples(at + apart, Pressure=pair[1])]


def history(values: list[tuple[float, float]]) -> list[Told]:
    return [one for n, pair in enumerate(values) for one in measured(n + 1, pair)]


def points(records: list[Derived]) -> list[Quality]:
    return [one for one in records if isinstance(one, Quality) and one.characteristic == "seal"]


def alerts(run: Run) -> list[Alert]:
    return [one for one in run.newest("alert") if one.kind == "quality" and one.subject == "seal"]


def test_two_usual_values_that_do_not_go_together_raise_one_alert_that_names_them() -> None:
    usual = pairs(60)
    told = history([*usual[:30], (182.0, 4.9), (182.0, 4.9), *usual[32:]])
    run = play(told, 65, run=Run(model()))
    found = points(run.records)
    assert [one.phase for one in found] == ["baseline"] * 20 + ["control"] * 40
    signals = [n for n, one in enumerate(found) if one.alarming]
    assert signals == [30, 31]
    assert (found[30].rules, found[30].chart, found[30].limits_points) == ((22,), "t2", 20)
    assert sum(found[30].contributions.values()) > found[30].value > (found[30].ucl or 0)
    (alert,) = alerts(run)
    assert (alert.started_at, alert.ended_at) == (T0 + 31 * MINUTE, T0 + 40 * MINUTE)
    assert "values that do not go together as usual" in alert.message
    assert "Pressure" in alert.message
    assert "below what the others let expect" in alert.message
    assert alert.cause == found[30].natural_id
    assert [one.subject for one in run.newest("alert") if one.started_at == alert.started_at] == ["seal"]


def test_a_small_shift_of_both_is_seen_by_mewma_sooner() -> None:
    shifted = [(temp + 3.0, pressure) for temp, pressure in pairs(40, 2)]
    told = history([*pairs(50), *shifted])

    def first(chart: str) -> int:
        found = points(play(told, 92, run=Run(model(chart=chart, baseline=50))).records)
        return next(n for n, one in enumerate(found) if n >= 50 and one.rules)

    assert first("mewma") <= 54
    assert first("t2") >= 50


def test_values_within_the_time_make_a_point_and_a_lone_one_makes_none() -> None:
    usual = pairs(30)
    told = [one for n, pair in enumerate(usual) for one in measured(n + 1, pair, apart=900_000)]
    told += [samples(T0 + 40 * MINUTE, Temp=180.0), samples(T0 + 40 * MINUTE + 2 * S, Pressure=5.0)]
    told += [samples(T0 + 41 * MINUTE, Temp=180.0), samples(T0 + 41 * MINUTE + S // 2, Temp=180.1)]
    told.append(samples(T0 + 41 * MINUTE + S, Pressure=5.0))
    found = points(play(told, 45, run=Run(model())).records)
    assert [one.started_at for one in found[-2:]] == [T0 + 30 * MINUTE + 900_000, T0 + 41 * MINUTE + S]
    assert len(found) == 31


def test_a_decision_or_another_product_starts_it_anew() -> None:
    fact = (CELL, Limits(id="L", at=T0 + 26 * MINUTE, why="new tool", by="Ann"))
    run = play([*history(pairs(50)), fact], 55, run=Run(model()))
    assert [one.phase for one in points(run.records)] == ["baseline"] * 20 + ["control"] * 5 + ["baseline"] * 20 + [
        "control"
    ] * 5
    order = (LINE, Order(id="1", product="a", started_at=T0))
    other = (LINE, Order(id="2", product="b", started_at=T0 + 26 * MINUTE))
    run = play([*history(pairs(50)), order, other], 55, run=Run(model(restart_on=["product"])))
    assert [one.phase for one in points(run.records)].count("baseline") == 40


def test_what_depends_on_each_other_is_never_learnt() -> None:
    told = history([(float(n), 2.0 * n) for n in range(40)])
    assert {one.phase for one in points(play(told, 45, run=Run(model())).records)} == {"baseline"}


@pytest.mark.parametrize(("seed", "chart"), [(0, "t2"), (1, "mewma")])
def test_a_fold_restarted_anywhere_says_the_same_bytes(seed: int, chart: str) -> None:
    chance = random.Random(seed)
    told = history([*pairs(30), *[(temp + 6.0, pressure) for temp, pressure in pairs(6, 3)], *pairs(14, 4)])
    told = [one for one in told if chance.random() > 0.05]
    told.append((CELL, Limits(id="L", characteristic="seal", at=T0 + 44 * MINUTE, why="tool", by="Ann")))
    end = T0 + 55 * MINUTE
    log = ordered([*told, *beats(T0, end), *ticks(T0, end)])
    whole, cut = Run(model(chart=chart)), Run(model(chart=chart))
    whole.feed(log)
    for place, one in enumerate(log):
        cut.feed([one])
        if place % 41 == seed:
            cut.restart(chance)
    assert alerts(whole)
    assert cut.records == whole.records


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"characteristics": ["Temp", "Presure"]}, "did you mean 'Pressure'"),
        ({"characteristics": ["Temp", "Temp"]}, "named twice"),
        ({"characteristics": ["Temp", "Good"]}, "no tag 'Good' of role characteristic"),
    ],
)
def test_a_group_of_what_is_not_there_is_refused(group: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        model(**group)
