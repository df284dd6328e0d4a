"""Specification limits, and what of a process out of specification limits are learnt from."""

import struct
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.spc.chart import Chart
from processors.spc.ordinal import measure, ordinal
from processors.spc.specification import Specification
from topology.model.charts import ChartPlan

SPEC = Specification(490, 510)


def single(value: float) -> float:
    """What a source of single precision says."""
    (said,) = struct.unpack("<f", struct.pack("<f", value))
    return float(said)


@pytest.mark.parametrize(
    ("specification", "value", "broken"),
    [
        (SPEC, 510.0, None),  # on the limit
        (SPEC, 490.0, None),
        (SPEC, 510.0000001, "usl"),
        (SPEC, 489.9999999, "lsl"),
        (SPEC, 1e100, "usl"),
        (SPEC, -1e100, "lsl"),
        (Specification(usl=1.5), -1e9, None),  # one side alone
        (Specification(lsl=1.5), 1e9, None),
        (Specification(lsl=1.5), 1.4, "lsl"),
        (Specification(), 1e9, None),
        (Specification(usl=0.3), single(0.3), None),  # 0.30000001192092896 is how single precision says 0.3
        (Specification(lsl=0.7), single(0.7), None),
        (Specification(usl=0.3), 0.3000000119, "usl"),  # another number than that is beyond
        (Specification(usl=1e60), 1.1e60, "usl"),  # single precision has no such number
    ],
)
def test_what_is_beyond(specification: Specification, value: float, broken: str | None) -> None:
    assert specification.broken(value) == broken


def test_control_limits_beyond_the_specification_are_said() -> None:
    assert Specification(-1.5, 1.5).exceeded(-1.5, 1.5) is None
    assert Specification(-1.5, 1.5).exceeded(-1.4, 2.041) == "UCL 2.041 above USL 1.5"
    assert Specification(-1.5, 1.5).exceeded(-2, 2) == "UCL 2 above USL 1.5, LCL -2 below LSL -1.5"
    assert Specification(usl=1.5).exceeded(-2, 1) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_measure_takes_an_ordinal_back(value: float) -> None:
    assert measure(ordinal(value)) == value


def naive(points: list[float | None]) -> tuple[float, float]:
    """Mean and mean moving range of the points that are not None, ranges between neighbours in time alone."""
    pairs = [abs(b - a) for a, b in pairwise(points) if a is not None and b is not None]
    return fmean(x for x in points if x is not None), fmean(pairs)


@given(st.lists(st.floats(400, 600), min_size=10, max_size=80))
def test_limits_are_learnt_from_the_first_window_that_is_good_enough(values: list[float]) -> None:
    chart = Chart(10, SPEC, ChartPlan(settled=2))
    for value in values:
        chart.take(value)
    windows = [[x if 490 <= x <= 510 else None for x in values[n : n + 10]] for n in range(len(values) - 9)]
    good = next((window for window in windows if window.count(None) <= 1), None)
    if good is None:
        assert chart.state.standard is None
        assert chart.warning == f"limits refused: {windows[-1].count(None)} of 10 points out of specification"
    else:
        assert chart.state.standard is not None
        assert (chart.state.standard.mean, chart.state.standard.spread) == pytest.approx(naive(good))


def test_a_refusal_is_said_as_soon_as_it_is_sure_and_ends_once_the_process_is_well() -> None:
    chart = Chart(25, SPEC)
    said = []
    for value in [511.0, 512.0, 500.0, 513.0, *[499.0, 501.0] * 20]:
        assert chart.take(value).rules == ()
        said.append(chart.warning)
        if chart.state.standard is not None:
            break
    assert said[:4] == [None, None, None, "limits refused: 3 of 4 points out of specification"]
    assert said[24] == "limits refused: 3 of 25 points out of specification"
    assert (len(said), said[-1]) == (26, None)  # the first of the three is no longer among the newest 25
    assert chart.reach() is not None
    assert chart.state.standard is not None
    assert chart.state.standard.spread == 2.0


def test_limits_of_a_process_that_is_not_capable_are_learnt_and_said() -> None:
    chart = Chart(4, Specification(-1.5, 1.5))
    for value in (1.4, -1.4, 1.4, -1.4):
        chart.take(value)
    assert chart.state.standard is not None
    assert chart.warning == "not capable: UCL 7.444 above USL 1.5, LCL -7.444 below LSL -1.5"


def test_a_short_baseline_learns_from_no_point_beyond() -> None:
    chart = Chart(2, SPEC)
    for value in (500.0, 511.0, 500.0, 511.0):
        chart.take(value)
        assert chart.state.standard is None
    chart.take(500.0)
    chart.take(501.0)
    assert chart.state.standard is not None
    assert chart.state.standard.spread == 1.0
