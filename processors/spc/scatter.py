"""Sums over the values of a process, from which mean and both scatters follow: those over all, and those within subgroups."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from processors.spc.capability import Scatter
from processors.spc.constants import c4, constants
from processors.spc.specification import Specification
from processors.spc.variables import D2, FREEDOM_PER_RANGE
from topology.model.charts import ChartPlan

Estimate = Literal["moving", "range", "sd"]
"""What the scatter within is estimated by: moving ranges of single values, ranges or standard deviations of subgroups."""


class Sums(msgspec.Struct, omit_defaults=True, gc=False):
    """What is kept of values: of one size, however many there are."""

    number: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Σ(x − mean)²."""
    least: float = math.inf
    greatest: float = -math.inf
    beyond: int = 0
    """Values beyond a specification limit."""
    subgroups: int = 0
    """Estimates of σ: one a subgroup of two or more, or a moving range."""
    sigmas: float = 0.0
    """Their sum."""
    freedom: float = 0.0

    def joined(self, other: "Sums") -> "Sums":
        """Of both: mean and squares by Chan, Golub and LeVeque (1979)."""
        if not self.number or not other.number:
            return other if not self.number else self
        number, off = self.number + other.number, other.mean - self.mean
        return Sums(
            number,
            self.mean + off * (other.number / number),
            self.squares + other.squares + off * off * (self.number * other.number / number),
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            self.beyond + other.beyond,
            self.subgroups + other.subgroups,
            self.sigmas + other.sigmas,
            self.freedom + other.freedom,
        )

    @property
    def scatter(self) -> Scatter:
        """What indices rest on."""
        overall = math.sqrt(self.squares / (self.number - 1)) if self.number > 1 else 0.0
        within = self.sigmas / self.subgroups if self.subgroups else None
        return Scatter(self.number, self.mean, overall, within, self.freedom)


def estimate_of(plan: ChartPlan) -> Estimate:
    """How the chart of a characteristic estimates the scatter of one value."""
    if plan.kind == "mean_range":
        return "range"
    return "sd" if plan.subgroup.by != "count" or plan.subgroup.size > 1 else "moving"


def sums(subgroups: Iterable[Sequence[float]], estimate: Estimate, specification: Specification) -> Sums:
    """Of values in order of time; with `moving`, what is given together are runs: no range goes over their ends.

    >>> found = sums([(1.0, 3.0), (2.0, 4.0)], "range", Specification(0.0, 3.5)).scatter
    >>> found.number, found.mean, round(found.within, 4), found.freedom > 1
    (4, 2.5, 1.7725, True)
    """
    values: list[float] = []
    sigmas: list[float] = []
    freedom: list[float] = []
    for of in subgroups:
        values += of
        for sigma, degrees in _estimates(of, estimate):
            sigmas.append(sigma)
            freedom.append(degrees)
    if not values:
        return Sums()
    mean = math.fsum(values) / len(values)
    return Sums(
        len(values),
        mean,
        math.fsum([(value - mean) * (value - mean) for value in values]),
        min(values),
        max(values),
        sum(specification.broken(value) is not None for value in values),
        len(sigmas),
        math.fsum(sigmas),
        math.fsum(freedom),
    )


def _estimates(values: Sequence[float], estimate: Estimate) -> Iterable[tuple[float, float]]:
    """σ by each estimate that the values give, with its degrees of freedom."""
    number = len(values)
    if number < 2:
        return ()
    if estimate == "moving":
        return [(abs(b - a) / D2, FREEDOM_PER_RANGE) for a, b in pairwise(values)]
    if estimate == "range":
        of = constants(number)
        return [((max(values) - min(values)) / of.d2, of.d2**2 / (2 * of.d3**2))]
    mean, unbiased = math.fsum(values) / number, c4(number)
    sd = math.sqrt(math.fsum([(value - mean) * (value - mean) for value in values]) / (number - 1))
    return [(sd / unbiased, unbiased**2 / (2 * (1 - unbiased**2)))]
