"""Predictions of the fold: what they read, late points, missing values, restarts, and the model's own words."""

import math
import random
from collections.abc import Iterable

import pytest
from pydantic import ValidationError

from processors.prediction.score import calibrated, guess
from schemas.records import Order, Prediction
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, Told, final_content, plant, play, samples
from tests.harness.quality_models import predicting, quality_model
from topology.model.plant import Plant
from topology.model.quality_model import QualityModel


def counted(minute: float, good: int, scrap: int, at: int = T0) -> Told:
    return samples(at + round(minute * MINUTE), Good=good, Scrap=scrap)


def measured(minute: float, value: float) -> Told:
    return samples(T0 + round(minute * MINUTE), FillVolume=value)


def predictions(run: Run) -> list[Prediction]:
    return run.newest("prediction")


def probability(value: float) -> float:
    log_odds = 0.9 * (-3.0 + 0.8 * (value - 500) / 5) - 0.1
    return 1 / (1 + math.exp(-log_odds))


def test_each_production_record_gets_the_probability_of_its_own_process_values() -> None:
    told = [
        (LINE, Order(id="4711", product="cola", started_at=T0 - HOUR)),
        counted(0.1, 0, 0),
        measured(5.1, 500.0),
        measured(5.5, 510.0),
        counted(5.8, 10, 1),
        counted(7.5, 19, 1),
        measured(9.2, 525.0),
        counted(9.5, 20, 2),
    ]
    first, carried, far = predictions(play(told, 20, run=Run(predicting())))
    assert first.probability == pytest.approx(probability(505.0))
    assert (first.pieces, first.order, first.product, first.status) == (11, "4711", "cola", "final")
    assert first.expected_scrap == pytest.approx(11 * first.probability)
    assert (first.model, len(first.model_hash), first.base_rate) == ("scrap@1", 16, 0.05)
    assert (first.contributions[0].characteristic, first.contributions[0].value) == ("FillVolume", 505.0)
    assert first.contributions[0].log_odds == pytest.approx(0.8)
    assert carried.contributions[0].value == 510.0
    assert (far.unusual, first.unusual) == (("FillVolume",), ())


def test_nothing_is_guessed_without_a_value_or_without_a_model() -> None:
    told = [counted(0.1, 0, 0), counted(5.8, 10, 1)]
    assert predictions(play(told, 20, run=Run(predicting()))) == []
    assert predictions(play([*told, measured(5.1, 500.0)], 20)) == []
    old = [measured(0.2, 500.0), counted(0.3, 0, 0), counted(62.5, 5, 0)]
    assert predictions(play(old, 70, run=Run(predicting()))) == []


def test_what_one_feature_lacks_is_taken_as_usual_and_said() -> None:
    told = [counted(0.1, 0, 0), measured(5.1, 505.0), counted(5.8, 10, 1)]
    (one,) = predictions(play(told, 20, run=Run(predicting("FillVolume", "Torque"))))
    assert one.probability == pytest.approx(probability(505.0))
    assert [(part.characteristic, part.value) for part in one.contributions] == [
        ("FillVolume", 505.0),
        ("Torque", None),
    ]


def test_a_late_point_and_a_late_count_give_a_revision() -> None:
    run = Run(predicting())
    play([counted(0.1, 0, 0), measured(4.0, 500.0), counted(5.8, 10, 1)], 20, run=run)
    (before,) = predictions(run)
    run.feed([samples(T0 + round(5.2 * MINUTE), FillVolume=515.0)])
    play([counted(5.9, 12, 1)], 24, run=run)
    after = predictions(run)[0]
    assert (after.natural_id, after.status, after.pieces) == (before.natural_id, "corrected", 13)
    assert after.revision > before.revision
    assert after.probability == pytest.approx(probability(515.0))
    punctual = [
        counted(0.1, 0, 0),
        measured(4.0, 500.0),
        measured(5.2, 515.0),
        counted(5.8, 10, 1),
        counted(5.9, 12, 1),
    ]
    (alike,) = predictions(play(punctual, 24, run=Run(predicting())))
    assert (alike.probability, alike.pieces) == (after.probability, after.pieces)


@pytest.mark.parametrize("seed", range(3))
def test_a_fold_restarted_anywhere_says_the_same_bytes(seed: int) -> None:
    chance = random.Random(seed)
    told: list[Told] = [counted(0.1, 0, 0)]
    good = scrap = 0
    for minute in range(1, 180, 3):
        good, scrap = good + chance.randint(0, 9), scrap + chance.randint(0, 2)
        told.append(counted(minute + 0.5, good, scrap))
        if chance.random() < 0.5:
            told.append(measured(minute - chance.choice([0.2, 20.0]), chance.gauss(500, 6)))
    model = predicting()
    whole, cut = Run(model), Run(model)
    play(told, 200, run=whole)
    kept = Kept(model)
    play(told, 200, run=kept)
    for place, one in enumerate(kept.told):
        cut.feed([one])
        if place % 61 == seed:
            cut.restart(chance)
    assert predictions(whole)
    assert cut.records == whole.records
    assert final_content(cut.records) == final_content(whole.records)


class Kept(Run):
    """Keeps what it is fed, and folds nothing."""

    def feed(self, told: Iterable[Told]) -> Run:
        self.told = list(told)
        return self


def test_a_model_that_was_edited_is_refused_and_one_that_is_not_there_too() -> None:
    plain = quality_model("FillVolume")
    assert QualityModel.model_validate(plain).hash == plain["hash"]
    with pytest.raises(ValidationError, match="edited by hand"):
        QualityModel.model_validate({**plain, "intercept": -2.0})
    told = plant().model_dump(mode="json")
    told["types"]["filler"]["quality_model"] = "scrap@7"
    with pytest.raises(ValidationError, match=r"no quality model 'scrap@7'"):
        Plant.model_validate(told)


def test_trees_add_up_and_isotonic_steps_are_joined() -> None:
    tree = {
        "feature": [0, -1, -1],
        "threshold": [0.5, 0.0, 0.0],
        "left": [1, 0, 0],
        "right": [2, 0, 0],
        "value": [0.1, -0.4, 0.9],
    }
    model = QualityModel.model_validate(quality_model("FillVolume", trees=[tree, tree]))
    low, high = guess(model, {"FillVolume": 500.0}), guess(model, {"FillVolume": 510.0})
    assert low.probability < high.probability
    assert low.parts[0].log_odds == pytest.approx(2 * -0.5)
    assert high.parts[0].log_odds == pytest.approx(0.8 * 2 + 2 * 0.8)
    steps = {"kind": "isotonic", "at": [-2.0, 0.0], "probability": [0.1, 0.3]}
    curve = QualityModel.model_validate(quality_model("FillVolume", calibration=steps)).calibration
    assert [calibrated(curve, at) for at in (-9.0, -1.0, 9.0)] == pytest.approx([0.1, 0.2, 0.3])
    assert calibrated(QualityModel.model_validate(quality_model("FillVolume")).calibration, 1e9) == 1.0
    for broken in ({**tree, "left": [0, 0, 0]}, {**tree, "value": [0.1]}, {**tree, "feature": [3, -1, -1]}):
        with pytest.raises(ValidationError):
            QualityModel.model_validate(quality_model("FillVolume", trees=[broken]))


def test_the_path_is_the_machines() -> None:
    told = [counted(0.1, 0, 0), measured(5.1, 505.0), counted(5.8, 10, 1)]
    (one,) = predictions(play(told, 20, run=Run(predicting())))
    assert one.path == CELL
