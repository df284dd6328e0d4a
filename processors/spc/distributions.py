"""Probabilities and quantiles that control limits and intervals rest on: normal, Student's t, F, beta and χ²."""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300
_TERMS = 10_000


def normal_cdf(z: float) -> float:
    """Φ(z).

    >>> round(normal_cdf(3), 6)
    0.99865
    """
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_quantile(probability: float) -> float:
    """Φ⁻¹."""
    return _NORMAL.inv_cdf(probability)


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (Lentz); exact to 1e-12."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction


def gamma_cdf(x: float, a: float) -> float:
    """The regularised lower incomplete gamma function P(a, x), by series below a + 1 and continued fraction above."""
    if x <= 0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _TERMS):
            term *= x / (a + n)
            total += term
            if term < total * 1e-16:
                break
        return front * total
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / _away(b)
    fraction = d
    for n in range(1, _TERMS):
        b += 2
        d = 1 / _away(b - n * (n - a) * d)
        c = _away(b - n * (n - a) / c)
        fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return 1 - front * fraction


@lru_cache(maxsize=1024)
def t_quantile(probability: float, freedom: float) -> float:
    """Of Student's t.

    >>> round(t_quantile(0.975, 10), 4)
    2.2281
    """
    if probability == 0.5:
        return 0.0
    tail = 2 * min(probability, 1 - probability)
    x = beta_quantile(tail, freedom / 2, 0.5)
    t = math.sqrt(freedom * (1 - x) / x)
    return t if probability > 0.5 else -t


@lru_cache(maxsize=1024)
def f_quantile(probability: float, above: float, below: float) -> float:
    """Of F with degrees of freedom `above` and `below` the line.

    >>> round(f_quantile(0.95, 2, 10), 4)
    4.1028
    """
    x = beta_quantile(probability, above / 2, below / 2)
    return below * x / (above * (1 - x))


@lru_cache(maxsize=1024)
def chi2_quantile(probability: float, freedom: float) -> float:
    """Of χ².

    >>> round(chi2_quantile(0.995, 2), 3)
    10.597
    """
    high = 2 * freedom + 40.0
    while gamma_cdf(high / 2, freedom / 2) < probability:
        high *= 2
    return _root(lambda x: gamma_cdf(x / 2, freedom / 2) - probability, 0.0, high)


@lru_cache(maxsize=1024)
def beta_quantile(probability: float, a: float, b: float) -> float:
    """Of the beta distribution."""
    return _root(lambda x: beta_cdf(x, a, b) - probability, 0.0, 1.0)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is zero, by bisection to the last digit."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _away(x: float) -> float:
    """The number itself, kept away from zero."""
    return x if abs(x) > _TINY else _TINY
