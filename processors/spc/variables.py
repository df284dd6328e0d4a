"""Charts of measured values: individuals with moving range, means with ranges, means with standard deviations.

Sources: Montgomery, Introduction to Statistical Quality Control, ch. 6; ASTM E2587; the constants are exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import ClassVar

from processors.spc.constants import c4, constants
from processors.spc.control import ChartState, ControlChart, Limits, Plotted, Standard, Subgroup

D2 = constants(2).d2
"""d2(2) = 2/√π: mean range of two points in σ."""
D4 = constants(2).range_limits[1]
"""D4(2) = 1 + 3·d3(2)/d2(2)."""
FREEDOM_PER_RANGE = 0.605
"""Degrees of freedom that a moving range adds: 1/(2·0.8264), of the variance of their mean (Cryer and Ryan 1990)."""


@dataclass(frozen=True)
class Individuals(ControlChart):
    """I-MR: each value for itself; x̄ ± 3·MR̄/d2(2), moving range up to D4(2)·MR̄.

    For values that come one by one and cannot be grouped. Prefer means where values come fast: they are nearly normal, see
    small shifts sooner, and cost fewer false alarms a day. What is out of specification is not learnt from, nor are the
    ranges that it ends.

    >>> chart, state = Individuals(baseline=4, settled=4), ChartState()
    >>> [chart.update(state, Subgroup((x,))).phase for x in (5.0, 6.0, 5.0, 6.0, 5.5)]
    ['baseline', 'baseline', 'baseline', 'baseline', 'control']
    >>> round(chart.limits(state.standard, 1).ucl, 4)
    8.1587
    """

    name: ClassVar[str] = "individuals"
    spread_alarms: ClassVar[bool] = False

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        value = fmean(subgroup.values) if len(subgroup.values) > 1 else subgroup.values[0]
        return Plotted(value, None if state.previous is None else abs(value - state.previous), 1.0)

    @property
    def keeps_spreads(self) -> bool:
        return False

    def learn(self, points: Sequence[Plotted]) -> Standard:
        broken = self.specification.broken
        within = [point.value for point in points if broken(point.value) is None]
        ranges = [
            abs(b.value - a.value) for a, b in pairwise(points) if broken(a.value) is None and broken(b.value) is None
        ]
        spread = fmean(ranges)
        return Standard(fmean(within), spread / D2, len(points), FREEDOM_PER_RANGE * len(ranges), spread)

    def limits(self, standard: Standard, size: float) -> Limits:
        mean, sigma = standard.mean, standard.sigma
        spread = sigma * D2 if standard.spread is None else standard.spread
        return Limits(mean, sigma, mean - 3 * sigma, mean + 3 * sigma, spread, 0.0, D4 * spread)


@dataclass(frozen=True)
class MeanRange(ControlChart):
    """X̄-R: means of subgroups, x̿ ± A2·R̄; ranges, D3·R̄ to D4·R̄.

    For small subgroups (up to ten), and where somebody must be able to do the sums by hand. Sizes may differ: σ is then the
    mean of R/d2(n), and each subgroup has the limits of its own size. A subgroup of one has a mean and no range.

    >>> chart, state = MeanRange(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup(values)) for values in ((1.0, 3.0), (2.0, 4.0))]
    >>> [round(x, 3) for x in chart.limits(state.standard, 2)[2:4]]
    [-1.26, 6.26]
    """

    name: ClassVar[str] = "mean_range"

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        values = subgroup.values
        return Plotted(fmean(values), max(values) - min(values) if len(values) > 1 else None, float(len(values)))

    def learnable(self, points: Sequence[Plotted]) -> bool:
        return any(point.spread is not None for point in points)

    def learn(self, points: Sequence[Plotted]) -> Standard:
        many = [(point.spread, constants(int(point.size))) for point in points if point.spread is not None]
        freedom = sum(of.d2**2 / (2 * of.d3**2) for _, of in many)
        return _pooled(points, fmean([spread / of.d2 for spread, of in many]), freedom)

    def limits(self, standard: Standard, size: float) -> Limits:
        n = int(size)
        if n < 2:
            return _means(standard, n, None)
        of = constants(n)
        low, high = of.range_limits
        centre = of.d2 * standard.sigma
        return _means(standard, n, (centre, low * centre, high * centre))


@dataclass(frozen=True)
class MeanSd(ControlChart):
    """X̄-S: means of subgroups, x̿ ± A3·S̄; standard deviations, B3·S̄ to B4·S̄.

    Prefer it to X̄-R for subgroups of more than about ten, or of differing sizes: it uses all values and not two of them.

    >>> chart, state = MeanSd(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup(values)) for values in ((1.0, 2.0, 3.0), (2.0, 3.0, 4.0))]
    >>> [round(x, 3) for x in chart.limits(state.standard, 3)[2:4]]
    [0.546, 4.454]
    """

    name: ClassVar[str] = "mean_sd"

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        values = subgroup.values
        mean = fmean(values)
        spread = math.sqrt(sum((x - mean) ** 2 for x in values) / (len(values) - 1)) if len(values) > 1 else None
        return Plotted(mean, spread, float(len(values)))

    def learnable(self, points: Sequence[Plotted]) -> bool:
        return any(point.spread is not None for point in points)

    def learn(self, points: Sequence[Plotted]) -> Standard:
        many = [(point.spread, c4(point.size)) for point in points if point.spread is not None]
        freedom = sum(of**2 / (2 * (1 - of**2)) for _, of in many)
        return _pooled(points, fmean([spread / of for spread, of in many]), freedom)

    def limits(self, standard: Standard, size: float) -> Limits:
        n = int(size)
        if n < 2:
            return _means(standard, n, None)
        of = c4(n)
        centre, width = of * standard.sigma, 3 * math.sqrt(1 - of**2) * standard.sigma
        return _means(standard, n, (centre, max(0.0, centre - width), centre + width))


def _pooled(points: Sequence[Plotted], sigma: float, freedom: float) -> Standard:
    """x̿ weighs each subgroup by its number of values."""
    sizes = sum(point.size for point in points)
    mean = math.fsum(point.value * point.size for point in points) / sizes
    return Standard(mean, sigma, len(points), freedom)


def _means(standard: Standard, n: int, spread: tuple[float, float, float] | None) -> Limits:
    error = standard.sigma / math.sqrt(n)
    return Limits(
        standard.mean, error, standard.mean - 3 * error, standard.mean + 3 * error, *(spread or (None, None, None))
    )
