"""A plant folder to a `Plant`: every problem at once, each with its file, its line and what to do."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from topology.document import Document, Problem, Where, read
from topology.kpi.check import changed_as_shipped, faults
from topology.kpi.definition import Definition, shipped
from topology.model.kpis import invalid, own, plant_faults
from topology.model.pilot_check import pilot_faults
from topology.model.plant import Plant
from topology.namespace.path import Level

SHARED = ("namespace", "types", "shifts", "connectors", "sinks", "kpi_definitions", "pilot")
"""Top-level keys that several files may add to; to `namespace` down to the cells, so that a site can have its own file."""
_CELLS = len(("namespace", "sites", "site", "areas", "area", "lines", "line", "cells"))


class PlantError(ValueError):
    """The plant model cannot be used; `problems` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Sources:
    """Where each part of a merged model stands."""

    documents: tuple[Document, ...]
    owner: Mapping[Where, Document]

    def problem(self, where: Where, message: str) -> Problem:
        """A problem at a place of the merged model, or at the nearest written place around it."""
        document = self._document(where)
        return Problem(document.file, document.line(where), message, ".".join(map(str, where)))

    def written(self, where: Where) -> Where:
        """The place without the parts that pydantic adds to it (`[key]`, branches of a union)."""
        lines = self._document(where).lines
        while where and where not in lines:
            where = where[:-1]
        return where

    def _document(self, where: Where) -> Document:
        for depth in range(len(where), 0, -1):
            if (document := self.owner.get(where[:depth])) is not None:
                return document
        return self.documents[0]


def load(folder: FilePath, environ: Mapping[str, str]) -> Plant:
    """Reads every `*.yaml` of a folder (or one file). Raises `PlantError`."""
    return load_with_sources(folder, environ)[0]


def load_definitions(folder: FilePath, environ: Mapping[str, str]) -> tuple[dict[str, Definition], Sources]:
    """Label → the plant's own KPI definitions that can be read, whatever else is wrong. Raises `PlantError`: no YAML."""
    problems: list[Problem] = []
    documents = _documents(folder, environ)
    merged, sources = _merge(documents, problems)
    if unreadable := [problem for document in documents for problem in document.problems]:
        raise PlantError(sorted(unreadable))
    return own(merged), sources


def load_with_sources(folder: FilePath, environ: Mapping[str, str]) -> tuple[Plant, Sources]:
    """Also says where things stand, for checks that need more than the model, such as a connector's own options."""
    return build(_documents(folder, environ))


def _documents(folder: FilePath, environ: Mapping[str, str]) -> list[Document]:
    files = [folder] if folder.is_file() else sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    if not files:
        raise PlantError(
            [Problem(str(folder), 1, "no plant model: no *.yaml file is here; `uns init` writes one to begin with")]
        )
    return [_read_file(file, environ) for file in files]


def _read_file(file: FilePath, environ: Mapping[str, str]) -> Document:
    try:
        return read(str(file), file.read_text(encoding="utf-8"), environ)
    except UnicodeDecodeError:
        return Document(str(file), problems=[Problem(str(file), 1, "not UTF-8 text; save it as UTF-8")])
    except OSError as error:
        return Document(str(file), problems=[Problem(str(file), 1, f"cannot be read: {error.strerror}")])


def build_definition(document: Document) -> Definition:
    """The KPI definition that a file of its own holds. Raises `PlantError`."""
    sources = Sources((document,), {})
    if document.problems:
        raise PlantError(sorted(document.problems))
    try:
        found = Definition.model_validate(document.value)
    except ValidationError as error:
        raise PlantError(sorted(set(explain(error, (), sources, Definition)))) from None
    wrong = [sources.problem(where, f"{'.'.join(map(str, where))}: {words}") for where, words in faults(found)]
    if changed_as_shipped(found):
        words = f"{found.label} is shipped with other content; give a changed definition a name or version of its own"
        wrong.append(sources.problem(("version",), words))
    if wrong:
        raise PlantError(sorted(wrong))
    return found


