"""Whether an alarm's condition holds, instant by instant, and so from when until when there is an alarm. Pure.

Time is half open: what is known after `run(…, end)` is what inputs before `end` say, so two runs one after the other give the
same as one. All inputs of an instant count before time does: a delay that is over in the very instant in which the condition
goes raises nothing. All times µs.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from topology.model.alarms import (
    Alarm,
    CountRule,
    DeviationRule,
    KpiRule,
    LimitRule,
    MissingRule,
    RateRule,
    StateRule,
)

VALUE, SETPOINT, STATE, RESET = range(4)
NO_OFFSET = -1
SLOTS = 10
"""A rate's look back is kept in so many slots: the last sample of each."""
US = 1_000_000


class Event(NamedTuple):
    """One input of one alarm. `value`: a number, or the state's name."""

    at: int
    what: int
    value: Any = None
    offset: int = NO_OFFSET


class Occurrence(msgspec.Struct, omit_defaults=True, gc=False):
    """One time that there is an alarm."""

    started_at: int
    value: float | None = None
    """What was measured, or counted, as it was raised."""
    offset: int = NO_OFFSET
    """Raw offset of the sample that it rests on."""
    returned_at: int | None = None
    """Since when its condition is gone."""
    ended_at: int | None = None
    """A latched alarm ends by a reset, others as their condition is gone."""
    first_out: bool | None = None


