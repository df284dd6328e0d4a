"""Charts of groups of characteristics: points of several values become quality records, and signals alerts.

A point of a group is the newest value of each of its characteristics within `within_s` of the first of them, by event time. A value
of one that has come already, or one later than that, begins the next point; what lacked a value is counted and left out.
Values that come behind the watermark, or belong to no point, move nothing.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from processors.base import Rejection
from processors.cell.cell import Cell
from processors.derive import alert
from processors.derive.decided import Decisions, SavedDecisions
from processors.derive.derivation import Derivation, Saved
from processors.inputs.facts import OwnFact
from processors.spc import rules
from processors.spc.multivariate import Distance, GroupChart, GroupState
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import View
from schemas.records import Derived, Limits, Quality
from topology.model.charts import GroupPlan

KIND = "quality"
NAMED = 2
"""Characteristics that an alert names, at most."""


class GroupSaved(msgspec.Struct, omit_defaults=True, gc=False):
    """A group without its settings, as it is saved; names and meanings are those of `Group`."""

    state: GroupState = msgspec.field(default_factory=GroupState)
    names: tuple[str, ...] = ()
    """Characteristics that the state is of."""
    values: dict[str, float] = {}
    began: int = 0
    last: int = 0
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET
    product: str | None = None
    incomplete: int = 0
    said: int = 0
    alert_from: int | None = None
    alert_message: str = ""
    alert_point: int = 0
    quiet: int = 0


class Group:
    """The chart of one group on one machine: the point that is being gathered, and the alert."""

    __slots__ = ("chart", "plan", "saved")

    def __init__(self, plan: GroupPlan) -> None:
        self.plan = plan
        weight = plan.weight if plan.chart == "mewma" else 1.0
        self.chart = GroupChart(len(plan.characteristics), plan.baseline, plan.run_length, weight)
        self.saved = GroupSaved(names=plan.characteristics)

    def restart(self) -> None:
        """Begins anew; the alert stays: the new points have shown nothing yet."""
        self.chart.restart(self.saved.state)
        self.saved.quiet = 0
        self.drop()

    def drop(self) -> None:
        """Forgets the point that is being gathered."""
        self.saved.values, self.saved.first_offset, self.saved.last_offset = {}, NO_OFFSET, NO_OFFSET

    def take(self, characteristic: str, at: int, value: float, offset: int) -> bool:
        """One more value, in order of time; whether a point is complete with it."""
        saved = self.saved
        if saved.values and (characteristic in saved.values or at - saved.began > self.plan.within_s * 1_000_000):
            saved.incomplete += 1
            self.drop()
        if not saved.values:
            saved.began = at
        saved.values[characteristic] = value
        saved.last = at
        saved.first_offset, saved.last_offset = hull(saved.first_offset, saved.last_offset, offset, offset)
        return len(saved.values) == len(self.plan.characteristics)

    def load(self, saved: GroupSaved) -> None:
        """What was saved of other characteristics is not what this one knows; its alert is."""
        self.saved = saved
        if saved.names != self.plan.characteristics:
            saved.names = self.plan.characteristics
            self.restart()


_decode = msgspec.msgpack.Decoder(GroupSaved).decode
_decisions = msgspec.msgpack.Decoder(SavedDecisions).decode


class GroupRecords(Derivation):
    """The groups of one cell, by name."""

    __slots__ = ("_changed", "_decisions", "_groups")

    name = "group"
    kinds = (KIND, "alert")
    records = (Quality,)
    reads = (Limits,)

    def __init__(self, cell: Cell) -> None:
        self._groups = {name: Group(plan) for name, plan in sorted(cell.type.groups.items())}
        self._decisions = Decisions()
        self._changed: dict[str, None] = {}

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """That limits be learnt anew, of all charts of the machine or of a group. A group has no mean and sigma to be given;
        `QualityRecords` has judged the fact before."""
        if isinstance(fact, Limits) and fact.mean is None and fact.characteristic in (None, *self._groups):
            return self._decisions.take(cell.path, fact, oldest, newest) if self._groups else None
        return None

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Records and alerts of the points that are complete by the watermark."""
        if not self._groups:
            return []
        out: list[Derived] = []
        decided = self._decisions.due(view.watermark)
        values = _values(view)
        for name, group in self._groups.items():
            facts = [fact for fact in decided if fact.characteristic in (None, name)]
            told = [point for point in values if point[1] in group.plan.characteristics]
            if not told and not facts:
                continue
            self._changed[name] = None
            out += _stand(cell, name, group, view)
            for at, characteristic, value, offset in told:
                while facts and facts[0].at <= at:
                    facts.pop(0)
                    group.restart()
                order = cell.schedule.order_at(at)
                if order is not None and order.product != group.saved.product:
                    if group.saved.product is not None and "product" in group.plan.restart_on:
                        group.restart()
                    group.drop()
                    group.saved.product = order.product
                if group.take(characteristic, at, value, offset):
                    out += _point(cell, name, group, view)
            if facts:
                group.restart()
        return out

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for name in self._changed:
            yield name, self._groups[name].saved
        self._changed.clear()
        if self._decisions.changed:
            self._decisions.changed = False
            yield "", self._decisions.dump()

    def load(self, saved: Saved, redefined: bool) -> None:
        for name, section in saved.items():
            if not name:
                self._decisions.load(_decisions(section.state))
            elif name in self._groups:
                self._groups[name].load(_decode(section.state))


