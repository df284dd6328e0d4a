"""Whether a plant model takes what is told of a place: the one rule for folds, files, connectors, commands and the library.

What decides a number must be known: the place, and a reason's code. What may be new is taken as it is: an order's product, a
lot's material, a shift's name, a characteristic that is only inspected by hand. Whether a fact comes too late, and whether
an acknowledged alert exists, only the fold knows.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from processors.base import Rejection
from processors.inputs.facts import NO_REASON, Own, addressed, fault, unknown_alert
from processors.units import INF
from schemas.lengths import NAME_MAX, cut, overlong
from schemas.records import Acknowledge, Fact, Inspection, Reason, Samples, WorkOrder
from topology.model.plant import EquipmentType, Plant, StopReason
from topology.namespace.path import Level
from topology.nearest import hint, listed, misspelt, nearest

OF_MACHINES = (Samples, Inspection, Acknowledge)
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

    def own_refusal(self, path: str, cell: str, fact: Own) -> Rejection | None:
        """The same of a fact that was told of `path` and is for a cell."""
        return self.whole_refusal(path, fact) if isinstance(fact, WorkOrder) else self.refusal(cell, fact)

    def unheard(self, path: str, fact: Own) -> list[Rejection]:
        """The answers to a fact for a machine of which nothing has been heard: a work order may be of any."""
        match fact:
            case Inspection():
                return [self.nowhere(path, Inspection)]
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

    def _unfit(self, path: str, fact: Inspection) -> Rejection | None:
        if not math.isfinite(fact.value):
            return Rejection("not_finite", f"{path}: Inspection {fact.id} is {fact.value}; a finite number is expected")
        known = [name for name, tag in self._types[path].tags.items() if tag.role == "characteristic"]
        meant = misspelt(fact.characteristic, known)
        if meant is None:
            return None
        words = f"characteristic {fact.characteristic!r} is not known; did you mean {meant!r}?"
        return Rejection("unknown_tag", f"{path}: Inspection {fact.id}: {words}")


def _alert_of(path: str, fact: Acknowledge) -> Rejection | None:
    """An acknowledgement lies with its alert: elsewhere no fold would see both."""
    cell = addressed(path, fact)
    if isinstance(cell, Rejection) or cell == path:
        return cell if isinstance(cell, Rejection) else None
    return Rejection("unknown_alert", f"{path}: the alert is one of {cell}; publish its acknowledgement there")
