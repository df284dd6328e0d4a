"""Formulas with the numbers filled in: `availability = APT / PBT = 22,380 s / 25,200 s = 0.8881`. Pure."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from schemas.records import Derived, Kpi, KpiPieces, Oee
from topology.kpi.definition import Definition, KpiFormula
from topology.kpi.formula import Formula, Resolve, parse
from topology.kpi.values import (
    CONSTANTS,
    PER_PRODUCT,
    QUANTITIES,
    TIMES,
    Evaluation,
    Facts,
    Pieces,
    Product,
    per_product,
)

RATIOS = ("availability", "performance", "quality", "oee")
SHOWN_PRODUCTS = 4
"""A sum over more products shows as one number."""
TIME_QUANTITIES = {name for name, words in QUANTITIES.items() if "microseconds" in words}


@dataclass(frozen=True, slots=True)
class Worked:
    """One formula: as it is written, with evaluation, and what comes out."""

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
    kpis = {**definition.kpis, **(extra or {})}
    if isinstance(record, Kpi):
        facts = Facts(record.element_us, _pieces(record.pieces), record.quantities, _own(record))
        evaluation = Evaluation(definition, facts, per_product(definition, facts.pieces), kpis)
        said: Mapping[str, float | None] = record.values
    elif isinstance(record, Oee):
        products = per_product(definition, _pieces(made)) if made is not None else _from_sums(record)
        evaluation = Evaluation(definition, Facts(record.element_us, observed_us=_own(record)), products, kpis)
        if products is None:
            evaluation.put(_counts(record, definition))
        said = {name: getattr(record, name) for name in RATIOS}
    else:
        return []
    formulas: dict[str, Worked] = {}
    for name in said:
        _work(evaluation, name, said, formulas)
    return list(formulas.values())


def _own(record: Kpi | Oee) -> int | None:
    """How much of the time that its elements tell of a state was known in: a line's are those of one of its machines."""
    return record.observed_us if record.why_null is None else 0


def _work(evaluation: Evaluation, name: str, said: Mapping[str, float | None], formulas: dict[str, Worked]) -> None:
    """Adds a formula after those that it uses."""
    text = evaluation.formula(name)
    if name in formulas or text is None:
        return
    formula = parse(text)
    for used in sorted(formula.names, key=text.index):
        _work(evaluation, used, said, formulas)
    value, is_open = evaluation.value(name), evaluation.open(name)
    shown = shown_value(value, _is_time(evaluation, name), _unit(evaluation, name))
    formulas[name] = Worked(
        name,
        text,
        filled(evaluation, formula),
        "as the Kpi record says" if is_open else shown,
        None if value is None else float(value),
        said.get(name),
        name not in evaluation.definition.totals,
        is_open,
    )


def filled(evaluation: Evaluation, formula: Formula) -> str:
    """The formula with a number in place of each name."""
    fill = _Fill(evaluation)
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
    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self.numbers: dict[str, str] = {}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in CONSTANTS:
            return self._put(seconds(CONSTANTS[node.id]))
        return self._put(shown_value(self._evaluation.value(node.id), _is_time(self._evaluation, node.id)))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        argument = node.args[0]
        inner = Formula(ast.unparse(argument), argument, frozenset(), frozenset())
        time = _dimension_of(self._evaluation, argument, frozenset()) == 1
        if self._evaluation.products is None:
            return self._put("not told here")
        parts = [self._product(argument, product) for product in self._evaluation.products]
        if 0 < len(parts) <= SHOWN_PRODUCTS:
            return self._put(parts[0] if len(parts) == 1 else f"({' + '.join(parts)})")
        total = sum(
            (inner.value(_first(product, self._evaluation)) or Fraction(0) for product in self._evaluation.products),
            Fraction(0),
        )
        return self._put(shown_value(total, time))

    def _product(self, argument: ast.expr, product: Product) -> str:
        text = ast.unparse(argument)
        for name in sorted(
            {node.id for node in ast.walk(argument) if isinstance(node, ast.Name)}, key=len, reverse=True
        ):
            value = product.get(name, self._evaluation.value(name))
            text = text.replace(name, shown_value(value, name == "PRI" or _is_time(self._evaluation, name)))
        return text

    def _put(self, text: str) -> ast.Name:
        placeholder = f"_{len(self.numbers):03d}_"
        self.numbers[placeholder] = text
        return ast.Name(placeholder)


def _first(product: Product, evaluation: Evaluation) -> Resolve:
    return lambda name: product[name] if name in product else evaluation.value(name)


def _unit(evaluation: Evaluation, name: str) -> str:
    kpi = evaluation.kpis.get(name)
    return "" if kpi is None or kpi.unit == "1" else kpi.unit


def _is_time(evaluation: Evaluation, name: str) -> bool:
    return _dimension(evaluation, name, frozenset()) == 1


def _dimension(evaluation: Evaluation, name: str, seen: frozenset[str]) -> int | None:
    """The power of time a name has; None where it cannot be told."""
    if name in evaluation.definition.elements or name in TIMES or name in CONSTANTS or name in TIME_QUANTITIES:
        return 1
    text = evaluation.formula(name)
    if text is None or name in seen:
        return 0
    return _dimension_of(evaluation, parse(text).tree, seen | {name})


def _dimension_of(evaluation: Evaluation, node: ast.expr, seen: frozenset[str]) -> int | None:
    match node:
        case ast.Name(name):
            return 1 if name == "PRI" else 0 if name in PER_PRODUCT else _dimension(evaluation, name, seen)
        case ast.BinOp(left, ast.Mult() | ast.Div() as operator, right):
            power, other = (_dimension_of(evaluation, side, seen) for side in (left, right))
            if power is None or other is None:
                return None
            return power + other if isinstance(operator, ast.Mult) else power - other
        case ast.BinOp(left, _, right):
            power, other = (_dimension_of(evaluation, side, seen) for side in (left, right))
            return power if power == other else None
        case ast.UnaryOp(_, operand):
            return _dimension_of(evaluation, operand, seen)
        case ast.Call(_, [argument], _):
            return _dimension_of(evaluation, argument, seen)
    return 0


def _pieces(made: Iterable[KpiPieces]) -> tuple[Pieces, ...]:
    return tuple(Pieces.of(record) for record in made)


def _from_sums(record: Oee) -> tuple[Product, ...] | None:
    """Good pieces and scrap, each at its mean ideal cycle: Σ PRI·PQ and Σ PRI·GQ come out as the record has them.

    None: with pieces to rework the sums alone do not say what is whose.
    """
    if record.rework:
        return None
    products: list[Product] = []
    for pieces, ideal_us, good in (
        (record.good, record.ideal_good_us, True),
        (record.scrap, record.ideal_us - record.ideal_good_us, False),
    ):
        if pieces:
            count, none = Fraction(pieces), Fraction(0)
            product = {"PRI": Fraction(ideal_us, pieces), "PQ": count, "RQ": none, "SUQ": none}
            products.append({**product, "GQ": count if good else none, "SQ": none if good else count})
    return tuple(products)


def _counts(record: Oee, definition: Definition) -> dict[str, Fraction]:
    """All pieces as if of one product; what an Oee record does not say is left out."""
    (counts,) = per_product(definition, [Pieces(0, record.good, record.scrap, record.rework)])
    return {name: counts[name] for name in ("PQ", "GQ", "SQ", "RQ")}