def _values(view: View) -> list[tuple[int, str, float, int]]:
    """What was measured and published just now for the first time, in order of time: (at, characteristic, value, offset)."""
    found: dict[tuple[int, str], tuple[float, int]] = {}
    for record in view.said:
        if type(record) is Quality and record.started_at > view.previous_watermark and not record.withdrawn:
            found.setdefault((record.started_at, record.characteristic), (record.value, record.inputs.last_offset))
    return [(at, of, *told) for (at, of), told in sorted(found.items())]


def _point(cell: Cell, name: str, group: Group, view: View) -> list[Derived]:
    saved, plan = group.saved, group.plan
    inputs = saved.first_offset, saved.last_offset
    judged = group.chart.update(saved.state, [saved.values[of] for of in plan.characteristics], saved.last)
    learnt = saved.state.learnt
    content: dict[str, Any] = {
        "characteristic": name,
        "value": judged.value,
        "moving_range": None,
        "phase": judged.phase,
        "mean": None,
        "lcl": None,
        "ucl": judged.limit,
        "range_ucl": None,
        "lsl": None,
        "usl": None,
        "rules": (rules.DISTANCE,) if judged.beyond else (),
        "alarming": (rules.DISTANCE,) if judged.alarms else (),
        "chart": plan.chart,
        "outliers": judged.outliers,
        "contributions": dict(zip(plan.characteristics, judged.contributions, strict=False)),
        "limits_by": None if learnt is None else "learnt",
        "limits_since": None if learnt is None else learnt.since,
        "limits_points": None if learnt is None else learnt.points,
    }
    at = saved.last
    group.drop()
    if at <= saved.said:
        return []  # a second point of one time: the first has said it
    saved.said = at
    out: list[Derived] = [cell.ledger.record(Quality, f"{KIND}.{name}", at, at, "final", 0, inputs, **content)]
    if judged.phase == "control":
        out += _alerted(cell, name, group, judged, at, inputs, view)
    return out


# --- the alert


def _alerted(
    cell: Cell, name: str, group: Group, judged: Distance, at: int, inputs: tuple[int, int], view: View
) -> list[Derived]:
    """Begins with the first signal, ends once eight points in a row are none."""
    saved = group.saved
    saved.quiet = 0 if judged.alarms else saved.quiet + 1
    if saved.alert_from is None:
        if not judged.alarms:
            return []
        saved.alert_from = saved.alert_point = at
        saved.alert_message = _words(cell, name, group.plan, judged)
        return _raise(cell, name, group, inputs)
    if saved.quiet >= alert.CLEAR_AFTER:
        started_at, saved.alert_from = saved.alert_from, None
        return alert.end(cell, f"{alert.QUALITY}.{name}", started_at, at, at <= view.watermark)
    return []


def _stand(cell: Cell, name: str, group: Group, view: View) -> list[Derived]:
    """Brings group and ledger together, where one of them has begun anew."""
    saved, known = group.saved, alert.standing(cell, f"{alert.QUALITY}.{name}")
    if known is not None:
        if saved.alert_from != known.started_at:
            saved.alert_from = saved.alert_point = known.started_at
            saved.alert_message = known.message
        return []
    return [] if saved.alert_from is None else _raise(cell, name, group, view.inputs(NO_OFFSET, NO_OFFSET))


def _raise(cell: Cell, name: str, group: Group, inputs: tuple[int, int]) -> list[Derived]:
    saved = group.saved
    assert saved.alert_from is not None
    return alert.publish(
        cell,
        f"{alert.QUALITY}.{name}",
        saved.alert_from,
        None,
        False,
        inputs,
        severity="medium",
        subject=name,
        message=saved.alert_message,
        cause=cell.ledger.natural_id(f"{KIND}.{name}", saved.alert_point),
    )


def _words(cell: Cell, name: str, plan: GroupPlan, judged: Distance) -> str:
    """What was seen, by how much, and of which characteristic: those without which the distance falls most."""
    order = sorted(range(len(plan.characteristics)), key=lambda j: -judged.contributions[j])
    parts = [
        f"{plan.characteristics[j]} {abs(judged.off[j]):.1f} standard deviations "
        f"{'above' if judged.off[j] > 0 else 'below'} what the others let expect"
        for j in order[:NAMED]
    ]
    main = rules.RULES[rules.DISTANCE]
    return (
        f"{cell.path} {name}: {main.seen}: {', '.join(parts)} (distance {judged.value:.4g}, usually up to "
        f"{judged.limit or 0.0:.4g}). Usual cause: {main.cause}. Rules: {plan.chart}"
    )
