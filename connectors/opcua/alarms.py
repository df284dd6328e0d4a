"""Alarms and conditions (OPC UA part 9) as tags: what each is, and the worst of each machine. Pure.

The rule is that of MTConnect's conditions: the worst that is active, the latest of several, and its code: `NORMAL`,
`WARNING CODE`, `FAULT CODE`. Here a code is the names of the source and of the condition.
"""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from asyncua import ua

from connectors.base import Reading, Resume, Safe, TimeOf
from connectors.kit.times import plausible
from connectors.opcua.codec import micros
from schemas.records import GOOD, Sample, Value
from topology.namespace.path import Path

WORST = "Alarms"
"""The tag of a machine's worst alarm; those of single ones begin with it."""
LEVELS = ("NORMAL", "WARNING", "FAULT")
ACTIVE_MAX = 10_000
"""Active alarms of one machine; one more is counted, and not told."""
TEXT_MAX = 500
_PARTS = (".Acked", ".Severity", ".Message")
_ARRIVAL: TimeOf = "arrival"
_SOURCE: TimeOf = "source"
DISABLED = 0x80990000
"""Bad_ConditionDisabled: nobody looks whether it is so."""
NO_DATA = 0x809B0000
"""Bad_NoData: it was active when it was last heard of, and the server does not tell whether it still is."""

_BASE, _CONDITION, _ACKNOWLEDGEABLE, _ALARM = (
    ua.ObjectIds.BaseEventType,
    ua.ObjectIds.ConditionType,
    ua.ObjectIds.AcknowledgeableConditionType,
    ua.ObjectIds.AlarmConditionType,
)
FIELDS: tuple[tuple[int, str], ...] = (
    (_BASE, "EventType"),
    (_BASE, "SourceName"),
    (_BASE, "Time"),
    (_BASE, "Message"),
    (_BASE, "Severity"),
    (_CONDITION, ""),
    (_CONDITION, "ConditionName"),
    (_CONDITION, "BranchId"),
    (_CONDITION, "Retain"),
    (_CONDITION, "Quality"),
    (_CONDITION, "EnabledState/Id"),
    (_ACKNOWLEDGEABLE, "AckedState/Id"),
    (_ALARM, "ActiveState/Id"),
)
"""Type and field, in the order of `Event`; the empty one is the condition's own node id."""
REFRESH_START, REFRESH_END, REFRESH_REQUIRED, OVERFLOW = (
    ua.NodeId(number, 0)
    for number in (
        ua.ObjectIds.RefreshStartEventType,
        ua.ObjectIds.RefreshEndEventType,
        ua.ObjectIds.RefreshRequiredEventType,
        ua.ObjectIds.EventQueueOverflowEventType,
    )
)


class Event(NamedTuple):
    """The fields of an event, each None where the server or the type of the event has none."""

    type: ua.NodeId | None
    source: str
    time: int | None
    """µs; None: none that can be one."""
    message: str
    severity: int
    condition: ua.NodeId | None
    """None: it is an event and no condition."""
    name: str
    branch: bool
    """Whether it speaks of an earlier state that waits for its acknowledgement, and not of the present one."""
    retain: bool
    quality: int
    enabled: bool
    acked: bool | None
    active: bool
    """Of a condition that is no alarm: whether it is of interest (Retain)."""


def event_filter() -> ua.EventFilter:
    """Selects the fields of `Event`. Without a condition of its own: refusals of operators are common, and what is none of
    ours is told by its fields."""
    return ua.EventFilter(SelectClauses=[_operand(*field) for field in FIELDS])


def _operand(type_: int, field: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=ua.NodeId(type_, 0),
        BrowsePath=[ua.QualifiedName(name, 0) for name in field.split("/") if name],
        AttributeId=ua.AttributeIds.Value if field else ua.AttributeIds.NodeId,
    )


def event_of(fields: Sequence[ua.Variant]) -> Event:
    """Total: whatever stands in a field, and however many there are."""
    raw: list[Any] = [getattr(one, "Value", None) for one in fields[: len(FIELDS)]]
    raw += [None] * (len(FIELDS) - len(raw))
    type_, source, time, message, severity, condition, name, branch, retain, quality, enabled, acked, active = raw
    at = micros(time) if isinstance(time, datetime) else None
    return Event(
        _node(type_),
        _text(source),
        at if at is not None and plausible(at) else None,
        _text(message),
        severity if isinstance(severity, int) and not isinstance(severity, bool) else 0,
        _node(condition),
        _text(name),
        _node(branch) is not None,
        retain is True,
        int(quality.value) if isinstance(quality, ua.StatusCode) else GOOD,
        enabled is not False,
        acked if isinstance(acked, bool) else None,
        active if isinstance(active, bool) else retain is True,
    )


def _node(raw: Any) -> ua.NodeId | None:
    return raw if isinstance(raw, ua.NodeId) and not raw.is_null() else None


def _text(raw: Any) -> str:
    words = raw.Text if isinstance(raw, ua.LocalizedText) else raw
    return words.encode("utf-8", "replace").decode()[:TEXT_MAX] if isinstance(words, str) else ""


