"""What an operator reads of an alarm: what was seen, on which machine, and the limit that it is beyond."""

from processors.alarms.condition import Occurrence
from processors.cell.cell import Cell
from processors.derive.kpi import KIND as KPI
from schemas.records import Derived
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
from topology.model.tags import CharacteristicTag, EnergyTag

HOW = {"hihi": "very high", "hi": "high", "lo": "low", "lolo": "very low"}


def words(cell: Cell, alarm: Alarm, occurrence: Occurrence) -> str:
    """The message of its record."""
    if alarm.rule.message is not None:
        return f"{cell.path}: {alarm.rule.message}"
    return f"{cell.path} {_seen(cell, alarm, occurrence.value)}"


def _seen(cell: Cell, alarm: Alarm, value: float | None) -> str:
    rule, shown = alarm.rule, "?" if value is None else f"{value:.7g}"
    match rule:
        case LimitRule():
            unit = _unit(cell, rule.tag, rule.unit)
            return f"{rule.tag} is {HOW[alarm.level or 'hi']}: {shown}{unit}, the limit is {alarm.limit:.7g}{unit}"
        case DeviationRule():
            unit = _unit(cell, rule.tag, rule.unit)
            return f"{rule.tag} is {shown}{unit}, {rule.limit:.7g}{unit} or more away from {rule.setpoint}"
        case RateRule():
            unit = _unit(cell, rule.tag, rule.unit)
            return f"{rule.tag} changes by {shown}{unit} a minute; {rule.per_min:.7g}{unit} is the most that is usual"
        case StateRule():
            return f"is {' or '.join(rule.states)} for more than {_span(rule.longer_s)}"
        case CountRule():
            what = f"was {' or '.join(rule.states)}" if rule.tag is None else f"{rule.tag} reached {rule.reaches:.7g}"
            return f"{what} {rule.times} times within {_span(rule.window_s)}"
        case MissingRule():
            return f"{rule.tag} gives no good value for more than {_span(rule.after_s)}"
        case KpiRule():
            side = "below" if rule.below is not None else "above"
            return f"{rule.kpi} of the {rule.window} is {shown}, {side} its target of {alarm.limit:.7g}"


def cause(cell: Cell, alarm: Alarm, occurrence: Occurrence) -> str:
    """The natural id of the KPI record behind it, or the tag or states that it is about."""
    rule = alarm.rule
    if isinstance(rule, KpiRule):
        kind = f"{KPI}.{rule.window}"
        begun = cell.ledger.start_before(kind, occurrence.started_at)
        known: Derived | None = None if begun is None else cell.ledger.get(kind, begun)
        return cell.path if known is None else known.natural_id
    return f"{cell.path}: {', '.join(rule.tags) or 'state'}"


def _unit(cell: Cell, tag: str, own: str | None) -> str:
    spec = cell.type.tags.get(tag)
    unit = own or (spec.unit if isinstance(spec, CharacteristicTag | EnergyTag) else None)
    return f" {unit}" if unit else ""


def _span(seconds: float) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} s"
