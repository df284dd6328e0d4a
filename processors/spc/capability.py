"""How well a process fits its specification: Cp, Cpk, Pp, Ppk, Cpm with intervals, and the same by quantiles.

Sources: Montgomery, Introduction to Statistical Quality Control, ch. 8; ISO 22514-2; the interval of Cp and Pp is that of χ²
(Kane 1986), of Cpk and Ppk that of Bissell (1990), of Cpm that of Boyles (1991).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from processors.spc.distributions import chi2_quantile, normal_quantile
from processors.spc.normality import anderson_darling, percentile
from processors.spc.specification import Specification

CONFIDENCE = 0.95
"""Of the intervals, two-sided."""
TAIL = 0.00135
"""What of a normal distribution lies beyond three standard deviations on one side."""
QUANTILES_MIN = 741
"""Values from which the quantile of `TAIL` lies between two of them: with fewer it is not known."""
NORMAL_MIN = 0.005
"""Below this probability values are taken for not normal: small, since every shift and order is tested."""


class Scatter(NamedTuple):
    """What is known of one process: all that the indices rest on."""

    number: int
    """Values."""
    mean: float
    overall: float
    """Standard deviation of all values."""
    within: float | None = None
    """σ inside of subgroups; None: there are none of two values."""
    freedom: float = 0.0
    """Degrees of freedom of `within`."""


class Index(NamedTuple):
    """An index with its interval; None: there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Capability(NamedTuple):
    """Potential and actual capability, by the scatter within subgroups (Cp, Cpk) and over all (Pp, Ppk, Cpm)."""

    cp: Index
    cpk: Index
    pp: Index
    ppk: Index
    cpm: Index


class ByQuantiles(NamedTuple):
    """The same without a normal distribution; `low`, `median`, `high`: quantiles of 0.135, 50 and 99.865 per cent."""

    low: float
    median: float
    high: float
    pp: float | None
    ppk: float | None


class Shape(NamedTuple):
    """Whether values are of a normal distribution; None: too few to tell."""

    statistic: float | None
    """A²*, of Anderson and Darling."""
    probability: float | None
    """Of so great a statistic, were they normal."""

    @property
    def normal(self) -> bool | None:
        return None if self.probability is None else self.probability >= NORMAL_MIN


def capability(
    of: Scatter, specification: Specification, target: float | None = None, confidence: float = CONFIDENCE
) -> Capability:
    """All indices; those that need a limit that is missing, or a scatter where there is none, have no value.

    With one limit Cp, Pp and Cpm are not defined, and Cpk is that of this side. `target`: the middle of the limits by default.

    >>> found = capability(Scatter(20, 10.0, 0.5, 0.5, 19), Specification(8.0, 12.0))
    >>> [None if x is None else round(x, 4) for x in found.cp], round(found.cpk.value, 4)
    ([1.3333, 0.9144, 1.7509], 1.3333)
    """
    none = Index()
    cp = cpk = pp = ppk = cpm = none
    if of.within:
        cp = _potential(specification, of.within, of.freedom, confidence)
        cpk = _actual(specification, of.mean, of.within, of.number, of.freedom, confidence)
    if of.overall and of.number > 1:
        pp = _potential(specification, of.overall, of.number - 1, confidence)
        ppk = _actual(specification, of.mean, of.overall, of.number, of.number - 1, confidence)
        cpm = _on_target(specification, of, target, confidence)
    return Capability(cp, cpk, pp, ppk, cpm)


def machine(of: Scatter, specification: Specification, confidence: float = CONFIDENCE) -> tuple[Index, Index]:
    """Cm and Cmk of a short study (ISO 22514-3): pieces in a row from one machine, one material, one operator; what they
    scatter over all is then what the machine alone does."""
    found = capability(of, specification, confidence=confidence)
    return found.pp, found.ppk


def by_quantiles(values: Sequence[float], specification: Specification) -> ByQuantiles | None:
    """Pp and Ppk by the quantiles of the values themselves (ISO 22514-2); `values` in order of size. None: too few of them."""
    if len(values) < QUANTILES_MIN:
        return None
    low, median, high = (percentile(values, share) for share in (TAIL, 0.5, 1 - TAIL))
    pp = ppk = None
    usl, lsl = specification.usl, specification.lsl
    if usl is not None and lsl is not None and high > low:
        pp = (usl - lsl) / (high - low)
    sides = []
    if usl is not None and high > median:
        sides.append((usl - median) / (high - median))
    if lsl is not None and median > low:
        sides.append((median - lsl) / (median - low))
    if len(sides) == (usl is not None) + (lsl is not None) and sides:
        ppk = min(sides)
    return ByQuantiles(low, median, high, pp, ppk)


def shape(values: Sequence[float], mean: float, sd: float) -> Shape:
    """Whether values, in order of size, are of a normal distribution."""
    found = anderson_darling(values, mean, sd)
    return Shape(None, None) if found is None else Shape(*found)


def _potential(specification: Specification, sigma: float, freedom: float, confidence: float) -> Index:
    if specification.usl is None or specification.lsl is None or freedom <= 0:
        return Index()
    value = (specification.usl - specification.lsl) / (6 * sigma)
    return _by_chi2(value, freedom, confidence)


def _by_chi2(value: float, freedom: float, confidence: float) -> Index:
    tail = (1 - confidence) / 2
    low, high = (math.sqrt(chi2_quantile(of, freedom) / freedom) for of in (tail, 1 - tail))
    return Index(value, value * low, value * high)


def _actual(
    specification: Specification, mean: float, sigma: float, number: int, freedom: float, confidence: float
) -> Index:
    """Bissell: Cpk ± z·√(1/(9n) + Cpk²/(2ν)); ν are the degrees of freedom of sigma."""
    sides = []
    if specification.usl is not None:
        sides.append((specification.usl - mean) / (3 * sigma))
    if specification.lsl is not None:
        sides.append((mean - specification.lsl) / (3 * sigma))
    if not sides or freedom <= 0:
        return Index()
    value = min(sides)
    half = normal_quantile((1 + confidence) / 2) * math.sqrt(1 / (9 * number) + value * value / (2 * freedom))
    return Index(value, value - half, value + half)


def _on_target(specification: Specification, of: Scatter, target: float | None, confidence: float) -> Index:
    """Boyles: as if of χ² with n·(1 + a²)²/(1 + 2a²) degrees of freedom, a = (mean − target)/s."""
    usl, lsl = specification.usl, specification.lsl
    if usl is None or lsl is None:
        return Index()
    aim = (usl + lsl) / 2 if target is None else target
    off = (of.mean - aim) / of.overall
    value = (usl - lsl) / (6 * of.overall * math.sqrt(1 + off * off))
    if not math.isfinite(off * off):
        return Index(value)
    square = off * off
    return _by_chi2(value, of.number * (1 + square) * ((1 + square) / (1 + 2 * square)), confidence)
