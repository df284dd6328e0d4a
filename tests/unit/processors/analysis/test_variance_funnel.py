"""Components of variance and funnels against published answers, other libraries and what must hold for any data."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.formula.api import mixedlm

from processors.analysis.association import Unit
from processors.analysis.funnel import WARNING, funnel, limits_at
from processors.analysis.robust import winsorised
from processors.analysis.variance import components
from tests.unit.processors.analysis.published import DYESTUFF


def test_dyestuff_to_the_published_digits() -> None:
    found = components([((batch,), value) for batch, values in DYESTUFF.items() for value in values], ["batch"])
    assert found is not None
    batch, within = found.parts
    assert [batch.mean_square, within.mean_square] == pytest.approx([11271.5, 2451.25])
    assert [batch.f, batch.p] == pytest.approx([4.5983, 0.0044], abs=5e-5)
    assert batch.variance == pytest.approx(1764.05)
    assert batch.share == pytest.approx(0.4185, abs=5e-5)
    assert found.correlation is not None
    assert found.correlation[0] < batch.share < found.correlation[1]


def test_two_levels_of_unequal_size_recover_what_they_were_made_of() -> None:
    draw = random.Random(3)
    rows = []
    for lot in range(300):
        of_lot = draw.gauss(0, 3)
        for sample in range(draw.randint(2, 4)):
            of_sample = of_lot + draw.gauss(0, 2)
            rows += [((f"{lot}", f"{sample}"), of_sample + draw.gauss(0, 1)) for _ in range(draw.randint(1, 4))]
    found = components(rows, ["lot", "sample"])
    assert found is not None
    assert [part.variance for part in found.parts] == pytest.approx([9, 4, 1], rel=0.2)


def test_balanced_components_are_those_of_reml() -> None:
    import pandas as pd

    frame = pd.DataFrame([(batch, value) for batch, values in DYESTUFF.items() for value in values], columns=["b", "y"])
    oracle = mixedlm("y ~ 1", frame, groups=frame["b"]).fit(reml=True)
    found = components([((batch,), value) for batch, value in zip(frame["b"], frame["y"], strict=True)], ["batch"])
    assert found is not None
    assert found.parts[0].variance == pytest.approx(float(oracle.cov_re.iloc[0, 0]), rel=1e-3)
    assert found.parts[1].variance == pytest.approx(float(oracle.scale), rel=1e-3)


def test_nothing_that_repeats_has_no_components() -> None:
    assert components([], ["lot"]) is None
    assert components([(("a",), 1.0), (("b",), 2.0)], ["lot"]) is None
    assert components([(("a",), 1.0), (("a",), float("nan"))], ["lot"]) is None


def test_a_funnel_without_scatter_of_its_own_has_binomial_limits_and_sees_the_one_outside() -> None:
    draw = random.Random(5)
    groups = {f"g{n}": Unit(500 + 40 * n, sum(draw.random() < 0.04 for _ in range(500 + 40 * n))) for n in range(30)}
    groups["bad"] = Unit(900, 90)
    found = funnel(groups, "share")
    assert found is not None
    assert max(found.points, key=lambda point: point.score).name == "bad"
    assert sum(point.outside == "action" for point in found.points) <= 2
    assert found.points == tuple(sorted(found.points, key=lambda point: point.exposure))
    narrow, wide = limits_at(found, "share", 10_000, WARNING), limits_at(found, "share", 100, WARNING)
    assert wide[0] < narrow[0] < found.target < narrow[1] < wide[1]


def test_groups_that_all_scatter_widen_the_funnel() -> None:
    draw = random.Random(6)
    groups = {}
    for n in range(40):
        share = min(0.5, max(0.001, draw.gauss(0.05, 0.02)))
        groups[f"g{n}"] = Unit(2000, sum(draw.random() < share for _ in range(2000)))
    found = funnel(groups, "share")
    assert found is not None
    assert found.dispersion > 5
    assert found.between > 0
    assert sum(point.outside == "action" for point in found.points) <= 1


@pytest.mark.parametrize("kind", ["share", "rate", "mean"])
def test_nothing_to_plot_is_none(kind: str) -> None:
    assert funnel({}, kind) is None  # type: ignore[arg-type]
    assert funnel({"a": Unit(5, 1)}, kind) is None  # type: ignore[arg-type]
    assert funnel({"a": Unit(5, 0), "b": Unit(0, 0)}, kind) is None  # type: ignore[arg-type]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40))
def test_winsorised_as_numpy_clips_at_its_quantiles(scores: list[float]) -> None:
    low, high = np.quantile(scores, [0.1, 0.9])
    assert winsorised(scores) == pytest.approx(list(np.clip(scores, low, high)), abs=1e-9)
