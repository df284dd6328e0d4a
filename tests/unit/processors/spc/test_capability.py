"""Capability: published examples, intervals that hold what they promise, quantiles, and a test for normality that is one."""

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from processors.spc.capability import QUANTILES_MIN, Scatter, by_quantiles, capability, machine, shape
from processors.spc.normality import anderson_darling, percentile
from processors.spc.scatter import Estimate, Sums, sums
from processors.spc.specification import Specification

BOTH = Specification(38.0, 62.0)


def test_montgomery_intervals_of_cp_and_cpk() -> None:
    """Introduction to Statistical Quality Control, ch. 8: n = 20, s = 1.75, 38 to 62: Cp 2.29, 1.57 to 3.01; n = 20 and
    Cpk 1.33: 0.88 to 1.78."""
    cp = capability(Scatter(20, 50.0, 1.75), BOTH).pp
    assert cp == pytest.approx((2.29, 1.57, 3.01), abs=0.006)
    cpk = capability(Scatter(20, 50.0, 1.0), Specification(None, 53.99)).ppk
    assert cpk == pytest.approx((1.33, 0.88, 1.78), abs=0.006)


def test_what_one_limit_or_no_scatter_leaves_undefined() -> None:
    upper = capability(Scatter(30, 50.0, 1.0, 1.0, 29), Specification(None, 56.0))
    assert (upper.cp.value, upper.pp.value, upper.cpm.value, upper.cpk.value) == (None, None, None, 2.0)
    lower = capability(Scatter(30, 50.0, 1.0, 1.0, 29), Specification(47.0))
    assert (lower.cpk.value, lower.ppk.value) == (1.0, 1.0)
    assert {of.value for of in capability(Scatter(30, 50.0, 0.0, 0.0, 29), BOTH)} == {None}
    assert capability(Scatter(1, 50.0, 0.0), BOTH).ppk.value is None


def test_off_target_counts_in_cpm_as_the_formula_says() -> None:
    found = capability(Scatter(50, 53.0, 2.0), BOTH).cpm.value
    assert found == pytest.approx(24 / (6 * math.sqrt(4 + 9)))
    assert capability(Scatter(50, 53.0, 2.0), BOTH, 53.0).cpm.value == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["pp", "ppk", "cpm"])
def test_intervals_hold_the_true_index_as_often_as_they_say(name: str) -> None:
    """600 samples of 60 of N(51, 2): within four standard errors of 95 %; Bissell's and Boyles's are approximations."""
    true = {"pp": 24 / 12, "ppk": 11 / 6, "cpm": 24 / (6 * math.sqrt(5))}[name]
    drawn = np.random.default_rng(5).normal(51.0, 2.0, (600, 60))
    held = 0
    for mean, sd in zip(drawn.mean(axis=1), drawn.std(axis=1, ddof=1), strict=True):
        index = getattr(capability(Scatter(60, float(mean), float(sd)), BOTH), name)
        held += index.low <= true <= index.high
    assert abs(held / 600 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 600)


def test_a_machine_study_goes_by_the_scatter_over_all() -> None:
    cm, cmk = machine(Scatter(50, 51.0, 1.5, 0.1, 20), BOTH)
    assert cm.value == pytest.approx(24 / 9)
    assert cmk.value == pytest.approx(11 / 4.5)


@pytest.mark.parametrize("seed", range(5))
def test_anderson_darling_is_that_of_scipy(seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).gamma(3, 2, 60))
    known = stats.anderson(values, "norm", method="interpolate").statistic
    found = anderson_darling(values.tolist(), float(values.mean()), float(values.std(ddof=1)))
    assert found is not None
    assert found[0] == pytest.approx(known * (1 + 0.75 / 60 + 2.25 / 3600), rel=1e-9)


def test_normality_is_refused_of_normal_values_as_often_as_it_says_and_of_others_nearly_always() -> None:
    draw = np.random.default_rng(3)

    def refused(values: np.ndarray, below: float) -> bool:
        told = anderson_darling(np.sort(values).tolist(), float(values.mean()), float(values.std(ddof=1)))
        assert told is not None
        return told[1] < below

    runs = 2_000
    wrong = sum(refused(draw.normal(10, 3, 40), 0.05) for _ in range(runs)) / runs
    assert abs(wrong - 0.05) < 4 * math.sqrt(0.05 * 0.95 / runs)
    assert sum(refused(draw.exponential(1, 100), 0.005) for _ in range(200)) >= 198


def test_values_far_out_and_few_values_are_no_trouble() -> None:
    assert anderson_darling([1.0] * 7, 1.0, 1.0) is None
    assert anderson_darling([1.0] * 20, 1.0, 0.0) is None
    far = [0.0] * 999 + [1e9]
    assert shape(far, statistics.fmean(far), statistics.stdev(far)).normal is False
    assert shape([-1e9, *[0.0] * 10_000], 0.0, 1.0).normal is False
    assert shape([1.0, 2.0], 1.5, 0.7).normal is None


def test_quantiles_of_a_skew_process_tell_what_three_sigma_hides() -> None:
    """Exponential with mean 1, usl 8: beyond it 335 of a million, as at a Ppk of 1.13; three sigma say 2.33."""
    draw = random.Random(2)
    values = sorted(draw.expovariate(1.0) for _ in range(50_000))
    found = by_quantiles(values, Specification(None, 8.0))
    assert found is not None
    true = (8 - math.log(2)) / (-math.log(0.00135) - math.log(2))
    assert found.ppk == pytest.approx(true, rel=0.05)
    scatter = Scatter(len(values), statistics.fmean(values), statistics.stdev(values))
    assert capability(scatter, Specification(None, 8.0)).ppk.value == pytest.approx(7 / 3, rel=0.03)
    assert by_quantiles(values[: QUANTILES_MIN - 1], BOTH) is None
    assert by_quantiles([1.0] * 800, Specification(0.0, 2.0)) == (1.0, 1.0, 1.0, None, None)


def test_a_percentile_is_that_of_the_nist_handbook() -> None:
    """7.2.6.2: twelve gauge values; the 90th percentile is 95.1981."""
    values = [95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.061, 95.1591, 95.1195, 95.1065, 95.0925, 95.199, 95.1682]
    assert percentile(sorted(values), 0.9) == pytest.approx(95.1981, abs=5e-5)


@pytest.mark.parametrize("estimate", ["moving", "range", "sd"])
def test_the_scatter_within_is_sigma(estimate: Estimate) -> None:
    """Within a tenth of it, over 400 subgroups of five whose means wander; over all it is more than twice as much."""
    draw = random.Random(1)
    groups = [[draw.gauss(10 * (n % 2), 2.0) for _ in range(5)] for n in range(400)]
    found = sums(groups, estimate, BOTH).scatter
    assert found.within == pytest.approx(2.0, rel=0.1)
    assert found.overall > 4
    assert 600 < found.freedom < 1_700


values_of = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(st.lists(values_of, max_size=8), st.lists(values_of, max_size=8), st.sampled_from(["range", "sd"]))
def test_sums_of_two_halves_are_those_of_the_whole(a: list[list[float]], b: list[list[float]], how: Estimate) -> None:
    whole, joined = sums([*a, *b], how, BOTH), sums(a, how, BOTH).joined(sums(b, how, BOTH))
    for name in Sums.__struct_fields__:
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-6, abs=1e-3), name
