"""The spread between groups that no few extreme ones decide: winsorised scores, and the method of moments. Pure."""

import math
from collections.abc import Sequence

WINSORISED = 0.1


def winsorised(scores: Sequence[float]) -> list[float]:
    """Scores with what is beyond the tenth from either end put there (quantiles interpolated linearly)."""
    ordered = sorted(scores)
    low, high = _quantile(ordered, WINSORISED), _quantile(ordered, 1 - WINSORISED)
    return [min(max(score, low), high) for score in scores]


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def between_variance(dispersion: float, weights: Sequence[float]) -> float:
    """τ² from φ and 1/s² of each group, by the method of moments (DerSimonian & Laird 1986); never below 0."""
    count = len(weights)
    below = math.fsum(weights) - math.fsum(w * w for w in weights) / math.fsum(weights)
    excess = count * dispersion - (count - 1)
    return excess / below if excess > 0 and below > 0 else 0.0
