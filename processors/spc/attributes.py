"""Charts of counts: nonconforming items (p, np), defects (c, u), and Laney's for numbers too large for these.

Sources: Montgomery, ch. 7; D. B. Laney, Improved control charts for attributes, Quality Engineering 14 (2002).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import ClassVar

from processors.spc.control import ChartState, ControlChart, Limits, Plotted, Standard, Subgroup
from processors.spc.variables import D2, FREEDOM_PER_RANGE


@dataclass(frozen=True)
class _Rate(ControlChart):
    """Counts over sizes, whose scatter follows from their mean."""

    counts: ClassVar[bool] = True
    overdispersed: ClassVar[bool] = False

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        count = math.fsum(subgroup.values)
        self.check(count, subgroup.size)
        return Plotted(count / subgroup.size, None, subgroup.size)

    def check(self, count: float, size: float) -> None:
        """`ValueError` for a count that cannot be."""
        if count < 0:
            raise ValueError(f"a count of {count:g} is below 0")

    def scatter(self, mean: float, size: float) -> float:
        """Standard error of a rate over a size where only chance is at work."""
        return math.sqrt(mean / size)

    def learn(self, points: Sequence[Plotted]) -> Standard:
        mean = math.fsum(point.value * point.size for point in points) / math.fsum(point.size for point in points)
        if not self.overdispersed:
            return Standard(mean, 1.0, len(points))
        errors = [self.scatter(mean, point.size) for point in points]
        zs = [(p.value - mean) / error if error else 0.0 for p, error in zip(points, errors, strict=True)]
        sigma = fmean([abs(b - a) for a, b in pairwise(zs)]) / D2
        return Standard(mean, sigma, len(points), FREEDOM_PER_RANGE * (len(points) - 1))

    def limits(self, standard: Standard, size: float) -> Limits:
        error = self.scatter(standard.mean, size) * standard.sigma
        return Limits(standard.mean, error, max(0.0, standard.mean - 3 * error), self.most(standard.mean + 3 * error))

    def most(self, ucl: float) -> float:
        return ucl


class _Share(_Rate):
    """A rate that is at most one."""

    def check(self, count: float, size: float) -> None:
        super().check(count, size)
        if count > size:
            raise ValueError(f"{count:g} of {size:g} items cannot be nonconforming")

    def scatter(self, mean: float, size: float) -> float:
        return math.sqrt(max(0.0, mean * (1 - mean)) / size)

    def most(self, ucl: float) -> float:
        return min(1.0, ucl)


class P(_Share):
    """p: share of nonconforming items, p̄ ± 3·√(p̄(1−p̄)/n), each subgroup by its own size.

    For samples of up to some hundred items; where limits of large ones look absurdly narrow, prefer Laney's p′.

    >>> chart, state = P(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,), 100)) for d in (10.0, 10.0)]
    >>> round(chart.limits(state.standard, 100).ucl, 4)
    0.19
    """

    name: ClassVar[str] = "p"


class LaneyP(_Share):
    """p′: as p, times σ_z, by which the shares scatter between subgroups beyond chance (MR̄ of their z, over d2).

    For large samples, whose share never stays exactly the same. With σ_z = 1 it is the p chart.

    >>> chart, state = LaneyP(baseline=3, settled=3), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,), 10_000)) for d in (1000.0, 1200.0, 1000.0)]
    >>> round(state.standard.sigma, 2)
    5.74
    """

    name: ClassVar[str] = "laney_p"
    overdispersed: ClassVar[bool] = True


class U(_Rate):
    """u: defects per unit, ū ± 3·√(ū/n), each subgroup by its own size (units, area, length).

    Where the size is always the same c says the same in whole defects; for large sizes prefer Laney's u′.

    >>> chart, state = U(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,), 4)) for d in (8.0, 8.0)]
    >>> round(chart.limits(state.standard, 4).ucl, 4)
    4.1213
    """

    name: ClassVar[str] = "u"


class LaneyU(_Rate):
    """u′: as u, times σ_z, by which the rates scatter between subgroups beyond chance.

    >>> chart, state = LaneyU(baseline=3, settled=3), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,), 100)) for d in (100.0, 150.0, 100.0)]
    >>> round(state.standard.sigma, 2)
    4.1
    """

    name: ClassVar[str] = "laney_u"
    overdispersed: ClassVar[bool] = True


class _Number(_Rate):
    """A whole number of what was found, in place of a rate."""

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        count = math.fsum(subgroup.values)
        self.check(count, subgroup.size)
        return Plotted(count, None, subgroup.size)

    def learn(self, points: Sequence[Plotted]) -> Standard:
        mean = math.fsum(point.value for point in points) / math.fsum(point.size for point in points)
        return Standard(mean, 1.0, len(points))

    def limits(self, standard: Standard, size: float) -> Limits:
        centre = standard.mean * size
        error = self.scatter(standard.mean, size) * size * standard.sigma
        return Limits(centre, error, max(0.0, centre - 3 * error), self.most_of(centre + 3 * error, size))

    def most_of(self, ucl: float, size: float) -> float:
        return ucl


class Np(_Number, _Share):
    """np: number of nonconforming items, n·p̄ ± 3·√(n·p̄(1−p̄)).

    As p where all samples are of one size: whole items are easier to talk about.

    >>> chart, state = Np(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,), 100)) for d in (10.0, 10.0)]
    >>> round(chart.limits(state.standard, 100).ucl, 4)
    19.0
    """

    name: ClassVar[str] = "np"

    def most_of(self, ucl: float, size: float) -> float:
        return min(size, ucl)


class C(_Number):
    """c: number of defects in always the same amount, c̄ ± 3·√c̄.

    >>> chart, state = C(baseline=2, settled=2), ChartState()
    >>> _ = [chart.update(state, Subgroup((d,))) for d in (16.0, 16.0)]
    >>> chart.limits(state.standard, 1)[2:4]
    (4.0, 28.0)
    """

    name: ClassVar[str] = "c"
