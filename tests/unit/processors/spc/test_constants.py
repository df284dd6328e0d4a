"""Constants against the printed tables and against scipy, which integrates by another way."""

import math

import pytest
from scipy import integrate, stats

from processors.spc.constants import c4, constants
from processors.spc.distributions import chi2_quantile, f_quantile, normal_quantile, t_quantile

PRINTED = """
2 1.12838 0.85250 0.79788 1.87997 2.65868 0.00000 3.26653 0.00000 3.26653
3 1.69257 0.88837 0.88623 1.02333 1.95441 0.00000 2.56817 0.00000 2.57459
4 2.05875 0.87981 0.92132 0.72860 1.62810 0.00000 2.26605 0.00000 2.28205
5 2.32593 0.86408 0.93999 0.57682 1.42730 0.00000 2.08900 0.00000 2.11450
7 2.70436 0.83321 0.95937 0.41928 1.18192 0.11769 1.88231 0.07571 1.92429
10 3.07751 0.79705 0.97266 0.30826 0.97535 0.28371 1.71629 0.22302 1.77698
15 3.47183 0.75621 0.98232 0.22311 0.78854 0.42820 1.57180 0.34656 1.65344
25 3.93063 0.70844 0.98964 0.15265 0.60628 0.56479 1.43521 0.45929 1.54071
"""


@pytest.mark.parametrize("row", PRINTED.split("\n")[1:-1], ids=lambda row: row.split()[0])
def test_the_printed_table(row: str) -> None:
    n, *printed = row.split()
    of = constants(int(n))
    computed = [of.d2, of.d3, of.c4, of.a2, of.a3, *of.sd_limits, *of.range_limits]
    assert computed == pytest.approx([float(x) for x in printed], abs=5.1e-6)


@pytest.mark.parametrize("n", [2, 3, 8, 40, 300])
def test_scipy_integrates_the_same(n: int) -> None:
    cdf = stats.norm.cdf
    mean, _ = integrate.quad(lambda x: 1 - cdf(x) ** n - (1 - cdf(x)) ** n, -9, 9, epsabs=1e-11, limit=200)
    assert constants(n).d2 == pytest.approx(mean, abs=1e-7)
    assert c4(n) == pytest.approx(stats.chi(n - 1).mean() / math.sqrt(n - 1), abs=1e-9)


@pytest.mark.long
@pytest.mark.parametrize("n", [3, 8, 40])
def test_scipy_agrees_about_the_scatter_of_ranges(n: int) -> None:
    of = stats.studentized_range(n, math.inf)
    square, _ = integrate.quad(lambda w: 2 * w * of.sf(w), 0, 14, epsabs=1e-8)
    assert constants(n).d3 == pytest.approx(math.sqrt(square - constants(n).d2 ** 2), abs=1e-6)


@pytest.mark.parametrize("p", [0.001, 0.025, 0.5, 0.9, 0.99865])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 10), (15.5, 3), (200, 800)])
def test_quantiles(p: float, a: float, b: float) -> None:
    assert t_quantile(p, a) == pytest.approx(stats.t.ppf(p, a), rel=1e-9, abs=1e-12)
    assert f_quantile(p, a, b) == pytest.approx(stats.f.ppf(p, a, b), rel=1e-9)
    assert chi2_quantile(p, a) == pytest.approx(stats.chi2.ppf(p, a), rel=1e-9)
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("n", [1, 0, 1001])
def test_a_size_that_no_table_has(n: int) -> None:
    with pytest.raises(ValueError, match="2 to 1000"):
        constants(n)
