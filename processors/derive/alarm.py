"""Alarms of the rules in the plant model: their conditions are run over the inputs, and each occurrence is an alert.

What is known of all alarms of a cell is kept as it was at each full hour inside the horizon, at the watermark and at the last
tick. Where something came late, or since a restart, the run begins again at the last of these before it: the occurrences are
a function of the sets of inputs, and what was published otherwise is withdrawn.
"""

from collections.abc import Iterator
from operator import attrgetter

import msgspec

from processors.alarms.condition import RESET, SETPOINT, STATE, VALUE, Change, Condition, Event, Occurrence, due, run
from processors.alarms.first_out import mark
from processors.base import Rejection
from processors.cell.cell import Cell
from processors.cell.watched import series_of
from processors.derive import alert
from processors.derive.alarm_words import cause, words
from processors.derive.derivation import Derivation, Saved
from processors.inputs.facts import OwnFact
from processors.output.identity import parse
from processors.spc.ordinal import measure
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Acknowledge, Alert, Derived, Kpi
from topology.model.alarms import Alarm, CountRule, DeviationRule, KpiRule, StateRule

WINDOW_MAX = {"hour": HOUR, "shift": 24 * HOUR, "day": 26 * HOUR}
"""How long a window is at most (µs)."""
RESETS_MAX = 1_000
"""Resets of one alarm inside the horizon; the oldest is forgotten."""
Conditions = dict[str, Condition]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Conditions).decode


class SavedHour(msgspec.Struct, gc=False):
    """What was known of all alarms at a full hour."""

    alarms: msgspec.Raw
    """By name."""


class SavedResets(msgspec.Struct, omit_defaults=True, gc=False):
    resets: dict[str, list[int]] = {}
    """By alarm: when a person reset it."""


