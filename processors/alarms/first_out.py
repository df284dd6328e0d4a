"""Which alarm of a group was the first: the one that came while none of the group was active. Pure."""

from collections.abc import Iterable

from processors.alarms.condition import Change
from topology.model.alarms import Alarm

_URGENCY = ("critical", "high", "medium", "low")


def mark(active: Iterable[Alarm], changes: Iterable[Change]) -> None:
    """Marks the occurrences that come in a stretch of time. `active`: the alarms that are as it begins.

    In one instant an alarm that returns goes before one that comes, then the more urgent, then by name.
    """
    grouped = [of for of in changes if of.alarm.rule.group is not None]
    if not grouped:
        return
    groups: dict[str, set[str]] = {}
    for alarm in active:
        if alarm.rule.group is not None:
            groups.setdefault(alarm.rule.group, set()).add(alarm.name)
    grouped.sort(key=lambda of: (of.at, of.raised, _URGENCY.index(of.alarm.priority), of.alarm.name))
    for of in grouped:
        there = groups.setdefault(of.alarm.rule.group or "", set())
        if not of.raised:
            there.discard(of.alarm.name)
            continue
        if of.occurrence.first_out is None:
            of.occurrence.first_out = not there
        there.add(of.alarm.name)
