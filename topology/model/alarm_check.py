"""What is wrong with the alarm rules of a plant: tags, KPIs, units and names that do not fit. Pure."""

from collections.abc import Iterator, Mapping

from topology.document import Where
from topology.kpi.check import Fault
from topology.kpi.definition import Definition
from topology.model.alarms import AlarmRule, CountRule, DeviationRule, KpiRule, LimitRule, RateRule, StateRule
from topology.model.equipment import EquipmentType
from topology.model.kpis import selected
from topology.model.plant import Plant
from topology.model.tags import CharacteristicTag, EnergyTag
from topology.nearest import hint, misspelt


def alarm_faults(plant: Plant) -> Iterator[Fault]:
    """Each at its place in the model."""
    definition = selected(plant)
    for name, equipment in plant.types.items():
        for alarm, rule in equipment.alarms.items():
            where: Where = ("types", name, "alarms", alarm)
            yield from _of_rule(rule, equipment, f"type {name}", _kpis(plant, definition), definition, where)
    for site, sites in plant.namespace.sites.items():
        for area, areas in sites.areas.items():
            for line, lines in areas.lines.items():
                for cell, unit in lines.cells.items():
                    top = ("namespace", "sites", site, "areas", area, "lines", line, "cells", cell, "alarms")
                    equipment = plant.types[unit.type]
                    kpis = [*definition.kpis, *sites.kpis]
                    for alarm, own in unit.alarms.items():
                        if own is None and alarm not in equipment.alarms:
                            words = (
                                f"type {unit.type} has no alarm {alarm!r} to take away; {hint(alarm, equipment.alarms)}"
                            )
                            yield (*top, alarm), words
                        elif own is not None:
                            yield from _of_rule(own, equipment, f"type {unit.type}", kpis, definition, (*top, alarm))


def _kpis(plant: Plant, definition: Definition) -> list[str]:
    """What machines of a type may have: KPIs that a site adds among them."""
    return [*definition.kpis, *(name for site in plant.namespace.sites.values() for name in site.kpis)]


def _of_rule(
    rule: AlarmRule, equipment: EquipmentType, of: str, kpis: list[str], definition: Definition, where: Where
) -> Iterator[Fault]:
    """A tag that no type names is carried on, and may have an alarm; another spelling of one that it names is a slip."""
    for field in ("tag", "setpoint"):
        tag = getattr(rule, field, None)
        if tag is not None and (meant := misspelt(tag, equipment.tags)) is not None:
            yield (*where, field), f"{of} has no tag {tag!r}; did you mean {meant!r}?"
    if isinstance(rule, LimitRule | DeviationRule | RateRule):
        yield from _of_unit(rule, equipment.tags, where)
    if isinstance(rule, KpiRule) and rule.kpi not in kpis:
        yield (*where, "kpi"), f"{definition.label} has no KPI {rule.kpi!r}; {hint(rule.kpi, kpis)}"
    if isinstance(rule, StateRule) or (isinstance(rule, CountRule) and rule.states):
        if equipment.tag("state") is None:
            yield (*where, "states"), f"{of} has no tag of role state: nothing says which state its machines are in"
        elif both := sorted(set(rule.states) & set(rule.suppress_states)):
            yield (*where, "suppress_states"), f"it is about {', '.join(both)}, where it is suppressed: it never sounds"
    if rule.suppress_states and equipment.tag("state") is None:
        yield (*where, "suppress_states"), f"{of} has no tag of role state: it would never be suppressed"
    if rule.suppress_modes and equipment.tag("mode") is None:
        yield (*where, "suppress_modes"), f"{of} has no tag of role mode: it would never be suppressed"


def _of_unit(rule: LimitRule | DeviationRule | RateRule, tags: Mapping[str, object], where: Where) -> Iterator[Fault]:
    spec = tags.get(rule.tag)
    unit = spec.unit if isinstance(spec, CharacteristicTag | EnergyTag) else None
    if rule.unit is not None and unit is not None and rule.unit != unit:
        yield (*where, "unit"), f"the rule is in {rule.unit}, the tag {rule.tag} in {unit}; give the numbers in {unit}"
    aim = tags.get(rule.setpoint) if isinstance(rule, DeviationRule) else None
    other = aim.unit if isinstance(aim, CharacteristicTag | EnergyTag) else None
    if unit is not None and other is not None and unit != other:
        yield (*where, "setpoint"), f"{rule.tag} is in {unit}, its set point in {other}"
