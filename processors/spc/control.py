"""What all control charts have in common: subgroups in, judgements out; limits learnt in phase I and kept in phase II.

A chart is its settings and is never changed; all that it knows of a process is a `ChartState`. Phase I: the newest `baseline`
subgroups give the limits. Phase II: later ones are judged, and while fewer than `settled` were learnt from, those in control
are learnt from, too, each time that their number has doubled.

Limits are the textbook's, whatever number of points they were learnt from. How sure they are is said beside: a signal is one
to act on (`alarming`) only if it holds with the limits wider by Student's t and √(1 + 1/m), and with the centre anywhere
within one standard error: with few points that is much wider, with many the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import msgspec

from processors.spc import rules
from processors.spc.distributions import normal_cdf, t_quantile
from processors.spc.specification import NONE, Specification

LEARNT_PER_REFUSED = 10
"""Of so many points that limits are learnt from, one may be out of specification; rounded down."""
DEFAULT_RULES = (1, 14)
"""One point beyond the limits, eight in a row on one side: in-control run length 152.7 (Champ and Woodall 1987)."""
SURE = normal_cdf(3.0)


class Subgroup(NamedTuple):
    """Values taken together, in order of time; `size`: items or area that they tell of, where they are counts."""

    values: tuple[float, ...]
    size: float = 1.0
    at: int = 0
    """Time of the last one, µs."""


class Plotted(NamedTuple):
    """What a chart makes of a subgroup."""

    value: float
    spread: float | None
    size: float


class Limits(NamedTuple):
    """Limits that judge one subgroup; `error`: standard error of what is plotted."""

    centre: float
    error: float
    lcl: float | None
    ucl: float | None
    spread_centre: float | None = None
    spread_lcl: float | None = None
    spread_ucl: float | None = None


class Standard(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a process in control."""

    mean: float
    sigma: float
    """Of one value; for counts of how many σ of their distribution they scatter (1 but for Laney's charts)."""
    points: int = 0
    """Subgroups it was learnt from; 0: it was given."""
    freedom: float = 0.0
    """Degrees of freedom of sigma; 0: it is known."""
    spread: float | None = None
    """Mean of what the chart of the spread plots."""
    name: str = ""
    """Id of the fact that gave it."""
    since: int = 0
    """When it was learnt or given, µs."""


class ChartState(msgspec.Struct, omit_defaults=True, gc=False):
    """All that a chart knows of one process."""

    learning: list[float] = []
    """What was plotted of the subgroups that limits are learnt from."""
    spreads: list[float | None] = []
    sizes: list[float] = []
    """Beside `learning`, of charts of subgroups and of counts."""
    learnt_at: list[int] = []
    """Times of `learning`, in phase I."""
    standard: Standard | None = None
    previous: float | None = None
    """What was plotted last, where the spread is a moving range."""
    zs: list[float] = []
    """The last of phase II in standard errors from the centre, for the rules."""
    times: list[int] = []
    """Beside `zs`, µs."""
    weighted: float | None = None
    """EWMA; None: at the centre."""
    taken: int = 0
    """Subgroups that it has taken in."""
    sums: list[float] = []
    """CUSUM: above, below, and the two that allow for an uncertain centre."""
    sums_since: list[int] = []
    """When `above` and `below` last left zero, µs."""


class Judged(NamedTuple):
    """What a chart says of one subgroup."""

    phase: str
    plotted: Plotted
    limits: Limits | None = None
    rules: tuple[int, ...] = ()
    """All that it completes by the limits."""
    alarming: tuple[int, ...] = ()
    """Those that hold however wrong the limits may be."""
    since: int = 0
    """When the longest pattern among `alarming` began, µs."""
    low: float | None = None
    """Lower cumulative sum."""
    margin: float | None = None
    """By how many standard errors beyond the centre a single point is one to act on."""
    outliers: tuple[int, ...] = ()
    """Times of the points of phase I beyond the limits that they gave, µs."""


