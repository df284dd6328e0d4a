"""Uncertainty of numbers that are functions of sums over windows: jackknife, permutation test, Wilson, Holm. Pure.

A window (a shift, a day, an order) is the sampling unit: pieces within one share a crew, a lot, a weather, and are no
independent evidence. Each unit is a vector of sums; a statistic is computed from the sum of vectors, so Σ/Σ is kept.

- Standard errors: delete-one jackknife (Quenouille 1949, Tukey 1958; Efron & Tibshirani 1993, An Introduction to the
  Bootstrap, ch. 11), intervals by Student's t with n-1 degrees of freedom, of differences by Welch-Satterthwaite.
- Tests: exact permutation of whole windows (Fisher 1935, The Design of Experiments, §21) where the arrangements can be
  counted, else the t of the jackknife. Many pairs: Holm (1979).
- Proportions of pieces also: the score interval of Wilson (1927), as in Newcombe (1998), Statistics in Medicine 17:857.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from operator import add, sub
from statistics import NormalDist

Number = int | float | Fraction
Vector = tuple[Number, ...]
Statistic = Callable[[Vector], float | None]
"""A number from the sums of some windows; None where it is not defined."""
Units = Mapping[int, Vector]
"""Sampling units by what names them in time; two groups with the same names were observed side by side."""

CONFIDENCE = 0.95
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its uncertainty. `low` and `high` are None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    error: float | None
    """Standard error."""
    freedom: float | None
    """Degrees of freedom of the error."""
    windows: int


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Score interval of a proportion, as if every piece were independent; None without trials."""
    if trials <= 0:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # At the ends the formula is exact, its floating point is not.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)


@dataclass(frozen=True, slots=True)
class Deleted:
    """A statistic of all units, and of all but one."""

    value: float | None
    without: Mapping[int, float | None]


def delete_one(units: Units, statistic: Statistic) -> Deleted:
    """The costly part of a jackknife: as many statistics as there are units."""
    whole = _sum(list(units.values()))
    value = statistic(whole) if units else None
    left = {name: statistic(_minus(whole, unit)) for name, unit in units.items()} if value is not None else {}
    return Deleted(value, left)


def jackknife(found: Deleted, windows: int, proportion: tuple[int, int] | None = None) -> Estimate:
    """The statistic of all units with its delete-one interval.

    `proportion`: successes and trials of one; the error is then never below that of independent pieces, so that windows
    which happen to be alike claim no certainty. Order of units does not matter.
    """
    return estimate(found.value, _error(list(found.without.values())), windows - 1, windows, proportion)


def estimate(
    value: float | None,
    error: float | None,
    freedom: float | None,
    windows: int,
    proportion: tuple[int, int] | None = None,
) -> Estimate:
    """A value and its interval by Student's t."""
    floor = wilson(*proportion) if proportion is not None else None
    if error is not None and floor is not None:
        error = max(error, (floor[1] - floor[0]) / 2 / NormalDist().inv_cdf(0.5 + CONFIDENCE / 2))
    if value is None or error is None or freedom is None or freedom <= 0:
        return Estimate(value, None, None, None, None, windows)
    half = student_quantile(CONFIDENCE, freedom) * error
    low, high = value - half, value + half
    if proportion is not None:
        low, high = max(low, 0.0), min(high, 1.0)
    return Estimate(value, low, high, error, freedom, windows)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """`after` - `before` of independent groups."""
    return _contrast(before, after, lambda a, b: (b - a, 1.0, 1.0))


def relative(before: Estimate, after: Estimate) -> Estimate:
    """`after` / `before` - 1 of independent groups; error by the delta method."""
    return _contrast(before, after, lambda a, b: (b / a - 1, b / a**2, 1 / a) if a else None)


def _contrast(
    before: Estimate, after: Estimate, how: Callable[[float, float], tuple[float, float, float] | None]
) -> Estimate:
    windows = before.windows + after.windows
    found = None if before.value is None or after.value is None else how(before.value, after.value)
    if found is None:
        return Estimate(None, None, None, None, None, windows)
    value, by_before, by_after = found
    if before.error is None or after.error is None or before.freedom is None or after.freedom is None:
        return Estimate(value, None, None, None, None, windows)
    parts = (by_before * before.error) ** 2, (by_after * after.error) ** 2
    variance = sum(parts)
    if variance == 0:
        return estimate(value, 0.0, before.freedom + after.freedom, windows)
    freedom = variance**2 / (parts[0] ** 2 / before.freedom + parts[1] ** 2 / after.freedom)
    return estimate(value, math.sqrt(variance), freedom, windows)


