"""One tag: how far it is from its median, and from what its own last values foretell."""

from collections.abc import Sequence
from statistics import median

import msgspec

from processors.anomaly.verdict import Row, Verdict, calibrated, checked, parts, resolution
from processors.spc.distributions import normal_quantile

MAD_TO_SIGMA = 1.482602218505602
"""1 / Φ⁻¹(¾): the median absolute deviation of a normal distribution by its standard deviation."""


class Robust(msgspec.Struct, tag="tag", gc=False):
    """z = (x − median) / (1.4826·MAD), and the residual x − m of the EWMA m ← m + λ(x − m), by a spread that was learnt the
    same way; the greater counts (Iglewicz and Hoaglin 1993; Roberts, Technometrics 1, 1959).

    z sees what stays away, the residual what jumps, also back to where it mostly is. Of n values the median is known within
    1.2533·σ/√n, by which the limit is wider. Prefer `season` for what goes with the hour.

    >>> model = learn_robust([(n, [float(n % 5)]) for n in range(60)], alpha=0.001)
    >>> model.score(0, [2.0]).score < 1 < model.score(0, [40.0]).score
    True
    """

    middle: float
    spread: float
    residual: float
    """Spread of the residuals."""
    limit: float
    """In standard deviations."""
    weight: float
    level: float
    """The EWMA: it goes on with what comes."""
    scale: float = 1.0

    def score(self, at: int, values: Sequence[float]) -> Verdict:
        """Follows the value, too. Raises ValueError for one that is no finite number."""
        checked(values)
        (value,) = values
        z, jump = (value - self.middle) / self.spread, (value - self.level) / self.residual
        foretold = self.level
        self.level += self.weight * (value - self.level)
        farthest, expected = (z, self.middle) if abs(z) >= abs(jump) else (jump, foretold)
        details = {"z": round(z, 4), "jump": round(jump, 4)}
        return Verdict(abs(farthest) / self.limit / self.scale, 0, expected, details)


def learn_robust(rows: Sequence[Row], alpha: float, weight: float = 0.2) -> Robust:
    """`alpha`: chance of a period to be unusual for nothing, where values are normal and independent."""
    fitted, rest = parts(rows)
    values = [row[0] for _, row in fitted]
    middle = median(values)
    spread = resolution(middle, MAD_TO_SIGMA * median(abs(value - middle) for value in values))
    level, residuals = middle, []
    for value in values:
        residuals.append(value - level)
        level += weight * (value - level)
    about = MAD_TO_SIGMA * median(abs(of) for of in residuals)
    limit = normal_quantile(1 - alpha / 4) * (1 + 1.5708 / len(values)) ** 0.5
    model = Robust(middle, spread, resolution(middle, about), limit, weight, level)
    model.scale = calibrated(model, rest)
    return model
