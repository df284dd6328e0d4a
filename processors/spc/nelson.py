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
    return tuple(number for number, holds in enumerate(_RULES, start=1) if holds(points, mean, sigma))


def _beyond(points: Sequence[float], mean: float, distance: float) -> list[int]:
    """+1 above mean + distance, −1 below mean − distance, else 0."""
    return [(x > mean + distance) - (x < mean - distance) for x in points]


def _one_beyond_three_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _beyond(points[-1:], mean, 3 * sigma) != [0]


def _nine_on_one_side(points: Sequence[float], mean: float, sigma: float) -> bool:
    return len(points) >= 9 and abs(sum(_beyond(points[-9:], mean, 0))) == 9


def _six_rising_or_falling(points: Sequence[float], mean: float, sigma: float) -> bool:
    return len(points) >= 6 and abs(sum(_steps(points[-6:]))) == 5


def _fourteen_alternating(points: Sequence[float], mean: float, sigma: float) -> bool:
    if len(points) < 14:
        return False
    steps = _steps(points[-14:])
    return all(a * b == -1 for a, b in pairwise(steps))


def _two_of_three_beyond_two_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _most_beyond(points, mean, 2 * sigma, 2, 3)


def _four_of_five_beyond_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _most_beyond(points, mean, sigma, 4, 5)


def _fifteen_within_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return len(points) >= 15 and not any(_beyond(points[-15:], mean, sigma))


def _eight_outside_one_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    if len(points) < 8:
        return False
    sides = _beyond(points[-8:], mean, sigma)
    return all(sides) and len(set(sides)) == 2


def _steps(points: Sequence[float]) -> list[int]:
    """+1 for a rise, −1 for a fall, 0 for equal neighbours."""
    return [(b > a) - (b < a) for a, b in pairwise(points)]


def _most_beyond(points: Sequence[float], mean: float, distance: float, count: int, of: int) -> bool:
    if len(points) < of:
        return False
    sides = _beyond(points[-of:], mean, distance)
    return sides[-1] != 0 and sides.count(sides[-1]) >= count


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
