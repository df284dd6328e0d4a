"""Tests of association and effects against published answers and against scipy and statsmodels."""

import random

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from processors.analysis import association, effects
from processors.analysis.association import Unit, associate
from processors.analysis.discovery import benjamini_hochberg, benjamini_yekutieli
from processors.analysis.effects import Stratum, breslow_day, odds_ratio, pooled, ratio
from tests.unit.processors.analysis.published import BERKELEY, DYESTUFF, ETCH, KIDNEY, SHIFTS, SILICON, THROMBOLYSIS

Tables = dict[str, tuple[tuple[int, int], tuple[int, int]]]


def strata(tables: Tables) -> list[Stratum]:
    return [Stratum(*first, *second) for first, second in tables.values()]


def cells(tables: Tables) -> association.Cells:
    return {
        group: {name: [Unit(pair[place][1], pair[place][0])] for name, pair in tables.items()}
        for place, group in enumerate(("first", "second"))
    }


def foreign(tables: Tables) -> StratifiedTable:
    return StratifiedTable([np.array([[a, n - a], [c, m - c]]) for (a, n), (c, m) in tables.values()])


def test_berkeley_to_the_published_digits() -> None:
    six = strata(BERKELEY)
    assert odds_ratio([pooled(six)]).value == pytest.approx(1.8411, abs=1e-4)
    assert [odds_ratio([one]).value for one in six] == pytest.approx(
        [0.3492, 0.8025, 1.1331, 0.9213, 1.2216, 0.8279], abs=1e-4
    )
    common = odds_ratio(six)
    assert common.value == pytest.approx(0.9047, abs=1e-4)
    found = associate(cells(BERKELEY), "share")
    assert found.statistic == pytest.approx(1.5246, abs=1e-4)
    assert found.freedom == 1
    assert found.p == pytest.approx(0.217, abs=1e-3)
    assert common.value is not None
    homogeneity = breslow_day(six, common.value)
    assert homogeneity is not None
    assert homogeneity[0] == pytest.approx(18.83, abs=5e-3)
    whole = sum(n for pair in BERKELEY.values() for _, n in pair)
    crude = (
        associate({"m": {"": [Unit(2691, 1198)]}, "f": {"": [Unit(1835, 557)]}}, "share").statistic
        * whole
        / (whole - 1)
    )
    assert crude == pytest.approx(92.205, abs=1e-3)


def test_shifts_and_kidney_stones() -> None:
    day = strata(SHIFTS)
    assert odds_ratio([pooled(day)]).value == pytest.approx(2.936, abs=1e-3)
    assert odds_ratio(day).value == pytest.approx(0.639, abs=1e-3)
    stones = strata(KIDNEY)
    assert [effects.value_of(one, "share").value for one in stones] == pytest.approx([0.931, 0.730], abs=5e-4)
    crude, adjusted = odds_ratio([pooled(stones)]), odds_ratio(stones)
    assert crude.value is not None
    assert adjusted.value is not None
    assert crude.value < 1 < adjusted.value


@pytest.mark.parametrize("name", ["berkeley", "kidney", "shifts"])
def test_mantel_haenszel_as_statsmodels_has_it(name: str) -> None:
    tables = {"berkeley": BERKELEY, "kidney": KIDNEY, "shifts": SHIFTS}[name]
    oracle, ours = foreign(tables), odds_ratio(strata(tables))
    assert ours.value == pytest.approx(oracle.oddsratio_pooled, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx(oracle.oddsratio_pooled_confint(), rel=1e-6)
    assert ratio(strata(tables), "share").value == pytest.approx(oracle.riskratio_pooled, rel=1e-9)
    test = oracle.test_null_odds(correction=False)
    found = associate(cells(tables), "share")
    assert (found.statistic, found.p) == pytest.approx((test.statistic, test.pvalue), rel=1e-9)
    equal = oracle.test_equal_odds()
    assert ours.value is not None
    assert breslow_day(strata(tables), ours.value) == pytest.approx((equal.statistic, equal.pvalue), rel=1e-6)


@pytest.mark.parametrize(
    ("data", "f", "explained"),
    [(DYESTUFF, 4.5983, 0.4893), (ETCH, 66.797, 0.926), (SILICON, 1.18046237440, 0.190999039)],
    ids=["dyestuff", "etch", "silicon"],
)
def test_analysis_of_variance_of_published_data(data: dict[str, tuple[float, ...]], f: float, explained: float) -> None:
    found = associate({name: {"": [Unit(1, value) for value in values]} for name, values in data.items()}, "mean")
    oracle = stats.f_oneway(*data.values())
    assert found.statistic / found.freedom / found.dispersion == pytest.approx(oracle.statistic, rel=1e-7)
    assert found.statistic / found.freedom / found.dispersion == pytest.approx(f, rel=1e-5)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6)
    assert found.share_explained == pytest.approx(explained, abs=1e-4)


