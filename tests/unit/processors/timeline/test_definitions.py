"""The folds under definitions that judge an instant by its surroundings: noise, micro stops, reasons."""

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import Kpi, Oee, State
from tests.harness.line_logs import CELL, HOUR, MINUTE, T0, Run, S, final_numbers, plant, tick, ticks
from tests.harness.line_scenarios import Scenario, delayed, scenario
from tests.harness.stop_oracle import Moment, Plan, WholeStop, codes_of, whole_stops
from tests.unit.processors.test_line_properties import encoded, seeds, some
from topology.kpi.definition import Definition
from topology.kpi.values import Facts, Pieces, total, values
from topology.model.kpis import selected

LABELS = ("iso22400@2", "nakajima@1", "semi-e79@1", "vdi3423@1", "acme@1")
labels = st.sampled_from(LABELS)
few = settings(some, max_examples=4)


@pytest.mark.long
@few
@given(seeds, labels)
def test_order_of_arrival_ends_in_the_same_numbers(chance: random.Random, label: str) -> None:
    scene = scenario(chance)
    last = max(T0 + 20 * HOUR, scene.end)
    runs = [
        Run(plant(label)).feed([*told, *ticks(scene.end, last, 20 * MINUTE), tick(last + MINUTE)])
        for told in (scene.punctual(), delayed(chance, scene, 40 * MINUTE))
    ]
    punctual, late = ({k: v for k, v in final_numbers(run).items() if "quality." not in k} for run in runs)
    assert punctual == late


@pytest.mark.long
@few
@given(seeds, labels)
def test_restored_fold_goes_on_byte_for_byte(chance: random.Random, label: str) -> None:
    told = delayed(chance, scenario(chance), 10 * MINUTE)
    unbroken, run = Run(plant(label)).feed(told), Run(plant(label))
    marks = {chance.randrange(len(told)) for _ in range(4)}
    for n, item in enumerate(told):
        run.feed([item])
        if n in marks:
            run.restart(chance)
    assert encoded(run.outputs) == encoded(unbroken.outputs)


@few
@given(seeds, labels)
def test_every_record_adds_up(chance: random.Random, label: str) -> None:
    """Elements to the window, the loss tree to the planned time, hours to the day, products to no more than the day."""
    model = plant(label)
    definition = selected(model)
    run = Run(model).feed([*scenario(chance).punctual(), *ticks(T0 + 4 * HOUR, T0 + 20 * HOUR, HOUR)])
    found = [record for record in run.newest("kpi") if isinstance(record, Kpi) and record.path == CELL]
    assert {record.window for record in found} >= {"hour", "day", "shift"}
    for record in found:
        if record.window != "product" and record.ended_at is not None:
            assert sum(record.element_us.values()) == record.ended_at - record.started_at
        base = sum(us for name, us in record.element_us.items() if definition.elements[name].loss != "outside")
        assert sum(record.loss_us.values()) == base
        assert record.values == values(definition, facts(record))
    (day,) = [record for record in found if record.window == "day" and record.window_name == "2026-11-23"]
    hours = [record for record in found if record.window == "hour" and record.started_at < T0 + 18 * HOUR]
    summed = total(map(facts, hours))
    assert summed.pieces == facts(day).pieces
    assert sum(day.element_us.values()) == 24 * HOUR
    for name, us in summed.element_us.items():
        runs = definition.elements[name].loss == "none"  # the day has hours before the machine's first sign of life
        assert day.element_us[name] == us if runs else day.element_us[name] >= us
    assert {name: summed.quantities[name] for name in ("FE", "TTR", "E")} == {
        name: pytest.approx(day.quantities[name]) for name in ("FE", "TTR", "E")
    }


def facts(record: Kpi) -> Facts:
    made = tuple(Pieces.of(one) for one in record.pieces)
    return Facts(
        record.element_us,
        made,
        {name: Fraction(value) for name, value in record.quantities.items()},
        record.observed_us,
    )


