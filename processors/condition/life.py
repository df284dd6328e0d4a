"""Remaining life: when a trend comes to its limit, as a distribution, by a bank of trends that are weighed by how they foretold.

Eight shares of process noise by two shapes (a line, and an exponential, which is a line in the logarithm): each is a
`Line`, and each has the weight of its prior by the density with which it foretold the values so far (Bayesian model
averaging; Raftery, Kárný & Ettler, Technometrics 52, 2010). The distribution of the remaining life is the mixture of the first
passages. Prefer a physical model where there is one; prefer age replacement (`replacement`) where nothing is measured.
"""

import math
from typing import Literal, NamedTuple

import msgspec

from processors.condition.trend import HIGHEST, Line

SHARES = (0.0, 0.003, 0.02, 0.1, 0.3, 0.6, 0.9, 1.0)
"""Shares of process noise in the bank."""
PRIOR = (0.72, 0.002, 0.003, 0.02, 0.03, 0.03, 0.04, 0.155)
"""Their weights before anything is seen. Ours, from simulation (tests/harness/wearing.py)."""
ADDITIVE = 0.3
"""Weight, before anything is seen, of an exponential whose noise does not grow with it."""
FEWEST = 8
"""Values before anything is said."""
SIGNIFICANT = 0.05
"""P(no rise) above which there is no trend to speak of."""
FURTHEST = 100.0
"""A limit is not foretold for later than so many times the length of the evidence."""
LIGHT = 1e-4
"""Trends that weigh less than so much of the heaviest say nothing."""
STEPS = 48
"""Halvings by which a quantile is found: to a part in 10¹⁴ of the range."""
Shape = Literal["auto", "linear", "exponential"]


class Forecast(NamedTuple):
    """What is known of the remaining life. Times in the unit of `update`, from the last value on."""

    median: float | None
    low: float | None
    high: float | None
    """None: beyond what the evidence reaches."""
    confidence: float
    """Of [low, high]."""
    no_trend: float
    """P(the slope is not towards the limit)."""
    slope: float
    """By unit of time, at the last value, of what was measured."""
    slope_low: float
    slope_high: float
    exponential: float
    """Weight of the exponential shape."""


class SavedLife(msgspec.Struct, omit_defaults=True, gc=False):
    """A bank as it is saved."""

    number: int = 0
    first: float = 0.0
    at: float = 0.0
    since: float = 0.0
    unit: float = 0.0
    value: float = 0.0
    linear: list[Line] = []
    exponential: list[Line] = []


