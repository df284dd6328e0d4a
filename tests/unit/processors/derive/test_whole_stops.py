"""Downtime records of random lives are those of a second evaluator that judges the whole history at once."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from processors.timeline.elements import Elements
from schemas.records import Break, Kpi, Order, Reason, Samples, Shift, State
from tests.harness.line_logs import (
    CELL,
    HOUR,
    LINE,
    MINUTE,
    T0,
    Run,
    S,
    Told,
    final_content,
    ordered,
    plant,
    samples,
    tick,
    ticks,
)
from tests.harness.line_scenarios import Scenario, delayed
from tests.harness.stop_oracle import Plan, WholeStop, codes_of, whole_stops
from topology.model.kpis import selected
from topology.model.plant import Plant

CATEGORIES = {101: "micro", 201: "breakdown"}
BY_STATE = {"aborted": "breakdown", "suspended": "material_flow", "held": "internal", "stopped": "stop"}
LABELS = ("iso22400@1", "nakajima@1", "acme@1")
some = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
seeds = st.integers(0, 2**32).map(random.Random)
END = T0 + 5 * HOUR


def life(chance: random.Random) -> Scenario:
    """Some hours full of halts, codes, and plans that overlap, lie in each other and end in the midst of a stop."""
    scene = Scenario(end=END)
    at = T0
    while at < T0 + 3 * HOUR:
        state = chance.choice((6, 6, 6, 2, 2, 11, 5, 9, 4, 17))
        scene.told.append(samples(at, State=state))
        if chance.random() < 0.1:
            scene.told.append(samples(at + chance.randrange(S), Mode=chance.choice((1, 1, 2, 3))))
        for _ in range(chance.choice((0, 0, 1, 2))):
            when = at + chance.randrange(-20 * S, 8 * MINUTE)
            scene.told.append(samples(when, StopReason=chance.choice((0, 0, 101, 201, 999))))
        at += chance.choice((20 * S, MINUTE, 3 * MINUTE, 7 * MINUTE, 20 * MINUTE)) + chance.randrange(MINUTE)
    scene.told += [samples(at, Heartbeat=at // S) for at in range(T0, END, 55 * S) if chance.random() < 0.995]
    for n in range(chance.randrange(4)):
        begin = T0 + chance.randrange(-HOUR, 3 * HOUR)
        end = begin + chance.randrange(1, 3 * HOUR)
        pauses = tuple(
            Break(at, at + chance.randrange(1, 20 * MINUTE))
            for at in sorted(chance.randrange(begin, end) for _ in range(chance.randrange(3)))
        )
        scene.told.append(
            (chance.choice((LINE, CELL)), Shift(id=f"s{n}", name="s", started_at=begin, ended_at=end, breaks=pauses))
        )
    for n in range(chance.randrange(5)):
        begin = T0 + chance.randrange(-HOUR, 3 * HOUR)
        until = chance.choice((None, begin + chance.randrange(1, 2 * HOUR)))
        product = chance.choice("ab")
        scene.told.append(
            (chance.choice((LINE, CELL)), Order(id=f"o{n}", product=product, started_at=begin, ended_at=until))
        )
    for n in range(chance.randrange(4)):
        begin = T0 + chance.randrange(3 * HOUR)
        until = chance.choice((None, begin + chance.randrange(1, 30 * MINUTE)))
        code = chance.choice((101, 201, 0))
        scene.told.append(
            (chance.choice((LINE, CELL)), Reason(id=f"r{n}", code=code, started_at=begin, ended_at=until, by="ann"))
        )
    return scene


def punctual(scene: Scenario) -> list[Told]:
    return ordered([*scene.told, *ticks(T0, END, MINUTE)])


def judged(model: Plant, scene: Scenario, run: Run, now: int) -> list[WholeStop]:
    """What the second evaluator says, from the states that were published."""
    elements = Elements(selected(model))
    history = [
        (r.started_at, now if r.ended_at is None else r.ended_at, r.state, r.mode)
        for r in run.newest("state")
        if isinstance(r, State)
    ]
    plan = Plan(scene.told)
    return whole_stops(plan.moments(history), plan, elements.halts, codes_of(scene.told))


def expected(model: Plant, stops: list[WholeStop], now: int) -> list[tuple[Any, ...]]:
    elements, records = Elements(selected(model)), []
    for stop in stops:
        seen: set[Any] = set()
        over = stop.end < now
        long = not elements.short(stop.end - stop.start, 300)
        for start, end, code, by in stop.parts:
            category = CATEGORIES.get(code) if code in CATEGORIES else BY_STATE.get(stop.state)
            new = (
                code not in seen,
                category not in {known for _, known in (pair for pair in seen if isinstance(pair, tuple))},
            )
            seen |= {code, ("category", category)}
            kind = "stop" if long else "micro_stop" if over else "open"
            records.append(
                (start, None if end == now else end, kind, stop.state, code, category, by, stop.order, stop.start, *new)
            )
    return records


def records(run: Run) -> list[tuple[Any, ...]]:
    names = (
        "started_at ended_at kind state reason_code category reason_by order stop_started_at new_reason new_category"
    )
    return [tuple(getattr(r, name) for name in names.split()) for r in run.newest("downtime")]


@pytest.mark.long
@some
@given(seeds, st.sampled_from(("iso22400@1", "nakajima@1")))
def test_stops_are_those_of_a_second_evaluator(chance: random.Random, label: str) -> None:
    model, scene = plant(label), life(chance)
    now = END + 5 * MINUTE
    for log in (punctual(scene), delayed(chance, scene, 90 * MINUTE)):
        run = Run(model).feed([*log, tick(now)])
        stops = judged(model, scene, run, now)
        assert records(run) == expected(model, stops, now)
        (day,) = [r for r in run.newest("kpi") if isinstance(r, Kpi) and r.window == "day"]
        broken = [stop for stop in stops if any(record[5] == "breakdown" for record in expected(model, [stop], now))]
        assert day.quantities["FE"] == len(broken), "a machine that is down cannot fail again"
        alerts = [alert for alert in run.newest("alert") if alert.kind == "breakdown"]
        assert len(alerts) == len(broken)


@pytest.mark.long
@some
@given(seeds, st.sampled_from(LABELS))
def test_neither_arrival_nor_restarts_matter(chance: random.Random, label: str) -> None:
    model, scene = plant(label), life(chance)
    now = END + 5 * MINUTE
    told = Run(model).feed([*punctual(scene), tick(now)])
    late = Run(model)
    for item in [*delayed(chance, scene, 90 * MINUTE), tick(now)]:
        late.feed([item])
        if chance.random() < 0.005:
            late.restart(chance)
    assert numbers(late, T0) == numbers(told, T0)


@some
@given(seeds, st.sampled_from(LABELS))
def test_a_short_horizon_says_the_same_of_what_it_still_sees(chance: random.Random, label: str) -> None:
    """Stops that begin before the floor and go on: what was said in them is remembered, and what is forgotten is not said
    again. A reason without an end is left out: it names all of its stop, also parts that ended before the floor."""
    scene = life(chance)
    scene.told = [item for item in scene.told if not isinstance(item[1], Reason) or item[1].ended_at is not None]
    plan = [
        item for item in scene.told if not isinstance(item[1], Samples)
    ]  # the first order told changes all of the past
    told = [*plan, *ordered([*(item for item in scene.told if item not in plan), *ticks(T0, END, 2 * MINUTE)])]
    short, long = Run(plant(label, horizon_h=1.0)), Run(plant(label))
    for item in [*told, tick(END + 5 * MINUTE)]:
        short.feed([item])
        long.feed([item])
        if chance.random() < 0.005:
            short.restart(chance)
    assert numbers(short, T0) == numbers(long, T0)


def numbers(run: Run, since: int) -> dict[str, tuple[object, ...]]:
    wanted = [
        r for r in run.records if r.message_class in ("downtime", "alert", "oee", "kpi") and r.started_at >= since
    ]
    return {name: content for name, content in final_content(wanted).items() if "silent" not in name}