class Condition(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of one alarm just before some instant."""

    holds: bool = False
    """The condition, deadband considered, delays not."""
    since: int = 0
    """When `holds` became what it is."""
    standing: Occurrence | None = None
    value: float | None = None
    setpoint: float | None = None
    shown: float | None = None
    """What an alarm raised now would name: the value, the rate, how often."""
    offset: int = NO_OFFSET
    heard: int | None = None
    """Time of the newest value."""
    state: str | None = None
    times: list[int] = []
    """When what is counted has happened: the last `times` of them."""
    points: list[tuple[int, float]] = []
    """Samples that a rate looks back on, oldest first: one a slot."""

    @property
    def active(self) -> bool:
        return self.standing is not None and self.standing.returned_at is None


class Change(NamedTuple):
    """An alarm that comes (`raised`), returns or ends."""

    at: int
    raised: bool
    alarm: Alarm
    occurrence: Occurrence


def run(alarm: Alarm, condition: Condition, events: Sequence[Event], end: int) -> list[Change]:
    """What happens before `end`, in order; changes the condition. `events`: those before `end`, in order of time."""
    changes: list[Change] = []
    for at, together in groupby(events, attrgetter("at")):
        _wait(alarm, condition, at, changes)
        reset = heard = False
        for event in together:
            reset, heard = reset or event.what == RESET, heard or event.what != RESET
            _hear(alarm, condition, event)
        if heard:
            _hold(condition, _judged(alarm, condition, at), at)
        _settle(alarm, condition, at, changes)
        standing = condition.standing
        if reset and standing is not None and standing.returned_at is not None:
            _end(alarm, condition, standing, at, changes)
    _wait(alarm, condition, end, changes)
    return changes


def due(alarm: Alarm, condition: Condition) -> int | None:
    """When the next change comes by time alone, if nothing is heard before."""
    rule, at = alarm.rule, []
    if condition.holds and not condition.active:
        at.append(condition.since + _on_us(alarm))
    if not condition.holds and condition.active:
        at.append(condition.since + _us(rule.off_delay_s))
    if (lapse := _lapse(alarm, condition)) is not None:
        at.append(lapse)
    return min(at, default=None)


def _lapse(alarm: Alarm, condition: Condition) -> int | None:
    """When the condition itself changes by time alone."""
    match alarm.rule:
        case MissingRule(after_s=after_s):
            return condition.heard + _us(after_s) if condition.heard is not None and not condition.holds else None
        case CountRule(window_s=window_s, times=times):
            if not condition.holds:
                return None
            first = condition.times[0] if len(condition.times) == times else condition.since  # of another fold's log
            return first + _us(window_s)
        case RateRule(over_s=over_s):  # a source that only tells changes says nothing while the value stays
            return condition.heard + _us(over_s) if condition.holds and condition.heard is not None else None
        case _:
            return None


def _wait(alarm: Alarm, condition: Condition, until: int, changes: list[Change]) -> None:
    """What time alone does before `until`."""
    while (at := due(alarm, condition)) is not None and at < until:
        if (lapse := _lapse(alarm, condition)) is not None and lapse <= at:
            _hold(condition, isinstance(alarm.rule, MissingRule), lapse)
        _settle(alarm, condition, at, changes)


def _settle(alarm: Alarm, condition: Condition, at: int, changes: list[Change]) -> None:
    """Raises or returns what has waited long enough."""
    standing = condition.standing
    if condition.holds and not condition.active and condition.since + _on_us(alarm) <= at:
        if standing is None:
            standing = condition.standing = Occurrence(at, condition.shown, condition.offset)
        else:  # latched, and there again
            standing.returned_at = None
        changes.append(Change(at, True, alarm, standing))
    elif (
        not condition.holds
        and standing is not None
        and standing.returned_at is None
        and condition.since + _us(alarm.rule.off_delay_s) <= at
    ):
        standing.returned_at = at
        if alarm.rule.latch:
            changes.append(Change(at, False, alarm, standing))
        else:
            _end(alarm, condition, standing, at, changes)


def _end(alarm: Alarm, condition: Condition, standing: Occurrence, at: int, changes: list[Change]) -> None:
    standing.ended_at = at
    condition.standing = None
    changes.append(Change(at, False, alarm, standing))


def _hold(condition: Condition, holds: bool, at: int) -> None:
    if holds != condition.holds:
        condition.holds, condition.since = holds, at


def _hear(alarm: Alarm, condition: Condition, event: Event) -> None:
    """Takes one input in."""
    rule = alarm.rule
    if event.what == VALUE:
        if isinstance(rule, CountRule) and condition.value is not None:
            _count(rule, condition, event, condition.value < rule.reaches <= event.value)
        condition.value, condition.heard, condition.offset = event.value, event.at, event.offset
        if isinstance(rule, RateRule):
            _remember(rule, condition, event)
    elif event.what == SETPOINT:
        condition.setpoint = event.value
    elif event.what == STATE:
        if isinstance(rule, CountRule) and condition.state is not None:
            _count(rule, condition, event, condition.state not in rule.states and event.value in rule.states)
        if event.value != condition.state:  # else it is only said again
            condition.state, condition.offset = event.value, event.offset


def _count(rule: CountRule, condition: Condition, event: Event, happened: bool) -> None:
    if happened:
        condition.times = [*condition.times, event.at][-rule.times :]


def _remember(rule: RateRule, condition: Condition, event: Event) -> None:
    """Keeps one sample a slot, and of those that are old enough the last."""
    slot, points = max(1, _us(rule.over_s) // SLOTS), list(condition.points)
    if points and points[-1][0] // slot == event.at // slot:
        points.pop()
    points.append((event.at, event.value))
    while len(points) > 1 and points[1][0] <= event.at - _us(rule.over_s):
        del points[0]
    condition.points = points


def _judged(alarm: Alarm, condition: Condition, at: int) -> bool:
    """Whether the condition holds in an instant, by all that has been heard."""
    rule, value = alarm.rule, condition.value
    match rule:
        case LimitRule():
            condition.shown, limit = value, alarm.limit or 0.0
            if value is None:
                return False
            back = rule.deadband if condition.holds else 0.0
            return value >= limit - back if alarm.level in ("hi", "hihi") else value <= limit + back
        case DeviationRule():
            condition.shown = value
            if value is None or condition.setpoint is None:
                return False
            return abs(value - condition.setpoint) >= rule.limit - (rule.deadband if condition.holds else 0.0)
        case RateRule():
            condition.shown = rate = _rate(rule, condition.points)
            return rate is not None and _directed(rule, rate) >= rule.per_min - (
                rule.deadband if condition.holds else 0.0
            )
        case StateRule():
            return condition.state in rule.states
        case CountRule():
            condition.shown = float(rule.times)
            return len(condition.times) == rule.times and condition.times[0] + _us(rule.window_s) > at
        case KpiRule():
            condition.shown = value
            if value is None:
                return False
            return value < rule.below if rule.below is not None else value > (rule.above or 0.0)
        case MissingRule():  # what is heard is not missing
            return False


def _rate(rule: RateRule, points: list[tuple[int, float]]) -> float | None:
    """Change a minute since the last sample at least over_s ago. A longer pause than twice over_s counts as twice:
    a source that only tells changes had the same value till just before."""
    (then, before), (at, value) = (points[0], points[-1]) if points else ((0, 0.0), (0, 0.0))
    if at - then < _us(rule.over_s):
        return None
    return (value - before) / min(at - then, 2 * _us(rule.over_s)) * 60 * US


def _directed(rule: RateRule, rate: float) -> float:
    return abs(rate) if rule.direction == "either" else rate if rule.direction == "rise" else -rate


def _on_us(alarm: Alarm) -> int:
    longer_s = alarm.rule.longer_s if isinstance(alarm.rule, StateRule) else 0.0
    return _us(alarm.rule.on_delay_s + longer_s)


def _us(seconds: float) -> int:
    return round(seconds * US)
