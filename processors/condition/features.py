"""Features of the samples of a period: mean, RMS, spread, peak, crest factor, kurtosis; from sums that are updated one by one."""

import math
from typing import Literal

import msgspec

Name = Literal["mean", "rms", "std", "peak", "peak_to_peak", "crest", "kurtosis"]


class Moments(msgspec.Struct, array_like=True, gc=False):
    """Central moments up to the fourth, with the extremes; exact updates one value at a time (Pébay, SAND2008-6212).

    >>> moments = Moments()
    >>> for value in (1.0, -1.0, 3.0, -3.0):
    ...     moments.update(value)
    >>> moments.feature("mean"), round(moments.feature("rms"), 4), moments.feature("peak")
    (0.0, 2.2361, 3.0)
    >>> round(moments.feature("kurtosis"), 2), round(moments.feature("crest"), 4)
    (1.64, 1.3416)
    """

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def update(self, value: float) -> None:
        """Raises ValueError for a value that is no finite number."""
        if not math.isfinite(value):
            raise ValueError(f"{value}: a finite number is expected")
        before = self.count
        self.count = n = before + 1
        delta = value - self.mean
        part = delta / n
        part2 = part * part
        term = delta * part * before
        self.mean += part
        self.m4 += term * part2 * (n * n - 3 * n + 3) + 6 * part2 * self.m2 - 4 * part * self.m3
        self.m3 += term * part * (n - 2) - 3 * part * self.m2
        self.m2 += term
        self.least, self.most = min(self.least, value), max(self.most, value)

    def feature(self, name: Name) -> float | None:
        """None where there are too few values, or none that differ. Kurtosis is Pearson's: 3 for a normal distribution."""
        n = self.count
        if not n:
            return None
        rms = math.sqrt(self.mean * self.mean + max(self.m2, 0.0) / n)
        peak = max(abs(self.least), abs(self.most))
        match name:
            case "mean":
                return self.mean
            case "rms":
                return rms
            case "std":
                return math.sqrt(max(self.m2, 0.0) / (n - 1)) if n > 1 else None
            case "peak":
                return peak
            case "peak_to_peak":
                return self.most - self.least
            case "crest":
                return peak / rms if rms > 0 else None
            case "kurtosis":
                return n * self.m4 / (self.m2 * self.m2) if n > 3 and self.m2 > 0 else None
