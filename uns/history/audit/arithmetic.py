"""Formulas with the numbers filled in: `availability = APT / PBT = 22,380 s / 25,200 s = 0.8881`. Pure."""

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from schemas.records import Derived, Kpi, KpiPieces, Oee
from topology.kpi.definition import Definition, KpiFormula
from topology.kpi.formula import Formula, parse
from topology.kpi.values import CONSTANTS, PER_PRODUCT, QUANTITIES, TIMES, Facts, Pieces, given, per_product

RATIOS = ("availability", "performance", "quality", "oee")
SHOWN_PRODUCTS = 4
"""A sum over more products shows as one number."""
TIME_QUANTITIES = {name for name, words in QUANTITIES.items() if "microseconds" in words}
Product = Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Worked:
    """One formula: as it is written, with numbers, and what comes out."""

    name: str
    formula: str
    filled: str
    result: str
    value: float | None
    published: float | None = None
    """What the record says; for a KPI only."""
    kpi: bool = True
    open: bool = False
    """Rests on pieces by product that this record does not have."""

    @property
    def agrees(self) -> bool:
        """Whether the record says what comes out here: within 1e-12, for formulas may sum in another order."""
        if not self.kpi or self.open:
            return True
        if self.value is None or self.published is None:
            return self.value is self.published
        return abs(self.value - self.published) <= 1e-12 * max(1.0, abs(self.value))


