"""Run lengths: how long a chart is silent, in control and after a shift, against published tables within 3 standard errors.

Sources: Champ and Woodall 1987 (rules), Lucas and Saccucci 1990 (EWMA), Montgomery and Lucas and Crosier 1982 (CUSUM); zero
state, limits known.
"""

import random
from statistics import fmean, stdev

import pytest

from processors.spc.control import ChartState, ControlChart, Standard, Subgroup
from processors.spc.variables import Individuals
from processors.spc.weighted import Cusum, Ewma

Case = tuple[str, ControlChart, float, float]


def rules(*numbers: int) -> ControlChart:
    return Individuals(rules=numbers)


SHORT: list[Case] = [
    ("rule 1", rules(11), 2.0, 6.30),
    ("rules 1 4", rules(11, 14), 1.0, 14.58),
    ("rules 1 2 3 4", rules(11, 12, 13, 14), 1.0, 9.22),
    ("ewma .1", Ewma(weight=0.1, width=2.814, steady=True), 1.0, 10.3),
    ("ewma .4", Ewma(weight=0.4, width=3.054, steady=True), 1.0, 14.3),
    ("cusum 5", Cusum(slack=0.5, decision=5), 1.0, 10.38),
    ("cusum 4", Cusum(slack=0.5, decision=4), 1.0, 8.38),
    ("cusum 5 head start", Cusum(slack=0.5, decision=5, head_start=0.5), 1.0, 6.35),
]
LONG: list[Case] = [
    ("rule 1", rules(11), 0.0, 370.40),
    ("rule 8 in a row", rules(14), 0.0, 255.0),
    ("rule 9 in a row", rules(2), 0.0, 511.0),
    ("rules 1 4, the default", rules(1, 14), 0.0, 152.73),
    ("rules 1 2", rules(11, 12), 0.0, 225.44),
    ("rules 1 3", rules(11, 13), 0.0, 166.05),
    ("rules 1 2 3", rules(11, 12, 13), 0.0, 132.89),
    ("rules 1 2 4", rules(11, 12, 14), 0.0, 122.05),
    ("rules 1 3 4", rules(11, 13, 14), 0.0, 105.78),
    ("rules 1 2 3 4", rules(11, 12, 13, 14), 0.0, 91.75),
    ("rules 1 2 3 4", rules(11, 12, 13, 14), 0.4, 36.61),
    ("cusum 5", Cusum(slack=0.5, decision=5), 0.0, 465.44),
    ("cusum 4", Cusum(slack=0.5, decision=4), 0.0, 167.68),
    ("cusum 4.77", Cusum(slack=0.5, decision=4.77), 0.0, 368.6),
    ("cusum 8.01", Cusum(slack=0.25, decision=8.01), 0.0, 370.3),
    ("cusum 5 head start", Cusum(slack=0.5, decision=5, head_start=0.5), 0.0, 430.4),
    ("cusum 4 head start", Cusum(slack=0.5, decision=4, head_start=0.5), 0.0, 148.7),
    ("ewma .1", Ewma(weight=0.1, width=2.814, steady=True), 0.0, 500.0),
    ("ewma .2", Ewma(weight=0.2, width=2.962, steady=True), 0.0, 500.0),
    ("ewma .2", Ewma(weight=0.2, width=2.962, steady=True), 0.5, 41.8),
    ("ewma .05", Ewma(weight=0.05, width=2.615, steady=True), 0.5, 28.8),
]


def run_lengths(chart: ControlChart, shift: float, runs: int) -> list[int]:
    chance = random.Random(7)
    lengths = []
    for _ in range(runs):
        state, length, fired = ChartState(), 0, False
        chart.give(state, Standard(0.0, 1.0))
        while not fired:
            length += 1
            fired = any(chart.update(state, Subgroup((chance.gauss(shift, 1),))).alarming)
        lengths.append(length)
    return lengths


def hold(chart: ControlChart, shift: float, published: float, runs: int) -> None:
    lengths = run_lengths(chart, shift, runs)
    assert fmean(lengths) == pytest.approx(published, abs=3 * stdev(lengths) / runs**0.5 + 0.05)


@pytest.mark.parametrize("case", SHORT, ids=lambda case: f"{case[0]} shift {case[2]:g}")
def test_after_a_shift(case: Case) -> None:
    hold(*case[1:], runs=400)


@pytest.mark.long
@pytest.mark.parametrize("case", LONG, ids=lambda case: f"{case[0]} shift {case[2]:g}")
def test_in_control_and_after_small_shifts(case: Case) -> None:
    hold(*case[1:], runs=1_500)