class AlarmRecords(Derivation):
    """Alerts of the alarm rules of one cell."""

    __slots__ = ("_calm", "_changed", "_hours", "_live", "_orphans", "resets")

    name = "alarm"
    kinds = ("alert",)
    records = (Alert,)
    closes = True
    reads = (Acknowledge,)

    def __init__(self, cell: Cell) -> None:
        self.resets: dict[str, list[int]] = {}
        self._hours: dict[int, bytes] = {}
        """Hour number → what was known as it began."""
        self._calm: tuple[int, bytes] = (INF, b"")
        """The same at the watermark."""
        self._live: tuple[int, Conditions] = (INF, {})
        """The same at the last tick."""
        self._changed: dict[str, None] = {}
        """Parts of the state that differ from those saved."""
        self._orphans = True
        """Whether alerts may stand of rules that the model has no more."""

    def take(self, cell: Cell, fact: OwnFact, offset: int, oldest: int, newest: int) -> Rejection | None:
        """Notes the reset of a latched alarm, which `Acknowledgements` has found to be one of ours."""
        assert isinstance(fact, Acknowledge)
        kind, started_at = parse(fact.alert)
        alarm = next((of for of in cell.alarms.values() if of.kind == kind), None)
        if fact.action != "reset" or alarm is None or not alarm.rule.latch or fact.at > newest:
            return None
        at = max(fact.at, started_at, oldest)
        told = self.resets.setdefault(alarm.name, [])
        if at not in told:
            told[:] = sorted([*told, at])[-RESETS_MAX:]
            self._changed[""] = None
            cell.touch(at, at + 1)
        return None

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        out: list[Derived] = []
        if self._orphans:
            self._orphans = False
            out += self._end_orphans(cell, view)
        if not cell.alarms:
            return out
        end = view.now + view.moment.last
        base, conditions = self._base(cell, view, self._since(cell, view))
        again = conditions is not self._live[1]
        changes = self._run(cell, conditions, base, end, view.now, view.watermark)
        self._live = (end, conditions)
        changed = {(of.alarm.name, of.occurrence.started_at): (of.alarm, of.occurrence) for of in changes}
        if again:
            for name, condition in conditions.items():
                if condition.standing is not None:
                    changed[name, condition.standing.started_at] = cell.alarms[name], condition.standing
            for alarm in cell.alarms.values():
                for started_at in cell.ledger.starts(alarm.kind, base, end):
                    if (alarm.name, started_at) not in changed:
                        out += alert.withdraw(cell, alarm.kind, started_at)
        for _, (alarm, occurrence) in sorted(changed.items(), key=lambda item: (item[0][1], item[0][0])):
            out += _publish(cell, view, alarm, occurrence)
        waits = (due(cell.alarms[name], condition) for name, condition in conditions.items())
        cell.wake_at(min((at for at in waits if at is not None), default=INF))
        return out

    def _since(self, cell: Cell, view: View) -> int:
        """From when on anything may be otherwise than it was."""
        since = view.spans[0][0] if view.spans else view.now
        if any(isinstance(alarm.rule, KpiRule) for alarm in cell.alarms.values()):
            for record in view.said:
                if isinstance(record, Kpi) and record.ended_at is not None and record.status != "provisional":
                    since = min(since, record.ended_at)
        return max(since, view.begin)

    def _base(self, cell: Cell, view: View, since: int) -> tuple[int, Conditions]:
        """What was known at or before an instant: (when, what)."""
        if self._live[0] <= since:
            return self._live
        if self._calm[0] <= since:
            return self._calm[0], self._read(cell, self._calm[1], self._calm[0])
        hour = max((hour for hour in self._hours if hour * HOUR <= since), default=None)
        if hour is not None:
            return hour * HOUR, self._read(cell, self._hours[hour], hour * HOUR)
        return view.begin, self._read(cell, b"", view.begin)

    @staticmethod
    def _read(cell: Cell, data: bytes, at: int) -> Conditions:
        """What was saved of an instant, for the alarms that the model has now. Of one that was not saved is known what a
        fold has published whose log reached further back."""
        saved = _decode(data) if data else {}
        conditions: Conditions = {}
        for name, alarm in cell.alarms.items():
            known = saved.get(name)
            if known is None:
                known, told = Condition(), alert.standing(cell, alarm.kind)
                if told is not None and told.started_at < at:
                    known.holds, known.since = told.returned_at is None, told.started_at
                    known.standing = Occurrence(
                        told.started_at, told.value, told.inputs.first_offset, told.returned_at, None, told.first_out
                    )
            conditions[name] = known
        return conditions

    def _run(self, cell: Cell, conditions: Conditions, begin: int, end: int, now: int, watermark: int) -> list[Change]:
        """Runs all alarms over [begin, end), from hour to hour; keeps what is known at each."""
        changes: list[Change] = []
        stops = {hour * HOUR for hour in range(begin // HOUR + 1, end // HOUR + 1)}
        if begin < watermark < end:
            stops.add(watermark)
        for stop in sorted(stops | {end}):
            told: list[Change] = []
            standing = [cell.alarms[name] for name, condition in conditions.items() if condition.active]
            for name, events in self._events(cell, conditions, begin, stop, now).items():
                told += run(cell.alarms[name], conditions[name], events, stop)
            mark(standing, told)
            changes += told
            begin = stop
            if stop == watermark:
                self._calm = (stop, _encode(conditions))
            if stop % HOUR == 0:
                self._keep(stop // HOUR, conditions)
        return changes

    def _keep(self, hour: int, conditions: Conditions) -> None:
        data = _encode(conditions)
        if self._hours.get(hour) != data:
            self._hours[hour] = data
            self._changed[str(hour)] = None

    # --- inputs

    def _events(self, cell: Cell, conditions: Conditions, begin: int, end: int, now: int) -> dict[str, list[Event]]:
        """What each alarm hears in [begin, end), in order of time."""
        tags: dict[str, list[Event]] = {}
        states: list[Event] | None = None
        events: dict[str, list[Event]] = {}
        for name, alarm in cell.alarms.items():
            rule, heard = alarm.rule, []
            for n, tag in enumerate(rule.tags):
                if tag not in tags:
                    series = cell.series[series_of(tag)]
                    late = series.newest >= begin
                    values = series.between(begin, end) if late else ()
                    tags[tag] = [Event(at, VALUE, measure(value), offset) for at, value, offset in values]
                is_aim = isinstance(rule, DeviationRule) and n == 1
                heard += [of._replace(what=SETPOINT) for of in tags[tag]] if is_aim else tags[tag]
            if isinstance(rule, StateRule) or (isinstance(rule, CountRule) and rule.states):
                if states is None:
                    told = cell.timeline.intervals(begin, end, max(now, end))
                    states = [Event(of.start, STATE, of.state, _stated(cell, of.start)) for of in told]
                heard += states
            elif isinstance(rule, KpiRule):
                heard += _kpis(cell, rule, begin, end)
            heard += [Event(at, RESET) for at in self.resets.get(name, ()) if begin <= at < end]
            if heard:
                heard.sort(key=attrgetter("at"))
            elif (at := due(alarm, conditions[name])) is None or at >= end:
                continue  # the usual case
            events[name] = heard
        return events

    # --- the past

    @staticmethod
    def _end_orphans(cell: Cell, view: View) -> list[Derived]:
        """Ends alerts that stand of rules that the model has no more."""
        out: list[Derived] = []
        ours = {alarm.kind for alarm in cell.alarms.values()}
        for kind, started_at in sorted(cell.ledger.lasting):
            parts = kind.split(".")
            if kind not in ours and parts[0] == "alert" and parts[1] in RULE_KINDS:
                out += alert.end(cell, kind, started_at, view.now, view.now <= view.watermark)
        return out

    def expire(self, cell: Cell, floor: int) -> None:
        first = floor // HOUR
        since = min((start for start, _ in cell.touched), default=INF)
        if cell.alarms and self._hours and (since < floor or first not in self._hours):
            hour = max((of for of in self._hours if of * HOUR <= min(since, floor)), default=None)
            if hour is not None:
                conditions = self._read(cell, self._hours[hour], hour * HOUR)
                self._run(cell, conditions, hour * HOUR, floor, max(cell.settled, floor), INF)
                self._live, self._calm = (INF, {}), (INF, b"")  # what follows is told anew from there
                for later in [of for of in self._hours if of > first]:
                    self._drop(later)
        for before in [of for of in self._hours if of < first]:
            self._drop(before)
        for name, told in self.resets.items():
            if told and told[0] < floor:
                self.resets[name] = [at for at in told if at >= floor]
                self._changed[""] = None

    def _drop(self, hour: int) -> None:
        del self._hours[hour]
        self._changed[str(hour)] = None

    # --- state

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for part in self._changed:
            if part:
                data = self._hours.get(int(part))
                yield part, None if data is None else SavedHour(msgspec.Raw(data))
            else:
                yield part, SavedResets(self.resets)
        self._changed.clear()

    def load(self, saved: Saved, redefined: bool) -> None:
        for part, section in saved.items():
            if part:
                self._hours[int(part)] = bytes(msgspec.msgpack.decode(section.state, type=SavedHour).alarms)
            else:
                self.resets = msgspec.msgpack.decode(section.state, type=SavedResets).resets


RULE_KINDS = frozenset(("limit", "deviation", "rate", "state", "count", "missing", "kpi"))


def _stated(cell: Cell, at: int) -> int:
    """The raw offset of the state sample in force."""
    stated = cell.timeline.state.in_force(at)
    return -1 if stated is None else stated.offset


def _kpis(cell: Cell, rule: KpiRule, begin: int, end: int) -> list[Event]:
    """Values of the windows that ended in [begin, end) and are closed, in order of their ends."""
    kind, events = f"kpi.{rule.window}", []
    for started_at in cell.ledger.starts(kind, begin - WINDOW_MAX[rule.window], end):
        known = cell.ledger.get(kind, started_at)
        if not isinstance(known, Kpi) or known.ended_at is None or known.status == "provisional":
            continue
        value = known.values.get(rule.kpi)
        if begin <= known.ended_at < end and value is not None:
            events.append(Event(known.ended_at, VALUE, value, known.inputs.last_offset))
    return sorted(events)


def _publish(cell: Cell, view: View, alarm: Alarm, occurrence: Occurrence) -> list[Derived]:
    """The record of an occurrence, where its course is another than was published. What only hides or shows it is told
    by `processors.derive.lifecycle`, in the same order whether or not the run began anew."""
    known = cell.ledger.get(alarm.kind, occurrence.started_at)
    offset = occurrence.offset if occurrence.offset >= 0 else NO_OFFSET
    inputs = view.inputs(offset, offset)
    order = cell.schedule.order_at(occurrence.started_at)
    made = (None, None) if order is None else (order.id, order.product)
    point = alert.Point(occurrence.value, alarm.limit, *made)
    course = alert.Course(occurrence.returned_at, alarm.rule.group, occurrence.first_out)
    said = words(cell, alarm, occurrence)
    if isinstance(known, Alert) and not known.withdrawn:
        before = alert.Course(known.returned_at, known.group, known.first_out)
        named = alert.Point(known.value, known.limit, known.order, known.product)
        told = (known.ended_at, known.severity, known.message, named, before)
        if told == (occurrence.ended_at, alarm.priority, said, point, course):
            return []
        inputs = known.inputs.first_offset, max(known.inputs.last_offset, inputs[1] if offset != NO_OFFSET else 0)
    return alert.publish(
        cell,
        alarm.kind,
        occurrence.started_at,
        occurrence.ended_at,
        occurrence.ended_at is not None and occurrence.ended_at <= view.watermark,
        inputs,
        severity=alarm.priority,
        subject=alarm.rule.tags[0] if alarm.rule.tags else alarm.name,
        message=said,
        cause=cause(cell, alarm, occurrence),
        point=point,
        course=course,
    )
