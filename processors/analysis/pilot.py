"""A pilot's targets, before against after: values with uncertainty, what a changed product mix explains, and a verdict. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from processors.analysis.comparison import FEWEST, estimated
from processors.analysis.inference import Estimate, Units, Vector, delete_one, difference, jackknife, relative
from processors.analysis.measure import Measure, Places, measure
from processors.analysis.selection import Incomparable, facts_of, nothing, sampled
from schemas.records import Kpi
from topology.kpi.definition import Definition, KpiFormula
from topology.kpi.values import Facts, total
from topology.model.pilot import MEASURES, Target, Trend

REACHED, ON_THE_WAY, NOT_REACHED, CANNOT_TELL = "reached", "on the way", "not reached", "cannot tell"
OTHER_MIX = 0.1
"""Share of the pieces that are of other products than in the baseline, from which on a warning says so."""


@dataclass(frozen=True)
class Changeover:
    ended_at: int
    length_us: int


@dataclass(frozen=True)
class EndedOrder:
    id: str
    ended_at: int
    planned: int
    good: int


@dataclass(frozen=True)
class Period:
    """What is known of one stretch of time, all of one level and definition."""

    windows: Sequence[Kpi]
    """Closed, newest revisions, of one kind of window."""
    products: Sequence[Kpi] = ()
    """The same of product windows."""
    changeovers: Sequence[Changeover] = ()
    orders: Sequence[EndedOrder] = ()


@dataclass(frozen=True)
class Mix:
    """Both from product windows: the measured time as if it had made the baseline's products in the baseline's shares."""

    baseline: float
    since: Estimate
    """Its interval takes the baseline's shares as given."""
    covered: float
    """Share of the baseline's pieces whose products were made since, too; the others are left out on both sides."""


@dataclass(frozen=True)
class Outcome:
    """One target. Values in the measure's own unit, `relative` as a ratio of the baseline."""

    name: str
    unit: str
    better: Trend
    baseline: Estimate
    since: Estimate
    change: Estimate
    relative: Estimate
    target: float | None
    """The value to reach; None where it is relative to a baseline that is not known."""
    target_change: float | None
    """As it was set, if relative."""
    verdict: str
    mix: Mix | None


@dataclass(frozen=True)
class Report:
    outcomes: tuple[Outcome, ...]
    warnings: tuple[str, ...]


def report(
    targets: Sequence[Target],
    before: Period,
    after: Period,
    definition: Definition,
    more: Mapping[str, KpiFormula] | None = None,
) -> Report:
    """Every target, in its order. The order of records does not matter."""
    outcomes = tuple(_outcome(target, before, after, definition, more or {}) for target in targets)
    return Report(outcomes, tuple(_warnings(outcomes, before, after)))


def _outcome(
    target: Target, before: Period, after: Period, definition: Definition, more: Mapping[str, KpiFormula]
) -> Outcome:
    kind = MEASURES.get(target.measure or "")
    if kind is not None and kind.formula is None:
        records = _changeovers if target.measure == "changeover" else _orders
        baseline, since, mix = records(before), records(after), None
        unit, better = kind.unit, target.better or kind.better
    else:
        one = measure(definition, target.name, target.formula, more)
        baseline, since = (estimated(_units(period.windows, one), one) for period in (before, after))
        mix = _mix(before.products, after.products, one)
        unit, better = one.formula.unit, target.better or _better(one)
    change, part = difference(baseline, since), relative(baseline, since)
    value = target.value
    if target.change is not None and baseline.value is not None:
        value = baseline.value * (1 + target.change)
    verdict = _verdict(target, better, since, change, part, baseline)
    return Outcome(target.name, unit, better, baseline, since, change, part, value, target.change, verdict, mix)


def _better(one: Measure) -> Trend:
    if one.formula.trend == "none":
        raise Incomparable(f"{one.id} has no trend; give its target a direction")
    return "higher" if one.formula.trend == "higher_is_better" else "lower"


def _verdict(
    target: Target, better: Trend, since: Estimate, change: Estimate, part: Estimate, baseline: Estimate
) -> str:
    """By intervals, not by points: reached, when all of the interval is; on the way, when it certainly got better but not
    certainly reached; not reached, when it is certainly short and not certainly better. What is left cannot be told."""
    sign = 1 if better == "higher" else -1
    aimed, goal = (since, target.value) if target.change is None else (part, target.change)
    if min(baseline.windows, since.windows) < FEWEST or goal is None:
        return CANNOT_TELL
    if aimed.low is None or aimed.high is None or change.low is None or change.high is None:
        return CANNOT_TELL
    worst, best = sorted((sign * (aimed.low - goal), sign * (aimed.high - goal)))
    if worst >= 0:
        return REACHED
    moved = part if target.change is not None else change
    if min(sign * (moved.low or 0.0), sign * (moved.high or 0.0)) > 0:
        return ON_THE_WAY
    return NOT_REACHED if best < 0 else CANNOT_TELL


def _units(windows: Sequence[Kpi], one: Measure) -> Mapping[int, Facts]:
    parts = sampled((("", record.started_at), facts_of(record)) for record in windows).get("", {})
    return {at: facts for at, facts in parts.items() if not nothing(facts, one.planned)}


def _changeovers(period: Period) -> Estimate:
    ordered = sorted((one.ended_at, one.length_us) for one in period.changeovers)
    return _mean({place: (length, 60_000_000) for place, (_, length) in enumerate(ordered)})


def _orders(period: Period) -> Estimate:
    ordered = sorted((one.ended_at, one.id, one.good >= one.planned) for one in period.orders)
    made = sum(reached for *_, reached in ordered)
    units = {place: (int(reached), 1) for place, (*_, reached) in enumerate(ordered)}
    return _mean(units, (made, len(ordered)) if ordered else None)


