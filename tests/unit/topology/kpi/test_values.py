"""KPIs from facts: published worked examples, and the identities that hold for any window."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.kpi.check import faults
from topology.kpi.definition import Definition, definition, shipped
from topology.kpi.formula import FormulaError, parse
from topology.kpi.values import QUANTITIES, Facts, Pieces, presented, total, values

MINUTE, HOUR = 60_000_000, 3_600_000_000
ISO, TPM, SEMI, VDI = (definition(label) for label in ("iso22400@2", "nakajima@1", "semi-e79@1", "vdi3423@1"))

COUNT = st.integers(0, 10**6)
PIECES = st.builds(Pieces, st.integers(1, 10**9), COUNT, COUNT, COUNT, st.sampled_from(["a", "b", None]))


def facts_of(found: Definition) -> st.SearchStrategy[Facts]:
    return st.builds(
        Facts,
        st.dictionaries(st.sampled_from(sorted(found.elements)), st.integers(0, 10**12)),
        st.lists(PIECES, max_size=4).map(tuple),
        st.dictionaries(
            # No denominator so small that a quotient is beyond what a float can hold: that has no value, either.
            st.sampled_from(sorted(QUANTITIES)),
            COUNT | st.just(0.0) | st.floats(1e-9, 1e9),
            max_size=len(QUANTITIES),
        ),
    )


def test_oee_as_waycalculator_works_it_out() -> None:
    """waycalculator.com, Overall Equipment Effectiveness, example 1: 420 of 480 min, 1 min a piece, 400 made, 380 good."""
    facts = Facts({"APT": 420 * MINUTE, "ADET": 60 * MINUTE}, (Pieces(MINUTE, 380, 20),))
    found = values(ISO, facts)
    rounded = [round(found[name] or 0, 3) for name in ("availability", "performance", "quality", "oee")]
    assert rounded == [0.875, 0.952, 0.95, 0.792]  # the page multiplies rounded factors and prints 79.1 %
    as_tpm = values(TPM, Facts({"RUN": 420 * MINUTE, "BREAKDOWN": 60 * MINUTE}, facts.pieces))
    assert as_tpm["oee"] == found["oee"] == 380 / 480


def test_availability_as_shopfloor_copilot_works_it_out() -> None:
    """shopfloor-copilot.com, How to Calculate OEE: 8 h with a break of 30 min and 22 + 13 min of stops: 92.2 %."""
    facts = Facts({"PDOT": 30 * MINUTE, "ADET": 35 * MINUTE, "APT": 415 * MINUTE})
    assert round(values(ISO, facts)["availability"] or 0, 3) == 0.922


def test_mtbf_and_mttr_as_a_published_exercise_works_them_out() -> None:
    """Exercise 1 of scribd.com/document/403226083: 120 h, failures of 2, 4 and 3 h: MTBF 37 h, MTTR 3 h."""
    found = values(ISO, Facts(quantities={"TBF": 111 * HOUR, "TTR": 9 * HOUR, "FE": 3}))
    assert (found["mtbf"], found["mttr"], found["mtbf_fe1"]) == (37.0, 180.0, 27.75)


def test_worker_efficiency_as_kpi_ml_works_it_out() -> None:
    """MESA KPI-ML V01, documentation: 32 h of 40 h are 80 %."""
    assert values(ISO, Facts(quantities={"APWT": 32 * HOUR, "APAT": 40 * HOUR}))["worker_efficiency"] == 0.8


def test_semi_and_vdi_by_hand() -> None:
    """A week of 168 h; no public worked example was found, the figures are ours."""
    week = {"PRD": 100, "SBY": 20, "ENG": 6, "SDT": 10, "UDT": 8, "NST": 24}
    found = values(SEMI, Facts({name: hours * HOUR for name, hours in week.items()}, (Pieces(HOUR // 2, 160, 20),)))
    assert found["total_uptime"] == 126 / 168
    assert found["operational_uptime"] == 126 / 144
    assert (found["rate_efficiency"], found["oee"]) == (0.9, 80 / 168)
    found = values(
        VDI, Facts({"USE": 70 * HOUR, "T_T": 10 * HOUR, "T_O": 15 * HOUR, "T_W": 5 * HOUR, "unoccupied": HOUR})
    )
    assert list(found.values()) == [0.9, 0.75, 0.7]


def test_a_product_mix_is_summed_by_its_ideal_cycles() -> None:
    facts = Facts({"APT": 100 * MINUTE}, (Pieces(MINUTE, 40, 10, product="a"), Pieces(2 * MINUTE, 20, product="b")))
    found = values(ISO, facts)
    assert (found["performance"], found["oee"], found["quality"]) == (0.9, 0.8, 60 / 70)


def test_rework_and_the_cap_are_options() -> None:
    facts = Facts({"APT": HOUR}, (Pieces(MINUTE, 50, 10, 12),))
    good = ISO.model_copy(update={"options": ISO.options.model_copy(update={"rework": "good"})})
    assert (values(ISO, facts)["quality"], values(good, facts)["quality"]) == (50 / 72, 62 / 72)
    capped = ISO.model_copy(
        update={
            "options": ISO.options.model_copy(update={"performance_above_1": "cap_in_presentation"}),
            "kpis": {"performance": ISO.kpis["performance"].model_copy(update={"upper": 1.0})},
        }
    )
    found = values(capped, facts)
    assert (found["performance"], presented(capped, found)["performance"]) == (1.2, 1.0)
    assert presented(ISO, values(ISO, facts))["performance"] == 1.2


def test_time_of_another_definition_is_refused() -> None:
    with pytest.raises(ValueError, match="PRD: no element of iso22400@2"):
        values(ISO, Facts({"PRD": 1}))


@pytest.mark.parametrize("label", shipped())
def test_a_shipped_definition_has_no_faults_and_gives_nothing_for_nothing(label: str) -> None:
    found = definition(label)
    assert faults(found) == []
    ratios = {name: value for name, value in values(found, Facts()).items() if found.kpis[name].unit == "1"}
    assert all(value is None for value in ratios.values())


@given(facts_of(ISO))
def test_oee_is_the_product_of_its_factors(facts: Facts) -> None:
    one = Facts(facts.element_us, facts.pieces[:1], facts.quantities)
    found = values(ISO, one)
    factors = [found[name] for name in ("availability", "performance", "quality")]
    if None not in factors:
        product = math.prod(factor for factor in factors if factor is not None)
        assert found["oee"] == pytest.approx(product, rel=1e-12, abs=1e-12)
        piece = one.pieces[0] if one.pieces else Pieces(0)
        busy = sum(us for name, us in one.element_us.items() if name not in ("PDOT", "unplanned", "not_observed"))
        assert found["oee"] == piece.ideal_cycle_us * piece.good / busy


@given(facts_of(ISO))
def test_parts_of_planned_time_are_summed_and_zero_denominators_give_null(facts: Facts) -> None:
    found = values(ISO, facts)
    assert (found["availability"] is None) == (
        sum(us for name, us in facts.element_us.items() if name not in ("PDOT", "unplanned", "not_observed")) == 0
    )
    assert (found["teep"] is None) == (sum(facts.element_us.values()) - facts.element_us.get("not_observed", 0) == 0)
    assert (found["quality"] is None) == (sum(one.good + one.scrap + one.rework for one in facts.pieces) == 0)
    assert (found["mttr"] is None) == (not facts.quantities.get("FE") or "TTR" not in facts.quantities)


@given(facts_of(TPM))
def test_tpm_losses_sum_to_loading_time(facts: Facts) -> None:
    found = values(TPM, facts)
    lost = sum(value or 0 for name, value in found.items() if name.startswith("loss_"))
    valuable = sum(one.ideal_cycle_us * one.good for one in facts.pieces)
    loading = sum(us for name, us in facts.element_us.items() if name not in ("PLANNED", "unplanned", "not_observed"))
    assert lost + valuable / MINUTE == pytest.approx(loading / MINUTE, rel=1e-9, abs=1e-6 * max(1, valuable / MINUTE))


@pytest.mark.parametrize("label", shipped())
@given(data=st.data())
def test_a_whole_is_the_sum_of_its_parts_in_any_order(label: str, data: Any) -> None:
    found = definition(label)
    parts = data.draw(st.lists(facts_of(found), min_size=1, max_size=4))
    shuffled = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(1, len(parts)))
    whole = total(parts)
    assert sum(whole.element_us.values()) == sum(sum(part.element_us.values()) for part in parts)
    assert values(found, whole) == values(found, total(shuffled))
    nested = [total(parts[:cut]), *([total(parts[cut:])] if parts[cut:] else [])]
    assert values(found, whole) == values(found, total(nested))
    by_hand = Facts(whole.element_us, tuple(one for part in shuffled for one in part.pieces), whole.quantities)
    assert values(found, by_hand) == values(found, whole)


@pytest.mark.parametrize(
    "text",
    ["a ** b", "__import__('os')", "a.b", "a if b else c", "[a]", "a, b", "1 +", "", "sum(sum(a))", "max(a, b)", "'a'",
     "True", "a < b", "1e999", "lambda: a", "(" * 300 + "a" + ")" * 300, "sum(a, b)", "a // b", "9" * 19],
)  # fmt: skip
def test_only_arithmetic_is_a_formula(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)
