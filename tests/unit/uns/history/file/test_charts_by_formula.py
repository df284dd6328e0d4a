"""The expected figures of the published charts, computed again by the textbooks' formulas: none of our code has a part in it.

Each data set says under `source` which book it is from, under `published` which of its figures are printed there, and under
`printed` these as printed. What stands under `at` must follow from the data by numpy and scipy alone, and so must the flags.
Formulas: Montgomery, Introduction to Statistical Quality Control, ch. 6, 7 and 9; NIST/SEMATECH e-Handbook 6.3.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import integrate, stats

CHARTS = sorted((Path(__file__).parent / "charts").glob("*.yaml"))
Figures = dict[int, dict[str, float]]
"""Number of a point → its figures."""


def d2(n: int) -> float:
    """E of the range of n normal values (Tippett 1925)."""
    return float(integrate.quad(lambda x: 1 - stats.norm.sf(x) ** n - stats.norm.cdf(x) ** n, -12, 12)[0])


def d3(n: int) -> float:
    """Its standard deviation, by the density of the range."""

    def density(w: float) -> float:
        def of(x: float) -> float:
            between = stats.norm.cdf(x + w) - stats.norm.cdf(x)
            return float(stats.norm.pdf(x) * stats.norm.pdf(x + w) * between ** (n - 2))

        return float(n * (n - 1) * integrate.quad(of, -12, 12)[0])

    square = integrate.quad(lambda w: w * w * density(w), 0, 16)[0]
    return math.sqrt(square - d2(n) ** 2)


def c4(n: int) -> float:
    return math.sqrt(2 / (n - 1)) * math.gamma(n / 2) / math.gamma((n - 1) / 2)


def individuals(case: dict[str, Any], x: np.ndarray, rounded: bool) -> Figures:
    m = case["baseline"]
    mean, moving = float(x[:m].mean()), float(np.abs(np.diff(x[:m])).mean())
    sigma = moving / (1.128 if rounded else d2(2))
    return {m: {"mean": mean, "lcl": mean - 3 * sigma, "ucl": mean + 3 * sigma, "spread_mean": moving}}


def subgroups(case: dict[str, Any], x: np.ndarray, rounded: bool) -> Figures:
    m, n = case["baseline"], case["chart"]["subgroup"]["size"]
    groups = x.reshape(-1, n)
    mean = float(groups[:m].mean())
    if case["chart"]["kind"] == "mean_range":
        spread = float(np.ptp(groups[:m], axis=1).mean())
        sigma, error = spread / (round(d2(n), 3) if rounded else d2(n)), d3(n) / d2(n)
    else:
        spread = float(groups[:m].std(axis=1, ddof=1).mean())
        sigma, error = spread / c4(n), math.sqrt(1 - c4(n) ** 2) / c4(n)
    half = 3 * sigma / math.sqrt(n)
    of = {"mean": mean, "lcl": mean - half, "ucl": mean + half, "sigma": sigma, "spread_mean": spread}
    of |= {"spread_lcl": max(0.0, spread * (1 - 3 * error)), "range_ucl": spread * (1 + 3 * error)}
    return {k + 1: {**of, "plotted": float(group.mean())} for k, group in enumerate(groups)}


def counts(case: dict[str, Any], x: np.ndarray) -> Figures:
    """p, np, c, u."""
    kind, m = case["chart"]["kind"], case["baseline"]
    sizes = np.resize(np.array(case.get("sizes", [case["chart"].get("size", 1.0)]), dtype=float), len(x))
    found: Figures = {}
    for k, (count, size) in enumerate(zip(x, sizes, strict=True)):
        rate = float(x[:m].sum() / sizes[:m].sum())
        mean, sd, plotted = {
            "p": (rate, math.sqrt(rate * (1 - rate) / size) if rate < 1 else 0.0, count / size),
            "np": (rate * size, math.sqrt(size * rate * (1 - rate)) if rate < 1 else 0.0, count),
            "c": (rate, math.sqrt(rate), count),
            "u": (rate, math.sqrt(rate / size), count / size),
        }[kind]
        found[k + 1] = {"mean": mean, "lcl": mean - 3 * sd, "ucl": mean + 3 * sd, "plotted": float(plotted)}
    return found


def ewma(case: dict[str, Any], x: np.ndarray) -> Figures:
    chart = case["chart"]
    z, weight, found = chart["mean"], chart["weight"], {}
    for k, value in enumerate(x, start=1):
        z = weight * value + (1 - weight) * z
        grown = 1.0 if chart.get("steady") else 1 - (1 - weight) ** (2 * k)
        half = chart["width"] * chart["sigma"] * math.sqrt(weight / (2 - weight) * grown)
        found[k] = {"plotted": float(z), "lcl": chart["mean"] - half, "ucl": chart["mean"] + half}
    return found


def cusum(case: dict[str, Any], x: np.ndarray) -> Figures:
    chart = case["chart"]
    slack, decision = (chart.get(name, default) for name, default in (("slack", 0.5), ("decision", 5.0)))
    above, below, found = 0.0, 0.0, {}
    for k, value in enumerate(x, start=1):
        off = float(value) - chart["mean"]
        above = max(0.0, above + off - slack * chart["sigma"])
        below = max(0.0, below - off - slack * chart["sigma"])
        found[k] = {"plotted": above, "plotted_low": below, "ucl": decision * chart["sigma"]}
    return found


def figures(case: dict[str, Any], rounded: bool = False) -> Figures:
    x = np.array(case["values"], dtype=float)
    match case["chart"]["kind"]:
        case "individuals":
            return individuals(case, x, rounded)
        case "mean_range" | "mean_sd":
            return subgroups(case, x, rounded)
        case "ewma":
            return ewma(case, x)
        case "cusum":
            return cusum(case, x)
        case _:
            return counts(case, x)


def is_beyond(of: dict[str, float]) -> bool:
    high = max(of["plotted"], of.get("plotted_low", 0.0))
    return high > of["ucl"] + 1e-9 or of["plotted"] < of.get("lcl", -math.inf) - 1e-9


def loaded(file: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return case


@pytest.mark.parametrize("file", CHARTS, ids=lambda file: file.stem)
def test_every_expected_figure_follows_from_the_data_by_the_formula(file: Path) -> None:
    case = loaded(file)
    computed, compared = figures(case), 0
    for number, expected in case["at"].items():
        for field, value in expected.items():
            assert computed[number][field] == pytest.approx(value, abs=0.51 * 10.0 ** -case["digits"]), (number, field)
            compared += 1
    assert compared


@pytest.mark.parametrize("file", CHARTS, ids=lambda file: file.stem)
def test_what_is_printed_is_what_the_formula_gives_within_the_rounding_of_the_book(file: Path) -> None:
    case = loaded(file)
    computed = figures(case, rounded=True)
    last = max(case["at"])
    for name, value in case["printed"].items():
        number, _, field = name.rpartition(".")
        digits = len(str(value).partition(".")[2])
        found = computed[int(number) if number else case.get("baseline", last)][field]
        assert found == pytest.approx(value, abs=1.1 * 10.0**-digits), name


@pytest.mark.parametrize("file", [file for file in CHARTS if "flow" not in file.stem], ids=lambda file: file.stem)
def test_the_points_beyond_the_limits_are_those_that_are_expected(file: Path) -> None:
    case = loaded(file)
    computed, baseline = figures(case), case.get("baseline", 0)
    beyond = [number for number, of in computed.items() if is_beyond(of)]
    if "outliers" in case:
        assert [number for number in beyond if number <= baseline] == case["outliers"]
    if "flagged" in case:
        single = {1, 11, 20, 21}
        flagged = [number for number, rules in case["flagged"].items() if single & set(rules)]
        assert [number for number in beyond if number > baseline] == flagged
