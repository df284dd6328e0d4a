"""A line's rule: additive over time, and consistent with itself."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.rollup.work_center import WorkCenter
from tests.harness.kpi_records import DEFINITION, LINE_1, plant
from topology.kpi.values import Facts, Pieces, losses, total, values
from topology.namespace.path import Path

HOUR_US = 3_600_000_000
NAMES = ("filler", "capper", "robot")
CYCLES = st.sampled_from([4_000_000, 6_000_000, 2_500_000])


@st.composite
def hours(draw: st.DrawFn) -> dict[str, Facts]:
    """One hour of each machine of the line."""
    found = {}
    for name in NAMES:
        run_us = draw(st.integers(0, HOUR_US))
        pieces = [
            Pieces(cycle, draw(st.integers(0, 900)), draw(st.integers(0, 90)), draw(st.integers(0, 9)), product)
            for cycle, product in draw(
                st.lists(st.tuples(CYCLES, st.sampled_from([None, "cola"])), unique=True, max_size=3)
            )
        ]
        made = total([Facts(pieces=tuple(pieces)), Facts()]).pieces if name != "robot" else ()
        counts = {
            "IP": sum(one.good + one.scrap + one.rework for one in made),
            "GP": sum(one.good for one in made),
            "TBF": draw(st.integers(0, 10**9)),
        }
        elements = {"APT": run_us, "ADET": HOUR_US - run_us}
        found[f"{LINE_1}/{name}"] = Facts(elements, made, counts)
    return found


def center(rule: str, bottleneck: str | None) -> WorkCenter:
    return WorkCenter(Path.parse(LINE_1), plant({"kpi_rule": rule, "bottleneck": bottleneck}))


rules = st.builds(center, st.sampled_from(["end_of_line", "bottleneck"]), st.sampled_from([None, "filler", "capper"]))


@settings(deadline=None)
@given(rules, st.lists(hours(), min_size=1, max_size=4))
def test_a_lines_day_is_the_sum_of_its_hours(rule: WorkCenter, of: list[dict[str, Facts]]) -> None:
    day = {cell: total(hour[cell] for hour in of) for cell in of[0]}
    ours, summed = rule.facts(day), [rule.facts(hour) for hour in of]
    whole = total(one.facts for one in summed)
    assert {one.rule for one in summed} == {ours.rule}
    assert ours.facts.element_us == whole.element_us
    assert total([ours.facts, Facts()]).pieces == whole.pieces
    assert {n: Fraction(q) for n, q in ours.facts.quantities.items()} == {
        n: Fraction(q) for n, q in whole.quantities.items()
    }


@settings(deadline=None)
@given(rules, hours())
def test_oee_is_availability_times_performance_times_quality(rule: WorkCenter, hour: dict[str, Facts]) -> None:
    facts = rule.facts(hour).facts
    base = sum(us for name, us in facts.element_us.items() if DEFINITION.elements[name].loss != "outside")
    assert sum(losses(DEFINITION, facts).values()) == base
    of_one_cycle = replace(facts, pieces=tuple(replace(made, ideal_cycle_us=4_000_000) for made in facts.pieces))
    by_name = values(DEFINITION, of_one_cycle)
    availability, performance, quality, oee = (
        by_name[name] for name in ("availability", "performance", "quality", "oee")
    )
    pieces = sum(made.good + made.scrap + made.rework for made in facts.pieces)
    assert base == HOUR_US
    assert (availability is None, performance is None, quality is None, oee is None) == (
        False,
        facts.element_us["APT"] == 0,
        pieces == 0,
        False,
    )
    if availability is not None and performance is not None and quality is not None and oee is not None:
        assert abs(availability * performance * quality - oee) <= 1e-12 * max(1.0, oee)


@settings(deadline=None)
@given(rules, hours())
def test_scrap_before_the_bottleneck_costs_it_nothing(rule: WorkCenter, hour: dict[str, Facts]) -> None:
    found = rule.facts(hour)
    filler, capper = (hour[f"{LINE_1}/{name}"].pieces for name in ("filler", "capper"))
    scrap = sum(one.scrap for one in found.facts.pieces)
    if found.rule.endswith("capper"):
        assert scrap == sum(one.scrap for one in capper)
    elif found.rule.startswith("end_of_line"):
        assert scrap == sum(one.scrap for one in (*filler, *capper))
        assert sum(one.good for one in found.facts.pieces) == sum(one.good for one in capper)
