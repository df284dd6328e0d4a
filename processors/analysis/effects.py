"""How large a difference is: of one group against the rest, crude and within strata, each with its interval. Pure.

- Crude: Newcombe's hybrid score interval of a difference of proportions (1998, Statistics in Medicine 17:873, method 10),
  Katz's of their ratio, Woolf's of the odds ratio; the exact conditional interval of a ratio of Poisson rates, and
  Garwood's of one.
- Within strata: Mantel & Haenszel's odds ratio with the variance of Robins, Breslow & Greenland (1986, Biometrics 42:311),
  risk and rate ratio after Greenland & Robins (1985, Biometrics 41:55), risk difference after Sato (1989); whether odds
  ratios differ between strata by Breslow & Day (1980, p. 142).

`dispersion` (φ of `association`) widens an interval as if there were φ times fewer pieces.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from processors.analysis.association import Kind
from processors.analysis.distributions import CONFIDENCE, Interval, beta_quantile, chi2_tail, gamma_quantile, z

__all__ = ["Effect", "Stratum", "breslow_day", "difference", "garwood", "odds_ratio", "rate_ratio", "ratio"]


class Stratum(NamedTuple):
    """One group and the rest of a stratum: losses and exposures."""

    loss: float
    exposure: float
    rest_loss: float
    rest_exposure: float

    @property
    def table(self) -> tuple[float, float, float, float, float]:
        """a, b, c, d, n of the fourfold table."""
        a, c = self.loss, self.rest_loss
        return a, self.exposure - a, c, self.rest_exposure - c, self.exposure + self.rest_exposure


@dataclass(frozen=True, slots=True)
class Effect:
    """A value and its interval; None where it cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNKNOWN = Effect(None)


def pooled(strata: Sequence[Stratum]) -> Stratum:
    """All strata as if they were one."""
    return Stratum(*(math.fsum(column) for column in zip(*strata, strict=True))) if strata else Stratum(0, 0, 0, 0)


def garwood(count: float, exposure: float, confidence: float = CONFIDENCE) -> Effect:
    """A Poisson rate with its exact interval (Garwood 1936, Biometrika 28:437)."""
    if exposure <= 0:
        return UNKNOWN
    tail = (1 - confidence) / 2
    low = gamma_quantile(tail, count) if count > 0 else 0.0
    return Effect(count / exposure, low / exposure, gamma_quantile(1 - tail, count + 1) / exposure)


def rate_ratio(one: Stratum, confidence: float = CONFIDENCE) -> Effect:
    """Ratio of two Poisson rates with its exact conditional interval: given the sum, a count is binomial."""
    a, b = one.loss, one.rest_loss
    if min(one.exposure, one.rest_exposure) <= 0 or b <= 0:
        return UNKNOWN
    tail, times = (1 - confidence) / 2, one.rest_exposure / one.exposure
    low = beta_quantile(tail, a, b + 1) if a > 0 else 0.0
    high = beta_quantile(1 - tail, a + 1, b)
    return Effect(a / b * times, low / (1 - low) * times, high / (1 - high) * times)


def difference(
    strata: Sequence[Stratum], kind: Kind, dispersion: float = 1.0, confidence: float = CONFIDENCE
) -> Effect:
    """Group minus rest, per piece (share), per hour (rate) or of the mean; of one stratum of a share by Newcombe."""
    if kind == "share" and len(strata) == 1:
        return _newcombe(strata[0], dispersion, confidence)
    weight = value = variance = 0.0
    for one in strata:
        n = one.exposure + one.rest_exposure
        if min(one.exposure, one.rest_exposure) <= 0:
            continue
        w = one.exposure * one.rest_exposure / n
        first, second = one.loss / one.exposure, one.rest_loss / one.rest_exposure
        weight += w
        value += w * (first - second)
        own = {"share": first * (1 - first), "rate": first, "mean": 1.0}[kind]
        other = {"share": second * (1 - second), "rate": second, "mean": 1.0}[kind]
        variance += w * w * (own / one.exposure + other / one.rest_exposure)
    if not weight:
        return UNKNOWN
    half = z(confidence) * math.sqrt(dispersion * variance) / weight
    return Effect(value / weight, value / weight - half, value / weight + half)


