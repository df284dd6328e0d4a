"""The limit of a MEWMA chart for an in-control run length, by the Markov chain of Runger and Prabhu (1996)."""

import math
from functools import lru_cache
from itertools import pairwise

from processors.spc.distributions import chi2_quantile, gamma_cdf

STATES = 25
"""Rings that the length of the weighted vector is sorted into, beside the centre."""
TRIES = 40


@lru_cache(maxsize=64)
def mewma_limit(size: int, weight: float, run_length: float) -> float:
    """h for `size` characteristics: T² above it comes once in `run_length` points of a process in control, from the begin on.

    >>> abs(mewma_limit(2, 0.1, 200.0) - 8.64) < 0.05
    True
    """
    if weight >= 1:
        return chi2_quantile(1 - 1 / run_length, size)
    low, high = 1e-3, 1.5 * chi2_quantile(1 - 1 / run_length, size)
    for _ in range(TRIES):
        middle = (low + high) / 2
        if high - low < 1e-4 * middle:
            break
        if run_length_of(size, weight, middle) < run_length:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def run_length_of(size: int, weight: float, limit: float) -> float:
    """Mean run length of a process in control until T² > limit.

    The length q of Z is a Markov chain: (q/λ)² of the next is of non-central χ² with ((1 − λ)q/λ)². It is out beyond
    √(limit·λ/(2 − λ)).
    """
    edge = math.sqrt(limit * weight / (2 - weight))
    width = 2 * edge / (2 * STATES + 1)
    rows = []
    for i in range(STATES + 1):
        off = ((1 - weight) * i * width / weight) ** 2
        below = [_chi2_cdf(((j + 0.5) * width / weight) ** 2, size, off) for j in range(STATES + 1)]
        rows.append([below[0], *(b - a for a, b in pairwise(below))])
    return _steps(rows)[0]


def _chi2_cdf(x: float, freedom: int, off: float) -> float:
    """Non-central χ²: a Poisson mixture of central ones, P(a + 1, x) = P(a, x) − xᵃe⁻ˣ/Γ(a + 1)."""
    half, a = off / 2, freedom / 2
    start = max(0, math.floor(half - 8 * math.sqrt(half) - 8))
    share = (
        math.exp(-half + (start * math.log(half) if half else 0.0) - math.lgamma(start + 1))
        if half or not start
        else 0.0
    )
    central = gamma_cdf(x / 2, a + start)
    step = math.exp((a + start) * math.log(x / 2) - x / 2 - math.lgamma(a + start + 1))
    total, n, told = 0.0, start, 0.0
    while told < 1 - 1e-12 and n < start + 2_000:
        total += share * central
        told += share
        n += 1
        share *= half / n
        central = max(0.0, central - step)
        step *= x / 2 / (a + n)
        if not share:
            break
    return total


def _steps(chances: list[list[float]]) -> list[float]:
    """(I − Q)⁻¹·1, by Gauss's elimination: the matrix has its weight on the diagonal."""
    size = len(chances)
    rows = [[(1.0 if i == j else 0.0) - chances[i][j] for j in range(size)] + [1.0] for i in range(size)]
    for k in range(size):
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            if factor:
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    found = [0.0] * size
    for i in reversed(range(size)):
        found[i] = (rows[i][size] - sum(rows[i][j] * found[j] for j in range(i + 1, size))) / rows[i][i]
    return found
