"""A trend with its uncertainty: a Kalman filter of a level that moves by a steady slope, for one share of process noise.

Model: x(t+Δ) = x(t) + βΔ + w, w ~ N(0, σ²·share·Δ/unit); y = x + v, v ~ N(0, σ²·(1 − share)); β and x(0) unknown (flat prior),
σ² unknown (1/σ²). A share of 0 is the regression line of a random-coefficient path (Lu & Meeker, Technometrics 35, 1993;
Gebraeel, IEEE TASE 2006), a share of 1 the Wiener process with drift (Whitmore 1995), which also stands in for a gamma process.
"""

import math

import msgspec

from processors.condition.chances import log_normal, log_student_density, student

HIGHEST = 300.0
"""Of a logarithm: what lies above is too large to be measured."""
LOST = 1e100
"""What no measured value has to do with."""
TINY = 1e-250
"""The same, of values that are 0."""
SMALLEST = 1e-12
"""Of a variance, relative to the values: what is measured without any noise at all has no scale."""


class Line(msgspec.Struct, array_like=True, gc=False):
    """The filter after n values. Variances are relative to σ² = squares / (n − 2). A row, without names: there are many."""

    share: float
    additive: bool = False
    """Whether the level is a logarithm and the noise adds to what was measured: an extended Kalman filter of y = exp(x) + v."""
    level: float = 0.0
    slope: float = 0.0
    """By unit of time."""
    p00: float = 0.0
    p01: float = 0.0
    p11: float = 0.0
    squares: float = 0.0
    """Sum of squared standardised one-step errors."""
    fourth: float = 0.0
    """Sum of their fourth powers."""
    log_weight: float = 0.0
    """ln of the density with which it foretold the values from the fourth on."""

    def begin(self, first: float, second: float, gap: float) -> None:
        """The exact posterior of a flat prior after two values (logarithms, where the noise is additive), `gap` units apart."""
        r, q = 1 - self.share, self.share
        r1, r2 = (math.exp(-2 * first), math.exp(-2 * second)) if self.additive else (r, r)
        self.level, self.slope = second, (second - first) / gap
        self.p00, self.p01, self.p11 = r2, r2 / gap, (r1 + r2 + q * gap) / (gap * gap)

    def update(self, value: float, gap: float, number: int, jacobian: float) -> None:
        """Value number `number` (from 3 on), `gap` units after the last; `jacobian`: ln |dy/d(what was measured)|."""
        level = self.level + self.slope * gap
        p00 = self.p00 + gap * (2 * self.p01 + gap * self.p11) + self.share * gap
        p01 = self.p01 + gap * self.p11
        expected = math.exp(min(level, HIGHEST)) if self.additive else level
        steep = expected if self.additive else 1.0
        error, factor = value - expected, steep * steep * p00 + 1 - self.share
        if not 0 < factor < LOST or error * error > LOST * factor:  # it has run away from what is measured
            self.log_weight = -LOST
            return
        if number > 3:
            freedom = number - 3
            scale2 = max(self.squares / freedom, max(SMALLEST * value * value, TINY)) * factor
            self.log_weight += log_student_density(error, scale2, freedom) + jacobian
        self.squares += error * error / factor
        self.fourth += (error * error / factor) ** 2
        k0, k1 = steep * p00 / factor, steep * p01 / factor
        self.level, self.slope = level + k0 * error, self.slope + k1 * error
        self.p00, self.p01, self.p11 = p00 * (1 - k0 * steep), p01 * (1 - k0 * steep), self.p11 - k1 * steep * p01

    def variance(self, number: int) -> float:
        """σ²."""
        return max(self.squares / (number - 2), SMALLEST * self.level * self.level, TINY)

    def freedom(self, number: int) -> float:
        """Degrees of freedom of σ²: of jumps, whose kurtosis κ is above 3, fewer than n − 2 (Satterthwaite's, by the variance
        of a variance: Var(s²) = σ⁴(2 + κ − 3)/n)."""
        excess = number * self.fourth / (self.squares * self.squares) - 3 if self.squares > 0 else 0.0
        return max(1.0, (number - 2) / (1 + max(0.0, excess) / 2))

    def rises(self, number: int) -> float:
        """P(slope > 0)."""
        return student(self.slope / math.sqrt(self.variance(number) * self.p11), self.freedom(number))

    def passed(self, limit: float, ahead: float, number: int) -> float:
        """P(the path has come to `limit` within `ahead` units from the last value on).

        Without process noise: P(level + slope·t ≥ limit), Student's. With it the first passage of a Wiener process whose drift
        is uncertain (Si et al., European Journal of Operational Research 226, 2013, 53–66): the same term and its reflection.
        """
        sigma2, freedom = self.variance(number), self.freedom(number)
        noise = self.share * sigma2
        spread2 = sigma2 * (self.p00 + ahead * (2 * self.p01 + ahead * self.p11 + self.share))
        distance = limit - self.level
        if spread2 <= 0:
            return float(self.slope * ahead >= distance)
        direct = student((self.slope * ahead - distance) / math.sqrt(spread2), freedom)
        if self.share < REFLECTS or ahead <= 0 or distance <= 0:
            return direct
        drift2 = sigma2 * self.p11
        exponent = 2 * self.slope * distance / noise + 2 * drift2 * (distance / noise) ** 2
        z = -(2 * drift2 * distance * ahead / noise + self.slope * ahead + distance) / math.sqrt(
            drift2 * ahead * ahead + noise * ahead
        )
        return min(1.0, direct + math.exp(min(0.0, exponent + log_normal(z))))


REFLECTS = 0.5
"""From this share on the way is a walk that may come to the limit and go back; below, what goes up and down is mostly the
measurement."""
