"""When a quantity left what was normal for it: a baseline that is learnt, then a one-sided CUSUM that keeps where it began."""

import math
from itertools import pairwise

import msgspec

ALLOWANCE, DECISION = 1.0, 6.0
"""Of the CUSUM, in standard deviations of the baseline. With a mean learnt from 30 periods, whose error is 0.18 of one, at
most one false onset in tens of thousands of periods (Siegmund's formula at an allowance of 0.8)."""
CORRELATED_MAX = 0.9
"""Autocorrelation of neighbouring periods that is believed at most."""


class SavedOnset(msgspec.Struct, omit_defaults=True, gc=False):
    """As it is saved."""

    values: list[float] = []
    """Of the baseline, until it is learnt."""
    mean: float | None = None
    sigma: float = 0.0
    sum: float = 0.0


class Onset:
    """S ← max(0, S + (x − mean)/σ − k), signal at S > h (Page, Biometrika 41, 1954); the change began where S left 0 last.

    σ is that of the values around their own line, so that a baseline that trends already is not taken for noise, widened by
    √((1 + φ)/(1 − φ)) for neighbours that resemble each other. Prefer ADWIN where there is no stretch that is known as good.

    >>> onset = Onset(4)
    >>> [onset.update(value) for value in (1.0, 1.1, 1.0, 1.1, 1.0, 1.2, 1.5, 2.0)]
    ['learning', 'learning', 'learning', 'learning', 'normal', 'leaving', 'left', 'left']
    """

    __slots__ = ("_rises", "_saved", "length")

    def __init__(self, length: int, rises: bool = True) -> None:
        """`length`: values of the baseline."""
        self.length = length
        self._rises = rises
        self._saved = SavedOnset()

    @property
    def mean(self) -> float | None:
        """Of the baseline; None while it is being learnt."""
        return self._saved.mean

    @property
    def sigma(self) -> float:
        """Of the baseline."""
        return self._saved.sigma

    def distance(self, value: float) -> float:
        """How far a value is beyond the baseline, in standard deviations, towards wear."""
        assert self._saved.mean is not None
        return (value - self._saved.mean) / self._saved.sigma * (1 if self._rises else -1)

    def update(self, value: float) -> str:
        """learning, normal, leaving (since S left 0) or left. Raises ValueError for a value that is no finite number."""
        if not math.isfinite(value):
            raise ValueError(f"{value}: a finite number is expected")
        of = self._saved
        if of.mean is None:
            of.values.append(value)
            if len(of.values) >= self.length:
                self._learn()
            return "learning"
        of.sum = min(max(0.0, of.sum + self.distance(value) - ALLOWANCE), 2 * DECISION)
        return "left" if of.sum > DECISION else "leaving" if of.sum > 0 else "normal"

    def settle(self) -> None:
        """Takes it that all is as it was: the baseline stays."""
        self._saved.sum = 0.0

    def _learn(self) -> None:
        of = self._saved
        n, middle = len(of.values), (len(of.values) - 1) / 2
        mean = math.fsum(of.values) / n
        across = math.fsum((k - middle) ** 2 for k in range(n))
        slope = math.fsum((k - middle) * value for k, value in enumerate(of.values)) / across if across else 0.0
        rest = [value - mean - slope * (k - middle) for k, value in enumerate(of.values)]
        squares = math.fsum(r * r for r in rest)
        sigma = math.sqrt(squares / max(1, n - 2))
        alike = math.fsum(a * b for a, b in pairwise(rest)) / squares if squares > 0 else 0.0
        alike = min(max(0.0, alike + 1 / n), CORRELATED_MAX)  # 1/n: what it is too small by (Kendall)
        least = max(1e-3 * abs(mean), 1e-12)  # what never changed while it was learnt still has a resolution
        of.mean, of.sigma, of.values = mean, max(sigma * math.sqrt((1 + alike) / (1 - alike)), least), []

    def dump(self) -> SavedOnset:
        return self._saved

    def load(self, saved: SavedOnset) -> None:
        self._saved = saved