@dataclass(frozen=True)
class ControlChart:
    """Settings of a chart, and how it judges. A subclass says what is plotted, and what limits follow.

    Every value must be finite: a caller refuses what is not (`ValueError` here).
    """

    name: ClassVar[str] = ""
    spread_alarms: ClassVar[bool] = True
    """Whether a spread beyond its limit is a signal to act on."""
    counts: ClassVar[bool] = False
    """Whether values are counts of items or of defects."""

    baseline: int = 25
    settled: int = 100
    rules: tuple[int, ...] = DEFAULT_RULES
    specification: Specification = field(default=NONE)

    # --- what a subclass says

    def plot(self, state: ChartState, subgroup: Subgroup) -> Plotted:
        """What is plotted of a subgroup."""
        raise NotImplementedError

    def learn(self, points: Sequence[Plotted]) -> Standard:
        """What is known of the process that made these, two or more in order."""
        raise NotImplementedError

    def learnable(self, points: Sequence[Plotted]) -> bool:
        """Whether anything can be learnt from them."""
        return True

    def limits(self, standard: Standard, size: float) -> Limits:
        """Limits for a subgroup of a size."""
        raise NotImplementedError

    # --- what all do

    def update(self, state: ChartState, subgroup: Subgroup) -> Judged:
        """Takes the next subgroup in order of time into `state`, and says what is to be said of it."""
        if not subgroup.values or not all(map(math.isfinite, subgroup.values)) or not subgroup.size > 0:
            raise ValueError("a subgroup has one value or more, all finite, and a size above 0")
        plotted = self.plot(state, subgroup)
        state.previous = plotted.value
        if state.standard is None:
            return self._learning(state, plotted, subgroup.at)
        judged = self.judge(state, state.standard, plotted, subgroup.at)
        if state.standard.points and state.standard.points < self.settled and not judged.rules:
            self._settle(state, state.standard, plotted, subgroup.at)
        return judged

    def give(self, state: ChartState, standard: Standard) -> None:
        """Puts limits that were decided in place of those learnt; what they judge begins anew."""
        self.restart(state)
        state.standard = standard

    def restart(self, state: ChartState) -> None:
        """Forgets everything: limits are learnt from here on."""
        for name, default in _EMPTY.items():
            setattr(state, name, list(default) if isinstance(default, list) else default)

    def judge(self, state: ChartState, standard: Standard, plotted: Plotted, at: int) -> Judged:
        """Phase II. Shewhart charts: limits and rules over the last points."""
        limits = self.limits(standard, plotted.size)
        z = _standardised(plotted.value - limits.centre, limits.error)
        state.zs = zs = [*state.zs[1 - rules.LONGEST :], z]
        state.times = times = [*state.times[1 - rules.LONGEST :], at]
        found = rules.rules(zs, 0.0, 1.0, self.rules)
        if (1 in self.rules or 11 in self.rules) and (beyond(plotted.value, limits) != bool({1, 11} & {*found})):
            found = self._as_recorded(found, beyond(plotted.value, limits))
        far, off = doubt(standard)
        alarming = found
        if found and standard.points:
            held = [math.copysign(max(0.0, abs(z) / far), z) if abs(z) > off else 0.0 for z in zs]
            alarming = tuple([number for number in found if rules.rules(held, 0.0, 1.0, (number,))])
        since = times[-max(rules.RULES[number].length for number in alarming)] if alarming else at
        if spread_beyond(plotted, limits):
            found = (rules.SPREAD, *found)
            if self.spread_alarms:
                alarming = (rules.SPREAD, *alarming)
        return Judged("control", plotted, limits, found, alarming, since, margin=3 * far)

    def _as_recorded(self, found: tuple[int, ...], is_beyond: bool) -> tuple[int, ...]:
        """Rule 1 by the limits as they are recorded, where the last binary digit of z says otherwise."""
        single = {1, 11}
        return tuple([n for n in self.rules if (n in single and is_beyond) or (n in found and n not in single)])

    # --- phase I

    def _learning(self, state: ChartState, plotted: Plotted, at: int) -> Judged:
        self._keep(state, plotted, self.baseline)
        state.learnt_at = [*state.learnt_at[-self.baseline + 1 :], at]
        if len(state.learning) < self.baseline or self.refused(state) > self.baseline // LEARNT_PER_REFUSED:
            return Judged("baseline", plotted)
        points = self._learnt(state)
        if not self.learnable(points):
            return Judged("baseline", plotted)
        state.standard = standard = _since(self.learn(points), at)
        limits = self.limits(standard, plotted.size)
        outliers = tuple(
            [
                time
                for time, point in zip(state.learnt_at, points, strict=True)
                if (own := self.limits(standard, point.size))
                and (beyond(point.value, own) or spread_beyond(point, own))
            ]
        )
        state.learnt_at = []
        if standard.points >= self.settled:
            state.learning, state.spreads, state.sizes = [], [], []
        return Judged("baseline", plotted, limits, outliers=outliers, margin=3 * doubt(standard)[0])

    def refused(self, state: ChartState) -> int:
        """Points out of specification among those that limits would be learnt from."""
        broken, points = self.specification.broken, state.learning
        if self.counts or not points or (broken(max(points)) is None and broken(min(points)) is None):
            return 0
        return sum(broken(value) is not None for value in points)

    def _settle(self, state: ChartState, standard: Standard, plotted: Plotted, at: int) -> None:
        """Learns anew each time that what was learnt from has doubled."""
        self._keep(state, plotted, self.settled)
        if len(state.learning) >= min(2 * standard.points, self.settled):
            state.standard = _since(self.learn(self._learnt(state)), at)
            if len(state.learning) >= self.settled:
                state.learning, state.spreads, state.sizes = [], [], []

    def _keep(self, state: ChartState, plotted: Plotted, most: int) -> None:
        state.learning = [*state.learning[-most + 1 :], plotted.value]
        if self.keeps_spreads:
            state.spreads = [*state.spreads[-most + 1 :], plotted.spread]
            state.sizes = [*state.sizes[-most + 1 :], plotted.size]

    def _learnt(self, state: ChartState) -> list[Plotted]:
        if not self.keeps_spreads:
            return [Plotted(value, None, 1.0) for value in state.learning]
        return list(map(Plotted, state.learning, state.spreads, state.sizes))

    @property
    def keeps_spreads(self) -> bool:
        """Whether limits need more of a subgroup than what is plotted."""
        return True