def test_more_levels_and_strata_against_a_regression_and_against_chi2() -> None:
    draw = random.Random(7)
    counts = [(draw.randint(60, 200), level) for level in range(4)]
    table = {str(level): {"": [Unit(n, draw.randint(5, 30))]} for n, level in counts}
    found = associate(table, "share")
    plain = [[units[""][0].loss, units[""][0].exposure - units[""][0].loss] for units in table.values()]
    oracle = stats.chi2_contingency(plain, correction=False)
    whole = sum(n for n, _ in counts)
    assert found.freedom == oracle.dof
    assert found.statistic * whole / (whole - 1) == pytest.approx(oracle.statistic, rel=1e-9)
    rates = {name: {"": [Unit(units[""][0].exposure, units[""][0].loss)]} for name, units in table.items()}
    expected = [units[""][0].exposure for units in table.values()]
    losses = [units[""][0].loss for units in table.values()]
    scaled = [sum(losses) * one / sum(expected) for one in expected]
    assert associate(rates, "rate").statistic == pytest.approx(stats.chisquare(losses, scaled).statistic, rel=1e-9)


def test_units_that_scatter_take_certainty_away_and_levels_apart_have_no_test() -> None:
    alike = {
        level: {"": [Unit(100, loss) for loss in losses]}
        for level, losses in (("a", (5, 6, 5, 6)), ("b", (10, 9, 11, 10)))
    }
    apart = {
        level: {"": [Unit(100, loss) for loss in losses]}
        for level, losses in (("a", (0, 22, 0, 0)), ("b", (40, 0, 0, 0)))
    }
    assert associate(alike, "share").dispersion == 1.0
    scattered = associate(apart, "share")
    assert scattered.dispersion > 10
    assert scattered.p is not None
    assert scattered.p > 0.3 > scattered.naive_p
    assert associate({"a": {"x": [Unit(9, 1)]}, "b": {"y": [Unit(9, 3)]}}, "share").freedom == 0
    assert associate({}, "share").p is None
    assert associate({"a": {"": [Unit(5, 3)]}, "b": {"": [Unit(5, 9)]}}, "rate").p is None


def test_intervals_as_others_have_them() -> None:
    one = Stratum(56, 70, 48, 80)  # Newcombe (1998), table II, row a
    found = effects.difference([one], "share")
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert (found.low, found.high) == pytest.approx(
        confint_proportions_2indep(56, 70, 48, 80, method="newcomb"), rel=1e-6
    )
    exact = stats.poisson_means_test(11, 800, 3, 3000)  # that they differ
    rates = effects.rate_ratio(Stratum(11, 800, 3, 3000))
    assert rates.low is not None
    assert (exact.pvalue < 0.05) == (rates.low > 1)
    low, high = stats.binomtest(11, 14, 0.5).proportion_ci(method="exact")
    assert (rates.low, rates.high) == pytest.approx((low / (1 - low) * 3.75, high / (1 - high) * 3.75), rel=1e-9)
    garwood = effects.garwood(7, 2.0)
    assert (garwood.low, garwood.high) == pytest.approx((stats.chi2.ppf(0.025, 14) / 4, stats.chi2.ppf(0.975, 16) / 4))
    share = effects.value_of(one, "share")
    assert (share.low, share.high) == pytest.approx(proportion_confint(56, 70, method="wilson"), rel=1e-9)
    risk = stats.contingency.relative_risk(56, 70, 48, 80)
    ours = ratio([one], "share")
    assert (ours.value, ours.low, ours.high) == pytest.approx(
        (risk.relative_risk, *risk.confidence_interval(0.95)), rel=1e-9
    )


def test_nothing_lost_and_nothing_made() -> None:
    empty = Stratum(0, 0, 0, 0)
    assert effects.garwood(0, 0).value is None
    assert effects.rate_ratio(Stratum(3, 2, 0, 2)).value is None
    assert ratio([empty], "share").value is None
    assert odds_ratio([empty]).value is None
    assert effects.difference([empty], "rate").value is None
    assert odds_ratio([Stratum(0, 10, 4, 10)]).value == 0.0
    assert breslow_day([Stratum(0, 10, 0, 10)], 1.0) is None


def test_discoveries_as_published_and_as_statsmodels_has_them() -> None:
    assert sum(q <= 0.05 for q in benjamini_hochberg(THROMBOLYSIS)) == 4
    for ours, method in ((benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")):
        oracle = multipletests(THROMBOLYSIS, method=method)[1]
        assert [min(1.0, q) for q in ours(THROMBOLYSIS)] == pytest.approx(list(oracle))
    assert benjamini_hochberg([]) == []
