"""The chart that a plant model asks for."""

from processors.spc.attributes import C, LaneyP, LaneyU, Np, P, U
from processors.spc.control import DEFAULT_RULES, ControlChart, Standard
from processors.spc.rules import BY_NAME
from processors.spc.specification import NONE, Specification
from processors.spc.variables import Individuals, MeanRange, MeanSd
from processors.spc.weighted import Cusum, Ewma
from topology.model.charts import ChartPlan

_KINDS: dict[str, type[ControlChart]] = {
    kind.name: kind for kind in (Individuals, MeanRange, MeanSd, P, Np, C, U, LaneyP, LaneyU)
}


def chart_of(plan: ChartPlan, baseline: int, specification: Specification = NONE) -> ControlChart:
    """The chart with all its settings. What is standardised is not compared with the specification."""
    rules = tuple([BY_NAME[name] for name in plan.rules])
    if plan.standardise != "none":
        specification = NONE
    kind = _KINDS.get(plan.kind)
    if kind is not None:
        return kind(baseline, plan.settled, rules, specification)
    grouped = plan.subgroup.by != "count" or plan.subgroup.size > 1
    of = (MeanSd if grouped else Individuals)(baseline, plan.settled, DEFAULT_RULES, specification)
    if plan.kind == "ewma":
        return Ewma(baseline, plan.settled, (), specification, of, plan.target, plan.weight, plan.width, plan.steady)
    return Cusum(baseline, plan.settled, (), specification, of, plan.target, plan.slack, plan.decision, plan.head_start)


def given(plan: ChartPlan) -> Standard | None:
    """Mean and σ that the plan says; None where they are learnt."""
    if plan.mean is not None:
        return Standard(plan.mean, 1.0 if plan.sigma is None else plan.sigma, name=PLAN)
    return Standard(0.0, 1.0, name=PLAN) if plan.standardise == "z" else None


PLAN = "plan"
"""Who decided limits that the plant model says."""
EVERYDAY = ChartPlan()
"""The chart of a characteristic of which the plant model says nothing."""
