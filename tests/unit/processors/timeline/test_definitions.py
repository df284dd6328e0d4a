"""The folds under definitions that judge an instant by its surroundings: noise, micro stops, reasons."""

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Kpi, Oee, Order, Reason, Shift, State
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, S, final_numbers, plant, tick, ticks
from tests.harness.line_scenarios import Scenario, delayed, scenario
from tests.unit.processors.test_line_properties import encoded, seeds, some, whole
from topology.kpi.definition import Definition, Planned
from topology.kpi.values import Facts, Pieces, total, values
from topology.model.kpis import selected

LABELS = ("iso22400@2", "nakajima@1", "semi-e79@1", "vdi3423@1", "acme@1")
labels = st.sampled_from(LABELS)
few = settings(some, max_examples=4)
Piece = tuple[int, int, str, str, bool, Planned]
"""start, end, state, mode, order on the machine, planned."""


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
    return Facts(record.element_us, made, {name: Fraction(value) for name, value in record.quantities.items()})


@few
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
    history.insert(0, (T0 - HOUR, history[0][0], "unknown", "unknown"))
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
    after, expected = ({k: v for k, v in final_numbers(one).items() if "quality." not in k} for one in (run, fresh))
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
    told = [record for path, record in scene.told if path in (CELL, LINE)]
    reasons = [r for r in told if isinstance(r, Reason)]
    edges = {now}
    for start, end, _, _ in history:
        edges |= {start, end}
    orders = _in_turn([r for r in told if isinstance(r, Order)], scene)
    shifts = sorted((r for r in told if isinstance(r, Shift)), key=lambda r: r.started_at)
    for start, end in [*orders, *((s.started_at, s.ended_at) for s in shifts)]:
        edges |= {start, end}
    for shift in shifts:
        edges |= {at for pause in shift.breaks for at in (pause.started_at, pause.ended_at)}
    for reason in reasons:
        edges |= {reason.started_at, reason.ended_at or reason.started_at}
    marks = sorted(edge for edge in edges if history[0][0] <= edge <= now)
    pieces: list[Piece] = []
    for start, end in pairwise(marks):
        state, mode = next((s, m) for since, until, s, m in history if since <= start < until)
        order = any(since <= start < until for since, until in orders)
        held = [s for s in shifts if s.started_at <= start < s.ended_at]
        pause = held and any(p.started_at <= start < p.ended_at for p in held[-1].breaks)
        pieces.append((start, end, state, mode, order, "unplanned" if not held else "break" if pause else "busy"))
    orders_told = any(isinstance(r, Order) for r in told)

    def stopped(piece: Piece) -> bool:
        start, end, state, mode, order, planned = piece
        down = state in ("aborting", "aborted", "clearing")
        return sort((start, end, state, mode)) == "stop" and planned == "busy" and (order or not orders_told or down)

    micro = definition.options.micro_stop
    for is_stop, stretch in groupby(pieces, key=stopped):
        stop = list(stretch)
        begin, over = stop[0][0], stop[-1][1]
        for start, end, state, mode, order, planned in stop:
            code = _code(scene, reasons, begin, over, start) if is_stop else None
            category = {101: "micro", 201: "breakdown"}.get(code) if code is not None else None
            element = definition.element(state, mode, order, planned, category)
            if is_stop and micro is not None and over < now:
                length, limit = over - begin, micro.below_s * S
                short = length <= limit if micro.inclusive else length < limit
                if short and not (micro.only_without_reason and code is not None):
                    element = micro.element
            yield start, end, element


def _code(scene: Scenario, reasons: list[Reason], begin: int, over: int, at: int) -> int | None:
    code = None
    said = [s for path, r in scene.told if path == CELL and hasattr(r, "samples") for s in r.samples]
    machine: dict[int, int] = {}
    for sample in said:
        if sample.tag == "StopReason" and sample.quality == 0:
            machine[sample.at] = max(machine.get(sample.at, 0), whole(sample))
    before = [t for t in machine if t <= begin]
    if before and machine[max(before)]:
        code = machine[max(before)]
    for t in sorted(t for t in machine if begin < t < over):
        code = machine[t] or code
    ordered = sorted(reasons, key=lambda r: (r.started_at, r.id))
    for reason in ordered:
        if reason.ended_at is None and begin <= reason.started_at < over:
            code = reason.code or None
    for reason in ordered:
        if reason.ended_at is not None and reason.started_at <= at < reason.ended_at:
            code = reason.code or None
    return code


def _in_turn(orders: list[Order], scene: Scenario) -> list[tuple[int, int]]:
    """When orders were on the machine: each at most to the begin of the next."""
    ordered = sorted(orders, key=lambda order: (order.started_at, order.id))
    ends = [order.started_at for order in ordered[1:]] + [1 << 62] * bool(ordered)
    return [
        (o.started_at, min(1 << 62 if o.ended_at is None else o.ended_at, end))
        for o, end in zip(ordered, ends, strict=True)
    ]