def build(documents: Sequence[Document]) -> tuple[Plant, Sources]:
    """The model of several documents. Raises `PlantError`."""
    problems = [problem for document in documents for problem in document.problems]
    merged, sources = _merge(documents, problems)
    if problems:
        raise PlantError(sorted(problems))
    try:
        plant = Plant.model_validate(merged)
    except ValidationError as error:
        problems = list(explain(error, (), sources, Plant))
        problems += _references(merged, sources)
        raise PlantError(sorted(set(problems))) from None
    if problems := _references(merged, sources) or [
        *_calendars(plant, sources),
        *_bottlenecks(plant, sources),
        *_pilots(plant, merged, sources),
    ]:
        raise PlantError(sorted(problems))
    return plant, sources


def _merge(documents: Sequence[Document], problems: list[Problem]) -> tuple[dict[str, Any], Sources]:
    merged: dict[str, Any] = {}
    owner: dict[Where, Document] = {}
    for document in documents:
        if document.value is None:
            continue
        if not isinstance(document.value, dict):
            problems.append(Problem(document.file, 1, f"a mapping with {', '.join(Plant.model_fields)} is expected"))
            continue
        for key, value in document.value.items():
            _take(merged, key, value, (key,), document, owner, problems)
    return merged, Sources(tuple(documents), owner)


def _is_shared(where: Where) -> bool:
    return where[0] in SHARED and len(where) <= (_CELLS if where[0] == "namespace" else 1)


def _take(
    target: dict[Any, Any],
    name: Any,
    value: Any,
    where: Where,
    document: Document,
    owner: dict[Where, Document],
    problems: list[Problem],
) -> None:
    if _is_shared(where) and value is None and len(where) == 1:
        value = {}  # a heading whose entries are all commented out
    if _is_shared(where) and isinstance(value, dict) and isinstance(target.get(name, {}), dict):
        owner.setdefault(where, document)
        inner = target.setdefault(name, {})
        for key, part in value.items():
            _take(inner, key, part, (*where, key), document, owner, problems)
        return
    if name in target:
        first, dotted = owner[where], ".".join(map(str, where))
        message = f"{dotted} is defined at {first.file}:{first.line(where)} already; one of them must go"
        problems.append(Problem(document.file, document.line(where), message, dotted))
        return
    target[name] = value
    owner[where] = document


def explain(error: ValidationError, prefix: Where, sources: Sources, model: type[BaseModel]) -> Iterator[Problem]:
    """pydantic's errors in our words, at the line where each stands; `prefix` is where the validated part begins.

    The words never repeat the value: it may be a secret from the environment.
    """
    branches: dict[Where, list[str]] = {}
    errors = error.errors()
    for one in errors:
        if one["type"] == "too_short" and any(_is_inside(other["loc"], one["loc"]) for other in errors):
            continue  # too short because of the entries that are wrong
        where: Where = (*prefix, *one["loc"])
        dotted = ".".join(map(str, where))
        if one["type"] == "missing":
            yield sources.problem(where, f"{dotted} is missing")
        elif one["type"] == "extra_forbidden":
            known = _keys_beside(where[len(prefix) :], model)
            hint = f"; {_nearest(where[-1], known)}" if known else ""
            yield sources.problem(where, f"unknown key {dotted}{hint}")
        else:
            # Each branch of a union has its say about one place: they are one problem.
            said = branches.setdefault(sources.written(where), [])
            if (words := _words(one)) not in said:
                said.append(words)
    for where, said in branches.items():
        yield sources.problem(where, f"{'.'.join(map(str, where))}: {', or '.join(said)}")


def _is_inside(inner: Where, outer: Where) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


_EXPECTED = {
    "string_type": "text is expected; put quotes around it",
    "int_parsing": "a whole number is expected",
    "int_type": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_parsing": "a number is expected",
    "float_type": "a number is expected",
    "bool_parsing": "true or false is expected",
    "bool_type": "true or false is expected",
    "dict_type": "a mapping (key: value) is expected",
    "model_type": "a mapping (key: value) is expected",
    "list_type": "a list is expected",
    "tuple_type": "a list is expected",
}


def _words(one: ErrorDetails) -> str:
    if one["type"] in _EXPECTED:
        return _EXPECTED[one["type"]]
    if one["type"] in ("literal_error", "enum"):
        known = re.findall("'([^']*)'", one["ctx"]["expected"])
        return f"not known; {_nearest(one['input'], known)}"
    return re.sub(r"^\w+ should", "must", one["msg"].removeprefix("Value error, "))


