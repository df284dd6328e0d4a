"""KPI definitions of a plant folder: the enterprise's own, and what its sites add. Works on what was written.

An enterprise definition binds all sites; a site may only add.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from topology.document import Where
from topology.kpi.check import Fault, changed_as_shipped, faults, site_faults
from topology.kpi.definition import Definition, KpiFormula, KpiId, shipped
from topology.model.plant import Plant
from topology.nearest import hint

_LABEL = re.compile(r"([^@]+)@([0-9]{1,9})")
_ADDED: TypeAdapter[dict[str, KpiFormula]] = TypeAdapter(dict[KpiId, KpiFormula])


def own(merged: Mapping[str, Any]) -> dict[str, Definition]:
    """Label → those of the plant's own definitions that can be read."""
    return {label: read for label, read in _read(merged) if isinstance(read, Definition)}


def definitions(plant: Plant) -> dict[str, Definition]:
    """Label → every definition there is for a plant: those that are shipped, and its own."""
    return _with_shipped(own({"kpi_definitions": plant.kpi_definitions}))


def known_definition(plant: Plant, label: str) -> Definition:
    """The definition of a label, shipped or the plant's own. Raises `LookupError` that names the nearest."""
    return look_up(definitions(plant), label)


def look_up(known: Mapping[str, Definition], label: str) -> Definition:
    """The definition of a label. Raises `LookupError` that names the nearest."""
    if label not in known:
        raise LookupError(f"KPI definition {label!r} is not known; {hint(label, known)}")
    return known[label]


def selected(plant: Plant) -> Definition:
    """The definition that binds all sites. Raises `LookupError` that names the nearest."""
    return known_definition(plant, plant.kpi.definition)


def invalid(merged: Mapping[str, Any]) -> list[tuple[str, ValidationError]]:
    """Label and error of those that cannot."""
    return [(label, error) for label, error in _read(merged) if isinstance(error, ValidationError)]


def plant_faults(merged: Mapping[str, Any], stands: Callable[[Where], str]) -> Iterator[Fault]:
    """Everything wrong with KPIs in a plant; `stands` says in which file and line a place is."""
    written = own(merged)
    for label, _ in _entries(merged.get("kpi_definitions")):
        if _LABEL.fullmatch(str(label)) is None:
            yield ("kpi_definitions", label), "a key name@version is expected, e.g. acme@1"
    for label, definition in written.items():
        top = ("kpi_definitions", label)
        if label != definition.label:
            yield top, f"a key name@version is expected, e.g. {definition.label}"
        if changed_as_shipped(definition):
            yield top, f"{label} is shipped with other content; give a changed definition a name or version of its own"
        for where, words in faults(definition):
            yield (*top, *where), words
    kpi = merged.get("kpi")
    label = kpi.get("definition", "iso22400@1") if isinstance(kpi, dict) else "iso22400@1"
    place = ("kpi", "definition")
    known = _with_shipped(written)
    if not isinstance(label, str):
        return
    if label not in known:
        if label not in dict(_entries(merged.get("kpi_definitions"))):
            yield place, f"{label!r} is not known; {hint(label, known)}"
        return
    yield from _of_sites(merged, known[label], stands)


def _of_sites(merged: Mapping[str, Any], definition: Definition, stands: Callable[[Where], str]) -> Iterator[Fault]:
    namespace = merged.get("namespace")
    for site, model in _entries(namespace.get("sites") if isinstance(namespace, dict) else None):
        written = model.get("kpis") if isinstance(model, dict) else None
        if not isinstance(written, dict) or not written:
            continue
        top: Where = ("namespace", "sites", site, "kpis")
        for name in written:
            if name in definition.kpis:
                at = f"at {stands(('kpi_definitions', definition.label, 'kpis', name))}"
                by = "in a definition that is shipped" if definition.label in shipped() else at
                yield (*top, name), f"{definition.label} defines it {by} for all sites; a site may only add"
        try:
            added = _ADDED.validate_python(written)
        except ValidationError:
            continue  # the model says what is wrong with it
        for where, words in site_faults(definition, added):
            yield (*top, *where), words


def _with_shipped(written: Mapping[str, Definition]) -> dict[str, Definition]:
    return {**shipped(), **written}


def _read(merged: Mapping[str, Any]) -> Iterator[tuple[str, Definition | ValidationError]]:
    for label, written in _entries(merged.get("kpi_definitions")):
        if not isinstance(written, dict) or (parts := _LABEL.fullmatch(str(label))) is None:
            continue
        try:
            # Name and version stand in the key; a copy of a shipped file says them again.
            named = {"name": parts[1], "version": int(parts[2])}
            yield str(label), Definition.model_validate({**named, **written})
        except ValidationError as error:
            yield str(label), error


def _entries(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
