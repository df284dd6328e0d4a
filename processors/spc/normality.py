"""Whether values are of a normal distribution, and quantiles of values as they are."""

import math
from collections.abc import Sequence

from processors.spc.distributions import normal_cdf

NUMBER_MIN = 8
"""Values from which the test says something."""


def anderson_darling(values: Sequence[float], mean: float, sd: float) -> tuple[float, float] | None:
    """A²* and its probability, of values in order of size with their own mean and standard deviation. None: too few values.

    A² = −n − Σ(2i−1)(ln Φ(zᵢ) + ln(1 − Φ(zₙ₊₁₋ᵢ)))/n, A²* = A²·(1 + .75/n + 2.25/n²); the probability by the formulas of
    D'Agostino and Stephens (Goodness-of-Fit Techniques 1986, table 4.9).

    >>> values = [float(n) for n in range(1, 11)]
    >>> statistic, probability = anderson_darling(values, 5.5, 3.0276503540974917)
    >>> round(statistic, 3), round(probability, 2)
    (0.146, 0.95)
    """
    number = len(values)
    if number < NUMBER_MIN or not sd > 0:
        return None
    zs = [(value - mean) / sd for value in values]
    total = math.fsum((2 * i + 1) * (_log_cdf(zs[i]) + _log_cdf(-zs[number - 1 - i])) for i in range(number))
    adjusted = (-number - total / number) * (1 + 0.75 / number + 2.25 / number**2)
    return adjusted, _probability(adjusted)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies, between the two next to the rank share·(n + 1) (NIST e-Handbook 7.2.6.2);
    `values` in order of size. The least or the greatest where the rank lies outside.

    >>> percentile([1.0, 2.0, 4.0], 0.5), percentile([1.0, 2.0, 4.0], 0.6)
    (2.0, 2.8)
    """
    rank = share * (len(values) + 1)
    whole = math.floor(rank)
    if whole < 1:
        return values[0]
    if whole >= len(values):
        return values[-1]
    low, high = values[whole - 1], values[whole]
    return low + (rank - whole) * (high - low)


def _log_cdf(z: float) -> float:
    """ln Φ(z), also where Φ is too small for a float: by its asymptotic series."""
    if z > -37:
        return math.log(normal_cdf(z))
    return -z * z / 2 - math.log(-z) - math.log(2 * math.pi) / 2 + math.log1p(-1 / (z * z))


def _probability(statistic: float) -> float:
    a = statistic
    if a >= 0.6:
        found = math.exp(min(0.0, 1.2937 - 5.709 * a + 0.0186 * a * a)) if a < 150 else 0.0
    elif a >= 0.34:
        found = math.exp(0.9177 - 4.279 * a - 1.38 * a * a)
    elif a >= 0.2:
        found = 1 - math.exp(-8.318 + 42.796 * a - 59.938 * a * a)
    else:
        found = 1 - math.exp(-13.436 + 101.14 * a - 223.73 * a * a)
    return min(1.0, max(0.0, found))
