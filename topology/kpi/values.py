"""From what a window holds to its KPIs. Exact until the last step; a whole is evaluated from the sum of its parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from schemas.records import KpiPieces
from topology.kpi.definition import NOT_OBSERVED, Definition, KpiFormula
from topology.kpi.formula import parse

CONSTANTS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}
"""Times are in microseconds; a formula divides by one of these for another unit."""
COUNTS = {
    "PQ": "produced quantity",
    "GQ": "good quantity",
    "SQ": "scrap quantity",
    "RQ": "rework quantity",
    "SUQ": "start-up scrap quantity, a part of SQ",
}
PER_PRODUCT = {"PRI": "planned run time per item of the product", **COUNTS}
TIMES = {
    "window": "length of the window as far as anybody saw it: the sum of all elements but not_observed",
    "base": "the elements that are not outside",
    "operating": "base without the availability losses",
}
QUANTITIES = {
    "AOET": "actual order execution time, microseconds",
    "APWT": "actual personnel work time, microseconds",
    "APAT": "actual personnel attendance time, microseconds",
    "TBF": "time between failures without delays, summed, microseconds",
    "TTR": "time to repair, summed, microseconds",
    "FE": "number of failures",
    "CMT": "corrective maintenance time, microseconds",
    "PMT": "planned maintenance time, microseconds",
    "IP": "inspected parts",
    "GP": "good parts on first pass",
    "PSQ": "planned scrap quantity",
    "PQF": "produced quantity of the first operation",
    "EPC": "equipment production capacity, pieces",
    "CM": "consumed material",
    "IGQ": "integrated good quantity",
    "PL": "production loss",
    "STL": "storage and transport loss",
    "OL": "other loss",
    "TPUT": "throughput for inventory turns",
    "INV": "average inventory",
    "E": "energy, in the unit of its meter",
}
"""What a window may know beside times and pieces; what it does not know makes a KPI null."""


Product = Mapping[str, Fraction]
"""What a window made of one product, by the names of `PER_PRODUCT`."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a window made of one product at one ideal cycle."""

    ideal_cycle_us: int
    good: int = 0
    """Good on first pass."""
    scrap: int = 0
    rework: int = 0
    product: str | None = None
    start_up: int = 0
    """Start-up scrap, a part of `scrap`."""
    unseen: bool = False
    """Made while nobody saw the machine: counted, and set against no time, since there is none to set it against."""

    @property
    def pri_us(self) -> int:
        """What a piece counts in time."""
        return 0 if self.unseen else self.ideal_cycle_us

    @classmethod
    def of(cls, record: KpiPieces) -> "Pieces":
        """As a `Kpi` record carries them."""
        counts = record.good, record.scrap, record.rework
        return cls(record.ideal_cycle_us, *counts, record.product, record.start_up, record.unseen)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that KPIs are computed from; `values` of a sum of facts are the KPIs of the whole."""

    element_us: Mapping[str, int] = field(default_factory=dict)
    pieces: tuple[Pieces, ...] = ()
    quantities: Mapping[str, int | float | Fraction] = field(default_factory=dict)
    observed_us: int | None = None
    """Of the time, in how much a state was known. 0: in none, so no element is known but by name. None: nobody counted."""
    elapsed_us: int | None = None
    """The time that `observed_us` is a part of. None: nobody counted."""

    @property
    def stateless(self) -> bool:
        """Whether time has gone by and no state was known in it: what rests on time has no value."""
        return self.observed_us == 0 and any(self.element_us.values())

    @property
    def coverage(self) -> float | None:
        """Observed of elapsed time; None: nobody counted, or no time has gone by."""
        return None if self.observed_us is None or not self.elapsed_us else self.observed_us / self.elapsed_us


def total(parts: Iterable[Facts]) -> Facts:
    """The facts of a whole. A quantity that one part does not know is not known of the whole. Order does not matter."""
    elements: dict[str, int] = {}
    pieces: dict[tuple[str | None, int, bool], tuple[int, int, int, int]] = {}
    quantities: dict[str, int | float | Fraction] | None = None
    observed_us: int | None = 0
    elapsed_us: int | None = 0
    for part in parts:
        observed_us = None if observed_us is None or part.observed_us is None else observed_us + part.observed_us
        elapsed_us = None if elapsed_us is None or part.elapsed_us is None else elapsed_us + part.elapsed_us
        for name, us in part.element_us.items():
            elements[name] = elements.get(name, 0) + us
        for one in part.pieces:
            key = one.product, one.ideal_cycle_us, one.unseen
            good, scrap, rework, start_up = pieces.get(key, (0, 0, 0, 0))
            pieces[key] = good + one.good, scrap + one.scrap, rework + one.rework, start_up + one.start_up
        if quantities is None:
            quantities = dict(part.quantities)
        else:  # as fractions: a sum of floats would depend on its order
            known = quantities.keys() & part.quantities.keys()
            quantities = {name: Fraction(quantities[name]) + Fraction(part.quantities[name]) for name in known}
    merged = (
        Pieces(cycle_us, good, scrap, rework, product, start_up, unseen)
        for (product, cycle_us, unseen), (good, scrap, rework, start_up) in sorted(
            pieces.items(), key=lambda item: str(item[0])
        )
    )
    return Facts(elements, tuple(merged), quantities or {}, observed_us, elapsed_us)


def values(
    definition: Definition,
    facts: Facts,
    extra: Mapping[str, KpiFormula] | None = None,
    only: Iterable[str] | None = None,
) -> dict[str, float | None]:
    """KPI id → value; `extra` are a site's own. None: a denominator is zero, or a quantity is not known.

    `only`: the ids that are wanted; those that the definition does not have are left out.

    Expects a definition that `kpi_check.faults` finds nothing wrong with. Raises `ValueError` for an element that the
    definition does not have: time would be lost.
    """
    if strangers := sorted(facts.element_us.keys() - definition.elements.keys()):
        raise ValueError(f"{', '.join(strangers)}: no element of {definition.label}")
    kpis = {**definition.kpis, **(extra or {})}
    evaluation = Evaluation(definition, facts, per_product(definition, facts.pieces), kpis)
    wanted = kpis if only is None else kpis.keys() & set(only)
    exact = {name: evaluation.value(name) for name in wanted}
    return {name: None if value is None else _rounded(value) for name, value in exact.items()}


class Evaluation:
    """The names of a definition's formulas and what each comes to, exactly; each is computed once."""

    def __init__(
        self,
        definition: Definition,
        facts: Facts,
        products: tuple[Product, ...] | None,
        kpis: Mapping[str, KpiFormula],
    ) -> None:
        """`products`: what `sum(…)` goes over; None: not known, and what sums over them has no value here.

        `kpis`: the definition's and a site's own.
        """
        self.definition = definition
        self.products = products
        self.kpis = kpis
        self._known = _given(definition, facts, products or ())

    def put(self, counts: Mapping[str, Fraction]) -> None:
        """What is known of all pieces together, where their products are not known."""
        self._known |= counts

    def formula(self, name: str) -> str | None:
        """The text behind a total or a KPI; None for all else."""
        text = self.definition.totals.get(name)
        return self.kpis[name].formula if text is None and name in self.kpis else text

    def value(self, name: str) -> Fraction | None:
        """None where a denominator is zero or a quantity is not known."""
        if name not in self._known:
            text = self.formula(name)
            if text is None or self.open(name):
                self._known[name] = None
            else:
                self._known[name] = parse(text).value(self.value, self.products or ())
        return self._known[name]

    def open(self, name: str) -> bool:
        """Whether it rests on products that are not known."""
        text = None if self.products is not None else self.formula(name)
        if text is None:
            return False
        formula = parse(text)
        return bool(formula.summed) or any(self.open(used) for used in formula.names)


