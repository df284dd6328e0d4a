"""Whether an outcome differs between the levels of a factor, within strata, and by more than its own units scatter. Pure.

Three kinds of outcome have one form. In a stratum with exposure n and loss m, each level's loss has the expectation
E_g = n_g m/n, and the covariance v (δ_gh n_g - n_g n_h/n) with

- share (pieces lost of pieces): v = (m/n)(1 - m/n) n/(n-1), the hypergeometric of Cochran, Mantel and Haenszel
  (Mantel 1963, J. Am. Statist. Assoc. 58:690); for two levels it is their test without continuity correction,
- rate (minutes or stops of hours): v = m/n, Poisson's given the sum,
- mean (Σ of values, of values): v = 1, so that in one stratum the statistic is the sum of squares between.

T = d' V⁻ d, d and V summed over strata. F = T/df/φ, where φ is Pearson's X² of the units (a shift, a lot, a day) within
level and stratum over its degrees of freedom (McCullagh & Nelder 1989, §4.5), what a unit did in several strata taken
together: pieces of one lot share its fate and are
no independent evidence. For shares φ is at least 1. Without two units of a kind there is no φ: shares then stand by
χ², as if pieces were independent; rates and means have no test.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from processors.analysis.distributions import NORMAL, chi2_tail, f_tail
from processors.analysis.robust import between_variance, winsorised

Kind = Literal["share", "rate", "mean"]


class Unit(NamedTuple):
    """What one sampling unit came to."""

    exposure: float
    """Pieces, hours, or the weight of a value."""
    loss: float
    """Pieces lost, minutes, or weight × value."""
    name: str = ""
    """Who it is: what one unit did in several strata hangs together. Without a name it is nobody else."""


Units = Sequence[Unit]
Cells = Mapping[str, Mapping[str, Units]]
"""Level → stratum → units."""


@dataclass(frozen=True, slots=True)
class Association:
    """A test of no difference between levels."""

    statistic: float
    """T: χ² with `freedom` degrees if units were independent."""
    freedom: int
    dispersion: float
    """φ."""
    within: float
    """Degrees of freedom of φ; infinite where it is taken as 1."""
    p: float | None
    """None: there is nothing to hold the difference against."""
    share_explained: float
    """Of the scatter of units and levels together, how much is between levels (η² within strata)."""

    @property
    def naive_p(self) -> float:
        """p as if pieces were independent."""
        return chi2_tail(self.statistic, self.freedom) if self.freedom else 1.0


def associate(cells: Cells, kind: Kind) -> Association:
    """Holds the levels of a factor against each other, within strata. The order of nothing matters."""
    _, difference, covariance, _ = _compared(cells, kind)
    statistic, freedom = _quadratic(difference, covariance)
    residual, repeats = _scatter(cells, kind)
    dispersion, within = (residual / repeats, float(repeats)) if repeats else (1.0, math.inf)
    if kind == "share":
        dispersion = max(1.0, dispersion)
    p = p_value(statistic, freedom, dispersion, within, kind)
    total = statistic + (residual if math.isfinite(within) else 0.0)
    explained = statistic / total if total > 0 and math.isfinite(within) else 0.0
    return Association(statistic, freedom, dispersion, within, p, explained)


def standing_out(cells: Cells, kind: Kind, dispersion: float = 1.0) -> float | None:
    """p of no level being worse than the others, which may all differ as lots do: the largest z, times the number of levels.

    For factors whose levels come once (lots, orders): that they are not all alike is no cause, one that leaves the crowd is.
    z is of log(observed/expected) within strata, where what multiplies is as likely as what divides (of means: of the
    difference, either way), its error that of a level's own scatter and
    of the spread between levels; that by the method of moments from winsorised z, made consistent for a normal spread.
    None with fewer than `CROWD` levels.
    """
    levels, difference, covariance, expected = _compared(cells, kind)
    exposures = [_sum([unit for units in cells[level].values() for unit in units]).exposure for level in levels]
    places, errors = [], []
    for g in range(len(levels)):
        variance = dispersion * covariance[g][g]
        if kind == "mean":
            size, moved = exposures[g], difference[g] / exposures[g] if exposures[g] else 0.0
        else:
            size = expected[g]
            moved = math.log((expected[g] + difference[g] + 0.5) / (expected[g] + 0.5))
        if variance > 0 and size > 0:
            places.append(moved)
            errors.append(math.sqrt(variance) / size)
    if len(places) < CROWD:
        return None
    clipped = winsorised([place / error for place, error in zip(places, errors, strict=True)])
    spread = math.fsum(z * z for z in clipped) / len(clipped) / WINSORISED_SQUARE
    between = between_variance(spread, [1 / error**2 for error in errors])
    sides = 2 if kind == "mean" else 1
    most = max(
        (abs(place) if sides == 2 else place) / math.hypot(error, math.sqrt(between))
        for place, error in zip(places, errors, strict=True)
    )
    return min(1.0, len(places) * sides * NORMAL.cdf(-most))


CROWD = 5
"""Levels that a crowd takes."""
WINSORISED_SQUARE = 0.678681
"""Mean square of a standard normal value winsorised at the tenth from either end: 0.8 - 2cφ(c) + 0.2c², c = 1.281552."""


def _compared(cells: Cells, kind: Kind) -> tuple[list[str], list[float], list[list[float]], list[float]]:
    """Levels, their losses less what is expected within strata, the covariance of these, and what is expected."""
    levels = sorted(cells)
    difference = [0.0] * len(levels)
    covariance = [[0.0] * len(levels) for _ in levels]
    expected = [0.0] * len(levels)
    for stratum in sorted({stratum for strata in cells.values() for stratum in strata}):
        sums = [_sum(cells[level].get(stratum, ())) for level in levels]
        whole = _sum(sums)
        if whole.exposure <= 0:
            continue
        v = _spread(whole, kind)
        for g, one in enumerate(sums):
            due = whole.loss * one.exposure / whole.exposure
            expected[g] += due
            difference[g] += one.loss - due
            for h, other in enumerate(sums):
                own = one.exposure if g == h else 0.0
                covariance[g][h] += v * (own - one.exposure * other.exposure / whole.exposure)
    return levels, difference, covariance, expected


def p_value(statistic: float, freedom: int, dispersion: float, within: float, kind: Kind) -> float | None:
    """Of T with `freedom` degrees, against a scatter φ known with `within` degrees; None: nothing to hold it against."""
    if not freedom or (math.isinf(within) and kind != "share"):
        return None
    if dispersion <= 0:  # units do not scatter at all
        return 0.0 if statistic > 0 else 1.0
    return f_tail(statistic / freedom / dispersion, freedom, within)


def _spread(whole: Unit, kind: Kind) -> float:
    mean = whole.loss / whole.exposure
    if kind == "share":
        return mean * (1 - mean) * whole.exposure / (whole.exposure - 1) if whole.exposure > 1 else 0.0
    return mean if kind == "rate" else 1.0


def _scatter(cells: Cells, kind: Kind) -> tuple[float, int]:
    """Pearson's X² of units within level and stratum, a unit's residuals of all strata together, and its degrees of freedom."""
    residuals: dict[tuple[str, str], list[float]] = {}
    variances: dict[tuple[str, str], list[float]] = {}
    means = 0
    for level, strata in sorted(cells.items()):
        for stratum, units in sorted(strata.items()):
            kept = [unit for unit in units if unit.exposure > 0]
            v = _within(_sum(kept), kind)
            if len(kept) < 2 or v <= 0:
                continue
            whole, means = _sum(kept), means + 1
            for place, unit in enumerate(kept):
                key = level, unit.name or f"{stratum}|{place}"
                residuals.setdefault(key, []).append(unit.loss - whole.loss / whole.exposure * unit.exposure)
                variances.setdefault(key, []).append(v * unit.exposure)
    freedom = len(residuals) - means
    if freedom <= 0:
        return 0.0, 0
    return math.fsum(math.fsum(some) ** 2 / math.fsum(variances[key]) for key, some in residuals.items()), freedom


def _within(whole: Unit, kind: Kind) -> float:
    """The variance of a loss per exposure, of units that are alike."""
    if kind == "mean" or whole.exposure <= 0:
        return 1.0 if kind == "mean" else 0.0
    mean = whole.loss / whole.exposure
    return mean * (1 - mean) if kind == "share" else mean


def _sum(units: Units) -> Unit:
    return Unit(math.fsum(unit.exposure for unit in units), math.fsum(unit.loss for unit in units))


def _quadratic(vector: Sequence[float], matrix: Sequence[Sequence[float]]) -> tuple[float, int]:
    """d' V⁻ d and the rank of V, a covariance, by elimination from the largest variance down."""
    rest = {i: [*row] for i, row in enumerate(matrix)}
    left = list(vector)
    scale = max((abs(row[i]) for i, row in rest.items()), default=0.0)
    total, rank = 0.0, 0
    while rest:
        pivot = max(sorted(rest), key=lambda i: rest[i][i])
        row = rest.pop(pivot)
        if row[pivot] <= 1e-10 * scale:
            break
        total += left[pivot] ** 2 / row[pivot]
        rank += 1
        for i, other in rest.items():
            factor = other[pivot] / row[pivot]
            left[i] -= factor * left[pivot]
            for j in rest:
                other[j] -= factor * row[j]
    return total, rank
