"""From rows to a model: fitted, calibrated, chosen and judged on four stretches of time, each later than the one before.

A logistic model with Platt's line is the standard; isotonic calibration or gradient boosting takes its place only where it
is better on the third stretch by more than chance. What is chosen must beat the base rate on the fourth, in log-loss and in
Brier score, by more than chance: else there is no model.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from processors.analysis.distributions import library
from processors.prediction.score import guess
from schemas.text import iso
from topology.model.quality_model import Calibration, Feature, QualityModel, Tree, content_hash
from uns.reports.quality import fitting
from uns.reports.quality.judging import Scores, gain, losses, scores
from uns.reports.quality.rows import Rows

FIT, CALIBRATE, CHOOSE = 0.5, 0.65, 0.8
"""Where the stretches end, as shares of the rows; the last is for judging."""
ROWS_MIN, SCRAP_MIN = 200, 10
"""Rows in all, and scrapped pieces in each stretch, below which nothing is trained."""


class NotWorthIt(ValueError):
    """No model is published; the message says why."""


@dataclass(frozen=True)
class Trained:
    model: QualityModel
    kind: str
    """logistic | gradient boosting, with its calibration."""
    scores: Scores
    tried: tuple[tuple[str, float, str], ...]
    """Candidates: name, log-loss on the third stretch, and what came of it."""


def train(rows: Rows) -> Trained:
    """Raises `NotWorthIt`, and `Absent` without the extra `quality`."""
    count = len(rows.at)
    cuts = [0, *(round(count * share) for share in (FIT, CALIBRATE, CHOOSE)), count]
    if count < ROWS_MIN:
        raise NotWorthIt(f"{count} production records are too few to train on; {ROWS_MIN} are needed")
    parts = [rows.part(begin, end) for begin, end in itertools.pairwise(cuts)]
    for name, part in zip(
        ("first half", "time for calibration", "time for choosing", "last fifth"), parts, strict=True
    ):
        lost, made = sum(part.scrap), sum(part.pieces)
        if min(lost, made - lost) < SCRAP_MIN:
            raise NotWorthIt(f"{lost} of {made} pieces are scrap in the {name}; {SCRAP_MIN} of either kind are needed")
    candidates = list(_candidates(parts[0], parts[1], rows.part(0, cuts[3])))
    chosen, tried = _chosen(candidates, parts[2])
    test, model = parts[3], candidates[chosen][1]
    found = scores(_guesses(model, test), model.base_rate, test.pieces, test.scrap)
    if not found.worth_it:
        gains = found.log_loss_gain, found.brier_gain
        words = ", ".join(
            f"{name} {one.value:+.3g} a piece (95 %: {_side(one.low)} … {_side(one.high)})"
            for name, one in zip(("log-loss", "Brier score"), gains, strict=True)
        )
        raise NotWorthIt(
            f"the model ({candidates[chosen][0]}) does not beat the base rate of {model.base_rate:.2%} in the last fifth of "
            f"the time: {words}; below 0 with certainty is needed. These process values do not tell scrap from good"
        )
    return Trained(_published(model, found, test), candidates[chosen][0], found, tried)


def _side(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3g}"


def _candidates(first: Rows, second: Rows, whole: Rows) -> Iterator[tuple[str, QualityModel]]:
    """The standard first."""
    features, scaled = _scaled(first)
    base_rate = sum(whole.scrap) / sum(whole.pieces)
    span = iso(whole.at[0]), iso(whole.until)
    weights = fitting.logistic(scaled, first.scrap, first.pieces).weights
    weighted = tuple(
        one.model_copy(update={"weight": weight}) for one, weight in zip(features, weights[1:], strict=True)
    )
    intercept, trees = fitting.boosted(scaled, first.scrap, first.pieces)
    for name, parts in (
        ("logistic", (weighted, weights[0], ())),
        ("gradient boosting", (features, intercept, trees)),
    ):
        plain = _model(*parts, Calibration(kind="platt"), base_rate, span)
        log_odds = [_log_odds(plain, row) for row in _values(plain, second)]
        for calibrate in (fitting.platt, fitting.isotonic):
            calibration = calibrate(log_odds, second.scrap, second.pieces)
            yield f"{name}, {calibration.kind}", _model(*parts, calibration, base_rate, span)


def _chosen(candidates: list[tuple[str, QualityModel]], part: Rows) -> tuple[int, tuple[tuple[str, float, str], ...]]:
    best, tried = 0, []
    for place, (name, model) in enumerate(candidates):
        ours = losses(_guesses(model, part), part.pieces, part.scrap)
        mean = sum(ours) / sum(part.pieces)
        if place == 0:
            tried.append((name, mean, "the standard"))
            standing = ours
            continue
        high = gain(ours, standing, part.pieces).high
        better = high is not None and high < 0
        tried.append((name, mean, "better with certainty" if better else "not better with certainty"))
        if better:
            best, standing = place, ours
    return best, tuple(tried)


def _scaled(rows: Rows) -> tuple[tuple[Feature, ...], Any]:
    """Features with their usual values, and standardised rows; what is not known is usual."""
    np = library("numpy")
    table = np.array([[np.nan if value is None else value for value in row] for row in rows.values], dtype=float)
    features = []
    for name, column in zip(rows.features, table.T, strict=True):
        known = column[~np.isnan(column)]
        if not known.size:
            raise NotWorthIt(f"{name} was not measured in the first half of the time")
        scale = float(known.std()) or 1.0
        features.append(
            Feature(
                characteristic=name,
                mean=float(known.mean()),
                scale=scale,
                low=float(known.min()),
                high=float(known.max()),
            )
        )
    means, scales = np.array([one.mean for one in features]), np.array([one.scale for one in features])
    return tuple(features), np.nan_to_num((table - means) / scales)


def _model(
    features: tuple[Feature, ...],
    intercept: float,
    trees: tuple[Tree, ...],
    calibration: Calibration,
    base_rate: float,
    span: tuple[str, str],
    held_out: dict[str, float | str | None] | None = None,
) -> QualityModel:
    content = QualityModel.model_construct(
        features=features,
        intercept=intercept,
        trees=trees,
        calibration=calibration,
        base_rate=base_rate,
        trained_from=span[0],
        trained_to=span[1],
        held_out=held_out or {},
        hash="",
    ).model_dump(exclude={"hash"})
    return QualityModel.model_validate({**content, "hash": content_hash(content)})


def _published(model: QualityModel, found: Scores, test: Rows) -> QualityModel:
    """With how it did in later time."""
    told: dict[str, float | str | None] = {
        "from": iso(test.at[0]),
        "to": iso(test.until),
        "pieces": float(found.pieces),
        "scrap": float(found.scrap),
        "log_loss": found.log_loss,
        "log_loss_base": found.base_log_loss,
        "log_loss_gain": found.log_loss_gain.value,
        "log_loss_gain_low": found.log_loss_gain.low,
        "log_loss_gain_high": found.log_loss_gain.high,
        "brier": found.brier,
        "brier_base": found.base_brier,
        "brier_gain": found.brier_gain.value,
        "brier_gain_low": found.brier_gain.low,
        "brier_gain_high": found.brier_gain.high,
        "calibration_error": found.calibration_error,
    }
    parts = model.features, model.intercept, model.trees, model.calibration, model.base_rate
    return _model(*parts, (model.trained_from, model.trained_to), told)


def _values(model: QualityModel, rows: Rows) -> Iterator[dict[str, float]]:
    for row in rows.values:
        yield {name: value for name, value in zip(model.characteristics, row, strict=True) if value is not None}


def _guesses(model: QualityModel, rows: Rows) -> list[float]:
    """By the very function that the fold uses."""
    return [guess(model, values).probability for values in _values(model, rows)]


def _log_odds(model: QualityModel, values: dict[str, float]) -> float:
    """Uncalibrated."""
    return (
        model.intercept
        + sum(tree.value[0] for tree in model.trees)
        + sum(part.log_odds for part in guess(model, values).parts)
    )
