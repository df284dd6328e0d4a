"""All control charts by one check: state comes back, NaN is refused, memory is bounded, the same values give the same bytes."""

from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.spc.attributes import C, LaneyP, LaneyU, Np, P, U
from processors.spc.control import ChartState, ControlChart, Standard, Subgroup
from processors.spc.variables import Individuals, MeanRange, MeanSd
from processors.spc.weighted import Cusum, Ewma

MEASURED: dict[str, tuple[ControlChart, int]] = {
    "individuals": (Individuals(5, 20), 1),
    "mean_range": (MeanRange(5, 20), 4),
    "mean_sd": (MeanSd(5, 20), 4),
    "ewma": (Ewma(5, 20), 1),
    "ewma_means": (Ewma(5, 20, of=MeanSd(5, 20)), 3),
    "cusum": (Cusum(5, 20), 1),
    "cusum_fir": (Cusum(5, 20, head_start=0.5), 1),
}
COUNTED: dict[str, tuple[ControlChart, int]] = {
    chart.name: (chart, 1) for chart in (P(5, 20), Np(5, 20), LaneyP(5, 20), C(5, 20), U(5, 20), LaneyU(5, 20))
}
CHARTS = MEASURED | COUNTED
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(ChartState).decode


@cache
def subgroup(size: int, counted: bool) -> st.SearchStrategy[Subgroup]:
    values = st.integers(0, 40).map(float) if counted else st.floats(-1e6, 1e6)
    sizes = st.integers(40, 60).map(float) if counted else st.just(1.0)
    return st.builds(Subgroup, st.tuples(*[values] * size), sizes, st.integers(0, 10**9))


@pytest.mark.parametrize("name", CHARTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_state_that_comes_back_goes_on_as_if_nothing_had_been(name: str, data: st.DataObject) -> None:
    chart, size = CHARTS[name]
    given_values = data.draw(st.lists(subgroup(size, chart.counts), min_size=1, max_size=60))
    whole, parted = ChartState(), ChartState()
    for of in given_values:
        said = chart.update(whole, of)
        parted = decode(encode(parted))
        assert chart.update(parted, of) == said
        assert encode(parted) == encode(whole)
        assert set(said.alarming) <= set(said.rules)
    assert len(encode(whole)) < 4_000


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_what_is_no_number_is_refused_and_changes_nothing(name: str, value: float) -> None:
    chart, size = CHARTS[name]
    state = ChartState()
    with pytest.raises(ValueError, match="finite"):
        chart.update(state, Subgroup((value,) * size, 50.0))
    assert state == ChartState()


@pytest.mark.parametrize("name", MEASURED)
def test_the_order_of_equal_values_does_not_matter(name: str) -> None:
    chart, size = MEASURED[name]
    values = [tuple(float((7 * n + k) % 5) for k in range(size)) for n in range(30)]
    forth, back = ChartState(), ChartState()
    for of in values:
        assert chart.update(forth, Subgroup(of)) == chart.update(back, Subgroup(of[::-1]))


def test_memory_stays_the_same_however_many_values_come() -> None:
    for chart, size in CHARTS.values():
        state = ChartState()
        sizes = []
        for n in range(400):
            chart.update(state, Subgroup(tuple(float((n * 7 + k * 3) % 11) for k in range(size)), 50.0, n))
            sizes.append(len(encode(state)))
        assert max(sizes[200:]) <= max(sizes[:200]) + 8


def test_few_points_want_more_before_somebody_is_called_and_a_decision_none() -> None:
    values = [(-1.0) ** n + n % 3 for n in range(25)]
    few, many, decided = ChartState(), ChartState(), ChartState()
    chart, long = Individuals(25, 25, (1,)), Individuals(1000, 1000, (1,))
    for n in range(25):
        chart.update(few, Subgroup((values[n],)))
    for n in range(1000):
        long.update(many, Subgroup((values[n % 25],)))
    assert few.standard is not None
    chart.give(decided, Standard(few.standard.mean, few.standard.sigma))
    margins = [chart.update(of, Subgroup((0.0,))).margin for of in (few, many, decided)]
    assert margins == [pytest.approx(3.676, abs=0.01), pytest.approx(3.0, abs=0.03), 3.0]
    just_beyond = few.standard.mean + 3.2 * few.standard.sigma
    judged = chart.update(few, Subgroup((just_beyond,)))
    assert (1 in judged.rules, judged.alarming) == (True, ())
    assert chart.update(decided, Subgroup((just_beyond,))).alarming == (1,)


def test_limits_are_learnt_again_with_twice_the_points_until_settled() -> None:
    chart, state = Individuals(5, 20), ChartState()
    known = []
    for n in range(60):
        chart.update(state, Subgroup((float(n * 7 % 5),), at=n))
        known.append(None if state.standard is None else (state.standard.points, state.standard.since))
    assert sorted(set(filter(None, known))) == [(5, 4), (10, 9), (20, 19)]
    assert state.learning == []


def test_run_rules_do_not_begin_anew() -> None:
    chart, state = Individuals(25, 25), ChartState()
    chart.give(state, Standard(0.0, 1.0))
    assert [14 in chart.update(state, Subgroup((0.5,))).rules for _ in range(12)] == [False] * 7 + [True] * 5


def test_a_limit_that_is_met_exactly_is_not_beyond() -> None:
    chart, state = C(), ChartState()
    chart.give(state, Standard(16.0, 1.0))
    assert chart.update(state, Subgroup((28.0,))).rules == ()
    assert chart.update(state, Subgroup((29.0,))).rules == (1,)
