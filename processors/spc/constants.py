"""Constants of control charts for any subgroup size, from the integrals that define them.

Range W and standard deviation S of n independent standard normal values: d2 = E W, d3 = sd W, c4 = E S.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

SIZE_MAX = 1_000
"""Values of one subgroup."""
_STEP = 0.02
_SKIP = 10
_REACH = 9.0
_WIDEST = 16.0


@dataclass(frozen=True, slots=True)
class Constants:
    """Of one subgroup size; the names are those of ASTM E2587 and of every textbook."""

    n: int
    d2: float
    d3: float
    c4: float

    @property
    def a2(self) -> float:
        """Limits of the mean are ± A2·R̄."""
        return 3 / (self.d2 * math.sqrt(self.n))

    @property
    def a3(self) -> float:
        """Limits of the mean are ± A3·S̄."""
        return 3 / (self.c4 * math.sqrt(self.n))

    @property
    def range_limits(self) -> tuple[float, float]:
        """D3 and D4: limits of the range are D3·R̄ and D4·R̄."""
        width = 3 * self.d3 / self.d2
        return max(0.0, 1 - width), 1 + width

    @property
    def sd_limits(self) -> tuple[float, float]:
        """B3 and B4: limits of the standard deviation are B3·S̄ and B4·S̄."""
        width = 3 * math.sqrt(max(0.0, 1 - self.c4 * self.c4)) / self.c4
        return max(0.0, 1 - width), 1 + width


@lru_cache(maxsize=256)
def constants(n: int) -> Constants:
    """The constants of subgroups of n values; `ValueError` where n is not in 2 … SIZE_MAX. Exact to 1e-8.

    >>> round(constants(5).d2, 5), round(constants(5).d3, 5), round(constants(5).c4, 5)
    (2.32593, 0.86408, 0.93999)
    """
    if not 2 <= n <= SIZE_MAX:
        raise ValueError(f"a subgroup has 2 to {SIZE_MAX} values, not {n}")
    if n == 2:
        return Constants(2, 2 / math.sqrt(math.pi), math.sqrt(2 - 4 / math.pi), math.sqrt(2 / math.pi))
    mean, square = _range_moments(n)
    return Constants(n, mean, math.sqrt(square - mean * mean), c4(n))


def c4(n: float) -> float:
    """E S for n standard normal values: √(2/(n−1))·Γ(n/2)/Γ((n−1)/2); n need not be whole, where it stands for degrees of
    freedom + 1.

    >>> round(c4(2), 6)
    0.797885
    """
    return math.sqrt(2 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))


def _range_moments(n: int) -> tuple[float, float]:
    """E W and E W² by P(W ≤ w) = n∫φ(x)(Φ(x+w) − Φ(x))ⁿ⁻¹dx: the trapezoidal rule inside, where all is smooth and dies out
    at both ends, and Simpson's outside over E W = ∫P(W > w)dw, E W² = 2∫w·P(W > w)dw."""
    steps = round(_WIDEST / _STEP)
    inner = range(0, round(2 * _REACH / _STEP) + 1, _SKIP)
    below = [math.erfc(-(i * _STEP - _REACH) / math.sqrt(2)) / 2 for i in range(inner[-1] + steps + 1)]
    weight = [n * _SKIP * _STEP * math.exp(-((i * _STEP - _REACH) ** 2) / 2) / math.sqrt(2 * math.pi) for i in inner]
    mean = square = 0.0
    for k in range(steps + 1):
        within = sum(w * (below[i + k] - below[i]) ** (n - 1) for w, i in zip(weight, inner, strict=True))
        beyond = max(0.0, 1 - within)
        factor = (1 if k in (0, steps) else 4 if k % 2 else 2) * _STEP / 3
        mean += factor * beyond
        square += factor * 2 * k * _STEP * beyond
    return mean, square
