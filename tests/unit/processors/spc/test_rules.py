"""The rules over runs and the limits of an individuals chart, against published examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.spc.chart import Chart
from processors.spc.control import Limits, Plotted, Standard
from processors.spc.rules import rules
from processors.spc.variables import Individuals

# NIST/SEMATECH e-Handbook 6.3.2.2: individuals, flow rate of a chemical process (liters)
NIST = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]


def learn(points: list[float]) -> Limits:
    chart = Individuals()
    return chart.limits(chart.learn([Plotted(x, None, 1.0) for x in points]), 1.0)


def test_limits_of_the_nist_individuals_chart() -> None:
    limits = learn(NIST)
    assert limits.centre == pytest.approx(50.81)
    assert limits.spread_centre == pytest.approx(1.8778, abs=5e-5)
    # the handbook divides by 1.128; the exact d2 moves the limits by less than 0.002
    assert limits.ucl == pytest.approx(55.8041, abs=2e-3)
    assert limits.lcl == pytest.approx(45.8159, abs=2e-3)


def test_exact_constants() -> None:
    limits = Individuals().limits(Standard(0.0, 1 / 1.1283791670955126, spread=1.0), 1.0)
    assert limits.ucl == pytest.approx(2.6587, abs=5e-5)
    assert limits.spread_ucl == pytest.approx(3.26653, abs=5e-6)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([3.0], ()),  # the limit itself is not beyond
        ([3.01], (1,)),
        ([-3.01], (1,)),
        ([0.1, 0.2] * 4 + [0.1], (2,)),
        ([0.1, 0.2] * 4 + [0.0], ()),  # the centre line breaks a run
        ([0.1, 0.2] * 4, ()),
        ([-2, -1.5, -0.5, 0.5, 0.6, 0.9], (3,)),
        ([0.9, 0.6, 0.5, -0.5, -1.5, -2], (3,)),
        ([-0.5, -0.4, -0.4, 0.5, 0.6, 0.9], ()),  # equal neighbours do not rise
        ([0.2, -0.2] * 7, (4,)),
        ([0.2, -0.2] * 6 + [0.2], ()),
        ([2.1, 0.0, 2.1], (5,)),
        ([2.1, 0.0, -2.1], ()),  # two sides
        ([2.1, 2.1, 0.0], ()),  # the point itself must be beyond
        ([1.1, 1.1, 0.0, 1.1, 1.1], (6,)),
        ([1.1, 1.1, 1.1, 1.1, 0.0], ()),
        ([0.9, -0.9, 0.5] * 5, (7,)),
        ([1.0, -1.0, 0.5] * 5, (7,)),  # one sigma is within
        ([1.1, -1.1, -1.2, 1.2, 1.3, -1.3, -1.2, 1.2], (8,)),
        ([1.1, 1.2, -1.1, 1.2, 1.1, 1.2, 1.1, 0.9], ()),
    ],
)
def test_each_rule(points: list[float], expected: tuple[int, ...]) -> None:
    assert rules(points, 0.0, 1.0) == expected


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_rules_are_symmetric(points: list[float]) -> None:
    assert rules(points, 0.0, 1.0) == rules([-x for x in points], 0.0, 1.0)


@given(st.lists(st.floats(-5, 5), min_size=16, max_size=40))
def test_only_the_last_fifteen_points_matter(points: list[float]) -> None:
    assert rules(points, 0.0, 1.0) == rules(points[-15:], 0.0, 1.0)


def test_a_chart_learns_then_controls() -> None:
    chart = Chart(baseline=10)
    assert {chart.take(x).phase for x in NIST} == {"baseline"}
    point = chart.take(60.0)
    assert point.phase == "control"
    assert point.plotted.spread == pytest.approx(7.9)
    assert point.rules == (0, 1)
    chart.restart()
    assert chart.take(60.0).phase == "baseline"
