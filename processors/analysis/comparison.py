"""Groups of windows compared: each group's Σ/Σ with its interval, each difference, and whether it is more than noise. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from processors.analysis.inference import (
    CONFIDENCE,
    Deleted,
    Estimate,
    arrangements,
    delete_one,
    difference,
    holm,
    jackknife,
    paired_difference,
    permutation_p,
    t_test_p,
    wilson,
)
from processors.analysis.measure import Measure, Places, unknown_quantities
from processors.analysis.selection import Samples, nothing
from topology.kpi.values import Facts, total

FEWEST = 6
"""Below, a group's spread is hardly known, and no arrangement of windows is rare enough."""
MORE, NOISE, FEW, UNKNOWN = "more than noise", "could be noise", f"too few windows (n < {FEWEST})", "no value"
ARRANGEMENTS = 5_000
"""So many are counted one by one; beyond, the jackknife's t decides."""
METHOD = (
    f"Values are Σ/Σ over windows. Intervals ({CONFIDENCE:.0%}): delete-one jackknife over windows, Student's t; of pieces: "
    "Wilson, as if pieces were independent. Differences: exact permutation of windows where all arrangements can be counted "
    f"(at most {ARRANGEMENTS}), else the jackknife's t; of groups in the same windows: within pairs. Holm over all pairs at "
    f"{1 - CONFIDENCE:.2g}"
)
COUNTED = 100_000
"""Arrangements of all pairs together: many groups are still compared in seconds."""


@dataclass(frozen=True)
class Group:
    """One shift, line, product, …; `value` and its interval in the KPI's own unit, ratios as ratios."""

    name: str
    value: Estimate
    pieces: int
    planned_h: float
    coverage: float | None
    """In how much of its time a state was known; None: a window is of a release that did not count it."""
    proportion: tuple[int, int] | None
    """Counted pieces and all pieces, where the KPI is a proportion."""
    pieces_interval: tuple[float, float] | None
    """Wilson's interval of the proportion."""
    missing: tuple[str, ...]
    """Quantities that some window does not know; they make the value null."""


@dataclass(frozen=True)
class Difference:
    """`second` - `first`."""

    first: str
    second: str
    effect: Estimate
    test: str
    """permutation | paired permutation | t | paired t | none."""
    p: float | None
    p_adjusted: float | None
    """After Holm, over all pairs that could be tested."""
    verdict: str


@dataclass(frozen=True)
class Comparison:
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]


def compare(samples: Samples, measure: Measure) -> Comparison:
    """Every group, and every pair of groups. Windows without planned time and pieces do not count.

    Neither the order of groups nor that of windows matters. A pair is held against noise only when both groups have
    `FEWEST` windows; its effect is told in any case.
    """
    kept = {
        name: {at: facts for at, facts in units.items() if not nothing(facts, measure.planned)}
        for name, units in sorted(samples.items())
    }
    kept = {name: units for name, units in kept.items() if units}
    left = {name: deleted(units, measure) for name, units in kept.items()}
    groups = tuple(_group(name, units, measure, left[name]) for name, units in kept.items())
    pairs = list(combinations(groups, 2))
    most = min(ARRANGEMENTS, COUNTED // max(1, len(pairs)))
    found = [_pair(one, other, kept, left, measure, most) for one, other in pairs]
    tested = [index for index, pair in enumerate(found) if pair.p is not None]
    adjusted = dict(zip(tested, holm([found[index].p or 0.0 for index in tested]), strict=True))
    return Comparison(groups, tuple(_judged(pair, adjusted.get(index)) for index, pair in enumerate(found)))


def deleted(parts: Mapping[int, Facts], measure: Measure) -> Deleted:
    """The KPI of all windows, and of all but one."""
    places = Places(parts.values())
    vectors = {at: places.vector(facts) for at, facts in parts.items()}
    return delete_one(vectors, lambda vector: measure.value(places.facts(vector)))


def estimated(parts: Mapping[int, Facts], measure: Measure, left: Deleted | None = None) -> Estimate:
    """The KPI of all windows with its interval."""
    proportion = measure.proportion(total(parts.values()))
    return jackknife(left or deleted(parts, measure), len(parts), proportion)


def _group(name: str, parts: Mapping[int, Facts], measure: Measure, left: Deleted) -> Group:
    whole = total(parts.values())
    counted = measure.proportion(whole)
    elements = measure.definition.elements
    return Group(
        name,
        estimated(parts, measure, left),
        sum(one.good + one.scrap + one.rework for one in whole.pieces),
        sum(us for element, us in whole.element_us.items() if elements[element].loss != "outside") / 3_600_000_000,
        whole.coverage,
        counted,
        wilson(*counted) if counted is not None else None,
        tuple(unknown_quantities(measure, parts.values())),
    )


def _pair(
    one: Group, other: Group, kept: Samples, left: Mapping[str, Deleted], measure: Measure, most: int
) -> Difference:
    before, after = kept[one.name], kept[other.name]
    paired = before.keys() == after.keys()
    effect = paired_difference(left[one.name], left[other.name]) if paired else difference(one.value, other.value)
    if effect.value is None:
        return Difference(one.name, other.name, effect, "none", None, None, UNKNOWN)
    if min(len(before), len(after)) < FEWEST:
        return Difference(one.name, other.name, effect, "none", None, None, FEW)
    if arrangements(before, after) <= most:
        p, test = _permuted(before, after, measure), "permutation"
    else:
        p, test = t_test_p(effect), "t"
    return Difference(one.name, other.name, effect, f"paired {test}" if paired else test, p, None, UNKNOWN)


def _permuted(before: Mapping[int, Facts], after: Mapping[int, Facts], measure: Measure) -> float | None:
    places = Places([*before.values(), *after.values()])
    first, second = ({at: places.vector(facts) for at, facts in parts.items()} for parts in (before, after))
    return permutation_p(first, second, lambda vector: measure.value(places.facts(vector)))


def _judged(pair: Difference, adjusted: float | None) -> Difference:
    if pair.p is None or adjusted is None:
        return pair
    verdict = MORE if adjusted <= 1 - CONFIDENCE else NOISE
    return Difference(pair.first, pair.second, pair.effect, pair.test, pair.p, adjusted, verdict)
