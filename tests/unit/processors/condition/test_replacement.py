"""Age replacement and Weibull fits against published figures and another library's optimum."""

import math

import numpy as np
import pytest

from processors.condition.bearing import Line, of_geometry
from processors.condition.replacement import TooFew, Weibull, age_to_replace, fit


@pytest.mark.parametrize(
    ("shape", "ratio", "age", "saving"),
    [
        (2.0, 5, 51.066, 0.276),
        (2.0, 10, 33.645, 0.463),
        (3.0, 5, 50.261, 0.459),
        (3.0, 10, 38.246, 0.647),
        (1.5, 10, 37.814, 0.251),
    ],
)
def test_age_to_replace(shape: float, ratio: float, age: float, saving: float) -> None:
    """Scale 100, to three digits (reference, §3.1)."""
    best = age_to_replace(Weibull(100.0, shape), ratio)
    assert best.age == pytest.approx(age, abs=6e-4)
    assert best.saving == pytest.approx(saving, abs=6e-4)


@pytest.mark.parametrize(("shape", "ratio"), [(1.0, 10.0), (0.7, 10.0), (3.0, 1.0), (3.0, 0.5)])
def test_what_does_not_age_or_costs_no_more_broken_runs_to_failure(shape: float, ratio: float) -> None:
    assert age_to_replace(Weibull(100.0, shape), ratio) == (None, 0.0)


@pytest.mark.parametrize("shape", [1.2, 2.0, 4.0])
def test_the_age_is_where_the_cost_is_least(shape: float) -> None:
    """Against the cost itself on a fine grid, by numpy's trapezium."""
    ratio, life = 8.0, Weibull(70.0, shape)
    ages = np.linspace(0.01, 300, 60_001)
    survival = np.exp(-((ages / 70.0) ** shape))
    lived = np.concatenate([[0.0], np.cumsum((survival[1:] + survival[:-1]) / 2 * np.diff(ages))]) + ages[0]
    cost = (survival + ratio * (1 - survival)) / lived
    assert age_to_replace(life, ratio).age == pytest.approx(ages[cost.argmin()], abs=0.05)


def test_a_fit_is_the_maximum_of_the_likelihood() -> None:
    """Nelson's locomotive controls in spirit: failures and survivors; no neighbour of the fit is likelier."""
    failed = [22.5, 37.5, 46.0, 48.5, 51.5, 53.0, 54.5, 57.5, 66.5, 68.0]
    survived = [60.0, 70.0, 75.0, 80.0]
    found = fit(failed, survived)

    def likelihood(scale: float, shape: float) -> float:
        ends = sum(math.log(shape / scale) + (shape - 1) * math.log(t / scale) for t in failed)
        return ends - sum(math.pow(t / scale, shape) for t in [*failed, *survived])

    assert found.log_likelihood == pytest.approx(likelihood(found.scale, found.shape))
    for scale, shape in [(1.001, 1), (0.999, 1), (1, 1.001), (1, 0.999)]:
        assert likelihood(found.scale * scale, found.shape * shape) < found.log_likelihood


def test_a_fit_finds_what_the_lives_were_drawn_from() -> None:
    chance = np.random.default_rng(3)
    lives = 100.0 * chance.weibull(2.5, 4000)
    found = fit([float(life) for life in lives if life < 120], [120.0] * int((lives >= 120).sum()))
    assert (found.scale, found.shape) == pytest.approx((100.0, 2.5), rel=0.04)


@pytest.mark.parametrize("failed", [[], [5.0], [5.0, 5.0], [5.0, -1.0], [5.0, math.nan]])
def test_too_little_to_learn_from_is_said(failed: list[float]) -> None:
    with pytest.raises(TooFew):
        fit(failed)


@pytest.mark.parametrize(
    ("balls", "ball", "pitch", "expected"),
    [
        (9, 0.3126, 1.537, (0.39831, 3.5848, 5.4152, 2.3567)),  # SKF 6205, as the bearing data centre of CWRU has it
        (8, 0.2656, 1.122, (0.38164, 3.0531, 4.9469, 1.9938)),  # SKF 6203
    ],
)
def test_bearing_frequencies(balls: int, ball: float, pitch: float, expected: tuple[float, ...]) -> None:
    assert of_geometry(balls, ball, pitch) == pytest.approx(expected, abs=6e-5)


def test_peaks_are_named_within_slip_and_side_bands_beside_their_harmonic() -> None:
    bearing = of_geometry(9, 7.94, 38.5)
    assert [round(25 * each, 1) for each in bearing][:3] == [9.9, 89.3, 135.7]
    assert bearing.lines([89.31 * 1.02, 2 * 135.69, 25.0], 25.0) == [Line("outer_race", 1), Line("inner_race", 2), None]
    assert bearing.lines([135.7, 160.7, 110.7, 185.5], 25.0) == [
        Line("inner_race", 1),
        Line("inner_race", 1, 1),
        Line("inner_race", 1, -1),
        Line("inner_race", 1, 2),
    ]
    assert bearing.lines([160.7, 110.7], 25.0) == [None, None]  # without their harmonic they are no evidence
    assert bearing.lines([89.3, 89.3 + 20.0], 25.0) == [Line("outer_race", 1), None]  # a standing race has no bands


@pytest.mark.parametrize(("balls", "ball", "pitch"), [(2, 1.0, 5.0), (9, 5.0, 5.0), (9, 0.0, 5.0), (9, 1.0, 0.0)])
def test_what_is_no_bearing_is_refused(balls: int, ball: float, pitch: float) -> None:
    with pytest.raises(ValueError, match="no bearing"):
        of_geometry(balls, ball, pitch)
