"""The documents of a plant folder as one model, and where each part of it stands. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from topology.document import Document, Problem, Where
from topology.model.plant import Plant

SHARED = ("namespace", "types", "shifts", "connectors", "sinks", "kpi_definitions", "quality_models", "pilot")
"""Top-level keys that several files may add to; to `namespace` down to the cells, so that a site can have its own file."""
_CELLS = len(("namespace", "sites", "site", "areas", "area", "lines", "line", "cells"))


def dotted(where: Where) -> str:
    """A place as people read it: `types.filler.tags.State`."""
    return ".".join(map(str, where))


@dataclass(frozen=True)
class Sources:
    """Where each part of a merged model stands."""

    documents: tuple[Document, ...]
    owner: Mapping[Where, Document]

    def problem(self, where: Where, message: str, warning: bool = False) -> Problem:
        """A problem at a place of the merged model, or at the nearest written place around it."""
        document = self._document(where)
        return Problem(document.file, document.line(where), message, dotted(where), warning)

    def stands(self, where: Where) -> str:
        """file:line of a place."""
        document = self._document(where)
        return f"{document.file}:{document.line(where)}"

    def wrote(self, where: Where) -> bool:
        """Whether a place is written, and not a default or inherited."""
        return where in self._document(where).lines

    def written(self, where: Where) -> Where:
        """The place without the parts that pydantic adds to its end (`[key]`, branches of a union)."""
        lines = self._document(where).lines
        while where and where not in lines:
            where = where[:-1]
        return where

    def _document(self, where: Where) -> Document:
        for depth in range(len(where), 0, -1):
            if (document := self.owner.get(where[:depth])) is not None:
                return document
        return self.documents[0]


def merge(documents: Sequence[Document], problems: list[Problem]) -> tuple[dict[str, Any], Sources]:
    """One mapping of all documents; what two of them define is added to `problems`."""
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
    """Adds a value to a mapping, or its entries one by one where several files may add to it."""
    if _is_shared(where) and value is None and len(where) == 1:
        value = {}  # a heading whose entries are all commented out
    if _is_shared(where) and isinstance(value, dict) and isinstance(target.get(name, {}), dict):
        owner.setdefault(where, document)
        inner = target.setdefault(name, {})
        for key, part in value.items():
            _take(inner, key, part, (*where, key), document, owner, problems)
        return
    if name in target:
        first = owner[where]
        message = f"{dotted(where)} is defined at {first.file}:{first.line(where)} already; one of them must go"
        problems.append(Problem(document.file, document.line(where), message, dotted(where)))
        return
    target[name] = value
    owner[where] = document
