"""One KPI as a function of summed facts, ready for thousands of sums: what it needs, its unit, whether it is a proportion."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from processors.analysis.inference import Number, Vector
from topology.kpi.definition import Definition, KpiFormula
from topology.kpi.formula import parse
from topology.kpi.values import COUNTS, QUANTITIES, Facts, Pieces, values

_PARTS_OF_PIECES = {"GQ": "PQ", "SQ": "PQ", "RQ": "PQ", "SUQ": "SQ", "GP": "IP"}
"""Counts that are a part of another count."""


@dataclass(frozen=True)
class Measure:
    """A KPI of a definition, or a formula of its own over the same facts. Made by `measure`."""

    id: str
    formula: KpiFormula
    definition: Definition
    """Cut down to what the KPI needs."""
    names: frozenset[str]
    """All that it rests on in the end: elements, times, counts, quantities."""
    share: tuple[str, str] | None
    """Numerator and denominator, where it is a proportion of pieces."""

    @property
    def label(self) -> str:
        return self.definition.label

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be read: a ratio in percent."""
        return 100.0 if self.formula.unit == "1" else 1.0

    @property
    def shown_unit(self) -> str:
        return "%" if self.formula.unit == "1" else self.formula.unit

    @property
    def difference_unit(self) -> str:
        return "points" if self.formula.unit == "1" else self.formula.unit

    def value(self, facts: Facts) -> float | None:
        return values(self.definition, facts, {self.id: self.formula})[self.id]

    def proportion(self, facts: Facts) -> tuple[int, int] | None:
        """Pieces that count and all pieces, where it is a proportion of pieces."""
        if self.share is None:
            return None
        extra = {name: KpiFormula(name=name, formula=name, trend="none") for name in self.share}
        found = values(self.definition, facts, {f"_{name}": formula for name, formula in extra.items()})
        part, whole = (found[f"_{name}"] for name in self.share)
        return None if part is None or whole is None or not 0 <= part <= whole else (round(part), round(whole))

    def planned(self, facts: Facts) -> bool:
        """Whether there was time that is not outside the denominator of OEE."""
        return any(us and self.definition.elements[name].loss != "outside" for name, us in facts.element_us.items())


def measure(
    definition: Definition, id_: str, formula: KpiFormula | None = None, more: Mapping[str, KpiFormula] | None = None
) -> Measure:
    """A KPI by its id, among the definition's and `more` (a site's); or `formula` under that id. Raises `LookupError`."""
    known = {**definition.kpis, **(more or {})}
    if formula is None and id_ not in known:
        raise LookupError(f"{definition.label} has no KPI {id_!r}; there are {', '.join(known) or 'none'}")
    own = formula or known[id_]
    needed: dict[str, KpiFormula] = {}
    names: set[str] = set()

    def visit(text: str) -> None:
        found = parse(text)
        for name in found.names | found.summed:
            if name in definition.totals:
                visit(definition.totals[name])
            elif name in known and name not in needed:
                needed[name] = known[name]
                visit(known[name].formula)
            elif name not in known:
                names.add(name)

    visit(own.formula)
    needed.pop(id_, None)
    small = definition.model_copy(update={"kpis": needed})
    return Measure(id_, own, small, frozenset(names), _share(own.formula))


def _share(text: str) -> tuple[str, str] | None:
    match parse(text).tree:
        case ast.BinOp(ast.Name(part), ast.Div(), ast.Name(whole)) if _PARTS_OF_PIECES.get(part) == whole:
            return part, whole
    return None


class Places:
    """Facts of some windows as vectors over common places, so that they add and subtract quickly and exactly.

    A quantity that one window does not know has no place: it is not known of any sum, as in `kpi_values.total`.
    """

    def __init__(self, parts: Iterable[Facts]) -> None:
        some = list(parts)
        self._elements = sorted({name for one in some for name in one.element_us})
        self._pieces = sorted({_kind(piece) for one in some for piece in one.pieces}, key=str)
        known = [frozenset(one.quantities) for one in some]
        self._quantities = sorted(frozenset.intersection(*known)) if known else []

    @property
    def size(self) -> int:
        """Length of a vector."""
        return 1 + len(self._elements) + 4 * len(self._pieces) + len(self._quantities)

    def vector(self, facts: Facts | None) -> Vector:
        """None: nothing happened."""
        if facts is None:
            return (0,) * self.size
        made: dict[tuple[str | None, int, bool], tuple[int, int, int, int]] = {}
        for one in facts.pieces:
            good, scrap, rework, start_up = made.get(_kind(one), (0, 0, 0, 0))
            made[_kind(one)] = good + one.good, scrap + one.scrap, rework + one.rework, start_up + one.start_up
        # A record of a release that did not count it was taken as seen.
        seen_us = sum(facts.element_us.values()) if facts.observed_us is None else facts.observed_us
        found: list[Number] = [seen_us, *(facts.element_us.get(name, 0) for name in self._elements)]
        for kind in self._pieces:
            found += made.get(kind, (0, 0, 0, 0))
        # As fractions: a sum of floats would depend on its order.
        found += [_exact(facts.quantities[name]) for name in self._quantities]
        return tuple(found)

    def facts(self, vector: Vector) -> Facts:
        """The inverse of `vector`, also of sums and differences."""
        numbers = iter(vector)
        observed_us = int(next(numbers))
        elements = {name: int(next(numbers)) for name in self._elements}
        pieces = tuple(self._read(kind, numbers) for kind in self._pieces)
        return Facts(elements, pieces, dict(zip(self._quantities, numbers, strict=True)), observed_us)

    @staticmethod
    def _read(kind: tuple[str | None, int, bool], numbers: Iterator[Number]) -> Pieces:
        product, cycle_us, unseen = kind
        good, scrap, rework, start_up = (int(next(numbers)) for _ in range(4))
        return Pieces(cycle_us, good, scrap, rework, product, start_up, unseen)


def needs_only_pieces(one: Measure) -> list[str]:
    """What a KPI rests on beside counts of pieces; empty: pieces are enough."""
    return sorted(one.names - COUNTS.keys())


def unknown_quantities(one: Measure, parts: Iterable[Facts]) -> list[str]:
    """Quantities that the KPI needs and some window does not know: they make it null."""
    known = frozenset(QUANTITIES).intersection(*(facts.quantities for facts in parts))
    return sorted((one.names & QUANTITIES.keys()) - known)


def _kind(piece: Pieces) -> tuple[str | None, int, bool]:
    return piece.product, piece.ideal_cycle_us, piece.unseen


def _exact(value: int | float | Fraction) -> int | Fraction:
    exact = Fraction(value)
    return exact.numerator if exact.denominator == 1 else exact
