"""Uncertainty: known values from the literature, and what holds for any numbers."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.analysis import inference
from processors.analysis.inference import (
    Estimate,
    Statistic,
    Units,
    Vector,
    arrangements,
    delete_one,
    difference,
    estimate,
    holm,
    paired_difference,
    permutation_p,
    relative,
    student_quantile,
    student_tail,
    t_test_p,
    wilson,
)


def mean(vector: Vector) -> float | None:
    return float(vector[0] / vector[1]) if vector[1] else None


def jackknife(found: Units, statistic: Statistic, proportion: tuple[int, int] | None = None) -> Estimate:
    return inference.jackknife(delete_one(found, statistic), len(found), proportion)


def units(values: list[float]) -> Units:
    return {place: (value, 1) for place, value in enumerate(values)}


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_in_newcombe_1998_table_1_method_3(k: int, n: int, low: float, high: float) -> None:
    found = wilson(k, n)
    assert found is not None
    assert [round(end, 4) for end in found] == [low, high]


def test_jackknife_of_a_ratio_as_in_efron_and_tibshirani_1993_the_patch_data() -> None:
    new = [8406, 2342, 8187, 8459, 4795, 3516, 4796, 10238]  # old patch - placebo
    old = [-1200, 2601, -2705, 1982, -1290, 351, -638, -2719]  # new patch - old patch
    patches = {place: (y, z) for place, (y, z) in enumerate(zip(old, new, strict=True))}
    found = jackknife(patches, mean)
    assert found.value == pytest.approx(-0.0713, abs=5e-5)
    assert found.error == pytest.approx(0.1055, abs=5e-5)


def test_exact_permutation_of_pairs_as_in_fisher_1935_on_darwins_maize() -> None:
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    crossed = {place: (value, 1) for place, value in enumerate(eighths)}
    selfed = dict.fromkeys(crossed, (0, 1))
    p = permutation_p(selfed, crossed, mean)
    assert p == 1726 / 2**15  # Fisher counts 863 on each side of 32768
    assert arrangements(selfed, crossed) == 2**15
    t = paired_difference(delete_one(selfed, mean), delete_one(crossed, mean))
    assert t_test_p(t) == pytest.approx(0.0497, abs=5e-5), "Fisher's t of 2.148 with 14 degrees of freedom"


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (2, 4.3027), (5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799)]
)
def test_student_as_in_the_tables(freedom: float, t: float) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(t, abs=5e-5)
    assert student_tail(t, freedom) == pytest.approx(0.05, abs=1e-5)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


numbers = st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=12)


@given(numbers)
def test_the_jackknife_of_a_mean_is_its_standard_error(values: list[float]) -> None:
    found = jackknife(units(values), mean)
    assert found.error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), abs=1e-9)
    assert found.freedom == len(values) - 1


@given(numbers, st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[float], chance: random.Random) -> None:
    other = list(units(values).items())
    chance.shuffle(other)
    assert jackknife(dict(other), mean) == jackknife(units(values), mean)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=5), st.lists(st.integers(0, 9), min_size=2, max_size=5))
def test_a_permutation_p_is_a_share_of_arrangements_and_symmetric(one: list[int], other: list[int]) -> None:
    first = {place: (value, 1) for place, value in enumerate(one)}
    second = {place + 100: (value, 1) for place, value in enumerate(other)}
    p = permutation_p(first, second, mean)
    assert p is not None
    assert p * math.comb(len(one) + len(other), len(one)) == pytest.approx(
        round(p * math.comb(len(one) + len(other), len(one)))
    )
    assert 0 < p <= 1
    assert permutation_p(second, first, mean) == p
    if sorted(one) == sorted(other):
        assert p == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_falls_below_what_it_adjusts_nor_changes_the_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, adjusted, strict=True))
    by_p = [q for _, q in sorted(zip(values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_proportion_and_stays_inside(k: int, n: int) -> None:
    found = wilson(min(k, n), n)
    assert found is not None
    assert 0 <= found[0] <= min(k, n) / n <= found[1] <= 1
    assert wilson(0, 0) is None


def test_windows_that_are_all_alike_claim_no_certainty_of_a_proportion() -> None:
    alike = dict.fromkeys(range(8), (1, 1))
    assert jackknife(alike, mean).low == 1.0, "as a number they are one"
    found = jackknife(alike, mean, (8, 8))
    assert found.low is not None
    assert found.low < 0.9
    assert found.high == 1.0


def test_what_cannot_be_told_is_none() -> None:
    assert jackknife({}, mean).value is None
    assert jackknife({0: (1, 2)}, mean).low is None, "one window has no spread"
    assert jackknife({0: (1, 2), 1: (1, 0)}, mean).low is None, "without the first there is no denominator"
    assert relative(estimate(0.0, 1.0, 3, 4), estimate(1.0, 1.0, 3, 4)).value is None
    assert difference(estimate(None, None, None, 0), estimate(1.0, 1.0, 3, 4)).value is None


def test_a_relative_change_has_the_error_of_the_ratio() -> None:
    # Fieller's case with little noise: compared with the spread of simulated ratios.
    chance = random.Random(3)
    found = relative(estimate(100.0, 2.0, 1000, 9), estimate(80.0, 3.0, 1000, 9))
    ratios = [chance.gauss(80, 3) / chance.gauss(100, 2) - 1 for _ in range(20_000)]
    assert found.value == pytest.approx(-0.2)
    assert found.error == pytest.approx(statistics.stdev(ratios), rel=0.03)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Ratios of unequal windows, 12 a sample: 95 % within what chance allows over 1000 samples (4 standard deviations)."""
    chance = random.Random(11)
    covered = 0
    for _ in range(1000):
        sample = {}
        for place in range(12):
            size = chance.uniform(2, 6)
            sample[place] = (size * chance.gauss(0.8, 0.1), size)
        found = jackknife(sample, mean)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.8 <= found.high
    assert 0.95 - 4 * math.sqrt(0.95 * 0.05 / 1000) <= covered / 1000 <= 0.95 + 4 * math.sqrt(0.95 * 0.05 / 1000)


def test_the_exact_test_keeps_its_level() -> None:
    """Six against six windows of one distribution, skewed and of unequal sizes: p ≤ 0.05 in at most 5 % of 400 samples."""
    chance = random.Random(17)
    alarms, rounds = 0, 400
    for _ in range(rounds):
        sizes = [chance.uniform(1, 5) for _ in range(12)]
        drawn = [(size * chance.expovariate(1), size) for size in sizes]
        p = permutation_p(dict(enumerate(drawn[:6])), {place + 6: one for place, one in enumerate(drawn[6:])}, mean)
        assert p is not None
        alarms += p <= 0.05
    assert alarms / rounds <= 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / rounds)
