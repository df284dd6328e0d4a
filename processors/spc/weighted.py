"""Charts with a memory, for small lasting shifts: exponentially weighted moving average, and cumulative sum."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from processors.spc import rules
from processors.spc.control import ChartState, ControlChart, Judged, Limits, Plotted, Standard, Subgroup, doubt
from processors.spc.variables import Individuals


@dataclass(frozen=True)
class _WithMemory(ControlChart):
    """What is plotted, and learnt, is that of a Shewhart chart."""

    of: ControlChart = field(default_factory=Individuals)
    """The chart that gives mean and σ."""
    target: float | None = None
    """What the memory begins with and aims at; None: the mean."""

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        return self.of.plot(state, subgroup)

    def learnable(self, points: Sequence[Plotted]) -> bool:
        return self.of.learnable(points)

    def learn(self, points: Sequence[Plotted]) -> Standard:
        return self.of.learn(points)

    def limits(self, standard: Standard, size: float) -> Limits:
        return self.of.limits(standard, size)

    @property
    def keeps_spreads(self) -> bool:
        return self.of.keeps_spreads

    def centre(self, limits: Limits) -> float:
        return limits.centre if self.target is None else self.target


@dataclass(frozen=True)
class Ewma(_WithMemory):
    """EWMA: z = λ·x + (1−λ)·z, limits centre ± L·σ·√(λ/(2−λ)·(1−(1−λ)^2i)), or without the last factor (`steady`).

    For shifts of .5 to 2 σ; λ = .2 and L = 2.962 give a false alarm in 500 points (Lucas and Saccucci 1990). It takes values
    that are not normal more kindly than any Shewhart chart; for one large jump an individuals chart is sooner.

    >>> chart, state = Ewma(weight=0.3, width=3.0, steady=True), ChartState()
    >>> chart.give(state, Standard(50.0, 2.0539))
    >>> round(chart.update(state, Subgroup((52.0,))).limits.ucl, 3)
    52.588
    """

    name: ClassVar[str] = "ewma"
    weight: float = 0.2
    width: float = 2.962
    steady: bool = False

    def judge(self, state: ChartState, standard: Standard, plotted: Plotted, at: int) -> Judged:
        of = self.limits(standard, plotted.size)
        centre, share = self.centre(of), self.weight
        before = centre if state.weighted is None else state.weighted
        state.weighted = z = share * plotted.value + (1 - share) * before
        state.taken += 1
        factor = share / (2 - share) * (1.0 if self.steady else 1 - (1 - share) ** (2 * state.taken))
        half = self.width * of.error * math.sqrt(factor)
        limits = of._replace(centre=centre, lcl=centre - half, ucl=centre + half)
        side = (z > centre) - (z < centre)
        if not state.times or ((before > centre) - (before < centre)) != side:
            state.times = [at]
        far, off = doubt(standard)
        wide = far / math.sqrt(1 + off * off) * math.sqrt(factor + off * off)
        beyond = z > centre + half or z < centre - half
        alarms = abs(z - centre) > self.width * of.error * wide
        return Judged(
            "control",
            plotted._replace(value=z),
            limits,
            (rules.EWMA,) if beyond else (),
            (rules.EWMA,) if beyond and alarms else (),
            state.times[0],
            margin=self.width * wide,
        )


@dataclass(frozen=True)
class Cusum(_WithMemory):
    """Tabular CUSUM: C⁺ = max(0, C⁺ + x − T − K), C⁻ = max(0, C⁻ + T − x − K), signal above H; K = k·σ, H = h·σ.

    For a lasting shift of about 2·k standard errors, which it sees as soon as any chart can; k = .5 and h = 5 give a false
    alarm in 465 points. `head_start` (of h): fast initial response (Lucas and Crosier 1982), .5 is usual, for a process that
    may be off at the begin. It is not set back after a signal: a restart does that, once somebody has acted.

    >>> chart, state = Cusum(slack=0.5, decision=5.0), ChartState()
    >>> chart.give(state, Standard(10.0, 1.0))
    >>> [chart.update(state, Subgroup((x,))).plotted.value for x in (9.0, 12.0, 12.5)]
    [0.0, 1.5, 3.5]
    """

    name: ClassVar[str] = "cusum"
    slack: float = 0.5
    decision: float = 5.0
    head_start: float = 0.0

    def judge(self, state: ChartState, standard: Standard, plotted: Plotted, at: int) -> Judged:
        of = self.limits(standard, plotted.size)
        centre = self.centre(of)
        far, off = doubt(standard)
        if not state.sums:
            state.sums, state.sums_since = [self.head_start * self.decision * of.error] * 4, [at, at]
        above, below, sure_above, sure_below = state.sums
        difference, slack, unsure = plotted.value - centre, self.slack * of.error, off * of.error
        sums = [
            max(0.0, above + difference - slack),
            max(0.0, below - difference - slack),
            max(0.0, sure_above + difference - slack - unsure),
            max(0.0, sure_below - difference - slack - unsure),
        ]
        since = [
            at if not old and new else known
            for old, new, known in zip((above, below), sums[:2], state.sums_since, strict=True)
        ]
        state.sums, state.sums_since = sums, since
        high = self.decision * of.error
        fired = sums[0] > high or sums[1] > high
        alarms = max(sums[2:]) > far * high
        return Judged(
            "control",
            plotted._replace(value=sums[0]),
            of._replace(centre=0.0, lcl=None, ucl=high),
            (rules.CUSUM,) if fired else (),
            (rules.CUSUM,) if fired and alarms else (),
            since[0] if sums[0] >= sums[1] else since[1],
            low=sums[1],
            margin=self.decision * far,
        )