@pytest.mark.long
@few
@example(random.Random(167266), "semi-e79@1")
@given(seeds, labels)
def test_hours_are_those_of_a_naive_recomputation(chance: random.Random, label: str) -> None:
    """The whole history judged at once, by nothing but the definition and the state records."""
    scene = scenario(chance)
    model = plant(label)
    definition = selected(model)
    now = T0 + 5 * HOUR
    run = Run(model).feed([*delayed(chance, scene, 30 * MINUTE), tick(now)])
    history = [
        (max(r.started_at, T0), now if r.ended_at is None else r.ended_at, r.state, r.mode)
        for r in sorted(run.newest("state"), key=lambda r: r.started_at)
        if isinstance(r, State) and r.path == CELL
    ]
    history.insert(0, (T0 - HOUR, history[0][0], "unknown", "not_observed"))
    naive = list(account(definition, scene, history, now))
    for record in run.newest("oee"):
        if (
            isinstance(record, Oee)
            and record.path == CELL
            and record.window == "hour"
            and record.status != "provisional"
        ):
            expected = dict.fromkeys(definition.elements, 0)
            for start, end, element in naive:
                since, until = max(start, record.started_at), min(end, record.started_at + HOUR)
                expected[element] += max(0, until - since)
            assert record.element_us == expected


@pytest.mark.long
@few
@given(seeds, labels, labels)
def test_another_definition_gives_the_numbers_of_a_fresh_fold(chance: random.Random, old: str, new: str) -> None:
    told = [*scenario(chance).punctual(), tick(T0 + 5 * HOUR)]
    fresh = Run(plant(new)).feed(told)
    run = Run(plant(old)).feed(told[:-1])
    published = len(run.outputs)
    run.plant = plant(new)
    run.restart(chance)
    run.feed(told[-1:])
    run.outputs = run.outputs[published:] if old != new else run.outputs
    # What is said of values depends on no definition; told anew under another one, it rests on those that are still kept.
    after, expected = (
        {k: v for k, v in final_numbers(one).items() if "quality." not in k and "#capability." not in k}
        for one in (run, fresh)
    )
    assert after == expected


def account(
    definition: Definition, scene: Scenario, history: list[tuple[int, int, str, str]], now: int
) -> Iterator[tuple[int, int, str]]:
    def sort(one: tuple[int, int, str, str]) -> str:
        _, _, state, mode = one
        if state in definition.running and mode == "production":
            return "run"
        return "other" if state == "unknown" or mode in ("setup", "maintenance") else "stop"

    noise = definition.options.noise_floor
    for what, between, limit in (("stop", "run", noise.stop_s), ("run", "stop", noise.run_s)):
        groups = [(kind, list(part)) for kind, part in groupby(history, key=sort)]
        history = []
        for n, (kind, part) in enumerate(groups):
            inner = 0 < n < len(groups) - 1 and groups[n - 1][0] == groups[n + 1][0] == between
            if limit and kind == what and inner and part[-1][1] - part[0][0] <= limit * S:
                part = [(start, end, *history[-1][2:]) for start, end, _, _ in part]
            history += part
    plan = Plan(scene.told)
    moments = plan.moments(history)
    known = whole_stops(moments, plan, lambda state, mode: sort((0, 0, state, mode)) == "stop", codes_of(scene.told))
    micro = definition.options.micro_stop
    for moment in moments:
        stop = next((stop for stop in known if moment in stop.pieces), None)
        for start, end in _by_code(moment, stop):
            code = None if stop is None else next(c for since, until, c, _ in stop.parts if since <= start < until)
            category = {101: "micro", 201: "breakdown"}.get(code) if code is not None else None
            planned, order = moment.planned, moment.order is not None
            by_rule = definition.element(moment.state, moment.mode, order, planned, category)
            by_plan = (
                planned != "busy" and by_rule != "unknown"
            )  # semi-e79 says nothing of breaks: nobody saw them either
            element = "not_observed" if moment.mode == "not_observed" and not by_plan else by_rule
            if stop is not None and micro is not None and stop.end < now:
                length, limit = stop.end - stop.start, micro.below_s * S
                short = length <= limit if micro.inclusive else length < limit
                if short and not (micro.only_without_reason and code is not None):
                    element = micro.element
            yield start, end, element


def _by_code(moment: Moment, stop: WholeStop | None) -> Iterator[tuple[int, int]]:
    edges = {at for start, end, *_ in stop.parts for at in (start, end)} if stop is not None else set()
    return pairwise(sorted({moment.start, moment.end, *(at for at in edges if moment.start < at < moment.end)}))
