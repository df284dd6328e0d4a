"""T² and MEWMA: limits of the tables, run lengths by simulation, contributions by leaving out, states that come back."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from processors.spc.matrix import covariance, inverse, mean_of
from processors.spc.mewma_limit import mewma_limit, run_length_of
from processors.spc.multivariate import GroupChart, GroupState, Learnt

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(GroupState).decode
MEWMA = {  # Prabhu and Runger 1997, as Montgomery prints it (p = 2), and our own simulation of 20,000 runs (p = 4, 10): ARL 200
    (2, 0.05): 7.35,
    (2, 0.1): 8.64,
    (2, 0.2): 9.65,
    (2, 0.3): 10.08,
    (4, 0.1): 12.73,
    (10, 0.1): 22.67,
}


def unit(size: int) -> Learnt:
    return Learnt([0.0] * size, [[float(j == k) for k in range(size)] for j in range(size)], 1_000_000, 0)


@pytest.mark.parametrize(("size", "weight"), MEWMA)
def test_limits_of_mewma_are_those_of_the_table(size: int, weight: float) -> None:
    assert mewma_limit(size, weight, 200.0) == pytest.approx(MEWMA[size, weight], rel=0.006)


def test_without_memory_it_is_chi_square() -> None:
    assert run_length_of(4, 0.999, 14.860) == pytest.approx(200, rel=0.02)
    assert mewma_limit(2, 1.0, 200.0) == pytest.approx(10.597, abs=1e-3)


def run_lengths(chart: GroupChart, shift: float, runs: int, seed: int) -> list[int]:
    draw, found = np.random.default_rng(seed), []
    for _ in range(runs):
        state, n = GroupState(learnt=unit(chart.size)), 0
        while True:
            n += 1
            values = draw.normal(0, 1, chart.size)
            values[0] += shift
            if chart.update(state, values.tolist(), n).beyond:
                break
        found.append(n)
    return found


@pytest.mark.parametrize(
    ("size", "weight", "shift", "published"),
    [(2, 0.1, 1.0, 10.15), (2, 0.1, 2.0, 4.42), (4, 0.1, 1.0, 12.09), (2, 1.0, 2.0, 6.88), (4, 1.0, 2.0, 10.63)],
)
def test_run_lengths_are_those_of_the_table(size: int, weight: float, shift: float, published: float) -> None:
    found = run_lengths(GroupChart(size, run_length=200.0, weight=weight), shift, 1_000, size)
    error = float(np.std(found)) / math.sqrt(len(found))
    assert abs(float(np.mean(found)) - published) < 3 * error + 0.006 * published


@pytest.mark.parametrize(("size", "points"), [(2, 25), (3, 50), (8, 60)])
def test_limits_of_t2_are_those_of_scipy(size: int, points: int) -> None:
    chart = GroupChart(size, points, 200.0)
    f = stats.f.ppf(1 - 1 / 200, size, points - size)
    assert chart.limit(points) == pytest.approx(size * (points + 1) * (points - 1) / (points * (points - size)) * f)
    beta = stats.beta.ppf(1 - 1 / 200, size / 2, (points - size - 1) / 2)
    assert chart.limit_of_learning(points) == pytest.approx((points - 1) ** 2 / points * beta)


def test_false_alarms_of_learnt_limits_come_as_often_as_stated() -> None:
    """One in 50 of points after 30 that were learnt from, over 1,000 processes: within three standard errors."""
    draw = np.random.default_rng(1)
    chart, alarms, runs = GroupChart(3, 30, 50.0), 0, 1_000
    mix = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.2, -0.5, 0.7]])
    for _ in range(runs):
        state = GroupState()
        for row in draw.normal(0, 1, (30, 3)) @ mix.T:
            chart.update(state, row.tolist(), 0)
        alarms += chart.update(state, (mix @ draw.normal(0, 1, 3)).tolist(), 0).beyond
    assert abs(alarms / runs - 0.02) < 3 * math.sqrt(0.02 * 0.98 / runs)


def test_a_contribution_is_what_the_distance_falls_by_without_it() -> None:
    draw = np.random.default_rng(4)
    rows = draw.normal(0, 1, (60, 4)) @ draw.normal(0, 1, (4, 4))
    chart, state = GroupChart(4, 60), GroupState()
    for row in rows:
        chart.update(state, row.tolist(), 0)
    point = rows.mean(axis=0) + 3.0
    found = chart.update(state, point.tolist(), 1)

    def t2(columns: list[int]) -> float:
        s = np.cov(rows[:, columns].T)
        off = (point - rows.mean(axis=0))[columns]
        return float(off @ np.linalg.solve(s, off))

    assert found.value == pytest.approx(t2([0, 1, 2, 3]))
    for j in range(4):
        assert found.contributions[j] == pytest.approx(t2([0, 1, 2, 3]) - t2([k for k in range(4) if k != j]))
        assert found.off[j] ** 2 == pytest.approx(found.contributions[j])


def test_two_that_are_usual_and_not_together_are_seen() -> None:
    draw = np.random.default_rng(2)
    chart, state = GroupChart(2), GroupState()
    for _ in range(50):
        x = draw.normal(0, 1)
        chart.update(state, (x, x + draw.normal(0, 0.1)), 0)
    assert not chart.update(state, (1.5, 1.5), 1).beyond
    found = chart.update(state, (1.0, -1.0), 2)
    assert found.beyond
    assert found.off[0] > 3
    assert found.off[1] < -3


def test_what_depends_on_each_other_is_not_learnt_and_what_is_no_number_refused() -> None:
    chart, state = GroupChart(2, 10), GroupState()
    for n in range(40):
        assert chart.update(state, (float(n), 2.0 * n), n).phase == "baseline"
    assert (state.learnt, len(state.learning)) == (None, 10)
    before = encode(state)
    for wrong in ((math.nan, 1.0), (1.0,), (math.inf, 1.0)):
        with pytest.raises(ValueError, match="2 finite values"):
            chart.update(state, wrong, 1)
    assert encode(state) == before


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1, max_size=50), st.sampled_from([1.0, 0.2]))
def test_a_state_that_comes_back_goes_on_as_if_nothing_had_been(
    points: list[tuple[float, float, float]], weight: float
) -> None:
    chart, whole, parted = GroupChart(3, 12, 100.0, weight), GroupState(), GroupState()
    for n, point in enumerate(points):
        parted = decode(encode(parted))
        assert chart.update(parted, point, n) == chart.update(whole, point, n)
        assert encode(parted) == encode(whole)
    assert len(encode(whole)) < 2_000


def test_an_inverse_is_that_of_numpy() -> None:
    rows = (np.random.default_rng(3).normal(0, 1, (40, 6)) * [1, 1e3, 1e-3, 5, 2, 1]).tolist()
    found = inverse(covariance(rows, mean_of(rows)))
    assert found is not None
    assert np.array(found) == pytest.approx(np.linalg.inv(np.cov(np.array(rows).T)), rel=1e-9)
    assert inverse([[1.0, 1.0], [1.0, 1.0]]) is None
    assert inverse([[0.0]]) is None