def _standardised(difference: float, error: float) -> float:
    """In standard errors; where nothing has ever scattered, any difference is infinitely many."""
    if error:
        return difference / error
    return math.copysign(math.inf, difference) if difference else 0.0


def _since(standard: Standard, at: int) -> Standard:
    return msgspec.structs.replace(standard, since=at)


_EMPTY = {name: getattr(ChartState(), name) for name in ChartState.__struct_fields__}


def beyond(value: float, limits: Limits) -> bool:
    """Whether a point lies beyond a limit; on it is within."""
    return (limits.ucl is not None and value > limits.ucl) or (limits.lcl is not None and value < limits.lcl)


def spread_beyond(plotted: Plotted, limits: Limits) -> bool:
    """Whether the spread lies beyond its limit."""
    spread = plotted.spread
    return spread is not None and (
        (limits.spread_ucl is not None and spread > limits.spread_ucl)
        or (limits.spread_lcl is not None and spread < limits.spread_lcl)
    )


def doubt(standard: Standard) -> tuple[float, float]:
    """How uncertain limits are: the factor by which they must be wider, and the standard error of the centre in standard
    errors of a point. A new point is predicted within t·√(1 + 1/m) standard errors (Montgomery, ch. 6; Quesenberry 1993)."""
    if not standard.points:
        return 1.0, 0.0
    far = t_quantile(SURE, max(1.0, standard.freedom)) / 3 if standard.freedom else 1.0
    return far * math.sqrt(1 + 1 / standard.points), 1 / math.sqrt(standard.points)
