"""A model's guess for one stretch: its probability, and what each process value adds to it. Pure, without any library.

A logistic model adds weight × standardised value. Trees add what their leaves say; a value's part is how the tree's own
expectation moves at each node that asks for it (Saabas 2014), so that parts sum to the log-odds. Calibration: Platt (1999)
or isotonic regression (Zadrozny & Elkan 2002), joined by lines between its knots.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from topology.model.quality_model import Calibration, QualityModel, Tree

FAR = 700.0
"""Log-odds beyond which exp leaves the range of floats."""


class Part(NamedTuple):
    """What one process value adds to the log-odds, against its usual value."""

    characteristic: str
    value: float | None
    log_odds: float


class Guess(NamedTuple):
    probability: float
    parts: tuple[Part, ...]
    """From the greatest effect to the least."""
    unusual: tuple[str, ...]
    """Characteristics outside of what the model was trained on."""


def guess(model: QualityModel, values: Mapping[str, float]) -> Guess:
    """What is not measured is taken at its usual value, and adds nothing in a logistic model."""
    scaled = [
        (values[feature.characteristic] - feature.mean) / feature.scale if feature.characteristic in values else 0.0
        for feature in model.features
    ]
    added = [feature.weight * value for feature, value in zip(model.features, scaled, strict=True)]
    base = model.intercept
    for tree in model.trees:
        base += tree.value[0]
        _walk(tree, scaled, added)
    log_odds = base + math.fsum(added)
    parts = [
        Part(feature.characteristic, values.get(feature.characteristic), part)
        for feature, part in zip(model.features, added, strict=True)
    ]
    unusual = [
        feature.characteristic
        for feature in model.features
        if feature.characteristic in values and not feature.low <= values[feature.characteristic] <= feature.high
    ]
    ordered = sorted(parts, key=lambda part: (-abs(part.log_odds), part.characteristic))
    return Guess(calibrated(model.calibration, log_odds), tuple(ordered), tuple(unusual))


def _walk(tree: Tree, scaled: list[float], added: list[float]) -> None:
    node = 0
    while (feature := tree.feature[node]) >= 0:
        child = tree.left[node] if scaled[feature] <= tree.threshold[node] else tree.right[node]
        added[feature] += tree.value[child] - tree.value[node]
        node = child


def calibrated(calibration: Calibration, log_odds: float) -> float:
    """The probability that log-odds come to."""
    if calibration.kind == "platt":
        return logistic(calibration.slope * log_odds + calibration.intercept)
    at, probability = calibration.at, calibration.probability
    place = bisect_right(at, log_odds)
    if place == 0 or place == len(at):
        return probability[min(place, len(at) - 1)]
    share = (log_odds - at[place - 1]) / (at[place] - at[place - 1])
    return probability[place - 1] + share * (probability[place] - probability[place - 1])


def logistic(log_odds: float) -> float:
    """1/(1 + e⁻ˣ)."""
    return 1 / (1 + math.exp(-max(-FAR, min(FAR, log_odds))))
