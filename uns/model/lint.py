"""The plant model checked with everything that is installed: topology's own rules, then each component's options."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.base import ConnectorSpec
from sinks.base import SinkSpec
from topology.document import Problem, Where
from topology.model.loader import PlantError, Sources, explain, load_with_sources
from topology.model.plant import Plant
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from topology.namespace.path import Path as PlantPath
from uns.errors import UserError
from uns.model.components import UnknownComponent, connector_spec, sink_spec


def check(folder: Path, environ: Mapping[str, str]) -> tuple[list[Problem], Plant | None]:
    """Every problem, in order of file and line; the model too where it could be built."""
    try:
        plant, sources = load_with_sources(folder, environ)
    except PlantError as error:
        return list(error.problems), None
    problems = []
    for name, connector in plant.connectors.items():
        where: Where = ("connectors", name)
        try:
            spec = connector_spec(connector.protocol)
        except UnknownComponent as unknown:
            problems.append(sources.problem((*where, "protocol"), str(unknown)))
            continue
        config, found = _validated(spec.config, connector.config, (*where, "config"), sources)
        problems += found
        if config is not None:
            problems += [
                sources.problem(_place(connector.config, str(path), (*where, "config")), _stranger(path, plant))
                for path in spec.paths(config)
                if not _known(path, plant)
            ]
    for name, sink in plant.sinks.items():
        where = ("sinks", name)
        try:
            problems += _validated(sink_spec(sink.kind).config, sink.config, (*where, "config"), sources)[1]
        except UnknownComponent as unknown:
            problems.append(sources.problem((*where, "kind"), str(unknown)))
        problems += _barren(sink.subscribe.filter, (*where, "subscribe", "filter"), plant, sources)
    for number, access in enumerate(plant.access):
        problems += _barren(access.filter, ("access", number, "filter"), plant, sources)
    return sorted(problems), plant


def _barren(text: str, where: Where, plant: Plant, sources: Sources) -> list[Problem]:
    wanted = Filter.parse(text)
    paths = {cell.at(level) for cell in plant.cells() for level in Level} | set(plant.places())
    if any(wanted.matches(path) for path in paths):
        return []
    return [sources.problem(where, f"{'.'.join(map(str, where))}: {text!r} matches no path of this plant")]


def _place(value: Any, text: str, where: Where) -> Where:
    """Where a text stands inside a component's options; `where` itself when it is not written there as it is."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if part == text:
            return (*where, key)
        if (found := _place(part, text, (*where, key))) != (*where, key):
            return found
    return where


def check_connector(plant: Plant, name: str) -> None:
    """Raises `UserError` when a connector's own options are wrong. For a process about to run it."""
    model = plant.connectors[name]
    _check_one(f"connectors.{name}", lambda: connector_spec(model.protocol), model.config)


def check_sink(plant: Plant, name: str) -> None:
    """Raises `UserError` when a sink's own options are wrong. For a process about to run it."""
    model = plant.sinks[name]
    _check_one(f"sinks.{name}", lambda: sink_spec(model.kind), model.config)


def _check_one(where: str, spec: Callable[[], ConnectorSpec[Any] | SinkSpec[Any]], config: Mapping[str, Any]) -> None:
    try:
        spec().config.model_validate(dict(config))
    except UnknownComponent as error:
        raise UserError(f"{where}: {error}") from error
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UserError(f"{where}.config: {details}; `uns lint` names file and line") from error


def _validated(
    model: type[BaseModel], config: Mapping[str, Any], where: Where, sources: Sources
) -> tuple[Any | None, list[Problem]]:
    try:
        return model.model_validate(dict(config)), []
    except ValidationError as error:
        return None, list(explain(error, where, sources, model))


def _known(path: PlantPath, plant: Plant) -> bool:
    if path.level is Level.CELL:
        return path in plant.cells()
    return any(path.contains(cell) for cell in plant.cells())


def _stranger(path: PlantPath, plant: Plant) -> str:
    known = sorted({str(cell.at(path.level)) for cell in plant.cells()})
    near = difflib.get_close_matches(str(path), known, 1)
    return f"{path} is not in the namespace; " + (f"did you mean {near[0]}?" if near else "add it, or correct the path")