@dataclass
class Numbers:
    """What the formulas of a definition are filled with."""

    definition: Definition
    facts: Facts
    products: tuple[Product, ...] | None
    """None: not known; what sums over them has no value here."""
    extra: Mapping[str, KpiFormula] = field(default_factory=dict)
    _known: dict[str, Fraction | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = given(self.definition, self.facts, self.products or ())

    def put(self, counts: Mapping[str, Fraction]) -> None:
        """What is known of the pieces without their products."""
        self._known |= counts

    def value(self, name: str) -> Fraction | None:
        """Exact; None where a denominator is zero or a quantity is not known."""
        if name not in self._known:
            text = self.formula(name)
            self._known[name] = (
                None if text is None or self.open(name) else parse(text).value(self.value, self.products or ())
            )
        return self._known[name]

    def open(self, name: str) -> bool:
        """Whether it rests on products that are not known."""
        text = self.formula(name)
        if self.products is not None or text is None:
            return False
        formula = parse(text)
        return bool(formula.summed) or any(self.open(used) for used in formula.names)

    def formula(self, name: str) -> str | None:
        """The text behind a total or a KPI."""
        if name in self.definition.totals:
            return self.definition.totals[name]
        kpi = self.definition.kpis.get(name) or self.extra.get(name)
        return None if kpi is None else kpi.formula

    def is_time(self, name: str) -> bool:
        return _dimension(self, name, frozenset()) == 1


def worked(
    definition: Definition,
    record: Derived,
    extra: Mapping[str, KpiFormula] | None = None,
    made: Sequence[KpiPieces] | None = None,
) -> list[Worked]:
    """Totals and KPIs of an Oee or Kpi record, each total before what uses it; nothing for other records.

    `made`: the pieces by product behind an Oee record, where its Kpi record is at hand: it has their sums only.
    """
    if isinstance(record, Kpi | Oee) and record.element_us.keys() - definition.elements.keys():
        return []  # another content under the same label: nothing would add up
    if isinstance(record, Kpi):
        facts = Facts(record.element_us, _pieces(record.pieces), record.quantities)
        numbers = Numbers(definition, facts, per_product(definition, facts.pieces), extra or {})
        said: Mapping[str, float | None] = record.values
    elif isinstance(record, Oee):
        products = per_product(definition, _pieces(made)) if made is not None else _from_sums(record)
        numbers = Numbers(definition, Facts(record.element_us), products, extra or {})
        if products is None:
            numbers.put(_counts(record, definition))
        said = {name: getattr(record, name) for name in RATIOS}
    else:
        return []
    found: list[Worked] = []
    shown: set[str] = set()
    for name in said:
        if numbers.formula(name) is not None:
            _work(numbers, name, said, shown, found)
    return found


def _work(numbers: Numbers, name: str, said: Mapping[str, float | None], shown: set[str], found: list[Worked]) -> None:
    text = numbers.formula(name)
    if name in shown or text is None:
        return
    shown.add(name)
    formula = parse(text)
    for used in sorted(formula.names, key=text.index):
        _work(numbers, used, said, shown, found)
    value = numbers.value(name)
    kpi = name not in numbers.definition.totals
    found.append(
        Worked(
            name,
            text,
            filled(numbers, formula),
            "as the Kpi record says"
            if numbers.open(name)
            else shown_value(value, numbers.is_time(name), _unit(numbers, name)),
            None if value is None else float(value),
            said.get(name),
            kpi,
            numbers.open(name),
        )
    )


def filled(numbers: Numbers, formula: Formula) -> str:
    """The formula with a number in place of each name."""
    fill = _Fill(numbers)
    tree = fill.visit(ast.parse(formula.text.strip(), mode="eval").body)
    text = ast.unparse(tree)
    for placeholder, number in fill.numbers.items():
        text = text.replace(placeholder, number)
    return text


def shown_value(value: Fraction | None, time: bool, unit: str = "") -> str:
    """A number as people read it: times in seconds."""
    if value is None:
        return "no value"
    if time:
        return seconds(value)
    if value.denominator == 1:
        text = f"{int(value):,}"
    else:
        text = f"{float(value):.4f}" if abs(value) < 100 else f"{float(value):,.2f}"
    return f"{text} {unit}".rstrip()


def seconds(us: Fraction | int) -> str:
    """Microseconds as `22,380 s`, with what is needed behind the point."""
    text = f"{float(us) / 1e6:,.6f}".rstrip("0").rstrip(".")
    return f"{text} s"


class _Fill(ast.NodeTransformer):
    def __init__(self, numbers: Numbers) -> None:
        self._of = numbers
        self.numbers: dict[str, str] = {}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in CONSTANTS:
            return self._put(seconds(CONSTANTS[node.id]))
        return self._put(shown_value(self._of.value(node.id), self._of.is_time(node.id)))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        argument = node.args[0]
        inner = Formula(ast.unparse(argument), argument, frozenset(), frozenset())
        time = _dimension_of(self._of, argument, frozenset()) == 1
        if self._of.products is None:
            return self._put("not told here")
        parts = [self._product(argument, product) for product in self._of.products]
        if 0 < len(parts) <= SHOWN_PRODUCTS:
            return self._put(parts[0] if len(parts) == 1 else f"({' + '.join(parts)})")
        total = sum(
            (inner.value(_first(product, self._of)) or Fraction(0) for product in self._of.products), Fraction(0)
        )
        return self._put(shown_value(total, time))

    def _product(self, argument: ast.expr, product: Product) -> str:
        text = ast.unparse(argument)
        for name in sorted(
            {node.id for node in ast.walk(argument) if isinstance(node, ast.Name)}, key=len, reverse=True
        ):
            value = product.get(name, self._of.value(name))
            text = text.replace(name, shown_value(value, name == "PRI" or self._of.is_time(name)))
        return text

    def _put(self, text: str) -> ast.Name:
        placeholder = f"_{len(self.numbers):03d}_"
        self.numbers[placeholder] = text
        return ast.Name(placeholder)


def _first(product: Product, numbers: Numbers) -> "functools.partial[Fraction | None]":
    return functools.partial(lambda one, name: one[name] if name in one else numbers.value(name), product)


def _unit(numbers: Numbers, name: str) -> str:
    kpi = numbers.definition.kpis.get(name) or numbers.extra.get(name)
    return "" if kpi is None or kpi.unit == "1" else kpi.unit


def _dimension(numbers: Numbers, name: str, seen: frozenset[str]) -> int | None:
    """The power of time a name has; None where it cannot be told."""
    if name in numbers.definition.elements or name in TIMES or name in CONSTANTS or name in TIME_QUANTITIES:
        return 1
    text = numbers.formula(name)
    if text is None or name in seen:
        return 0
    return _dimension_of(numbers, parse(text).tree, seen | {name})


def _dimension_of(numbers: Numbers, node: ast.expr, seen: frozenset[str]) -> int | None:
    match node:
        case ast.Name(name):
            return 1 if name == "PRI" else 0 if name in PER_PRODUCT else _dimension(numbers, name, seen)
        case ast.BinOp(left, ast.Mult() | ast.Div() as operator, right):
            one, other = (_dimension_of(numbers, side, seen) for side in (left, right))
            if one is None or other is None:
                return None
            return one + other if isinstance(operator, ast.Mult) else one - other
        case ast.BinOp(left, _, right):
            one, other = (_dimension_of(numbers, side, seen) for side in (left, right))
            return one if one == other else None
        case ast.UnaryOp(_, operand):
            return _dimension_of(numbers, operand, seen)
        case ast.Call(_, [argument], _):
            return _dimension_of(numbers, argument, seen)
    return 0


def _pieces(made: Iterable[KpiPieces]) -> tuple[Pieces, ...]:
    return tuple(Pieces.of(one) for one in made)


def _from_sums(record: Oee) -> tuple[Product, ...] | None:
    """Good pieces and scrap, each at its mean ideal cycle: Σ PRI·PQ and Σ PRI·GQ come out as the record has them.

    None: with pieces to rework the sums alone do not say what is whose.
    """
    if record.rework:
        return None
    found: list[Product] = []
    for pieces, ideal_us, good in (
        (record.good, record.ideal_good_us, True),
        (record.scrap, record.ideal_us - record.ideal_good_us, False),
    ):
        if pieces:
            count, none = Fraction(pieces), Fraction(0)
            one = {"PRI": Fraction(ideal_us, pieces), "PQ": count, "RQ": none, "SUQ": none}
            found.append({**one, "GQ": count if good else none, "SQ": none if good else count})
    return tuple(found)


def _counts(record: Oee, definition: Definition) -> dict[str, Fraction]:
    """All pieces as if of one product; what an Oee record does not say is left out."""
    (counts,) = per_product(definition, [Pieces(0, record.good, record.scrap, record.rework)])
    return {name: counts[name] for name in ("PQ", "GQ", "SQ", "RQ")}