def _mean(units: Units, proportion: tuple[int, int] | None = None) -> Estimate:
    """Σ of the first numbers over Σ of the second."""
    found = delete_one(units, lambda sums: float(sums[0] / sums[1]) if sums[1] else None)
    return jackknife(found, len(units), proportion)


def _mix(before: Sequence[Kpi], after: Sequence[Kpi], one: Measure) -> Mix | None:
    """Direct standardisation: each product's facts are weighed so that pieces stand in the baseline's proportions."""
    first, second = _by_product(before), _by_product(after)
    shares = {name: _made(total(days.values())) for name, days in first.items()}
    common = [name for name in sorted(first) if shares[name] and any(map(_made, second.get(name, {}).values()))]
    if not common or len(first.keys() | second.keys()) == 1:
        return None
    places = {name: Places(second[name].values()) for name in common}
    days = sorted({at for name in common for at in second[name]})
    units: dict[int, Vector] = {
        at: tuple(number for name in common for number in places[name].vector(second[name].get(at))) for at in days
    }

    def weighed(sums: Vector) -> float | None:
        numbers = iter(sums)
        parts = {name: places[name].facts(tuple(islice(numbers, places[name].size))) for name in common}
        if not all(map(_made, parts.values())):
            return None
        weights = {name: Fraction(shares[name], _made(facts)) for name, facts in parts.items()}
        scale = math.lcm(*(weight.denominator for weight in weights.values()))  # whole numbers stay whole
        return one.value(total(_times(facts, int(weights[name] * scale)) for name, facts in parts.items()))

    baseline = one.value(total(facts for name in common for facts in first[name].values()))
    since = jackknife(delete_one(units, weighed), len(units))
    if baseline is None or since.value is None:
        return None
    return Mix(baseline, since, sum(shares[name] for name in common) / sum(shares.values()))


def _by_product(records: Sequence[Kpi]) -> dict[str, dict[int, Facts]]:
    return sampled(
        ((record.product, record.started_at), facts_of(record)) for record in records if record.product is not None
    )


def _made(facts: Facts) -> int:
    return sum(one.good + one.scrap + one.rework for one in facts.pieces)


def _times(facts: Facts, factor: int) -> Facts:
    return Facts(
        {name: us * factor for name, us in facts.element_us.items()},
        tuple(
            replace(
                one,
                good=one.good * factor,
                scrap=one.scrap * factor,
                rework=one.rework * factor,
                start_up=one.start_up * factor,
            )
            for one in facts.pieces
        ),
        {name: Fraction(value) * factor for name, value in facts.quantities.items()},
    )


def _warnings(outcomes: Sequence[Outcome], before: Period, after: Period) -> Iterator[str]:
    for when, values in (("baseline", [one.baseline for one in outcomes]), ("since", [one.since for one in outcomes])):
        for outcome, value in zip(outcomes, values, strict=True):
            if value.windows == 0:
                yield f"{outcome.name}: nothing to measure it by in the {when} time"
            elif value.windows < FEWEST:
                yield f"{outcome.name}: only {value.windows} {_unit(outcome.name)} in the {when} time; {FEWEST} are needed"
            elif value.value is None:
                yield f"{outcome.name}: no value in the {when} time: a quantity it needs is not known of every window"
    first, second = _shares(before.windows), _shares(after.windows)
    if first and second:
        # Half the sum of differences: the share of pieces that would have to be of another product.
        names = sorted(
            first.keys() | second.keys(), key=lambda name: (-abs(second.get(name, 0) - first.get(name, 0)), name)
        )
        other = sum(abs(second.get(name, 0) - first.get(name, 0)) for name in names) / 2
        if other > OTHER_MIX:
            most = ", ".join(f"{name} {first.get(name, 0):.0%} → {second.get(name, 0):.0%}" for name in names[:3])
            yield f"another product mix: {other:.0%} of the pieces ({most}); read the mix-adjusted values"
    cycles, now = _cycles(before.windows), _cycles(after.windows)
    if changed := sorted(name for name in cycles.keys() & now.keys() if cycles[name] != now[name]):
        words = "; ".join(f"{name}: {_seconds(cycles[name])} → {_seconds(now[name])} s" for name in changed)
        yield f"another ideal cycle ({words}): performance and OEE follow it, whatever the machine does"
    rules = {record.rule for record in before.windows}, {record.rule for record in after.windows}
    if rules[0] and rules[1] and rules[0] != rules[1]:
        names = [", ".join(sorted(rule or "none" for rule in some)) for some in rules]
        yield f"a line's numbers come from other machines: {names[0]} before, {names[1]} since"


def _unit(name: str) -> str:
    return {"changeover": "changeovers", "schedule_adherence": "orders"}.get(name, "windows")


def _shares(windows: Sequence[Kpi]) -> dict[str, float]:
    made: dict[str, int] = {}
    for record in windows:
        for one in record.pieces:
            name = one.product or "(no product)"
            made[name] = made.get(name, 0) + one.good + one.scrap + one.rework
    whole = sum(made.values())
    return {name: count / whole for name, count in made.items()} if whole else {}


def _cycles(windows: Sequence[Kpi]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for record in windows:
        for one in record.pieces:
            found.setdefault(f"{one.product or '(no product)'}", set()).add(one.ideal_cycle_us)
    return {name: tuple(sorted(cycles)) for name, cycles in found.items()}


def _seconds(cycles: tuple[int, ...]) -> str:
    return "/".join(f"{one / 1_000_000:g}" for one in cycles)
