"""Funnel plots: groups of different size around one target, with limits that allow for what all groups scatter. Pure.

Spiegelhalter (2005), Statistics in Medicine 24:1185, and his handling of over-dispersed indicators (2005, Qual. Saf. Health
Care 14:347): shares by asin √, rates by √ (observed/expected), means as they are; z winsorised at the tenth from either
end, φ = Σz²/I of these, τ² by the method of moments, limits target ± z √(s² + τ²).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from processors.analysis.association import Kind, Unit
from processors.analysis.distributions import Interval, z
from processors.analysis.robust import between_variance, winsorised

WARNING, ACTION = 0.95, 0.998


@dataclass(frozen=True, slots=True)
class Point:
    """One group."""

    name: str
    exposure: float
    value: float
    score: float
    """z, with τ² in its scale."""
    warning: Interval
    """The limits of 95 %, at the group's exposure; in the outcome's unit."""
    action: Interval
    """The limits of 99.8 %."""

    @property
    def outside(self) -> str | None:
        """action | warning | None."""
        if not self.action[0] <= self.value <= self.action[1]:
            return "action"
        return None if self.warning[0] <= self.value <= self.warning[1] else "warning"


@dataclass(frozen=True, slots=True)
class Funnel:
    target: float
    dispersion: float
    """φ of the winsorised scores."""
    between: float
    """τ², on the transformed scale."""
    points: tuple[Point, ...]
    """In order of exposure."""


def funnel(groups: Mapping[str, Unit], kind: Kind, spread: float = 1.0) -> Funnel | None:
    """`spread`: variance of a value of weight 1, for means. None without loss, or with fewer than two groups."""
    kept = {name: group for name, group in sorted(groups.items()) if group.exposure > 0}
    exposure = math.fsum(group.exposure for group in kept.values())
    loss = math.fsum(group.loss for group in kept.values())
    if len(kept) < 2 or loss <= 0 or (kind == "share" and loss >= exposure) or spread <= 0:
        return None
    target = loss / exposure
    scale = _Scale(kind, target, spread)
    errors = {name: scale.error(group.exposure) for name, group in kept.items()}
    scores = {
        name: (scale.forth(group.loss / group.exposure) - scale.forth(target)) / errors[name]
        for name, group in kept.items()
    }
    dispersion = math.fsum(score**2 for score in winsorised(list(scores.values()))) / len(kept)
    between = between_variance(dispersion, [1 / error**2 for error in errors.values()])
    points = []
    for name, group in kept.items():
        wide = math.hypot(errors[name], math.sqrt(between))
        limits = [
            (scale.back(scale.forth(target) - z(level) * wide), scale.back(scale.forth(target) + z(level) * wide))
            for level in (WARNING, ACTION)
        ]
        points.append(
            Point(name, group.exposure, group.loss / group.exposure, scores[name] * errors[name] / wide, *limits)
        )
    return Funnel(target, dispersion, between, tuple(sorted(points, key=lambda point: (point.exposure, point.name))))


def limits_at(found: Funnel, kind: Kind, exposure: float, level: float, spread: float = 1.0) -> Interval:
    """The limits at any exposure, for the curves of a plot."""
    scale = _Scale(kind, found.target, spread)
    half = z(level) * math.hypot(scale.error(exposure), math.sqrt(found.between))
    middle = scale.forth(found.target)
    return scale.back(middle - half), scale.back(middle + half)


class _Scale:
    """The scale on which a group's error depends on its exposure alone."""

    def __init__(self, kind: Kind, target: float, spread: float) -> None:
        self._kind, self._target, self._spread = kind, target, spread

    def error(self, exposure: float) -> float:
        if self._kind == "mean":
            return math.sqrt(self._spread / exposure)
        return 0.5 / math.sqrt(exposure if self._kind == "share" else exposure * self._target)

    def forth(self, value: float) -> float:
        match self._kind:
            case "share":
                return math.asin(math.sqrt(value))
            case "rate":
                return math.sqrt(value / self._target)
            case _:
                return value

    def back(self, value: float) -> float:
        match self._kind:
            case "share":
                return math.sin(min(max(value, 0.0), math.pi / 2)) ** 2
            case "rate":
                return max(value, 0.0) ** 2 * self._target
            case _:
                return value
