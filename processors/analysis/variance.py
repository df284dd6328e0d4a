"""Components of variance: how much of a value's scatter is between lots, between samples of a lot, within. Pure.

Fully nested random effects by expected mean squares, for unequal numbers with the coefficients of Gates & Shiue (1962,
Biometrics 18:529; Searle, Casella & McCulloch 1992, Variance Components, §4). A negative estimate is zero. The interval of
the intraclass correlation is exact for one level with equal numbers (Searle 1971), near it otherwise.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from processors.analysis.distributions import CONFIDENCE, Interval, f_quantile, f_tail

RESIDUAL = "within"
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One level of the nesting, or what is left within the innermost."""

    name: str
    freedom: int
    sum_of_squares: float
    mean_square: float
    variance: float
    share: float
    """Of the sum of all components; of the outermost level the intraclass correlation."""
    f: float | None
    """Its mean square over the one below."""
    p: float | None


@dataclass(frozen=True, slots=True)
class Components:
    parts: tuple[Component, ...]
    """From the outermost level to `within`."""
    mean: float
    correlation: Interval | None
    """Of the intraclass correlation, where there is one level."""


def components(values: Iterable[tuple[Path, float]], names: Sequence[str]) -> Components | None:
    """`values`: (level of each name, from the outermost in; value). None where no level has two classes, or nothing repeats.

    >>> found = components([(("a",), 1.0), (("a",), 3.0), (("b",), 7.0), (("b",), 9.0)], ["lot"])
    >>> [(part.name, part.variance) for part in found.parts]
    [('lot', 17.0), ('within', 2.0)]
    """
    rows = [(path, value) for path, value in values if math.isfinite(value)]
    depths = range(len(names) + 1)
    classes = [_classes(rows, depth) for depth in depths]
    counts = [*map(len, classes), len(rows)]
    freedom = [counts[i + 1] - counts[i] for i in depths]
    if not rows or min(freedom) < 1:
        return None
    mean = math.fsum(value for _, value in rows) / len(rows)
    raw = [math.fsum((sum_ - count * mean) ** 2 / count for count, sum_ in level.values()) for level in classes]
    raw.append(math.fsum((value - mean) ** 2 for _, value in rows))
    squares = [max(0.0, raw[i + 1] - raw[i]) for i in depths]
    means = [squares[i] / freedom[i] for i in depths]
    variances = _variances(classes, means, freedom)
    whole = math.fsum(variances)
    parts = []
    for i, name in enumerate([*names, RESIDUAL]):
        f = means[i] / means[i + 1] if i < len(names) and means[i + 1] > 0 else None
        p = None if f is None else f_tail(f, freedom[i], freedom[i + 1])
        share = variances[i] / whole if whole > 0 else 0.0
        parts.append(Component(name, freedom[i], squares[i], means[i], variances[i], share, f, p))
    correlation = _correlation(parts[0], classes[1], len(rows)) if len(names) == 1 else None
    return Components(tuple(parts), mean, correlation)


def _classes(rows: Sequence[tuple[Path, float]], depth: int) -> Mapping[Path, tuple[int, float]]:
    """Classes of a depth: number and sum of their values."""
    found: dict[Path, list[float]] = {}
    for path, value in rows:
        found.setdefault(path[:depth], []).append(value)
    return {path: (len(some), math.fsum(some)) for path, some in found.items()}


def _variances(
    classes: Sequence[Mapping[Path, tuple[int, float]]], means: Sequence[float], freedom: Sequence[int]
) -> list[float]:
    """Each level's component, from the innermost out: its mean square less what the levels below put into it."""
    inner = len(means) - 1
    variances = [0.0] * inner + [means[inner]]
    for i in reversed(range(inner)):
        expected = variances[inner] + math.fsum(
            variances[j] * _coefficient(classes, i, j, freedom[i]) for j in range(i + 1, inner)
        )
        variances[i] = max(0.0, (means[i] - expected) / _coefficient(classes, i, i, freedom[i]))
    return variances


def _coefficient(classes: Sequence[Mapping[Path, tuple[int, float]]], of: int, component: int, freedom: int) -> float:
    """How often a component is in a mean square (levels from 0; classes of level i have i + 1 names)."""

    def gathered(depth: int) -> float:
        return math.fsum(
            count**2 / classes[depth][path[:depth]][0] for path, (count, _) in classes[component + 1].items()
        )

    return (gathered(of + 1) - gathered(of)) / freedom


def _correlation(outer: Component, classes: Mapping[Path, tuple[int, float]], rows: int) -> Interval | None:
    if outer.f is None:
        return None
    size = (rows - math.fsum(count**2 for count, _ in classes.values()) / rows) / outer.freedom
    within, tail = rows - len(classes), (1 - CONFIDENCE) / 2
    ends = [
        outer.f / f_quantile(1 - tail, outer.freedom, within),
        outer.f * f_quantile(1 - tail, within, outer.freedom),
    ]
    low, high = ((end - 1) / (end + size - 1) for end in ends)
    return max(0.0, low), min(1.0, high)
