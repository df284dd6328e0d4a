"""What a model says of one period, and what all models have in common."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

Row = tuple[int, list[float]]
"""A period: its middle (µs), and the mean of each tag."""


class Verdict(NamedTuple):
    """How unusual a period is."""

    score: float
    """In units of the limit: above 1 is unusual."""
    tag: int
    """Number of the tag that has most to do with it."""
    expected: float | None
    """What it usually is."""
    details: dict[str, float]


class Model(Protocol):
    """What is usual, as it was learnt; a struct that is saved as it is."""

    def score(self, at: int, values: Sequence[float]) -> Verdict | None:
        """None: it knows nothing of such a period."""
        ...


def parts(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """The first two thirds, of which a model is made, and the rest, which says what its limit must be at least.

    >>> [len(part) for part in parts([(n, [0.0]) for n in range(12)])]
    [8, 4]
    """
    cut = 2 * len(rows) // 3
    return rows[:cut], rows[cut:]


def resolution(value: float, spread: float) -> float:
    """A spread, but not below a thousandth of the value: what never changed while it was learnt still has a resolution."""
    return max(spread, 1e-3 * abs(value), 1e-12)


def calibrated(model: Model, rows: Sequence[Row]) -> float:
    """The greatest score of rows that are taken to be usual, at least 1: where data are wilder than a formula has it, its
    limit is wrong, and this is put right here."""
    scores = [verdict.score for at, values in rows if (verdict := model.score(at, values)) is not None]
    return max(1.0, *scores) if scores else 1.0


def checked(values: Sequence[float]) -> None:
    """Raises ValueError where one is no finite number."""
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value}: a finite number is expected")