def _given(definition: Definition, facts: Facts, products: tuple[Product, ...]) -> dict[str, Fraction | None]:
    """Name → value of all that formulas start from: constants, elements, times (µs), quantities, counts of pieces."""
    start: dict[str, Fraction | None] = {name: Fraction(us) for name, us in CONSTANTS.items()}
    if facts.stateless:
        start |= dict.fromkeys((*definition.elements, *TIMES))
    else:
        start |= {name: Fraction(facts.element_us.get(name, 0)) for name in definition.elements}
        start |= _times(definition, facts)
    start |= {name: Fraction(quantity) for name, quantity in facts.quantities.items() if name in QUANTITIES}
    return start | {name: sum((product[name] for product in products), Fraction(0)) for name in COUNTS}


def per_product(definition: Definition, pieces: Iterable[Pieces]) -> tuple[Product, ...]:
    """What `sum(…)` goes over: for each product the names of `PER_PRODUCT`."""
    return tuple(_product(part, definition.options.rework == "good") for part in pieces)


def losses(definition: Definition, facts: Facts) -> dict[str, int]:
    """The loss tree: `class.element` → µs, what speed and bad pieces cost in ideal time, and `valuable` time.

    Sums exactly to the planned time (`base`). Speed loss is what running time exceeds the ideal time of what was made:
    negative where the ideal cycle is too long. Leaves of nothing are left out.
    """
    found = {
        f"{element.loss}.{name}": us
        for name, element in definition.elements.items()
        if (us := facts.element_us.get(name, 0)) and element.loss not in ("none", "outside")
    }
    running = sum(us for name, us in facts.element_us.items() if definition.elements[name].loss == "none")
    scrap = sum(one.pri_us * one.scrap for one in facts.pieces)
    start_up = sum(one.pri_us * one.start_up for one in facts.pieces)
    rework = sum(one.pri_us * one.rework for one in facts.pieces)
    good = sum(one.pri_us * one.good for one in facts.pieces)
    if definition.options.rework == "good":
        good, rework = good + rework, 0
    found["performance.speed"] = running - good - scrap - rework
    found |= {"quality.scrap": scrap - start_up, "quality.start_up": start_up, "quality.rework": rework}
    found["valuable"] = good
    return {name: us for name, us in found.items() if us or name == "valuable"}


def _rounded(value: Fraction) -> float | None:
    """The nearest float; None beyond what a float can hold."""
    try:
        return float(value)
    except OverflowError:
        return None


def presented(definition: Definition, found: Mapping[str, float | None]) -> dict[str, float | None]:
    """Values as people see them: at most the upper end of the range where the definition says so. Never stored."""
    if definition.options.performance_above_1 == "raw":
        return dict(found)
    upper = {name: kpi.upper for name, kpi in definition.kpis.items() if kpi.upper is not None}
    return {
        name: min(value, upper[name]) if value is not None and name in upper else value for name, value in found.items()
    }


def _times(definition: Definition, facts: Facts) -> dict[str, Fraction]:
    def summed(*left_out: str) -> Fraction:
        return Fraction(
            sum(us for name, us in facts.element_us.items() if definition.elements[name].loss not in left_out)
        )

    return {
        "window": summed() - facts.element_us.get(NOT_OBSERVED, 0),
        "base": summed("outside"),
        "operating": summed("outside", "availability"),
    }


def _product(one: Pieces, rework_is_good: bool) -> dict[str, Fraction]:
    good = one.good + one.rework if rework_is_good else one.good
    found = {"PRI": one.pri_us, "PQ": one.good + one.scrap + one.rework, "GQ": good, "SQ": one.scrap}
    return {name: Fraction(value) for name, value in {**found, "RQ": one.rework, "SUQ": one.start_up}.items()}