def paired_difference(before: Deleted, after: Deleted) -> Estimate:
    """`after` - `before` of groups observed in the same windows: a window is deleted from both at once."""
    left = [_subtract(after.without.get(name), value) for name, value in before.without.items()]
    count = len(before.without)
    return estimate(_subtract(after.value, before.value), _error(left), count - 1, count)


def arrangements(before: Mapping[int, object], after: Mapping[int, object]) -> int:
    """In how many ways the windows could have fallen to the two groups; in pairs where both have the same."""
    if before.keys() == after.keys():
        return int(2 ** len(before))
    return math.comb(len(before) + len(after), len(before))


def permutation_p(before: Units, after: Units, statistic: Statistic) -> float | None:
    """Share of all arrangements of the windows whose difference is at least as large as the one seen, exactly counted.

    Groups with the same windows: the two of a window change places or not. Else: any windows could have been in either
    group. None where the statistic is not defined. Takes as long as there are `arrangements`.
    """
    paired = before.keys() == after.keys()
    first, second = _sum(list(before.values())), _sum(list(after.values()))
    seen = _subtract(statistic(second), statistic(first)) if before and after else None
    if seen is None:
        return None
    whole = tuple(map(add, first, second))
    least = abs(seen) - _TIE * max(1.0, abs(seen))
    extreme = 0
    for one in _swapped(before, after) if paired else _drawn(before, after):
        found = _subtract(statistic(_minus(whole, one)), statistic(one))
        extreme += found is None or abs(found) >= least  # what is not defined speaks for nothing
    return extreme / arrangements(before, after)


def _drawn(before: Units, after: Units) -> Iterator[Vector]:
    pooled = [*before.values(), *after.values()]
    return (_sum(part) for part in combinations(pooled, len(before)))


def _swapped(before: Units, after: Units) -> Iterator[Vector]:
    pairs = [(unit, after[name]) for name, unit in before.items()]
    return (_sum(part) for part in product(*pairs))


def t_test_p(found: Estimate) -> float | None:
    """Two-sided p of a difference being zero, by its error."""
    if found.value is None or found.error is None or found.freedom is None:
        return None
    if found.error == 0:
        return 1.0 if found.value == 0 else 0.0
    return student_tail(abs(found.value) / found.error, found.freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that each may be held against the level by itself: the chance of any false alarm stays below it."""
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def student_tail(t: float, freedom: float) -> float:
    """Two-sided tail of Student's t: P(|T| ≥ t)."""
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


@cache
def student_quantile(confidence: float, freedom: float) -> float:
    """The t that |T| exceeds with probability 1 - confidence."""
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > 1 - confidence and high < 1e12:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if student_tail(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * high:
            break
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised: by its continued fraction (Abramowitz & Stegun 26.5.8), evaluated after Lentz."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges quickly
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)) / a
    value, c, d = 1.0, 1.0, 0.0
    for step in range(500):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or 1e-300)
        c = (1 + term / c) or 1e-300
        value *= c * d
        if step and abs(c * d - 1) < 1e-15:
            break
    return front * (value - 1)


def _error(left: Sequence[float | None]) -> float | None:
    """Standard error from the leave-one-out values; None where one is not defined or there are fewer than two."""
    known = [value for value in left if value is not None]
    if len(known) < len(left) or len(known) < 2:
        return None
    mean = math.fsum(known) / len(known)
    spread = math.fsum((value - mean) ** 2 for value in known)
    # What is left of equal values after rounding is nothing.
    error = math.sqrt((len(known) - 1) / len(known) * spread)
    return 0.0 if error <= 1e-12 * abs(mean) else error


def _sum(units: Sequence[Vector]) -> Vector:
    return tuple(map(sum, zip(*units, strict=True)))


def _minus(whole: Vector, part: Vector) -> Vector:
    return tuple(map(sub, whole, part))


def _subtract(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
