"""The remaining life: its intervals hold what came as often as they say, and its parts are what other libraries compute."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.condition.chances import log_normal, normal, student
from processors.condition.life import RemainingLife
from processors.condition.trend import Line
from tests.harness.wearing import KINDS, asked, coverage


@pytest.mark.parametrize("kind", ["random-coefficient", "gamma"])
def test_coverage_of_a_few_units(kind: str) -> None:
    """Of 25 units at four stages: within 4 standard errors of the band that thousands keep."""
    answers = list(asked(kind, 25, seed=1))
    assert 0.75 <= coverage(answers) <= 1.0
    assert sum(answer.said for answer in answers) > 0.95 * len(answers)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_coverage_of_two_thousand_units(kind: str) -> None:
    answers = list(asked(kind, 2000, seed=2))
    assert 0.86 <= coverage(answers) <= 0.94, kind
    if kind == "random-coefficient":
        assert 0.87 <= coverage(answers) <= 0.93


def test_without_process_noise_it_is_the_regression_line() -> None:
    chance = random.Random(5)
    times, values = np.arange(30.0), np.array([2 + 0.3 * t + chance.gauss(0, 0.5) for t in range(30)])
    line = Line(0.0)
    line.begin(values[0], values[1], 1.0)
    for number, value in enumerate(values[2:], 3):
        line.update(float(value), 1.0, number, 0.0)
    (slope, level), covariance = np.polyfit(times - times[-1], values, 1, cov=True)
    assert (line.level, line.slope) == pytest.approx((level, slope), rel=1e-9)
    sigma2 = line.variance(30)
    assert sigma2 * np.array([[line.p11, line.p01], [line.p01, line.p00]]) == pytest.approx(covariance, rel=1e-6)


def test_with_process_noise_alone_it_is_the_mean_of_the_steps() -> None:
    chance = random.Random(6)
    values = np.cumsum([chance.gauss(0.1, 0.2) for _ in range(40)])
    line = Line(1.0)
    line.begin(float(values[0]), float(values[1]), 1.0)
    for number, value in enumerate(values[2:], 3):
        line.update(float(value), 1.0, number, 0.0)
    steps = np.diff(values)
    assert (line.level, line.slope) == pytest.approx((values[-1], steps.mean()))
    assert line.variance(40) == pytest.approx(steps.var(ddof=1))
    assert line.p11 == pytest.approx(1 / len(steps))


@pytest.mark.parametrize(("sigma", "quantiles"), [(1.0, (84.446, 99.503, 117.250)), (5.0, (41.266, 89.050, 196.060))])
def test_first_passage_of_a_known_wiener_process(sigma: float, quantiles: tuple[float, float, float]) -> None:
    """Drift 1, distance 100: quantiles 5, 50 and 95 % of the inverse Gaussian (reference, §3.1)."""
    number = 1_000_002
    line = Line(1.0, slope=1.0, p11=1e-12, squares=sigma * sigma * (number - 2), fourth=3 * sigma**4 * number)
    for quantile, share in zip(quantiles, (0.05, 0.5, 0.95), strict=True):
        assert line.passed(100.0, quantile, number) == pytest.approx(share, abs=2e-4)


@pytest.mark.parametrize(
    ("t", "freedom", "share"),
    [(1.812461, 10, 0.95), (2.919986, 2, 0.95), (2.353363, 3, 0.95), (-1.372184, 10, 0.1), (12.706205, 1, 0.975)],
)
def test_student_as_in_the_tables(t: float, freedom: int, share: float) -> None:
    assert student(t, freedom) == pytest.approx(share, abs=0.012 if freedom < 3 else 0.003)


def test_the_tail_goes_on_where_a_float_ends() -> None:
    assert log_normal(-36.9) == pytest.approx(math.log(normal(-36.9)))
    assert log_normal(-37.1) == pytest.approx(-(37.1**2) / 2 - math.log(37.1 * math.sqrt(2 * math.pi)), rel=1e-5)
    assert math.isfinite(log_normal(-1e6))


def test_no_trend_no_remaining_life() -> None:
    chance, life = random.Random(7), RemainingLife(10.0)
    for t in range(60):
        life.update(float(t), 5 + chance.gauss(0, 1))
    told = life.forecast()
    assert told is not None
    assert told.no_trend > 0.05
    assert (told.low, told.median, told.high) == (None, None, None)


def test_a_quantity_that_falls_and_one_that_grows_by_a_share() -> None:
    chance = random.Random(8)
    falls, grows = RemainingLife(2.0, rises=False), RemainingLife(10.0, shape="exponential")
    for t in range(60):
        falls.update(float(t), 10 - 0.1 * t + chance.gauss(0, 0.1))
        grows.update(float(t), math.exp(0.03 * t + chance.gauss(0, 0.05)))
    fallen, grown = falls.forecast(), grows.forecast()
    assert fallen is not None
    assert fallen.median == pytest.approx(21, abs=3)
    assert fallen.slope < 0
    assert grown is not None
    assert grown.median == pytest.approx(math.log(10) / 0.03 - 59, abs=3)
    assert grown.exponential == pytest.approx(1.0)


def test_what_is_no_number_is_refused_and_what_comes_again_passed_over() -> None:
    life = RemainingLife(10.0)
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            life.update(0.0, value)
    life.update(1.0, 1.0)
    life.update(1.0, 5.0)
    life.update(0.5, 5.0)
    assert life.number == 1


@given(st.lists(st.floats(-1e99, 1e99), max_size=30), st.sampled_from(["auto", "linear", "exponential"]))
def test_any_values_give_an_answer_in_order(values: list[float], shape: str) -> None:
    life = RemainingLife(7.0, shape=shape)  # type: ignore[arg-type]
    for t, value in enumerate(values):
        life.update(float(t), value)
    told = life.forecast()
    if told is not None:
        known = [each for each in (told.low, told.median, told.high) if each is not None]
        assert known == sorted(known)
        assert 0 <= told.no_trend <= 1.000001
        assert all(math.isfinite(each) for each in (told.slope, told.slope_low, told.slope_high))