def _nearest(name: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"


def _keys_beside(where: Where, model: type[BaseModel]) -> list[str]:
    """The keys that are possible where an unknown one stands, as far as the models tell."""
    current: Any = model
    for part in where[:-1]:
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            current = _inner(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field is not None else current
        # else: a key or index inside a mapping or list, whose values are the model that `_inner` has found
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        current = _inner(current)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _inner(annotation: Any) -> Any:
    for part in getattr(annotation, "__args__", ()):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        if (found := _inner(part)) is not None:
            return found
    return None


def _references(merged: Mapping[str, Any], sources: Sources) -> list[Problem]:
    """Names that point at other parts of the model. Works on what was written, so that it runs beside other problems."""
    problems = []
    types = merged.get("types")
    known = list(types) if isinstance(types, dict) else []
    for where, cell in _cells(merged.get("namespace")):
        name = cell.get("type") if isinstance(cell, dict) else cell
        if isinstance(name, str) and name not in known:
            message = f"{'.'.join(map(str, where))}: equipment type {name!r} is not defined; {_nearest(name, known)}"
            problems.append(sources.problem(where, message))
    problems += [
        sources.problem(where, f"{'.'.join(map(str, where))}: {words}")
        for where, words in plant_faults(merged, lambda where: _stands(where, sources))
    ]
    for label, error in invalid(merged):
        problems += explain(error, ("kpi_definitions", label), sources, Definition)
    return problems


def _calendars(plant: Plant, sources: Sources) -> list[Problem]:
    """A line has one calendar at most, and a calendar at least one line."""
    problems, used = [], set()
    for line in dict.fromkeys(path.at(Level.LINE) for path in plant.cells()):
        names = plant.calendars_of(line)
        used.update(names)
        if len(names) > 1:
            message = f"{line} is in the calendars {' and '.join(names)}; narrow a filter: a line has one"
            problems.append(sources.problem(("shifts", names[1], "filter"), message))
    for name in plant.shifts.keys() - used:
        text = plant.shifts[name].filter
        message = f"shifts.{name}.filter: {text!r} names no line; a filter over lines looks like acme/dallas/#"
        problems.append(sources.problem(("shifts", name, "filter"), message))
    return problems


def _bottlenecks(plant: Plant, sources: Sources) -> Iterator[Problem]:
    """A line whose numbers are its bottleneck's needs one that counts."""
    for site, areas in plant.namespace.sites.items():
        for area, lines in areas.areas.items():
            for name, line in lines.lines.items():
                if line.kpi_rule != "bottleneck" or line.bottleneck is None:
                    continue
                if plant.types[line.cells[line.bottleneck].type].tag("good_count") is None:
                    where = ("namespace", "sites", site, "areas", area, "lines", name, "bottleneck")
                    message = (
                        f"{'.'.join(where)}: {line.bottleneck} counts no pieces (its type has no tag of role good_count); "
                        "name one that does, or take kpi_rule end_of_line"
                    )
                    yield sources.problem(where, message)


def _pilots(plant: Plant, merged: Mapping[str, Any], sources: Sources) -> list[Problem]:
    return [
        sources.problem(where, f"{'.'.join(map(str, where))}: {words}")
        for where, words in pilot_faults(plant, {**shipped(), **own(merged)})
    ]


def _stands(where: Where, sources: Sources) -> str:
    problem = sources.problem(where, "")
    return f"{problem.file}:{problem.line}"


def _cells(namespace: Any) -> Iterable[tuple[Where, Any]]:
    for site, sites in _items(namespace, "sites"):
        for area, areas in _items(sites, "areas"):
            for line, lines in _items(areas, "lines"):
                for cell, model in _items(lines, "cells"):
                    yield ("namespace", "sites", site, "areas", area, "lines", line, "cells", cell), model


def _items(value: Any, key: str) -> list[tuple[Any, Any]]:
    part = value.get(key) if isinstance(value, dict) else None
    return list(part.items()) if isinstance(part, dict) else []