def _newcombe(one: Stratum, dispersion: float, confidence: float) -> Effect:
    if min(one.exposure, one.rest_exposure) <= 0:
        return UNKNOWN
    first, second = one.loss / one.exposure, one.rest_loss / one.rest_exposure
    low, high = _wilson(first, one.exposure / dispersion, confidence)
    rest_low, rest_high = _wilson(second, one.rest_exposure / dispersion, confidence)
    value = first - second
    return Effect(
        value, value - math.hypot(first - low, rest_high - second), value + math.hypot(high - first, second - rest_low)
    )


def _wilson(share: float, trials: float, confidence: float) -> Interval:
    quantile = z(confidence)
    weight = quantile**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = quantile / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return middle - half, middle + half


def value_of(one: Stratum, kind: Kind, dispersion: float = 1.0) -> Effect:
    """The group's own share (Wilson) or rate; a mean stands alone."""
    if one.exposure <= 0:
        return UNKNOWN
    value = one.loss / one.exposure
    if kind == "mean":
        return Effect(value)
    if kind == "share":
        return Effect(value, *_wilson(value, one.exposure / dispersion, CONFIDENCE))
    half = z() * math.sqrt(dispersion * one.loss) / one.exposure
    return Effect(value, max(0.0, value - half), value + half)


def ratio(strata: Sequence[Stratum], kind: Kind, dispersion: float = 1.0, confidence: float = CONFIDENCE) -> Effect:
    """Group over rest: risk ratio of a share, ratio of a rate; of one stratum the crude one."""
    above = below = variance = 0.0
    for one in strata:
        n, m = one.exposure + one.rest_exposure, one.loss + one.rest_loss
        if min(one.exposure, one.rest_exposure) <= 0:
            continue
        above += one.loss * one.rest_exposure / n
        below += one.rest_loss * one.exposure / n
        both = one.exposure * one.rest_exposure * m
        variance += (both - (one.loss * one.rest_loss * n if kind == "share" else 0.0)) / n**2
    return _logarithmic(above, below, variance / (above * below) if above and below else 0.0, dispersion, confidence)


def odds_ratio(strata: Sequence[Stratum], dispersion: float = 1.0, confidence: float = CONFIDENCE) -> Effect:
    """Mantel and Haenszel's; of one stratum ad/bc, and its interval Woolf's."""
    r = s = pr = qs = middle = 0.0
    for one in strata:
        a, b, c, d, n = one.table
        if n <= 0:
            continue
        above, below, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        r, s = r + above, s + below
        pr, qs, middle = pr + p * above, qs + q * below, middle + p * below + q * above
    variance = pr / (2 * r * r) + middle / (2 * r * s) + qs / (2 * s * s) if r and s else 0.0
    return _logarithmic(r, s, variance, dispersion, confidence)


def _logarithmic(above: float, below: float, variance: float, dispersion: float, confidence: float) -> Effect:
    if not below:
        return UNKNOWN
    if not above:
        return Effect(0.0)
    half = z(confidence) * math.sqrt(dispersion * max(0.0, variance))
    value = above / below
    return Effect(value, value * math.exp(-half), value * math.exp(half))


def breslow_day(strata: Sequence[Stratum], common: float) -> tuple[float, float] | None:
    """(χ², p): whether the odds ratios of strata differ, against a common one; None where they cannot be told."""
    statistic, counted = 0.0, 0
    for one in strata:
        a, _, _, _, n = one.table
        m = one.loss + one.rest_loss
        if min(one.exposure, one.rest_exposure, m, n - m) <= 0:
            continue
        expected = _fitted(one.exposure, one.rest_exposure, m, common)
        parts = expected, m - expected, one.exposure - expected, one.rest_exposure - m + expected
        if min(parts) <= 0:
            continue
        statistic += (a - expected) ** 2 * sum(1 / part for part in parts)
        counted += 1
    return (statistic, chi2_tail(statistic, counted - 1)) if counted > 1 else None


def _fitted(exposure: float, rest: float, losses: float, common: float) -> float:
    """The a of a fourfold table with given margins that has an odds ratio."""
    if abs(common - 1) < 1e-12:
        return exposure * losses / (exposure + rest)
    linear = common * (exposure + losses) + rest - losses
    root = math.sqrt(max(0.0, linear**2 - 4 * (common - 1) * common * exposure * losses))
    return (linear - root) / (2 * (common - 1))
