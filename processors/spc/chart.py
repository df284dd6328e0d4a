"""One characteristic on one machine: which values are taken together, what its chart knows, and what its alert says."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from processors.spc.budget import beyond_budget, counted
from processors.spc.control import LEARNT_PER_REFUSED, ChartState, Judged, Standard, Subgroup
from processors.spc.plans import EVERYDAY, chart_of, given
from processors.spc.specification import NONE, Specification
from processors.spc.variables import D2, FREEDOM_PER_RANGE
from topology.model.charts import COUNTED, SUBGROUP_MAX, ChartPlan


class Value(NamedTuple):
    """A value as it came; what of it is published is told by these."""

    at: int
    inspection: str
    """Its id; empty for a sample."""
    value: float
    offset: int
    rank: int
    size: float = 0.0
    """Items or area that it tells of; 0: what the plan says."""


class Chart:
    """A control chart with its subgroups and its alert. Values come in order of time."""

    __slots__ = (
        "alarms", "alert_from", "alert_message", "alert_point", "alert_rules", "control", "counted_points", "group",
        "label", "last", "lot", "plan", "product", "quiet", "specification", "state",
    )  # fmt: skip

    def __init__(self, baseline: int, specification: Specification = NONE, plan: ChartPlan = EVERYDAY) -> None:
        self.plan = plan
        self.specification = specification
        self.control = chart_of(plan, baseline, specification)
        self.state = ChartState()
        self.product: str | None = None
        self.lot = ""
        """Lots in use, where these start the chart anew."""
        self.group: list[tuple[float, float]] = []
        """Values, standardised, and sizes of the open subgroup."""
        self.label: int | str = ""
        """What its values have in common."""
        self.last: Value | None = None
        """Its newest value."""
        self.alert_from: int | None = None
        """Begin of the open alert."""
        self.alert_rules: tuple[int, ...] = ()
        """All rules that were completed since it began."""
        self.alert_point = ""
        """Kind of the record of the point with which it began."""
        self.alert_message = ""
        self.quiet = 0
        """Points of the control phase in a row without a signal."""
        self.alarms = 0
        """Alerts that began, and points of the control phase, since the limits are these; where there is a budget."""
        self.counted_points = 0
        self.restart()

    @property
    def baseline(self) -> int:
        return self.control.baseline

    @property
    def counted(self) -> bool:
        """Whether its values are counts."""
        return self.plan.kind in COUNTED

    def restart(self) -> None:
        """Begins anew. What the alert says is not undone by it: the new points have shown nothing yet."""
        self.control.restart(self.state)
        standard = given(self.plan)
        if standard is not None:
            self.control.give(self.state, standard)
        self.quiet = self.alarms = self.counted_points = 0
        self.drop()

    def freeze(self, standard: Standard) -> None:
        """Has a decision for its limits from here on."""
        self.control.give(self.state, standard)
        self.quiet = self.alarms = self.counted_points = 0
        self.drop()

    def count(self, began: bool) -> None:
        """Counts a point of the control phase, and whether an alert began with it, where there is a budget."""
        if self.plan.budget is not None:
            self.alarms, self.counted_points = counted(self.alarms + began, self.counted_points + 1, self.plan.budget)

    def drop(self) -> None:
        """Forgets the open subgroup."""
        self.group, self.last, self.label = [], None, ""

    def comparable(self, value: float) -> float | None:
        """The value as it is plotted: of a short run by what its product aims at; None: that is not known."""
        if self.plan.standardise == "none":
            return value
        of = None if self.product is None else self.plan.products.get(self.product)
        if of is None:
            return None
        return (value - of.target) / (of.sigma if self.plan.standardise == "z" and of.sigma else 1.0)

    def add(self, value: Value) -> bool:
        """Adds a value to the open subgroup; whether that is complete with it."""
        shown = self.comparable(value.value)
        assert shown is not None
        self.group.append((shown, value.size or self.plan.size))
        self.last = value
        by_count = self.plan.subgroup.by == "count"
        return len(self.group) >= (self.plan.subgroup.size if by_count else SUBGROUP_MAX)

    def close(self) -> tuple[Value, Judged]:
        """The open subgroup, judged, and its newest value."""
        group, last = self.group, self.last
        assert last is not None
        size = sum([size for _, size in group]) if self.counted else 1.0
        judged = self.control.update(self.state, Subgroup(tuple([value for value, _ in group]), size, last.at))
        self.drop()
        return last, judged

    def take(self, value: float, at: int = 0) -> Judged:
        """The next value, of a chart without subgroups."""
        self.add(Value(at, "", value, 0, 0))
        return self.close()[1]

    def reach(self) -> tuple[float, float] | None:
        """mean ± 3σ of one value of the process; None while limits are learnt, and for what has no such scatter."""
        standard = self.state.standard
        if standard is None or self.counted or self.plan.standardise != "none":
            return None
        return standard.mean - 3 * standard.sigma, standard.mean + 3 * standard.sigma

    @property
    def warning(self) -> str | None:
        """What is wrong with the control limits, in words; None: nothing."""
        said = [words for words in (self._doubtful(), self._spent()) if words is not None]
        return "; ".join(said) or None

    def _spent(self) -> str | None:
        """What there is to say of a budget of alarms that is used up."""
        budget = self.plan.budget
        if budget is None or not beyond_budget(self.alarms, self.counted_points, budget):
            return None
        return f"alarms beyond budget: {self.alarms} in {self.counted_points} points, one in {budget} is stated"

    def _doubtful(self) -> str | None:
        if (reach := self.reach()) is not None:
            words = self.specification.exceeded(*reach)
            return None if words is None else f"not capable: {words}"
        if self.state.standard is not None or self.plan.standardise != "none":
            return None
        refused = self.control.refused(self.state)
        if refused <= self.baseline // LEARNT_PER_REFUSED:
            return None
        return f"limits refused: {refused} of {len(self.state.learning)} points out of specification"

    def dump(self) -> "SavedChart":
        """Everything but the configuration."""
        return SavedChart(
            product=self.product,
            alert_from=self.alert_from,
            alert_rules=self.alert_rules,
            alert_point=self.alert_point,
            quiet=self.quiet,
            alarms=self.alarms,
            counted_points=self.counted_points,
            state=self.state,
            kind=self.plan.kind,
            lot=self.lot,
            group=self.group,
            label=self.label,
            last=self.last,
            alert_message=self.alert_message,
        )

    def load(self, saved: "SavedChart") -> None:
        """Puts back what `dump` gave. What was saved of a chart of another kind is not what this one knows."""
        self.product, self.quiet = saved.product, saved.quiet
        self.alert_from, self.alert_rules, self.alert_point = saved.alert_from, saved.alert_rules, saved.alert_point
        self.alert_message = saved.alert_message
        self.alarms, self.counted_points = saved.alarms, saved.counted_points
        if saved.state is None:
            if self.plan.kind == "individuals":
                self.state = saved.before()
        elif saved.kind == self.plan.kind:
            self.state = saved.state
            self.lot, self.group, self.label, self.last = saved.lot, saved.group, saved.label, saved.last
        standard = given(self.plan)
        known = self.state.standard
        if standard is not None and (known is None or known.name == standard.name) and known != standard:
            self.control.give(self.state, standard)  # the plant model says something else since


class SavedChart(msgspec.Struct, omit_defaults=True, gc=False):
    """A chart without its configuration, as it is saved; names and meanings are those of `Chart`."""

    learning: list[float] = []
    """This, `mean`, `mean_range`, `recent` and `previous` were written by releases that knew individuals charts alone."""
    mean: float | None = None
    mean_range: float | None = None
    recent: list[float] = []
    previous: float | None = None
    product: str | None = None
    alert_from: int | None = None
    alert_rules: tuple[int, ...] = ()
    alert_point: str = ""
    quiet: int = 0
    state: ChartState | None = None
    kind: str = "individuals"
    lot: str = ""
    group: list[tuple[float, float]] = []
    label: int | str = ""
    last: Value | None = None
    alert_message: str = ""
    alarms: int = 0
    counted_points: int = 0

    def before(self) -> ChartState:
        """What an older release knew: its limits stay as they are."""
        if self.mean is None or self.mean_range is None:
            return ChartState(learning=self.learning, learnt_at=[0] * len(self.learning), previous=self.previous)
        standard = _learnt(self.mean, self.mean_range, len(self.learning))
        zs = [(value - self.mean) / standard.sigma if standard.sigma else 0.0 for value in self.recent]
        return ChartState(learning=self.learning, standard=standard, previous=self.previous, zs=zs, times=[0] * len(zs))


def _learnt(mean: float, mean_range: float, points: int) -> Standard:
    return Standard(mean, mean_range / D2, points, FREEDOM_PER_RANGE * max(1, points - 1), mean_range)


def label_of_time(at: int, every_s: int) -> int:
    """Which stretch of the clock a time (µs) is in."""
    return at // (every_s * 1_000_000)


def joined(names: Sequence[str]) -> str:
    """Names as one label."""
    return "+".join(sorted(names))
