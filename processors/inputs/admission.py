"""Whether a plant model takes what is told of a place: the one rule for folds, files, connectors, commands and the library.

What decides a number must be known: the place, and a reason's code. What may be new is taken as it is: an order's product, a
lot's material, a shift's name, a characteristic that is only inspected by hand. Whether a fact comes too late, and whether
an acknowledged alert exists, only the fold knows.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from processors.base import Rejection
from processors.inputs.facts import NO_REASON, OwnFact, addressed, fault, unknown_alert
from processors.units import INF
from schemas.lengths import NAME_MAX, cut, overlong
from schemas.records import (
    Acknowledge,
    Fact,
    Inspection,
    Limits,
    OutOfService,
    Reason,
    Samples,
    Shelve,
    WorkOrder,
)
from topology.model.alarms import alarms_of
from topology.model.equipment import EquipmentType, StopReason
from topology.model.plant import Plant
from topology.namespace.path import Level
from topology.nearest import hint, listed, misspelt, nearest

BUILT_IN = ("breakdown", "silent", "quality", "out_of_specification", "implausible_count")
"""Kinds of alerts without a rule."""
OF_MACHINES = (Samples, Inspection, Acknowledge, Limits)
"""Records that are told of a machine, never of a line."""


class Admission:
    """What may be told of the places of a plant."""

    def __init__(self, plant: Plant) -> None:
        self._types: dict[str, EquipmentType] = {str(path): equipment for path, equipment in plant.cells().items()}
        self._lines: dict[str, dict[str, EquipmentType]] = {}
        for path, equipment in plant.cells().items():
            self._lines.setdefault(str(path.at(Level.LINE)), {})[str(path)] = equipment

    def refusal(self, path: str, record: Samples | Fact) -> Rejection | None:
        """What is wrong with telling a record of a path; None where nothing is. Times and values are not looked at."""
        if not isinstance(record, Acknowledge) and (refused := self.unknown_path(path, type(record))):
            return refused
        if (words := overlong(record)) is not None:
            return Rejection("too_long", f"{path}: {type(record).__name__}: {words}")
        return self._unknown_code(path, record) if isinstance(record, Reason) else None

    def whole_refusal(self, path: str, fact: Fact) -> Rejection | None:
        """All that can be seen of a fact before it is published: what `refusal` says, with the nearest place for one that
        is not in the model; times and values that cannot be; an alert of another line; a near miss of a characteristic.
        """
        if (refused := self.unknown_path(path, type(fact))) is not None:
            known = self._lines.get(path) or [*self._types, *self._lines]
            return replace(refused, message=f"{refused.message}; {hint(path, known)}")
        if (refused := self.refusal(path, fact)) is not None:
            return refused
        match fact:
            case Acknowledge():
                return _alert_of(path, fact)
            case Inspection():
                return self._unfit(path, fact)
            case Shelve() | OutOfService():
                return fault(path, fact, -INF) or self._unknown_alarm(path, fact)
            case Limits():
                return impossible(path, fact) or self._unknown_chart(path, fact)
            case _:
                return fault(path, fact, -INF)

    def unknown_path(self, path: str, kind: type[Samples | Fact]) -> Rejection | None:
        """What is wrong with the place of a record of a kind; None where the model has it, and it is one for the kind."""
        known = path in self._types or (path in self._lines and kind not in OF_MACHINES)
        return None if known else self.nowhere(path, kind)

    def nowhere(self, path: str, kind: type[Samples | Fact]) -> Rejection:
        """The answer to a record of a place that is not in the model, or none for its kind."""
        what = kind.__name__
        if path in self._lines:
            machines = listed(self._lines[path])
            return Rejection("unknown_path", f"{what} for {path}: that is a line; its machines are {machines}")
        shown = cut(path, NAME_MAX)
        return Rejection("unknown_path", f"{what} for {shown}: the plant model has no such machine or line")

    def own_refusal(self, path: str, cell: str, fact: OwnFact) -> Rejection | None:
        """The same of a fact that was told of `path` and is for a cell."""
        return self.whole_refusal(path, fact) if isinstance(fact, WorkOrder) else self.refusal(cell, fact)

    def unheard(self, path: str, fact: OwnFact) -> list[Rejection]:
        """The answers to a fact for a machine of which nothing has been heard: a work order may be of any."""
        match fact:
            case Inspection() | Limits():
                return [self.nowhere(path, type(fact))]
            case Acknowledge():
                return [unknown_alert(fact)]
            case WorkOrder():
                return []

    def _unknown_code(self, path: str, reason: Reason) -> Rejection | None:
        """What is wrong with a reason's code; one told of a line must be known to one of its machines."""
        known = self._reasons(path)
        if reason.code == NO_REASON or reason.code in known:
            return None
        names = [f"{code} ({known[code].name})" for code in sorted(known)]
        there = f"the codes are {listed(names)}" if names else "its type has no reasons; add them to the plant model"
        close = nearest(reason.code, map(str, known))
        meant = f"did you mean {close} ({known[int(close)].name})? " if close is not None else ""
        return Rejection("unknown_code", f"{path}: Reason {reason.id} has code {reason.code}; {meant}{there}")

    def _reasons(self, path: str) -> Mapping[int, StopReason]:
        if path in self._types:
            return self._types[path].reasons
        return {code: reason for equipment in self._lines[path].values() for code, reason in equipment.reasons.items()}

    def _unknown_alarm(self, path: str, fact: Shelve | OutOfService) -> Rejection | None:
        """Of what a fact about an alarm would change nothing: no alarm, rule, group or kind of there has the name."""
        known = set(BUILT_IN)
        for equipment in [self._types[path]] if path in self._types else self._lines[path].values():
            known |= {*alarms_of(equipment.alarms), *equipment.alarms}
            known |= {rule.group for rule in equipment.alarms.values() if rule.group is not None}
        if fact.alarm == "*" or fact.alarm in known or fact.alarm.partition(".")[0] in BUILT_IN:
            return None
        words = f"{type(fact).__name__} {fact.id} is about {fact.alarm!r}; {hint(fact.alarm, sorted(known))}"
        return Rejection("unknown_alarm", f"{path}: {words}; '*' is all of them")

    def _unfit(self, path: str, fact: Inspection) -> Rejection | None:
        if not math.isfinite(fact.value):
            return Rejection("not_finite", f"{path}: Inspection {fact.id} is {fact.value}; a finite number is expected")
        return self._unknown_chart(path, fact)

    def _unknown_chart(self, path: str, fact: Inspection | Limits) -> Rejection | None:
        """A near miss of a characteristic."""
        known = [name for name, tag in self._types[path].tags.items() if tag.role == "characteristic"]
        meant = None if fact.characteristic is None else misspelt(fact.characteristic, known)
        if meant is None:
            return None
        words = f"characteristic {fact.characteristic!r} is not known; did you mean {meant!r}?"
        return Rejection("unknown_tag", f"{path}: {type(fact).__name__} {fact.id}: {words}")


def impossible(path: str, fact: Limits) -> Rejection | None:
    """What is wrong with a decision about control limits in itself."""
    what = f"{path}: Limits {fact.id}"
    if not all(math.isfinite(number) for number in (fact.mean, fact.sigma) if number is not None):
        return Rejection("not_finite", f"{what} have a mean or sigma that is not finite", fact.characteristic)
    if fact.mean is None and fact.sigma is not None:
        return Rejection("out_of_range", f"{what} have a sigma and no mean; give both, or none to learn anew")
    if fact.sigma is not None and fact.sigma < 0:
        return Rejection("out_of_range", f"{what} have a sigma of {fact.sigma:g}", fact.characteristic)
    if fact.mean is not None and fact.characteristic is None:
        return Rejection("out_of_range", f"{what} have a mean; say of which characteristic")
    return None


def _alert_of(path: str, fact: Acknowledge) -> Rejection | None:
    """An acknowledgement lies with its alert: elsewhere no fold would see both."""
    cell = addressed(path, fact)
    if isinstance(cell, Rejection) or cell == path:
        return cell if isinstance(cell, Rejection) else None
    return Rejection("unknown_alert", f"{path}: the alert is one of {cell}; publish its acknowledgement there")