class RemainingLife:
    """The bank for one quantity and its limit.

    >>> life = RemainingLife(limit=10.0)
    >>> for hour in range(40):
    ...     life.update(float(hour), 2.0 + 0.1 * hour + 0.05 * (-1) ** hour)
    >>> forecast = life.forecast()
    >>> round(forecast.median), forecast.low < 41 < forecast.high
    (41, True)
    """

    __slots__ = ("_saved", "_sign", "limit", "shape")

    def __init__(self, limit: float, rises: bool = True, shape: Shape = "auto") -> None:
        """`rises`: whether values come to the limit from below. An exponential needs a limit and values above 0, and rises."""
        self._sign = 1.0 if rises else -1.0
        self.limit = limit
        self.shape = shape
        self._saved = SavedLife()
        self.reset()

    def reset(self) -> None:
        """Begins anew, as after a repair."""
        exponential = self.shape != "linear" and self._sign > 0 and self.limit > 0
        self._saved = SavedLife(
            linear=[] if exponential and self.shape == "exponential" else _straight(),
            exponential=[*(Line(share) for share in SHARES), Line(0.0, additive=True)] if exponential else [],
        )

    @property
    def number(self) -> int:
        """Values so far."""
        return self._saved.number

    @property
    def since(self) -> float:
        """The time of the first value."""
        return self._saved.since

    def update(self, at: float, value: float) -> None:
        """One more value; one that is not later than the last is passed over. Raises ValueError for one that is no number."""
        if not (math.isfinite(value) and math.isfinite(at)):
            raise ValueError(f"{value} at {at}: a finite number is expected")
        of = self._saved
        if of.number and at <= of.at:
            return
        of.number += 1
        gap = at - of.at
        if of.number == 1:
            of.first, of.since = value, at
        elif of.number == 2:
            of.unit = gap
        step = gap / of.unit if of.unit else 0.0
        if of.exponential and (value <= 0 or of.first <= 0):
            of.exponential = []
            of.linear = of.linear or self._anew()
        for line in of.linear:
            self._advance(line, self._sign * of.first, self._sign * value, step, 0.0)
        for line in of.exponential:
            if line.additive and of.number > 2:
                line.update(value, step, of.number, 0.0)
            else:
                self._advance(line, math.log(of.first), math.log(value), step, -math.log(value))
        of.at, of.value = at, value

    def _anew(self) -> list[Line]:
        """Linear ones where the only shape can not be: they begin with the newest value."""
        self._saved.number, self._saved.unit = 1, 0.0
        return _straight()

    def _advance(self, line: Line, first: float, value: float, step: float, jacobian: float) -> None:
        number = self._saved.number
        if number == 2:
            line.begin(first, value, step)
        elif number > 2:
            line.update(value, step, number, jacobian)

    def forecast(self, confidence: float = 0.9) -> Forecast | None:
        """The remaining life; its times are None where there is no significant trend. None before `FEWEST` values."""
        of = self._saved
        if of.number < FEWEST:
            return None
        weighed = self._weighed()
        no_trend = sum(weight * (1 - line.rises(of.number)) for weight, line, _ in weighed)
        low = high = median = None
        if no_trend <= SIGNIFICANT:
            already = self._passed(weighed, 0.0)
            reach = FURTHEST * max(1.0, (of.at - of.since) / of.unit)
            tail = (1 - confidence) / 2
            low, median, high = (self._quantile(weighed, p, already, reach) for p in (tail, 0.5, 1 - tail))
        slope, error = self._slope(weighed)
        width = 1.645 * error
        return Forecast(
            median,
            low,
            high,
            confidence,
            no_trend,
            self._sign * slope,
            self._sign * slope - width,
            self._sign * slope + width,
            sum((weight for weight, _, exponential in weighed if exponential), 0.0),
        )

    def _weighed(self) -> list[tuple[float, Line, bool]]:
        """(weight, line, whether it is an exponential), of those that weigh anything."""
        of = self._saved
        lines = [(line, False) for line in of.linear] + [(line, True) for line in of.exponential]
        logs = [math.log(_prior(line)) + line.log_weight for line, _ in lines]
        most = max(logs)
        weights = [math.exp(log - most) for log in logs]
        kept = [(weight, *line) for weight, line in zip(weights, lines, strict=True) if weight > LIGHT]
        total = sum(weight for weight, _, _ in kept)
        return [(weight / total, line, exponential) for weight, line, exponential in kept]

    def _passed(self, weighed: list[tuple[float, Line, bool]], ahead: float) -> float:
        number, plain = self._saved.number, self._sign * self.limit
        return sum(
            weight * line.passed(math.log(self.limit) if exponential else plain, ahead, number)
            for weight, line, exponential in weighed
        )

    def _quantile(
        self, weighed: list[tuple[float, Line, bool]], p: float, already: float, reach: float
    ) -> float | None:
        """When a share p of what had not passed by now has; None: not within `reach` units."""
        wanted = already + p * (1 - already)
        low, high = 0.0, 1.0
        while self._passed(weighed, high) < wanted:
            low, high = high, 2 * high
            if high > reach:
                return None
        for _ in range(STEPS):
            middle = (low + high) / 2
            if self._passed(weighed, middle) < wanted:
                low = middle
            else:
                high = middle
        return high * self._saved.unit

    def _slope(self, weighed: list[tuple[float, Line, bool]]) -> tuple[float, float]:
        """Mean slope and its standard error, of what was measured by unit of time."""
        number, unit = self._saved.number, self._saved.unit
        slopes = []
        for weight, line, exponential in weighed:
            scale = math.exp(min(line.level, HIGHEST)) if exponential else 1.0
            slopes.append((weight, line.slope * scale / unit, line.variance(number) * line.p11 * (scale / unit) ** 2))
        mean = sum(weight * slope for weight, slope, _ in slopes)
        return mean, math.sqrt(sum(weight * (error2 + (slope - mean) ** 2) for weight, slope, error2 in slopes))

    def dump(self) -> SavedLife:
        return self._saved

    def load(self, saved: SavedLife) -> None:
        self._saved = saved


def _straight() -> list[Line]:
    return [Line(share) for share in SHARES]


def _prior(line: Line) -> float:
    return ADDITIVE if line.additive else PRIOR[SHARES.index(line.share)]