class _Active(NamedTuple):
    level: str
    at: int
    code: str

    @property
    def rank(self) -> tuple[int, int]:
        """The worst first, then the latest."""
        return LEVELS.index(self.level), self.at


class Alarms:
    """The conditions of one machine. Lives as long as the connector; `reopened` begins a connection."""

    def __init__(self, path: Path, sources: Sequence[str], fault_severity: int) -> None:
        self.path, self._sources, self._fault_severity = path, sources, fault_severity
        self._active: dict[str, dict[ua.NodeId | None, _Active]] = {}
        """By tag, by condition: several may go by one name. None: known from before, and not yet told anew."""
        self._unsure: set[tuple[str, ua.NodeId | None]] = set()
        """What was active when it was last heard of, and of which the server has not told yet."""
        self._worst = Safe(-1)
        self.forgotten = 0
        """Active ones for which there was no room."""

    def mine(self, event: Event) -> bool:
        return not self._sources or any(fnmatchcase(event.source, one) for one in self._sources)

    def reopened(self, resume: Resume) -> None:
        """What is active is told anew; until it is, what was active may be over."""
        for (path, tag), safe in resume.items():
            if path == self.path and tag not in self._active and _was_active(tag, safe):
                self._active[tag] = {None: _Active(str(safe.value), safe.at, _code(tag))}
        self._worst = resume.get((self.path, WORST), self._worst)
        self.refreshing()

    def refreshing(self) -> None:
        """The server begins to tell all that is active."""
        self._unsure = {(tag, condition) for tag, conditions in self._active.items() for condition in conditions}

    def refreshed(self, at: int, time_of: TimeOf) -> list[Reading]:
        """It has told all: what it did not name is over, since some time before `at`."""
        over = self._drop_unsure()
        readings = [self._reading(tag, at, self._level(tag), time_of, GOOD) for tag in over]
        return [*readings, *self._changed(at, time_of)]

    def unknown(self, at: int) -> list[Reading]:
        """It cannot tell what is active; what is told from now on is known."""
        over = self._drop_unsure()
        if not over:
            return []
        self._worst = Safe(max(at, self._worst.at + 1), None, NO_DATA)
        return [self._reading(tag, at, None, "arrival", NO_DATA) for tag in [*over, WORST]]

    def said(self, event: Event, arrived: int) -> list[Reading]:
        """What a condition is now: its level, and beside it whether it is acknowledged, how severe, and its words."""
        if event.condition is None or event.branch:
            return []
        at, time_of = (arrived, _ARRIVAL) if event.time is None else (event.time, _SOURCE)
        name = event.name or str(event.condition.to_string())
        tag = ".".join(part for part in (WORST, event.source, name) if part)
        self._take_out(tag, event.condition)
        self._take_out(tag, None)
        if event.enabled and event.active:
            if len(self._active) >= ACTIVE_MAX:
                self.forgotten += 1
                return []
            level = "FAULT" if event.severity >= self._fault_severity else "WARNING"
            self._active.setdefault(tag, {})[event.condition] = _Active(level, at, _code(tag))
        quality = event.quality if event.enabled else DISABLED
        told: list[tuple[str, Value]] = [("", self._level(tag) if event.enabled else None)]
        told += [(_PARTS[0], event.acked)] if event.acked is not None else []
        told += [(_PARTS[1], event.severity), (_PARTS[2], event.message)]
        readings = [self._reading(f"{tag}{part}", at, value, time_of, quality) for part, value in told]
        return [*readings, *self._changed(at, time_of)]

    def _take_out(self, tag: str, condition: ua.NodeId | None) -> None:
        self._unsure.discard((tag, condition))
        conditions = self._active.get(tag, {})
        conditions.pop(condition, None)
        if not conditions:
            self._active.pop(tag, None)

    def _drop_unsure(self) -> list[str]:
        over = list(dict.fromkeys(tag for tag, _ in sorted(self._unsure, key=str)))
        for tag, condition in list(self._unsure):
            self._take_out(tag, condition)
        return over

    def _level(self, tag: str) -> str:
        worst = max(self._active.get(tag, {}).values(), key=lambda one: one.rank, default=None)
        return LEVELS[0] if worst is None else worst.level

    def _changed(self, at: int, time_of: TimeOf) -> list[Reading]:
        """The worst that is active, the latest of several, where it is another one: an alarm that is told anew, out of the
        order of time, says nothing of the others."""
        active = (one for conditions in self._active.values() for one in conditions.values())
        worst = max(active, key=lambda one: one.rank, default=None)
        value = LEVELS[0] if worst is None else f"{worst.level} {worst.code}"
        if value == self._worst.value:
            return []
        self._worst = Safe(max(at, self._worst.at), value, GOOD)
        return [self._reading(WORST, self._worst.at, value, time_of, GOOD)]

    def _reading(self, tag: str, at: int, value: Value, time_of: TimeOf, quality: int) -> Reading:
        return Reading(self.path, Sample(tag, at, value, quality), time_of)


def _code(tag: str) -> str:
    """What names an alarm among those of its machine: its source and its own name."""
    return tag.removeprefix(f"{WORST}.")


def _was_active(tag: str, safe: Safe) -> bool:
    return tag.startswith(f"{WORST}.") and not tag.endswith(_PARTS) and safe.value in LEVELS[1:]
