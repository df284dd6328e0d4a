"""A plant folder to a `Plant`: every problem at once, each with its file, its line and what to do."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from topology.document import Document, Problem, Where, read
from topology.kpi import shipped
from topology.plant import Plant

MERGED = ("types", "connectors", "sinks")
"""Top-level keys that several files may add to."""


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
        """A problem at a place of the merged model. Parts that pydantic adds to a place (union branches) are passed over."""
        document = self.owner.get(where[:2]) or self.owner.get(where[:1]) or self.documents[0]
        return Problem(document.file, document.line(where), message)


def load(folder: FilePath, environ: Mapping[str, str]) -> Plant:
    """Reads every `*.yaml` of a folder (or one file). Raises `PlantError`."""
    return load_with_sources(folder, environ)[0]


def load_with_sources(folder: FilePath, environ: Mapping[str, str]) -> tuple[Plant, Sources]:
    """Also says where things stand, for checks that need more than the model, such as a connector's own options."""
    files = [folder] if folder.is_file() else sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    if not files:
        raise PlantError(
            [Problem(str(folder), 1, "no plant model: no *.yaml file is here; `uns init` writes one to begin with")]
        )
    return build([read(str(file), file.read_text(encoding="utf-8"), environ) for file in files])


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
    if problems := _references(merged, sources):
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
            if key in MERGED and isinstance(value, dict) and isinstance(merged.get(key, {}), dict):
                target = merged.setdefault(key, {})
                owner.setdefault((key,), document)
                for name, part in value.items():
                    _take(target, name, part, (key, name), document, owner, problems)
            else:
                _take(merged, key, value, (key,), document, owner, problems)
    return merged, Sources(tuple(documents), owner)


def _take(
    target: dict[Any, Any],
    name: Any,
    value: Any,
    where: Where,
    document: Document,
    owner: dict[Where, Document],
    problems: list[Problem],
) -> None:
    if (first := owner.get(where)) is not None and name in target:
        at = f"{first.file}:{first.line(where)}"
        problems.append(
            Problem(document.file, document.line(where), f"{'.'.join(map(str, where))} is defined at {at} already")
        )
        return
    target[name] = value
    owner[where] = document


def explain(error: ValidationError, prefix: Where, sources: Sources, model: type[BaseModel]) -> Iterator[Problem]:
    """pydantic's errors in our words, at the line where each stands; `prefix` is where the validated part begins."""
    for one in error.errors():
        where: Where = (*prefix, *one["loc"])
        dotted = ".".join(str(part) for part in where if part != "[key]")
        match one["type"]:
            case "extra_forbidden":
                name = str(where[-1])
                known = _keys_beside(where[len(prefix) :], model)
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
                message = f"unknown key {dotted}; {hint}" if known else f"unknown key {dotted}"
            case "missing":
                message = f"{dotted} is missing"
            case _:
                said = one["msg"].removeprefix("Value error, ")
                message = f"{dotted}: {said}"
        yield sources.problem(where, message)


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
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
            problems.append(
                sources.problem(
                    where, f"{'/'.join(map(str, where[-1:]))}: equipment type {name!r} is not defined; {hint}"
                )
            )
    kpi = merged.get("kpi")
    label = kpi.get("definition") if isinstance(kpi, dict) else None
    if isinstance(label, str) and label not in shipped():
        problems.append(
            sources.problem(
                ("kpi", "definition"), f"kpi.definition: {label!r} is not known; there are {', '.join(shipped())}"
            )
        )
    return problems


def _cells(namespace: Any) -> Iterable[tuple[Where, Any]]:
    for site, sites in _items(namespace, "sites"):
        for area, areas in _items(sites, "areas"):
            for line, lines in _items(areas, "lines"):
                for cell, model in _items(lines, "cells"):
                    yield ("namespace", "sites", site, "areas", area, "lines", line, "cells", cell), model


def _items(value: Any, key: str) -> list[tuple[Any, Any]]:
    part = value.get(key) if isinstance(value, dict) else None
    return list(part.items()) if isinstance(part, dict) else []
