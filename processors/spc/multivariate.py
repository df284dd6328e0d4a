"""Charts of several characteristics at once: Hotelling's T², and its exponentially weighted sister MEWMA.

Sources: Montgomery, Introduction to Statistical Quality Control, ch. 11; Tracy, Young and Mason (1992) for the limits of single
points; Mason, Tracy and Young (1995) for what each characteristic adds; Lowry et al. (1992) for MEWMA.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from processors.spc.distributions import beta_quantile, chi2_quantile, f_quantile
from processors.spc.matrix import Matrix, covariance, inverse, mean_of, product
from processors.spc.mewma_limit import mewma_limit


class Learnt(msgspec.Struct, frozen=True, gc=False):
    """What is known of characteristics in control."""

    mean: list[float]
    inverse: Matrix
    """Of the covariance."""
    points: int
    since: int
    """When it was learnt, µs."""


class GroupState(msgspec.Struct, omit_defaults=True, gc=False):
    """All that a chart knows of one process."""

    learning: list[list[float]] = []
    learnt_at: list[int] = []
    """Times of `learning`, µs."""
    learnt: Learnt | None = None
    weighted: list[float] = []
    """MEWMA's vector, from the mean."""


class Distance(NamedTuple):
    """What a chart says of one point."""

    phase: str
    value: float
    """T²; 0 while limits are learnt."""
    limit: float | None = None
    beyond: bool = False
    alarms: bool = False
    """Whether it is beyond however wrong what was learnt may be."""
    contributions: tuple[float, ...] = ()
    """Of each characteristic: by how much T² falls without it."""
    off: tuple[float, ...] = ()
    """By how many standard deviations each lies above what the others let expect."""
    outliers: tuple[int, ...] = ()
    """Times of the points of phase I beyond their limit, µs."""


@dataclass(frozen=True)
class GroupChart:
    """Settings of a chart over `size` characteristics; weight 1 is T², less is MEWMA.

    T²: limits are exact for parameters that were learnt: Beta for the points they were learnt from (phase I), F for those
    that come later (phase II). It sees what each chart for itself cannot: two values that are usual, and not together. MEWMA
    sees small lasting shifts sooner; its h is for known parameters, and what raises an alert is wider by what is uncertain.

    >>> chart, state = GroupChart(2, baseline=10), GroupState()
    >>> for n in range(10):
    ...     _ = chart.update(state, (n % 3 - 1.0, n % 4 - 1.5), n)
    >>> round(chart.limit(10), 2)
    33.53
    """

    size: int
    baseline: int = 50
    run_length: float = 370.4
    """Points to a false alarm."""
    weight: float = 1.0

    def update(self, state: GroupState, values: Sequence[float], at: int) -> Distance:
        """Takes the next point in order of time into `state`, and says what is to be said of it. All values are finite."""
        if len(values) != self.size or not all(map(math.isfinite, values)):
            raise ValueError(f"a point has {self.size} finite values")
        if state.learnt is None:
            return self._learning(state, values, at)
        return self._judged(state, state.learnt, values)

    def restart(self, state: GroupState) -> None:
        """Forgets everything."""
        state.learning, state.learnt_at, state.learnt, state.weighted = [], [], None, []

    def limit(self, points: int) -> float:
        """Of what comes after `points` that were learnt from."""
        if self.weight < 1:
            return mewma_limit(self.size, self.weight, self.run_length)
        p, m = self.size, points
        return p * (m + 1) * (m - 1) / (m * (m - p)) * f_quantile(1 - 1 / self.run_length, p, m - p)

    def limit_of_learning(self, points: int) -> float:
        """Of those themselves that were learnt from."""
        p, m = self.size, points
        return (m - 1) ** 2 / m * beta_quantile(1 - 1 / self.run_length, p / 2, (m - p - 1) / 2)

    def _learning(self, state: GroupState, values: Sequence[float], at: int) -> Distance:
        state.learning = [*state.learning[-self.baseline + 1 :], list(values)]
        state.learnt_at = [*state.learnt_at[-self.baseline + 1 :], at]
        if len(state.learning) < self.baseline:
            return Distance("baseline", 0.0)
        mean = mean_of(state.learning)
        inverted = inverse(covariance(state.learning, mean))
        if inverted is None:
            return Distance("baseline", 0.0)
        state.learnt = learnt = Learnt(mean, inverted, self.baseline, at)
        limit = self.limit_of_learning(self.baseline)
        outliers = [
            when
            for when, row in zip(state.learnt_at, state.learning, strict=True)
            if _distance(inverted, _from(row, mean))[0] > limit
        ]
        value, _ = _distance(inverted, _from(values, mean))
        state.learning, state.learnt_at = [], []
        return Distance("baseline", value, self.limit(learnt.points), outliers=tuple(outliers))

    def _judged(self, state: GroupState, learnt: Learnt, values: Sequence[float]) -> Distance:
        off, scale = _from(values, learnt.mean), 1.0
        if self.weight < 1:
            before = state.weighted or [0.0] * self.size
            off = [self.weight * new + (1 - self.weight) * old for new, old in zip(off, before, strict=True)]
            state.weighted, scale = off, (2 - self.weight) / self.weight
        distance, turned = _distance(learnt.inverse, off)
        value, limit = scale * distance, self.limit(learnt.points)
        own = [learnt.inverse[j][j] for j in range(self.size)]
        return Distance(
            "control",
            value,
            limit,
            value > limit,
            value > limit * self._doubt(learnt.points),
            tuple(scale * u * u / v for u, v in zip(turned, own, strict=True)),
            tuple(math.sqrt(scale) * u / math.sqrt(v) for u, v in zip(turned, own, strict=True)),
        )

    def _doubt(self, points: int) -> float:
        """By how much a distance must be greater as its parameters were learnt from `points`: of T² the limit knows it already.
        Of MEWMA as much as of T², and by the mean's error, which does not average out as points do. A rule of ours."""
        if self.weight >= 1:
            return 1.0
        p, m, chance = self.size, points, 1 - 1 / self.run_length
        exact = p * (m + 1) * (m - 1) / (m * (m - p)) * f_quantile(chance, p, m - p)
        return exact / chi2_quantile(chance, p) * (1 + (2 - self.weight) / (self.weight * m))


def _from(values: Sequence[float], mean: Sequence[float]) -> list[float]:
    return [x - m for x, m in zip(values, mean, strict=True)]


def _distance(inverted: Matrix, off: Sequence[float]) -> tuple[float, list[float]]:
    """d′S⁻¹d, and S⁻¹d. What d′S⁻¹d falls by without the jth is (S⁻¹d)ⱼ²/(S⁻¹)ⱼⱼ: the conditional term of Mason, Tracy, Young."""
    turned = product(inverted, off)
    return max(0.0, sum(a * b for a, b in zip(off, turned, strict=True))), turned
