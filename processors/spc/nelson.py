"""The eight Nelson rules for a run of points on an individuals chart.

As in R's qcc (rules.R): limits are exceeded strictly, a point on the
centre line breaks a run, the point flagged is the last of its pattern, and in rules 5 and 6 it must itself be beyond.
"""

from collections.abc import Sequence
from itertools import pairwise

LONGEST = 15
"""Points that the longest rule looks at."""


def rules(points: Sequence[float], mean: float, sigma: float) -> tuple[int, ...]:
    """Numbers of the rules that the last of `points` completes; at most the last LONGEST points matter."""
    return tuple([number for number, holds in enumerate(_RULES, start=1) if holds(points, mean, sigma)])


# Most points complete none: each rule first looks at what fails most often.


def _one_beyond_three_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _side(points[-1], mean, 3 * sigma) != 0


def _nine_on_one_side(points: Sequence[float], mean: float, sigma: float) -> bool:
    last = points[-9:]
    return len(last) == 9 and (min(last) > mean or max(last) < mean)


def _six_rising_or_falling(points: Sequence[float], mean: float, sigma: float) -> bool:
    if len(points) < 6:
        return False
    a, b, c, d, e, f = points[-6:]
    return a < b < c < d < e < f or a > b > c > d > e > f


def _fourteen_alternating(points: Sequence[float], mean: float, sigma: float) -> bool:
    if len(points) < 14 or not (points[-3] < points[-2] > points[-1] or points[-3] > points[-2] < points[-1]):
        return False
    steps = [(b > a) - (b < a) for a, b in pairwise(points[-14:])]
    return all(a * b == -1 for a, b in pairwise(steps))


def _two_of_three_beyond_two_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _most_beyond(points, mean, 2 * sigma, 2, 3)


def _four_of_five_beyond_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _most_beyond(points, mean, sigma, 4, 5)


def _fifteen_within_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    last = points[-15:]
    return len(last) == 15 and max(last) <= mean + sigma and min(last) >= mean - sigma


def _eight_outside_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    if len(points) < 8 or not _side(points[-1], mean, sigma):
        return False
    sides = [_side(x, mean, sigma) for x in points[-8:]]
    return all(sides) and len(set(sides)) == 2


def _side(x: float, mean: float, distance: float) -> int:
    """+1 above mean + distance, −1 below mean − distance, else 0."""
    return (x > mean + distance) - (x < mean - distance)


def _most_beyond(points: Sequence[float], mean: float, distance: float, count: int, of: int) -> bool:
    if len(points) < of or not (last := _side(points[-1], mean, distance)):
        return False
    return [_side(x, mean, distance) for x in points[-of:]].count(last) >= count


_RULES = (
    _one_beyond_three_sigma,
    _nine_on_one_side,
    _six_rising_or_falling,
    _fourteen_alternating,
    _two_of_three_beyond_two_sigma,
    _four_of_five_beyond_one_sigma,
    _fifteen_within_one_sigma,
    _eight_outside_one_sigma,
)
