"""What is wrong with the pilots of a plant: places, KPIs and elements that are not there. Pure."""

from collections.abc import Iterator, Mapping

from topology.document import Where
from topology.kpi.check import Fault
from topology.kpi.definition import Definition, KpiFormula
from topology.model.pilot import DOWN, Target
from topology.model.plant import Plant
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from topology.nearest import hint


def pilot_faults(plant: Plant, definitions: Mapping[str, Definition]) -> Iterator[Fault]:
    """Each at its place in the model."""
    places = {cell.at(level) for cell in plant.cells() for level in Level}
    added = {name: kpi for site in plant.namespace.sites.values() for name, kpi in site.kpis.items()}
    for name, pilot in plant.pilot.items():
        if not any(map(Filter.parse(pilot.filter).matches, places)):
            yield ("pilot", name, "filter"), f"{pilot.filter!r} names no place of the plant"
        label = pilot.definition or plant.kpi.definition
        if label not in definitions:
            yield ("pilot", name, "definition"), f"{label!r} is not known; {hint(label, definitions)}"
            continue
        for number, target in enumerate(pilot.targets):
            yield from _of_target(target, definitions[label], added, ("pilot", name, "targets", number))


def _of_target(
    target: Target, definition: Definition, added: Mapping[str, KpiFormula], where: Where
) -> Iterator[Fault]:
    kpis = {**definition.kpis, **added}
    if target.kpi is not None and target.kpi not in kpis:
        yield (*where, "kpi"), f"{definition.label} has no KPI {target.kpi!r}; {hint(target.kpi, kpis)}"
    elif target.kpi is not None and target.better is None and kpis[target.kpi].trend == "none":
        yield where, f"{target.kpi} has no trend; say which direction is better: higher or lower"
    down = (target.elements or DOWN) if target.measure == "unplanned_downtime" else ()
    if strangers := [element for element in down if element not in definition.elements]:
        there = ", ".join(definition.elements)
        yield where, f"{definition.label} has no {', '.join(strangers)}; give `elements` that count as down, of {there}"
