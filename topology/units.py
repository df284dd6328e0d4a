"""From one unit of measure to another as `value * factor + offset`, worked out once, exactly, by pint's tables."""

import functools
from fractions import Fraction
from typing import Any


@functools.cache
def conversion(unit: str, to: str) -> tuple[Fraction, Fraction]:
    """(factor, offset) from `unit` to `to`, e.g. degF to degC. Raises `ValueError` for units that are not known, do not
    measure the same, or do not convert along a straight line (decibels)."""
    import pint  # its tables take a moment to read, and only who converts needs them

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True, non_int_type=Fraction)
    try:
        zero, one, two = (registry.Quantity(Fraction(value), unit).to(to).magnitude for value in (0, 1, 2))
    except pint.DimensionalityError:
        raise ValueError(f"{unit} and {to} measure different things") from None
    except (pint.PintError, AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{unit} to {to}: {error}") from None
    if not all(isinstance(value, Fraction) for value in (zero, one, two)) or two - one != one - zero:
        raise ValueError(f"{unit} to {to} is no straight line; convert it at its source")
    return one - zero, zero
