"""When to replace by age: a Weibull life from failures and lives that have not ended, and the age that costs least.

Prefer it where nothing is measured that shows wear. With a shape at or below 1 parts do not age, and none is replaced early.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

HALVINGS = 200
_STEPS = 400
"""Steps by which the mean life up to an age is summed (Simpson)."""


class Weibull(NamedTuple):
    """R(t) = exp(−(t/scale)^shape)."""

    scale: float
    shape: float
    log_likelihood: float = math.nan

    def survival(self, age: float) -> float:
        return math.exp(-math.pow(age / self.scale, self.shape))

    def hazard(self, age: float) -> float:
        """Failures by unit of age of a part that has come so far."""
        return self.shape / self.scale * math.pow(age / self.scale, self.shape - 1)

    def lived(self, age: float) -> float:
        """∫R from 0 to `age` (Simpson): the mean age at which a part is replaced, whether it failed or was `age` old. Of a
        shape of 1 or more."""
        step = age / _STEPS
        inner = sum((4 if k % 2 else 2) * self.survival(k * step) for k in range(1, _STEPS))
        return step / 3 * (1.0 + inner + self.survival(age))

    @property
    def mean(self) -> float:
        return self.scale * math.gamma(1 + 1 / self.shape)


class Replacement(NamedTuple):
    """What is best for a price ratio."""

    age: float | None
    """None: run to failure costs least."""
    saving: float
    """Of the cost by time, beside running to failure: 0.276 is 27.6 %."""


class TooFew(ValueError):
    """Lives from which no Weibull follows; the message says what is missing."""


def fit(failed: Sequence[float], survived: Sequence[float] = ()) -> Weibull:
    """Censored maximum likelihood: `failed` are ages at failure, `survived` ages at which a part still ran or was replaced.

    The score in the shape k, Σtᵏ ln t / Σtᵏ − 1/k − mean(ln t of failures) = 0, rises with k and is solved by halving; the
    scale follows from it. Raises `TooFew`.
    """
    lives = [*failed, *survived]
    if len(failed) < 2 or len(set(failed)) < 2:
        raise TooFew(f"{len(failed)} failures; a Weibull needs two of different age, and ten or more to be of use")
    if not all(math.isfinite(life) and life > 0 for life in lives):
        raise TooFew("an age that is not above 0, or no number")
    longest = max(lives)
    logs = [math.log(life / longest) for life in lives]
    mean_log = sum(logs[: len(failed)]) / len(failed)

    def score(shape: float) -> float:
        powers = [math.exp(shape * log) for log in logs]
        return sum(p * log for p, log in zip(powers, logs, strict=True)) / sum(powers) - 1 / shape - mean_log

    low, high = 1e-3, 1.0
    while score(high) < 0:
        low, high = high, 2 * high
        if high > 1e6:
            raise TooFew("all failures are of nearly one age: there is nothing to learn")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) < 0 else (low, middle)
    shape = (low + high) / 2
    total = sum(math.exp(shape * log) for log in logs)
    scale = longest * (total / len(failed)) ** (1 / shape)
    likelihood = sum(
        math.log(shape / scale) + (shape - 1) * math.log(life / scale) - (life / scale) ** shape for life in failed
    ) - sum((life / scale) ** shape for life in survived)
    return Weibull(scale, shape, likelihood)


def age_to_replace(life: Weibull, price_ratio: float) -> Replacement:
    """The age T that solves h(T)·∫₀ᵀR − F(T) = 1/(ratio − 1), where a failure costs `price_ratio` times a planned
    replacement (Barlow & Proschan, Mathematical Theory of Reliability, 1965, ch. 4). Raises ValueError for a ratio not above 0.

    >>> best = age_to_replace(Weibull(100.0, 2.0), 5.0)
    >>> round(best.age, 3), round(best.saving, 3)
    (51.066, 0.276)
    """
    if not price_ratio > 0 or not math.isfinite(price_ratio):
        raise ValueError(f"a price ratio of {price_ratio}; a failure costs some times a planned replacement: 5, say")
    if price_ratio <= 1 or life.shape <= 1:
        return Replacement(None, 0.0)
    wanted = 1 / (price_ratio - 1)

    def short(age: float) -> bool:
        return life.hazard(age) * life.lived(age) - (1 - life.survival(age)) < wanted

    low, high = 0.0, life.scale
    while short(high):
        low, high = high, 2 * high
        if high > 50 * life.scale:
            return Replacement(None, 0.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) else (low, middle)
    age = (low + high) / 2
    cost = (life.survival(age) + price_ratio * (1 - life.survival(age))) / life.lived(age)
    return Replacement(age, 1 - cost / (price_ratio / life.mean))
