"""Formulas as data: arithmetic over named quantities, read with Python's grammar, evaluated exactly, never executed.

Allowed: names, numbers, `+ - * /`, parentheses, and `sum(…)` over the products of a window. Nothing else parses.
"""

import ast
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTH = 500
Resolve = Callable[[str], Fraction | None]


class FormulaError(ValueError):
    """The text is no formula; the message says which part and why."""


@dataclass(frozen=True)
class Formula:
    """A parsed formula."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    """Names outside `sum(…)`."""
    summed: frozenset[str]
    """Names inside `sum(…)`."""

    def value(self, resolve: Resolve, products: tuple[Mapping[str, Fraction], ...] = ()) -> Fraction | None:
        """Exact; None where a name has no value or a denominator is zero. A product's own names go before others."""
        return _value(self.tree, resolve, products)


@functools.cache
def parse(text: str) -> Formula:
    """Raises `FormulaError`."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"longer than {MAX_LENGTH} characters; name a part of it under `totals`")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"{text!r} is no arithmetic expression") from error
    names: set[str] = set()
    summed: set[str] = set()
    _check(tree, names, summed, inside=False)
    return Formula(text, tree, frozenset(names), frozenset(summed))


def _check(node: ast.expr, names: set[str], summed: set[str], inside: bool) -> None:
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right):
            _check(left, names, summed, inside)
            _check(right, names, summed, inside)
        case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
            _check(operand, names, summed, inside)
        case ast.Name(name):
            (summed if inside else names).add(name)
        case ast.Constant(int() | float() as number) if not isinstance(number, bool) and abs(number) < 1e18:
            pass
        case ast.Call(ast.Name("sum"), [argument], []) if not inside:
            _check(argument, names, summed, True)
        case _:
            raise FormulaError(
                f"{ast.unparse(node)!r} is not allowed in a formula; there are names, numbers, + - * /, ( ) and "
                "sum(…) over products"
            )


def _value(node: ast.expr, resolve: Resolve, products: tuple[Mapping[str, Fraction], ...]) -> Fraction | None:
    match node:
        case ast.BinOp(left, operator, right):
            return _combine(operator, _value(left, resolve, products), _value(right, resolve, products))
        case ast.UnaryOp(operator, operand):
            value = _value(operand, resolve, products)
            return -value if value is not None and isinstance(operator, ast.USub) else value
        case ast.Name(name):
            return resolve(name)
        case ast.Constant(int() | float() as number):
            return Fraction(str(number))  # 0.1 in a formula is a tenth, not the nearest binary fraction
        case ast.Call(_, [argument], _):
            total = Fraction(0)
            for product in products:
                part = _value(argument, _first(product, resolve), ())
                if part is None:
                    return None
                total += part
            return total
    raise FormulaError(f"{ast.unparse(node)!r} is not allowed in a formula")


def _first(product: Mapping[str, Fraction], resolve: Resolve) -> Resolve:
    return lambda name: product[name] if name in product else resolve(name)


def _combine(operator: ast.operator, left: Fraction | None, right: Fraction | None) -> Fraction | None:
    if left is None or right is None:
        return None
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    return left / right if right else None
