"""Fits: a logistic model by iteratively reweighted least squares, gradient-boosted trees, and calibrations. numpy, scipy, scikit-learn."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from processors.analysis.distributions import library
from topology.model.quality_model import KNOTS_MAX, Calibration, Tree

RIDGE = 1e-6
"""Keeps weights finite where a value parts good and bad completely; far below what shows otherwise."""
TREES, DEPTH, RATE = 120, 3, 0.08
LEAST, MOST = 1e-6, 1 - 1e-6
"""Probabilities that isotonic steps are held within: nothing is certain."""


class Fit(NamedTuple):
    """Intercept first."""

    weights: list[float]
    errors: list[float]
    """Standard errors."""


def logistic(features: Any, successes: Sequence[float], trials: Sequence[float], ridge: float = RIDGE) -> Fit:
    """Maximum likelihood of successes of trials (McCullagh & Nelder 1989, §4.4); `ridge` is on all but the intercept."""
    np = library("numpy")
    x = np.column_stack([np.ones(len(successes)), np.asarray(features, dtype=float)])
    y, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    penalty = np.diag([0.0, *[ridge] * (x.shape[1] - 1)])
    share = min(max(float(y.sum() / n.sum()), LEAST), MOST)
    weights = np.zeros(x.shape[1])
    weights[0] = math.log(share / (1 - share))
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        spread = n * p * (1 - p)
        information = x.T @ (x * spread[:, None]) + penalty
        step = np.linalg.solve(information, x.T @ (y - n * p) - penalty @ weights)
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        weights = weights + step
        if float(np.abs(step).max()) < 1e-10:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return Fit([float(one) for one in weights], [float(one) for one in errors])


def boosted(features: Any, successes: Sequence[int], trials: Sequence[int]) -> tuple[float, tuple[Tree, ...]]:
    """Intercept and trees on the log-odds (Friedman 2001), with fixed seed and size."""
    np, ensemble = library("numpy"), library("sklearn.ensemble")
    x, y, n = np.asarray(features, dtype=float), np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    both = np.vstack([x, x])
    labels = np.concatenate([np.ones(len(y)), np.zeros(len(y))])
    weights = np.concatenate([y, n - y])
    kept = weights > 0
    model = ensemble.GradientBoostingClassifier(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=RATE,
        min_weight_fraction_leaf=0.01,
        random_state=0,
    ).fit(both[kept], labels[kept], sample_weight=weights[kept])
    share = float(y.sum() / n.sum())
    return math.log(share / (1 - share)), tuple(_tree(one[0].tree_) for one in model.estimators_)


def _tree(tree: Any) -> Tree:
    """Thresholds are compared as 32-bit numbers there: each is kept as the number it was."""
    leaf = tree.children_left < 0
    values = RATE * _expected(tree)
    return Tree(
        feature=tuple(-1 if leaf[n] else int(tree.feature[n]) for n in range(tree.node_count)),
        threshold=tuple(0.0 if leaf[n] else float(tree.threshold[n]) for n in range(tree.node_count)),
        left=tuple(int(max(0, one)) for one in tree.children_left),
        right=tuple(int(max(0, one)) for one in tree.children_right),
        value=tuple(float(one) for one in values),
    )


def _expected(tree: Any) -> Any:
    """Of each node the mean of the leaves below it, by their weight: the library says only the leaves' own."""
    values, weight = tree.value[:, 0, 0].copy(), tree.weighted_n_node_samples
    for node in reversed(range(tree.node_count)):
        left, right = tree.children_left[node], tree.children_right[node]
        if left >= 0:
            values[node] = (values[left] * weight[left] + values[right] * weight[right]) / (
                weight[left] + weight[right]
            )
    return values


def platt(log_odds: Sequence[float], successes: Sequence[int], trials: Sequence[int]) -> Calibration:
    """A line over the log-odds."""
    np = library("numpy")
    intercept, slope = logistic(np.asarray(log_odds)[:, None], successes, trials, ridge=1e-3).weights
    return Calibration(kind="platt", slope=slope, intercept=intercept)


def isotonic(log_odds: Sequence[float], successes: Sequence[int], trials: Sequence[int]) -> Calibration:
    """Steps that never fall, joined by lines between their middles."""
    np, optimize = library("numpy"), library("scipy.optimize")
    at, inverse = np.unique(np.asarray(log_odds, dtype=float), return_inverse=True)
    lost = np.bincount(inverse, np.asarray(successes, dtype=float))
    made = np.bincount(inverse, np.asarray(trials, dtype=float))
    steps = optimize.isotonic_regression(lost / made, weights=made)
    knots: dict[float, float] = {}
    for begin, end in zip(steps.blocks[:-1], steps.blocks[1:], strict=True):
        share = min(max(float(steps.x[begin]), LEAST), MOST)
        knots[float(np.average(at[begin:end], weights=made[begin:end]))] = share
    thin = -(-len(knots) // KNOTS_MAX)
    kept = sorted(knots.items())[::thin]
    return Calibration(kind="isotonic", at=tuple(x for x, _ in kept), probability=tuple(p for _, p in kept))
