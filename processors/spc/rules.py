"""The rules of Nelson and of Western Electric for a run of points on a control chart, each by its number.

As in R's qcc (rules.R): limits are exceeded strictly, a point on the centre line breaks a run, the point flagged is the last
of its pattern, and where two of three or four of five are beyond it must itself be. A pattern that goes on is completed by
each further point: rules do not begin anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

LONGEST = 15
"""Points that the longest rule looks at."""
SPREAD, EWMA, CUSUM, DISTANCE = 0, 20, 21, 22
"""Numbers of what is no rule over a run: a spread, a weighted mean, a cumulative sum, a distance beyond its limit."""

Test = Callable[[Sequence[float], float, float], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, what it is called, and what is seen where it holds."""

    number: int
    name: str
    length: int
    """Points of its pattern."""
    seen: str
    cause: str
    """What it usually is, in the words of a shop floor."""


def rules(points: Sequence[float], mean: float, sigma: float, numbers: Sequence[int] = range(1, 9)) -> tuple[int, ...]:
    """Those of the rules `numbers` that the last of `points` completes; at most the last LONGEST points matter. Each test
    may be told of fewer points than it needs: then it does not hold."""
    return tuple([number for number in numbers if _TESTS[number](points, mean, sigma)])


# Most points complete none: each rule first looks at what fails most often.


def _one_beyond_three_sigma(points: Sequence[float], mean: float, sigma: float) -> bool:
    return _side(points[-1], mean, 3 * sigma) != 0


def _nine_on_one_side(points: Sequence[float], mean: float, sigma: float) -> bool:
    last = points[-9:]
    return len(last) == 9 and (min(last) > mean or max(last) < mean)


def _eight_on_one_side(points: Sequence[float], mean: float, sigma: float) -> bool:
    last = points[-8:]
    return len(last) == 8 and (min(last) > mean or max(last) < mean)


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


_TESTS: dict[int, Test] = {
    1: _one_beyond_three_sigma,
    2: _nine_on_one_side,
    3: _six_rising_or_falling,
    4: _fourteen_alternating,
    5: _two_of_three_beyond_two_sigma,
    6: _four_of_five_beyond_one_sigma,
    7: _fifteen_within_one_sigma,
    8: _eight_outside_one_sigma,
    11: _one_beyond_three_sigma,
    12: _two_of_three_beyond_two_sigma,
    13: _four_of_five_beyond_one_sigma,
    14: _eight_on_one_side,
}

_JUMP = "a sudden change: a wrong setting, a broken tool or fixture, a measuring error"
_SHIFT = "a lasting shift: another material lot, setting, tool or operator, or the gauge was set anew"
_TREND = "something wears, heats up, clogs or is used up"
_MIX = "two streams in one chart: cavities, heads, suppliers or gauges that differ"

RULES: dict[int, Rule] = {
    rule.number: rule
    for rule in (
        Rule(SPREAD, "spread", 1, "the values scatter more than usual", "play, a loose fixture, mixed material"),
        Rule(1, "nelson-1", 1, "one value far from the usual", _JUMP),
        Rule(2, "nelson-2", 9, "nine values in a row on one side of the usual", _SHIFT),
        Rule(3, "nelson-3", 6, "six values in a row, each further than the one before", _TREND),
        Rule(4, "nelson-4", 14, "fourteen values in turn up and down", "over-correction, or two heads in turn"),
        Rule(5, "nelson-5", 3, "two of three values unusually far on one side", _SHIFT),
        Rule(6, "nelson-6", 5, "four of five values off on one side", _SHIFT),
        Rule(7, "nelson-7", 15, "fifteen values in a row closer together than usual", "limits too wide, or " + _MIX),
        Rule(8, "nelson-8", 8, "eight values in a row away from the usual, on both sides", _MIX),
        Rule(11, "western-electric-1", 1, "one value far from the usual", _JUMP),
        Rule(12, "western-electric-2", 3, "two of three values unusually far on one side", _SHIFT),
        Rule(13, "western-electric-3", 5, "four of five values off on one side", _SHIFT),
        Rule(14, "western-electric-4", 8, "eight values in a row on one side of the usual", _SHIFT),
        Rule(EWMA, "ewma", 1, "the weighted mean has left the usual", _SHIFT),
        Rule(CUSUM, "cusum", 1, "small differences in one direction have added up", _SHIFT),
        Rule(
            DISTANCE, "distance", 1, "values that do not go together as usual", "one of them, or a gauge, has changed"
        ),
    )
}
"""By number, as records have it."""
BY_NAME = {rule.name: rule.number for rule in RULES.values()}
