"""The plant model checked with everything that is installed: topology's own rules, then each component's options."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.base import ConnectorSpec
from sinks.base import SinkSpec
from topology.document import Problem, Where
from topology.model.explain import explain
from topology.model.loader import PlantError, load_with_sources
from topology.model.plant import Plant
from topology.model.references import remarks
from topology.model.sources import Sources, dotted
from topology.namespace.filters import Filter
from topology.namespace.path import Level
from topology.namespace.path import Path as PlantPath
from topology.nearest import nearest
from uns.errors import UserError
from uns.model.components import UnknownComponent, connector_spec, sink_spec


def check(folder: Path, environ: Mapping[str, str]) -> tuple[list[Problem], Plant | None]:
    """Every problem, warnings too, in order of file and line; the model where it could be built."""
    try:
        plant, sources = load_with_sources(folder, environ)
    except PlantError as error:
        return list(error.problems), None
    problems, places = remarks(plant, sources), _Places(plant)
    for name, connector in plant.connectors.items():
        where: Where = ("connectors", name)
        try:
            spec = connector_spec(connector.protocol)
        except UnknownComponent as unknown:
            problems.append(sources.problem((*where, "protocol"), str(unknown)))
            continue
        config, wrong = _validated(spec.config, connector.config, (*where, "config"), sources)
        problems += wrong
        if config is not None:
            problems += [
                sources.problem(_place(connector.config, str(path), (*where, "config")), places.stranger(path))
                for path in spec.paths(config)
                if path not in places
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
    return [sources.problem(where, f"{dotted(where)}: {text!r} matches no path of this plant")]


def _place(value: Any, text: str, where: Where) -> Where:
    """Where a text stands inside a component's options; `where` itself when it is not written there as it is."""
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if part == text:
            return (*where, key)
        if (place := _place(part, text, (*where, key))) != (*where, key):
            return place
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
        details = "; ".join(f"{dotted(wrong['loc'])}: {wrong['msg']}" for wrong in error.errors())
        raise UserError(f"{where}.config: {details}; `uns lint` names file and line") from error


def _validated(
    model: type[BaseModel], config: Mapping[str, Any], where: Where, sources: Sources
) -> tuple[Any | None, list[Problem]]:
    try:
        return model.model_validate(dict(config)), []
    except ValidationError as error:
        return None, list(explain(error, where, sources, model))


class _Places:
    """The places of a plant, and what is nearest to a path that is none of them."""

    def __init__(self, plant: Plant) -> None:
        self._below: dict[tuple[str, ...], dict[str, None]] = {(): {}}
        for cell in plant.cells():
            for depth, segment in enumerate(cell.segments):
                self._below.setdefault(cell.segments[:depth], {})[segment] = None

    def __contains__(self, path: PlantPath) -> bool:
        return path.segments[-1] in self._below.get(path.segments[:-1], {})

    def stranger(self, path: PlantPath) -> str:
        """What is wrong with a path that is not there, and the path that it most likely stands for."""
        offer: tuple[str, ...] = ()
        for segment in path.segments:
            known = self._below.get(offer, {})
            close = segment if segment in known else nearest(segment, known)
            if close is None:
                return f"{path} is not in the namespace; add it, or correct the path"
            offer = (*offer, close)
        return f"{path} is not in the namespace; did you mean {'/'.join(offer)}?"
