"""Capability records: what they rest on, late points and moved orders, windows longer than the horizon, restarts."""

import random
import statistics
from itertools import pairwise
from typing import Any

import pytest

from schemas.records import Capability, Derived, Inspection, Lot, Order, Shift
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, S, Told, final_content, plant, play, samples
from topology.model.plant import Plant


def model(chart: dict[str, Any] | None = None, lsl: float | None = 490, horizon_h: float = 48) -> Plant:
    told = plant(horizon_h=horizon_h).model_dump(mode="json")
    told["types"]["filler"]["tags"]["FillVolume"] |= {"lsl": lsl, "chart": chart or {}}
    return Plant.model_validate(told)


def measured(at: int, value: float) -> Told:
    return samples(at, FillVolume=value)


def values_of(number: int, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [round(draw.gauss(500.5, 2.5), 3) for _ in range(number)]


def order(name: str, start: int, end: int | None = None, product: str = "cola") -> Told:
    return LINE, Order(id=name, product=product, started_at=start, ended_at=end)


def said(run: Run, window: str) -> list[Capability]:
    return [one for one in run.newest("capability") if one.window == window]


def test_an_order_has_the_indices_of_its_own_values() -> None:
    values = values_of(60)
    told = [order("4711", T0 + 5 * MINUTE, T0 + 35 * MINUTE), measured(T0 + MINUTE, 480.0)]
    told += [measured(T0 + 5 * MINUTE + n * 30 * S, value) for n, value in enumerate(values)]
    told.append(measured(T0 + 35 * MINUTE, 520.0))
    (one,) = said(play(told, 40, run=Run(model())), "order")
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    moving = statistics.fmean(abs(b - a) for a, b in pairwise(values))
    assert (one.points, one.subgroups, one.order, one.product, one.status) == (60, 59, "4711", "cola", "final")
    assert (one.mean, one.sigma_overall) == pytest.approx((mean, sd))
    assert one.sigma_within == pytest.approx(moving / 1.1283791671)
    assert one.pp == pytest.approx(20 / (6 * sd))
    assert one.ppk == pytest.approx(min(510 - mean, mean - 490) / (3 * sd))
    assert one.sigma_within is not None
    assert one.cpk == pytest.approx(min(510 - mean, mean - 490) / (3 * one.sigma_within))
    assert (one.ppk_low or 0) < (one.ppk or 0) < (one.ppk_high or 0)
    assert (one.method, one.quantile_low) == ("normal", None)
    assert (one.started_at, one.ended_at) == (T0 + 5 * MINUTE, T0 + 35 * MINUTE)


def test_subgroups_are_those_of_the_chart_and_end_with_the_product() -> None:
    chart = {"kind": "mean_range", "subgroup": {"size": 3}}
    told = [order("1", T0 + 1 * MINUTE, T0 + 3 * MINUTE), order("2", T0 + 3 * MINUTE, T0 + 5 * MINUTE, "water")]
    told.append((LINE, Shift(id="s", name="early", started_at=T0, ended_at=T0 + 5 * MINUTE)))
    values = [500.0, 501.0, 503.0, 500.0, 520.0, 520.5, 522.0, 521.0]
    told += [measured(T0 + MINUTE + n * 30 * S, value) for n, value in enumerate(values)]
    run = play(told, 10, run=Run(model(chart)))
    (shift,) = said(run, "shift")
    assert (shift.points, shift.subgroups) == (8, 2)  # of each product three in a row, and one
    assert shift.sigma_within == pytest.approx((3.0 + 2.0) / 2 / 1.69257, rel=1e-5)
    assert [one.out_of_specification for one in said(run, "order")] == [0, 4]


def test_lots_one_after_the_other_and_a_day_have_theirs_and_one_limit_is_enough() -> None:
    told: list[Told] = [
        (LINE, Lot(id="A", material="cap", started_at=T0 + MINUTE)),
        (LINE, Lot(id="B", material="cap", started_at=T0 + 20 * MINUTE, ended_at=T0 + 30 * MINUTE)),
        (CELL, Lot(id="G", material="glue", started_at=T0 + MINUTE, ended_at=T0 + 30 * MINUTE)),
    ]
    told += [measured(T0 + 2 * MINUTE + n * MINUTE, value) for n, value in enumerate(values_of(40))]
    run = play(told, 45, run=Run(model(lsl=None)))
    assert [(one.window_name, one.points, one.ended_at) for one in said(run, "lot")] == [
        ("A", 18, T0 + 20 * MINUTE),
        ("G", 28, T0 + 30 * MINUTE),
        ("B", 10, T0 + 30 * MINUTE),
    ]
    assert {(one.pp, one.target) for one in said(run, "lot")} == {(None, None)}
    assert all(one.ppk is not None for one in said(run, "lot"))
    assert said(run, "day") == []  # it has not ended


def test_a_late_point_an_inspection_and_a_moved_order_correct_it_and_the_end_is_as_if_in_time() -> None:
    told = [order("1", T0 + MINUTE, T0 + 11 * MINUTE)]
    told += [measured(T0 + 2 * MINUTE + n * MINUTE, value) for n, value in enumerate(values_of(8))]
    late = [
        measured(T0 + 4 * MINUTE + 7 * S, 509.0),
        (CELL, Inspection(id="i", characteristic="FillVolume", at=T0 + 5 * MINUTE + S, value=495.0)),
    ]
    moved = order("1", T0 + MINUTE, T0 + 8 * MINUTE)
    run = play(told, 15, run=Run(model()))
    (before,) = said(run, "order")
    run.feed([*late, moved])
    play([], 20, run=run)
    (after,) = said(run, "order")
    assert (before.points, before.status) == (8, "final")
    assert (after.points, after.status, after.ended_at) == (8, "corrected", T0 + 8 * MINUTE)
    (alike,) = said(play([*told[1:], *late, moved], 20, run=Run(model())), "order")
    for name in ("points", "mean", "sigma_within", "sigma_overall", "ppk", "normality"):
        assert getattr(alike, name) == getattr(after, name)
    run.feed([order("1", T0 + MINUTE, T0 + MINUTE)])
    play([], 25, run=run)
    assert said(run, "order") == []
    last = [one for one in run.records if isinstance(one, Capability)][-1]
    assert (last.withdrawn, last.points, last.ppk) == (True, 0, None)


def test_a_lot_that_nobody_ends_stays_over_when_the_next_is_forgotten() -> None:
    told: list[Told] = [
        (LINE, Lot(id="A", material="cap", started_at=T0)),
        (LINE, Lot(id="B", material="cap", started_at=T0 + 20 * MINUTE, ended_at=T0 + 30 * MINUTE)),
        (LINE, Lot(id="C", material="cap", started_at=T0 + 200 * MINUTE, ended_at=T0 + 220 * MINUTE)),
    ]
    told += [measured(T0 + n * MINUTE, value) for n, value in enumerate(values_of(240))]
    short, long = (play(told, 240, run=Run(model(horizon_h=hours))) for hours in (1, 48))
    assert [(one.window_name, one.points) for one in said(short, "lot")] == [("A", 20), ("B", 10), ("C", 20)]
    assert final_content(said(short, "lot")) == final_content(said(long, "lot"))


def test_counts_and_what_has_no_limits_have_none() -> None:
    told = [order("1", T0, T0 + 10 * MINUTE)]
    told += [measured(T0 + n * MINUTE, 3.0 + n) for n in range(9)]
    assert said(play(told, 15, run=Run(model({"kind": "c"}))), "order") == []
    free = model().model_dump(mode="json")
    free["types"]["filler"]["tags"]["FillVolume"] |= {"lsl": None, "usl": None}
    assert said(play(told, 15, run=Run(Plant.model_validate(free))), "order") == []


@pytest.mark.parametrize("most", [100, 10_000])
def test_an_order_longer_than_the_horizon_has_the_sums_of_all_its_values(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.derive.capability.HELD_MAX", most)
    values = values_of(300)
    told = [order("long", T0 + MINUTE, T0 + 302 * MINUTE)]
    told += [measured(T0 + (n + 2) * MINUTE, value) for n, value in enumerate(values)]
    (short,) = said(play(told, 310, run=Run(model(horizon_h=1))), "order")
    (whole,) = said(play(told, 310, run=Run(model(horizon_h=48))), "order")
    assert short.points == whole.points == 300
    if most > 300:
        assert final_content([short]) == final_content([whole])
        return
    assert (short.mean, short.sigma_overall, short.ppk) == pytest.approx((whole.mean, whole.sigma_overall, whole.ppk))
    assert short.sigma_within == pytest.approx(whole.sigma_within, rel=0.05)
    assert (short.minimum, short.maximum) == (whole.minimum, whole.maximum)
    assert (short.normality, short.quantile_low) == (None, None)
    assert whole.normality is not None


@pytest.mark.parametrize("seed", range(2))
def test_a_fold_restarted_anywhere_says_the_same_bytes(seed: int) -> None:
    chance = random.Random(seed)
    told = [order(str(n), T0 + n * 50 * MINUTE, T0 + (n * 50 + 45) * MINUTE, f"p{n % 2}") for n in range(5)]
    told.append(order("long", T0 - HOUR, T0 + 4 * HOUR))
    told += [measured(T0 + n * MINUTE + chance.choice([0, S]), value) for n, value in enumerate(values_of(240, seed))]
    whole, cut = Run(model(horizon_h=1)), Run(model(horizon_h=1))
    play(told, 250, run=whole)
    for place, one in enumerate(_as_played(told, 250)):
        cut.feed([one])
        if place % 97 == seed:
            cut.restart(chance)
    assert {one.window for one in whole.newest("capability")} == {"order"}
    assert _mine(cut.records) == _mine(whole.records)
    assert final_content(_mine(cut.records)) == final_content(_mine(whole.records))


def _as_played(told: list[Told], minutes: int) -> list[Told]:
    class Kept(Run):
        def feed(self, told: Any) -> Run:
            self.told = list(told)
            return self

    kept = Kept(model())
    play(told, minutes, run=kept)
    return kept.told


def _mine(records: list[Derived]) -> list[Derived]:
    return [one for one in records if isinstance(one, Capability)]
