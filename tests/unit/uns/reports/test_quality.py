"""Training of quality models: published coefficients, the gate, what the fold sees is what was trained on, the file."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from typer.testing import CliRunner

from processors.prediction.score import calibrated, logistic
from schemas.records import Prediction, Production, Quality
from schemas.text import iso
from uns.cli.app import UserError, app
from uns.history.file.fold import fold
from uns.history.file.read import read
from uns.model.plant import load_plant
from uns.reports.quality import fitting
from uns.reports.quality.judging import calibration_error, scores
from uns.reports.quality.rows import Rows, rows_of
from uns.reports.quality.training import NotWorthIt, train

T0, MINUTE = 1_795_000_000_000_000 // 3_600_000_000 * 3_600_000_000, 60_000_000
CELL = "acme/dallas/packaging/line-1/filler"
# Dalal, Fowlkes & Hoadley (1989), J. Am. Statist. Assoc. 84:945: temperature in °F and whether an O-ring was in distress.
O_RINGS = "66 70 69 68 67 72 73 70 57 63 70 78 67 53 67 75 70 81 76 79 75 76 58"
DISTRESS = "0 1 0 0 0 0 0 0 1 1 1 0 0 1 0 0 0 0 0 0 1 0 1"


def rows(effect: float, count: int = 600, seed: int = 1, bent: bool = False) -> Rows:
    draw = random.Random(seed)
    values, scrap = [], []
    for _ in range(count):
        x, noise = draw.gauss(0, 1), draw.gauss(5, 2)
        lift = effect * (x * x - 1) if bent else effect * x
        values.append((80 + 3 * x, noise))
        scrap.append(sum(draw.random() < logistic(-2.5 + lift) for _ in range(40)))
    at = tuple(T0 + n * MINUTE for n in range(count))
    return Rows(("Temp", "Press"), at, at[-1] + MINUTE, (40,) * count, tuple(scrap), tuple(values))


def test_o_rings_to_the_published_digits() -> None:
    temperature, distress = ([float(x) for x in text.split()] for text in (O_RINGS, DISTRESS))
    found = fitting.logistic([[x] for x in temperature], distress, [1.0] * 23, ridge=0.0)
    assert found.weights == pytest.approx([15.0429, -0.23216], rel=1e-4)
    assert found.errors == pytest.approx([7.379, 0.1082], rel=1e-3)
    assert logistic(found.weights[0] + 31 * found.weights[1]) == pytest.approx(0.9996, abs=5e-5)


def test_values_that_part_good_and_bad_completely_stay_finite() -> None:
    found = fitting.logistic([[-1.0], [-2.0], [1.0], [2.0]], [0, 0, 5, 5], [5, 5, 5, 5])
    assert all(map(math.isfinite, found.weights))


def test_trees_score_as_the_library_that_grew_them() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=(400, 2))
    lost = (draw.random(400) < 1 / (1 + np.exp(1 - x[:, 0] ** 2))).astype(int)
    base, trees = fitting.boosted(x, list(map(int, lost)), [1] * 400)
    theirs = GradientBoostingClassifier(
        n_estimators=fitting.TREES,
        max_depth=fitting.DEPTH,
        learning_rate=fitting.RATE,
        min_weight_fraction_leaf=0.01,
        random_state=0,
    ).fit(x, lost)
    ours = []
    for row in x:
        total = base
        for tree in trees:
            node = 0
            while (feature := tree.feature[node]) >= 0:
                node = tree.left[node] if row[feature] <= tree.threshold[node] else tree.right[node]
            total += tree.value[node]
        ours.append(total)
    assert ours == pytest.approx(list(theirs.decision_function(x)), abs=1e-6)


def test_isotonic_steps_as_scikit_learn_has_them() -> None:
    draw = random.Random(3)
    at = sorted(draw.uniform(-3, 3) for _ in range(200))
    made = [draw.randint(5, 50) for _ in at]
    lost = [sum(draw.random() < logistic(x - 1) for _ in range(n)) for x, n in zip(at, made, strict=True)]
    ours = fitting.isotonic(at, lost, made)
    theirs = IsotonicRegression().fit(at, [m / n for m, n in zip(lost, made, strict=True)], sample_weight=made)
    steps = sorted({round(min(max(float(p), 1e-6), 1 - 1e-6), 9) for p in theirs.predict(at)})
    assert [round(p, 9) for p in ours.probability] == steps
    guessed = [calibrated(ours, x) for x in at]
    assert guessed == sorted(guessed)


def test_a_model_that_knows_something_is_published_with_what_it_did_in_later_time() -> None:
    trained = train(rows(0.9))
    model = trained.model
    assert trained.kind == "logistic, platt"
    assert model.features[0].weight == pytest.approx(0.9, abs=0.15)
    assert abs(model.features[1].weight) < 0.15
    assert trained.scores.worth_it
    assert trained.scores.calibration_error < 0.03
    assert model.held_out["log_loss_gain_high"] == trained.scores.log_loss_gain.high
    assert model.trained_to == model.held_out["from"]
    assert train(rows(0.9)) == trained


@pytest.mark.parametrize("seed", range(2))
def test_a_model_that_knows_nothing_is_refused(seed: int) -> None:
    with pytest.raises(NotWorthIt, match="does not beat the base rate"):
        train(rows(0.0, seed=seed))


def test_trees_take_the_place_of_a_line_only_where_they_are_better() -> None:
    assert train(rows(0.9, 900, bent=True)).kind.startswith("gradient boosting")


@pytest.mark.parametrize(
    ("count", "effect", "said"), [(50, 0.9, "too few"), (300, 0.0, "scrap in the")], ids=["rows", "scrap"]
)
def test_too_little_is_said(count: int, effect: float, said: str) -> None:
    some = rows(effect, count)
    if effect == 0:
        some = Rows(some.features, some.at, some.until, some.pieces, (0,) * count, some.values)
    with pytest.raises(NotWorthIt, match=said):
        train(some)


def test_scores_by_hand() -> None:
    found = scores([0.5, 0.5], 0.25, [2, 2], [1, 1])
    assert found.log_loss == pytest.approx(math.log(2))
    assert found.brier == pytest.approx(0.25)
    assert found.base_brier == pytest.approx((0.75**2 + 0.25**2) / 2)
    assert calibration_error([0.2, 0.8], [100, 100], [20, 60]) == pytest.approx(0.1)


def history(folder: Path, effect: float, count: int = 420) -> tuple[str, Path]:
    """A file of raw records and a plant folder."""
    draw, plant = random.Random(7), folder / "plant"
    plant.mkdir()
    (plant / "plant.yaml").write_text(
        "namespace: {enterprise: acme, sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}}\n"
        "types:\n  filler:\n    ideal_cycle_s: 1.0\n    silent_after_s: null\n    tags:\n      Temp: {role: characteristic}\n"
        "      Good: {role: good_count, counts: increments}\n      Scrap: {role: scrap_count, counts: increments}\n"
    )
    lines: list[dict[str, Any]] = []
    for n in range(count):
        at, x = T0 + n * 5 * MINUTE, draw.gauss(0, 1)
        scrap = sum(draw.random() < logistic(-2.5 + effect * x) for _ in range(40))
        told = {
            "Temp": (at + MINUTE // 10, round(80 + 3 * x, 3)),
            "Good": (at + MINUTE // 2, 40 - scrap),
            "Scrap": (at + MINUTE // 2, scrap),
        }
        if n % 7 == 3:
            del told["Temp"]
        samples = [{"tag": tag, "at": iso(when), "value": value} for tag, (when, value) in told.items()]
        lines.append({"type": "Samples", "path": CELL, "samples": samples})
    file = folder / "history.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return str(file), plant


def test_from_a_file_to_predictions_of_the_fold(tmp_path: Path) -> None:
    file, plant = history(tmp_path, 1.2)
    arguments = ["quality", "train", "scrap@1", "--file", file, "--plant", str(plant)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with pytest.raises(UserError, match="is never changed, train scrap@2"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    text = (plant / "plant.yaml").read_text()
    (plant / "plant.yaml").write_text(
        text.replace("ideal_cycle_s: 1.0", "ideal_cycle_s: 1.0\n    quality_model: scrap@1")
    )
    model = load_plant(plant)
    shown = json.loads(CliRunner().invoke(app, ["quality", "show", "--plant", str(plant), "--json"]).stdout)
    assert (shown[0]["machines"], shown[0]["hash"]) == ([CELL], model.quality_models["scrap@1"].hash)
    data = Path(file).read_bytes()
    records = fold(model, read(data)).records
    found = [one for one in records if isinstance(one, Prediction)]
    trained_on = rows_of(
        [one for one in records if isinstance(one, Production)], [one for one in records if isinstance(one, Quality)]
    )
    seen = [(one.started_at, tuple(part.value for part in one.contributions)) for one in found]
    assert seen == list(zip(trained_on.at, trained_on.values, strict=True))
    shuffled = data.splitlines(keepends=True)
    random.Random(1).shuffle(shuffled)
    lines = b"".join(line.rstrip(b"\n") + b"\n" for line in shuffled)
    again = [one for one in fold(model, read(lines)).records if isinstance(one, Prediction)]
    assert [(one.id, one.probability, one.contributions) for one in again] == [
        (one.id, one.probability, one.contributions) for one in found
    ]


def test_a_refusal_writes_nothing(tmp_path: Path) -> None:
    file, plant = history(tmp_path, 0.0)
    with pytest.raises(UserError, match="does not beat the base rate"):
        CliRunner().invoke(
            app, ["quality", "train", "scrap@1", "--file", file, "--plant", str(plant)], catch_exceptions=False
        )
    assert [path.name for path in plant.iterdir()] == ["plant.yaml"]
    with pytest.raises(UserError, match="no name of a model"):
        CliRunner().invoke(
            app, ["quality", "train", "scrap", "--file", file, "--plant", str(plant)], catch_exceptions=False
        )
