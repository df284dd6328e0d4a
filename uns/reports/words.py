"""Numbers, intervals and tables as people read them."""

from collections.abc import Sequence


def number(value: float | None, scale: float = 1.0, signed: bool = False) -> str:
    """A value as people read it: three or four digits that mean something."""
    if value is None:
        return "–"
    shown = value * scale
    digits = next((digits for digits, below in ((3, 1), (2, 100), (1, 10_000)) if abs(shown) < below), 0)
    return f"{shown:{'+' if signed else ''}.{digits}f}"


def between(low: float | None, high: float | None, scale: float = 1.0, signed: bool = False) -> str:
    """An interval as people read it."""
    return "–" if low is None or high is None else f"{number(low, scale, signed)} … {number(high, scale, signed)}"


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
