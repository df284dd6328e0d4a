"""Anomalies out of the fold: learnt, named, said, over; a model that alarms too often says so; restarted, all is the same."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.records import Condition, Order, WorkOrder
from tests.harness.line_logs import CELL, EXECUTE, HOUR, LINE, MINUTE, STOPPED, T0, Run, Told, ordered, samples, ticks
from tests.harness.line_logs import plant as two_cells
from topology.model.plant import Plant

GROUP: dict[str, Any] = {
    "kind": "group",
    "tags": ["Vibration", "Heat"],
    "every_s": 300,
    "learn": 36,
    "hint": "dry bearing",
}
TAG: dict[str, Any] = {"kind": "tag", "tag": "Heat", "every_s": 300, "learn": 36}


def plant(**rules: dict[str, Any]) -> Plant:
    """The harness's plant with rules of anomaly, and two tags that only they read."""
    model = two_cells().model_dump(mode="json")
    model["types"]["filler"]["tags"] |= {name: {"role": "feature"} for name in ("Vibration", "Heat")}
    model["types"]["filler"]["anomaly"] = rules
    return Plant.model_validate(model)


def told(
    hours: float, heat: Callable[[int], float] = lambda _: 0.0, stops: Callable[[int], bool] = lambda _: False
) -> list[Told]:
    """Two tags that go together, a sample each minute; `heat`: by how much it is more than vibration explains in a minute."""
    chance = random.Random(4)
    made = []
    for n in range(int(hours * 60)):
        load = chance.gauss(0, 1)
        values = {
            "Vibration": 2 + 0.2 * load + chance.gauss(0, 0.03),
            "Heat": 40 + 2 * load + chance.gauss(0, 0.3) + heat(n),
        }
        made.append(samples(T0 + n * MINUTE, {"State": STOPPED if stops(n) else EXECUTE, **values}))
    return made


def within(*hours: tuple[float, float], by: float = 3.0) -> Callable[[int], float]:
    """More heat in these hours."""
    return lambda n: by if any(begin <= n / 60 < end for begin, end in hours) else 0.0


def fold(model: Plant, log: Iterable[Told], hours: float, restart_every: int = 0) -> Run:
    run, whole = Run(model), ordered([*log, *ticks(T0, T0 + round(hours * HOUR), 5 * MINUTE)])
    for n in range(0, len(whole), restart_every or len(whole)):
        run.feed(whole[n : n + (restart_every or len(whole))])
        if restart_every:
            run.restart(random.Random(n))
    return run


def conditions(run: Run, name: str) -> list[Condition]:
    return [record for record in run.records if isinstance(record, Condition) and record.name == name]


@pytest.fixture(scope="module")
def odd() -> Run:
    return fold(plant(drive=GROUP), told(10, within((6, 8))), 10)


def test_an_anomaly_is_said_with_its_model_and_is_over(odd: Run) -> None:
    records = conditions(odd, "drive")
    assert len({record.natural_id for record in records}) == 1
    first, last = records[0], records[-1]
    assert (first.kind, first.subject, first.state, first.severity) == ("anomaly", "Heat", "raised", "medium")
    assert T0 + 5.9 * HOUR < first.started_at < T0 + 6.2 * HOUR
    assert first.score is not None
    assert first.score > 1
    assert first.value is not None
    assert first.baseline is not None
    assert first.value - first.baseline > 1  # the other half of the 3 is what vibration then should be
    assert first.model == "drive@1"
    assert first.trained_from is not None
    assert first.trained_to is not None
    assert T0 <= first.trained_from < first.trained_to <= T0 + 3.1 * HOUR
    assert "dry bearing" in first.message
    assert "drive@1" in first.message
    assert last.state == "cleared"
    assert last.ended_at is not None
    assert T0 + 8 * HOUR <= last.ended_at < T0 + 8.5 * HOUR
    assert first.inputs.last_offset > first.inputs.first_offset > 0


@pytest.mark.parametrize("rules", [{"drive": GROUP, "heat": TAG | {"budget": 0.5}}, {"mix": GROUP | {"kind": "trees"}}])
def test_restarted_anywhere_it_says_the_same(rules: dict[str, dict[str, Any]]) -> None:
    model, log = plant(**rules), told(8, within((5, 6)))
    whole, again = fold(model, log, 8), fold(model, log, 8, restart_every=47)
    assert again.outputs == whole.outputs
    whole.save()
    assert {key: value for key, value in again.store.items() if "|of|condition" in key} == {
        key: value for key, value in whole.store.items() if "|of|condition" in key
    }
    assert any(isinstance(record, Condition) for record in whole.records)


def test_a_quiet_machine_says_nothing_and_a_stopped_one_learns_nothing() -> None:
    assert conditions(fold(plant(drive=GROUP), told(10), 10), "drive") == []
    stopped = told(3, stops=lambda _: True)
    assert conditions(fold(plant(drive=GROUP), stopped, 3), "drive") == []


