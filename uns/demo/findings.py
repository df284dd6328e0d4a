"""What was announced of the plant's faults: how soon, what was missed, and what was said without a cause. Pure."""

from typing import Any

from processors.alarms.performance import CHATTER, FLOOD_ABOVE, performance
from schemas.records import Alert, Condition, Derived
from topology.namespace.classes import MessageClass
from uns.demo.evidence import Evidence
from uns.demo.plant.truth import Fault, Truth
from uns.reports.alarms import annunciations

MINUTE_US = 60_000_000
TAIL_US = 2 * MINUTE_US
"""At the end all machines fall silent, which is true and no fault."""
SLACK_US = 2 * MINUTE_US
"""What was wrong is so for a moment after its end."""


def findings(namespace: Evidence, truth: Truth) -> dict[str, Any]:
    """Each fault with the time at which it was said; what had to be said in the run and was not; false alarms by machine."""
    alerts = [of for of in namespace.of(MessageClass.ALERT) if isinstance(of, Alert) and not of.withdrawn]
    conditions = [of for of in namespace.of(MessageClass.CONDITION) if isinstance(of, Condition) and not of.withdrawn]
    told = []
    for fault in truth.faults:
        found_at = _found_at(fault, namespace, alerts, truth)
        told.append(
            {
                "fault": fault.name,
                "path": fault.path,
                "found_after_min": _minutes(found_at, fault.started_at),
                "lead_h": _lead_h(fault, found_at),
                "missed": fault.due_at <= truth.end_us and (found_at is None or found_at > fault.due_at),
            }
        )
    told_of: list[Alert | Condition] = [*alerts, *conditions]
    false = sorted(f"{of.path} {_name(of)}" for of in told_of if not _explained(of, truth))
    return {"faults": told, "false_alarms": false}


def _found_at(fault: Fault, namespace: Evidence, alerts: list[Alert], truth: Truth) -> int | None:
    """When (µs) somebody was told of it first."""
    match fault.name:
        case "bearing":
            return min(
                (
                    of.evidence_to or of.started_at
                    for of in namespace.derived.values()
                    if isinstance(of, Condition) and of.state == "raised" and _about(of, fault)
                ),
                default=None,
            )
        case "flood":
            return _flooded_at(fault, alerts, truth)
        case "chatter":
            figures = performance(annunciations(alerts), truth.start_us, truth.end_us)
            if not any(of.path == fault.path for of in figures.chattering):
                return None
            return _nth_at(CHATTER, fault.started_at, [of for of in alerts if of.path == fault.path])
        case "lot":
            hours = [of for of in alerts if of.path == fault.path and of.kind == "kpi"]
            return min((of.started_at for of in hours if of.started_at >= fault.started_at), default=None)
        case _:
            return min((of.started_at for of in alerts if _about(of, fault)), default=None)


def _flooded_at(fault: Fault, alerts: list[Alert], truth: Truth) -> int | None:
    """When there were more alarms in ten minutes than one operator can take in."""
    figures = performance(annunciations(alerts), truth.start_us, truth.end_us)
    if not any(of.ended_at is None or of.ended_at > fault.started_at for of in figures.floods):
        return None
    return _nth_at(FLOOD_ABOVE + 1, fault.started_at, alerts)


def _nth_at(n: int, since: int, alerts: list[Alert]) -> int | None:
    times = sorted(of.started_at for of in alerts if of.started_at >= since)
    return times[n - 1] if len(times) >= n else None


def _about(record: Alert | Condition, fault: Fault) -> bool:
    return (record.path, record.subject) == (fault.path, fault.subject) and _meets(record, fault)


def _meets(record: Derived, fault: Fault) -> bool:
    """Whether a record is of the time in which a fault showed."""
    lasts = fault.ended_at is None or record.started_at <= fault.ended_at + SLACK_US + (fault.due_at - fault.started_at)
    return lasts and (record.ended_at is None or record.ended_at >= fault.started_at)


def _minutes(at: int | None, since: int) -> float | None:
    return None if at is None else round((at - since) / MINUTE_US, 1)


def _lead_h(fault: Fault, found_at: int | None) -> float | None:
    """Hours from the announcement to the failure, of what fails at a time."""
    if fault.fails_at is None or found_at is None:
        return None
    return round((fault.fails_at - found_at) / (60 * MINUTE_US), 1)


def _name(record: Alert | Condition) -> str:
    return f"{record.subject}: {record.alarm or record.kind}" if isinstance(record, Alert) else record.name


def _explained(record: Alert | Condition, truth: Truth) -> bool:
    """Whether something happened that it tells of."""
    if record.started_at >= truth.end_us - TAIL_US:
        return True
    places = [(place, begin, end) for place, begin, end in (*truth.breakdowns, *truth.silences)]
    places += [(place, begin, None) for place, _, begin in truth.drifts]
    return any(
        place == record.path
        and (end is None or record.started_at <= end + SLACK_US)
        and (record.ended_at is None or record.ended_at >= begin)
        for place, begin, end in places
    ) or any(
        record.path in (fault.path, *(path for path in truth.machines if path.startswith(f"{fault.path}/")))
        and _meets(record, fault)
        for fault in truth.faults
    )


def sentence(told: dict[str, Any]) -> str:
    """One fault, for people."""
    place = "/".join(told["path"].split("/")[1:])
    if told["missed"]:
        return f"{told['fault']} at {place} was missed"
    if told["found_after_min"] is None:
        return f"{told['fault']} at {place}: too early to say"
    if told["lead_h"] is not None:
        return f"{told['fault']} at {place} announced {told['lead_h']:g} h before it fails"
    return f"{told['fault']} at {place} found after {told['found_after_min']:g} min"
