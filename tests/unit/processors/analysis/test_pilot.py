"""A pilot's verdicts, its product mix, and what it warns of."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.analysis.pilot import (
    CANNOT_TELL,
    NOT_REACHED,
    ON_THE_WAY,
    REACHED,
    Changeover,
    EndedOrder,
    Outcome,
    Period,
    report,
)
from processors.analysis.selection import Incomparable
from schemas.records import Kpi, KpiPieces
from tests.harness.kpi_windows import CYCLE_US, DAY, HOUR, T0, kpi
from topology.kpi.definition import definition
from topology.model.pilot import Target

ISO = definition("iso22400@2")
SINCE = T0 + 60 * DAY


def days(count: int, mean_scrap: float, seed: int, start: int = T0, spread: float = 0.002, **more: Any) -> list[Kpi]:
    """Days of 1000 pieces."""
    chance = random.Random(seed)
    found = []
    for day in range(count):
        scrap = round(1000 * max(0.0, chance.gauss(mean_scrap, spread)))
        found.append(
            kpi(start + day * DAY, DAY, window="day", apt_h=16, adet_h=4, good=1000 - scrap, scrap=scrap, **more)
        )
    return found


def judged(target: Target, before: Period, after: Period) -> Outcome:
    (found,) = report([target], before, after, ISO).outcomes
    return found


def scrap(target: Target, before: float, after: float, count: int = 20, spread: float = 0.002) -> Outcome:
    return judged(target, Period(days(count, before, 1, spread=spread)), Period(days(count, after, 2, SINCE, spread)))


HALF = Target(measure="scrap", change=-0.5)


def test_verdicts_go_by_intervals() -> None:
    assert scrap(HALF, 0.040, 0.010).verdict == REACHED
    assert scrap(HALF, 0.040, 0.030).verdict == ON_THE_WAY
    assert scrap(HALF, 0.040, 0.020, spread=0.008).verdict == ON_THE_WAY, "half way on average, but not for sure"
    assert scrap(HALF, 0.040, 0.041).verdict == NOT_REACHED
    assert scrap(HALF, 0.040, 0.070).verdict == NOT_REACHED
    assert scrap(HALF, 0.040, 0.035, spread=0.04).verdict == CANNOT_TELL, "covers both no change and the target"
    assert scrap(HALF, 0.040, 0.010, count=5).verdict == CANNOT_TELL, "five days say little"
    found = scrap(HALF, 0.040, 0.010)
    assert found.target == pytest.approx(0.020, rel=0.1)
    assert found.relative.value == pytest.approx(-0.75, abs=0.05)
    assert found.change.value == pytest.approx(-0.030, abs=0.003)


@pytest.mark.parametrize(("value", "verdict"), [(0.02, REACHED), (0.005, ON_THE_WAY)])
def test_a_target_may_be_a_value(value: float, verdict: str) -> None:
    found = scrap(Target(measure="scrap", value=value), 0.040, 0.010)
    assert (found.verdict, found.target, found.target_change) == (verdict, value, None)


def test_higher_is_better_where_the_kpi_says_so() -> None:
    quality = Target(kpi="quality", value=0.98)
    assert scrap(quality, 0.040, 0.010).verdict == REACHED
    assert scrap(quality, 0.040, 0.030).verdict == ON_THE_WAY
    assert scrap(quality, 0.030, 0.040).verdict == NOT_REACHED
    assert scrap(Target(kpi="quality", value=0.98, direction="lower"), 0.040, 0.010).verdict == NOT_REACHED


def test_measures_are_what_they_say() -> None:
    before = Period(days(10, 0.04, 1))
    throughput = judged(Target(measure="throughput", change=0.1), before, before)
    good = sum(one.good for record in before.windows for one in record.pieces)
    assert throughput.baseline.value == pytest.approx(good / 240), "24 planned hours a day"
    assert throughput.unit == "1/h"
    down = judged(Target(measure="unplanned_downtime", value=60), before, before)
    assert down.baseline.value == pytest.approx((4 + 4) * 60), "ADET and ADOT: 4 hours each"
    own = judged(Target(measure="unplanned_downtime", value=60, elements=("ADET",)), before, before)
    assert own.baseline.value == pytest.approx(4 * 60)
    assert down.verdict == NOT_REACHED


def test_a_planned_day_has_24_planned_hours() -> None:
    """A line that works one shift of 8 hours: 30 minutes down are 90 in 24 planned hours."""
    shift = {"APT": 7 * HOUR, "ADET": HOUR // 2, "AUST": HOUR // 2, "unplanned": 16 * HOUR}
    found = [kpi(T0 + day * DAY, DAY, window="day", element_us=shift) for day in range(6)]
    one = judged(Target(measure="unplanned_downtime", change=-0.2), Period(found), Period(found))
    assert one.baseline.value == pytest.approx(90)


def test_changeovers_and_orders() -> None:
    minutes = [40, 44, 38, 41, 43, 39], [29, 31, 30, 28, 33, 30]
    before, after = (
        Period([], changeovers=[Changeover(T0 + n, m * 60_000_000) for n, m in enumerate(some)]) for some in minutes
    )
    found = judged(Target(measure="changeover", change=-0.2), before, after)
    assert found.baseline.value == pytest.approx(sum(minutes[0]) / 6)
    assert (found.unit, found.since.windows, found.verdict) == ("min", 6, REACHED)

    def orders(*good: int) -> Period:
        return Period([], orders=[EndedOrder(f"{n}", T0 + n, 100, one) for n, one in enumerate(good)])

    on_plan = judged(
        Target(measure="schedule_adherence", value=0.9), orders(100, 99, 120, 80, 0, 101), orders(*[100] * 8)
    )
    assert on_plan.baseline.value == pytest.approx(0.5)
    assert on_plan.since.value == 1.0
    assert on_plan.verdict == CANNOT_TELL, "eight of eight are no proof of 90 %, nor of any gain"
    many = judged(Target(measure="schedule_adherence", value=0.9), orders(*[100, 50] * 20), orders(*[100] * 60))
    assert many.verdict == REACHED


def mixed(start: int, cola: int, lemon: int, scrap_of: tuple[float, float], count: int = 8) -> Period:
    """Days with two products, each with a scrap ratio of its own."""
    windows, products = [], []
    for day in range(count):
        made = []
        for product, pieces, ratio in (("cola", cola, scrap_of[0]), ("lemon", lemon, scrap_of[1])):
            bad = round(pieces * ratio)
            one = KpiPieces(product=product, ideal_cycle_us=CYCLE_US, good=pieces - bad, scrap=bad, rework=0)
            made.append(one)
            products.append(
                kpi(start + day * DAY, 8 * HOUR, window="product", name=product, product=product, pieces=(one,))
            )
        windows.append(kpi(start + day * DAY, DAY, window="day", pieces=tuple(made)))
    return Period(windows, products)


def test_another_mix_is_told_and_standardised() -> None:
    """Nothing but the mix has changed: 2 % and 10 % scrap a product on both sides."""
    before, after = mixed(T0, 900, 100, (0.02, 0.10)), mixed(SINCE, 100, 900, (0.02, 0.10))
    found = report([Target(measure="scrap", change=-0.1)], before, after, ISO)
    (outcome,) = found.outcomes
    assert outcome.baseline.value == pytest.approx(0.028)
    assert outcome.since.value == pytest.approx(0.092)
    assert outcome.mix is not None
    assert (outcome.mix.baseline, outcome.mix.since.value) == pytest.approx((0.028, 0.028))
    assert outcome.mix.covered == 1
    assert found.warnings == (
        "another product mix: 80% of the pieces (cola 90% → 10%, lemon 10% → 90%); read the mix-adjusted values",
    )
    alone = Period(after.windows, [one for one in after.products if one.product == "cola"])
    (outcome,) = report([Target(measure="scrap", change=-0.1)], before, alone, ISO).outcomes
    assert outcome.mix is not None
    assert outcome.mix.covered == pytest.approx(0.9)
    assert outcome.mix.since.value == pytest.approx(0.02)
    assert outcome.mix.since.low == pytest.approx(0.02), "every day was alike"


@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from(["scrap", "throughput", "unplanned_downtime"]))
@settings(max_examples=20, deadline=None)
def test_the_same_mix_stays_as_it_is(cola: int, lemon: int, name: Any) -> None:
    one = mixed(T0, cola, lemon, (0.02, 0.10))
    (found,) = report([Target(measure=name, value=1)], one, one, ISO).outcomes
    assert found.mix is not None
    assert found.mix.since.value == pytest.approx(found.mix.baseline)
    twice = Period(one.windows, mixed(SINCE, 2 * cola, 2 * lemon, (0.02, 0.10)).products)
    (found,) = report([Target(measure="scrap", value=1)], one, twice, ISO).outcomes
    assert found.mix is not None
    assert found.mix.since.value == pytest.approx(found.mix.baseline, abs=1.5 / (cola + lemon)), (
        "but for rounding of scrap, of two products twice"
    )


def test_one_product_needs_no_adjusting() -> None:
    found = report([HALF], mixed(T0, 900, 0, (0.02, 0)), mixed(SINCE, 900, 0, (0.01, 0)), ISO)
    assert found.outcomes[0].mix is not None, "lemon has windows, though no pieces"
    one = Period(days(8, 0.02, 1), [kpi(T0, window="product", name="cola")])
    assert report([HALF], one, one, ISO).outcomes[0].mix is None


def test_what_else_changed_is_told() -> None:
    before = Period(days(8, 0.02, 1, rule="end_of_line acme/dallas/packaging/line-1/packer"))
    after = Period(days(4, 0.02, 1, SINCE, rule="bottleneck acme/dallas/packaging/line-1/filler", cycle_us=5_000_000))
    warnings = report(
        [HALF, Target(kpi="mttr", value=5), Target(measure="changeover", value=5)], before, after, ISO
    ).warnings
    assert "scrap: only 4 windows in the since time; 6 are needed" in warnings
    assert "mttr: no value in the baseline time: a quantity it needs is not known of every window" in warnings
    assert "changeover: nothing to measure it by in the baseline time" in warnings
    assert "another ideal cycle (cola: 6 → 5 s): performance and OEE follow it, whatever the machine does" in warnings
    assert any("come from other machines: end_of_line" in words for words in warnings)


def test_what_the_definition_does_not_have() -> None:
    one = Period(days(6, 0.02, 1))
    with pytest.raises(LookupError, match="no KPI 'ooe2'"):
        judged(Target(kpi="ooe2", value=1), one, one)
    vague = ISO.model_copy(update={"kpis": {"x": ISO.kpis["oee"].model_copy(update={"trend": "none"})}})
    with pytest.raises(Incomparable, match="has no trend"):
        report([Target(kpi="x", value=1)], one, one, vague)


@given(st.randoms(use_true_random=False), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_order_of_records_does_not_matter(chance: random.Random, seed: int) -> None:
    before, after = days(9, 0.04, seed), days(7, 0.03, seed + 1, SINCE)
    mix = mixed(T0, 300, 200, (0.1, 0.2)).products, mixed(SINCE, 100, 400, (0.1, 0.3)).products
    long = [Changeover(T0 + n, n * 7_000_003) for n in range(8)]
    ended = [EndedOrder(f"{n}", T0, 10, n) for n in range(12)]
    targets = [
        HALF,
        Target(kpi="oee", change=0.1),
        Target(measure="changeover", value=3),
        Target(measure="schedule_adherence", value=1),
    ]
    expected = report(targets, Period(before, mix[0], long, ended), Period(after, mix[1], long, ended), ISO)

    def shuffled(some: Any) -> Any:
        return chance.sample(list(some), len(some))

    again = report(
        targets,
        Period(shuffled(before), shuffled(mix[0]), shuffled(long), shuffled(ended)),
        Period(shuffled(after), shuffled(mix[1]), shuffled(long), shuffled(ended)),
        ISO,
    )
    assert again == expected


def test_no_change_is_rarely_called_one() -> None:
    """60 pilots in which nothing changed and halving was promised: hardly one may claim progress (2.5 % each, 3.5 errors)."""
    found = [
        judged(HALF, Period(days(10, 0.04, 2 * seed, spread=0.01)), Period(days(10, 0.04, 2 * seed + 1, SINCE, 0.01)))
        for seed in range(60)
    ]
    assert sum(one.verdict in (REACHED, ON_THE_WAY) for one in found) <= 5