def test_what_comes_shortly_after_a_stop_does_not_count_where_it_must_settle() -> None:
    """Each hour the machine stops for ten minutes, and for ten more its heat is low."""

    cold = lambda n: -20.0 if n % 60 < 20 and n > 240 else 0.0  # noqa: E731
    log = told(10, cold, lambda n: n % 60 < 10)
    raw = {"kind": "tag", "tag": "Heat", "every_s": 300, "learn": 24, "confirm": 2}
    assert conditions(fold(plant(heat=raw), log, 10), "heat")
    assert conditions(fold(plant(heat=raw | {"settle_s": 720}), log, 10), "heat") == []


def test_a_model_that_alarms_more_than_its_budget_says_so_and_is_trusted_less() -> None:
    log = told(13, within((5, 6), (7, 8), (9, 10), (11, 12)))
    run = fold(plant(drive=GROUP | {"budget": 2}), log, 13)
    anomalies = {record.natural_id: record for record in reversed(conditions(run, "drive"))}  # as each began
    about = conditions(run, "drive.model")
    assert len(anomalies) == 4
    assert [record.severity for record in reversed(anomalies.values())] == ["medium", "medium", "medium", "low"]
    assert about[0].kind == "model"
    assert (about[0].value, about[0].limit) == (3.0, 2.0)
    assert about[0].model == "drive@1"
    assert "budget is 2" in about[0].message
    done = WorkOrder(id="W", status="done", started_at=T0 + 12 * HOUR + 30 * MINUTE, about=about[0].natural_id)
    again = fold(plant(drive=GROUP | {"budget": 2}), [*log, (CELL, done)], 13)
    assert conditions(again, "drive.model")[-1].state == "cleared"
    assert conditions(again, "drive.model")[-1].ended_at == T0 + 12 * HOUR + 30 * MINUTE


@pytest.mark.parametrize("restart_every", [0, 53])
def test_a_work_order_that_is_done_makes_the_next_model_and_restarts_say_the_same(odd: Run, restart_every: int) -> None:
    about = conditions(odd, "drive")[0].natural_id
    done = WorkOrder(id="W", status="done", started_at=T0 + 7 * HOUR, about=about)
    run = fold(plant(drive=GROUP), [*told(16, within((6, 13))), (CELL, done)], 16, restart_every)
    by_id: dict[str, list[Condition]] = {}
    for record in conditions(run, "drive"):
        by_id.setdefault(record.natural_id, []).append(record)
    first, second = by_id.values()
    assert first[-1].state == "cleared"
    assert first[-1].ended_at == T0 + 7 * HOUR
    assert {record.model for record in first} == {"drive@1"}
    assert {record.model for record in second} == {"drive@2"}  # what it has learnt is usual now, and no more so from 13
    assert second[0].trained_from is not None
    assert second[0].trained_from > T0 + 7 * HOUR
    assert T0 + 12.9 * HOUR < second[0].started_at < T0 + 13.5 * HOUR


def test_each_product_has_a_model_of_its_own() -> None:
    """Product b is hotter; to know it as usual takes a model of it."""
    log = told(12, lambda n: 9.0 * (n // 120 % 2))
    orders: list[Told] = [
        (LINE, Order(id=f"o{n}", product="ab"[n % 2], started_at=T0 + 2 * n * HOUR, ended_at=T0 + 2 * (n + 1) * HOUR))
        for n in range(6)
    ]
    rule = {"kind": "tag", "tag": "Heat", "every_s": 300, "learn": 20}
    alone = conditions(fold(plant(heat=rule | {"by_product": True}), [*log, *orders], 12), "heat")
    together = conditions(fold(plant(heat=rule), [*log, *orders], 12), "heat")
    assert alone == []
    assert together


def test_late_samples_are_left_out_and_counted() -> None:
    log = told(7, within((5, 7), by=30))
    late = [samples(T0 + n * MINUTE + 1, Heat=500.0, path=CELL) for n in range(60, 90)]
    whole = ordered([*log, *ticks(T0, T0 + 7 * HOUR, 5 * MINUTE)])
    cut = next(n for n, (_, record) in enumerate(whole) if getattr(record, "at", 0) >= T0 + 4 * HOUR)
    run = Run(plant(heat=TAG)).feed([*whole[:cut], *late, *whole[cut:]])
    assert conditions(run, "heat")[-1].details["late"] == 30


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ({"a": {"kind": "tag", "tag": "Heet"}}, "'Heet' of role feature or characteristic.*Heat"),
        ({"a": {"kind": "group", "tags": ["Heat", "Good"]}}, "'Good' of role feature"),
    ],
)
def test_a_tag_that_is_not_there_is_named(rules: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        plant(**rules)


def test_a_name_of_a_condition_is_taken() -> None:
    model = plant(drive=GROUP).model_dump(mode="json")
    model["types"]["filler"]["conditions"] = {"drive": {"kind": "wear", "tag": "Heat", "limit": 90}}
    with pytest.raises(ValidationError, match="anomaly drive: there is a condition of that name"):
        Plant.model_validate(model)
