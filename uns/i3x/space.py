"""The address space: places, machines, their tags and streams, as objects and what relates them. Pure.

It begins with the plant model, and grows by tags that are seen and that the model does not name.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from schemas.derived import DERIVED_TYPES
from topology.model.plant import Plant
from topology.namespace.path import Level, Path
from uns.i3x.types import (
    COMPONENT_OF,
    HAS_CHILDREN,
    HAS_COMPONENT,
    HAS_PARENT,
    OTHER_TAG,
    ObjectType,
    equipment_type,
    level_type,
    object_types,
    record_type,
    tag_type,
)

RECORD_OF: Mapping[str, str] = {kind.message_class: kind.__name__ for kind in DERIVED_TYPES}
STREAMS: Mapping[Level, tuple[str, ...]] = {
    Level.ENTERPRISE: ("kpi",),
    Level.SITE: ("kpi",),
    Level.AREA: ("kpi",),
    Level.LINE: ("kpi", "bottleneck"),
    Level.CELL: ("state", "production", "downtime", "oee", "kpi", "cycle", "changeover"),
}
"""Level → classes of which a place has a component: those whose newest record says how it is now."""
STREAM_CLASSES = tuple(dict.fromkeys(name for names in STREAMS.values() for name in names))
OTHER_TAGS_MAX = 10_000
"""Of one machine; a snapshot has no more (`other_tags_max`)."""
_READABLE = " /:.,;()[]+-_$@"


class Element(NamedTuple):
    """An object. `path`: its place; `tag` or `stream`: which of the place's components it is."""

    id: str
    name: str
    type_id: str
    parent: str | None
    path: str
    tag: str | None = None
    stream: str | None = None

    @property
    def is_component(self) -> bool:
        return self.tag is not None or self.stream is not None


def tag_id(path: str, tag: str) -> str:
    """Of a tag: its path, and its name with what no id may hold (blanks at an end, controls) in percent."""
    return f"{path}#{quote(tag, safe=_READABLE if tag == tag.strip() else '')}"


def stream_id(path: str, message_class: str) -> str:
    return f"{path}/{message_class}"


class Space:
    """Objects by id, in the order of the plant model. One thread at a time."""

    def __init__(self, plant: Plant) -> None:
        self.types: Mapping[str, ObjectType] = object_types(plant, tuple(RECORD_OF[name] for name in STREAM_CLASSES))
        self._elements: dict[str, Element] = {}
        self._below: dict[str, list[str]] = {}
        self._equipment: dict[str, str] = {str(path): name for path, name in plant.type_names.items()}
        for path in _places(plant):
            self._place(path)
            for tag in plant.cells()[path].tags if path.level is Level.CELL else ():
                self._tag(str(path), tag, tag_type(self._equipment[str(path)], tag))

    def _place(self, path: Path) -> None:
        text, parent = str(path), None if path.parent is None else str(path.parent)
        cell = path.level is Level.CELL
        type_id = equipment_type(self._equipment[text]) if cell else level_type(path.level)
        self._add(Element(text, path.segments[-1], type_id, parent, text))
        for name in STREAMS[path.level]:
            type_id = record_type(RECORD_OF[name])
            self._add(Element(stream_id(text, name), name, type_id, text, text, stream=name))

    def _tag(self, path: str, tag: str, type_id: str) -> Element:
        element = Element(tag_id(path, tag), tag or "(no name)", type_id, path, path, tag=tag)
        self._add(element)
        return element

    def _add(self, element: Element) -> None:
        self._elements[element.id] = element
        if element.parent is not None:
            self._below.setdefault(element.parent, []).append(element.id)

    def see(self, path: str, tags: Iterable[str]) -> None:
        """A machine has these tags: those that are new become objects. A machine that the plant does not have is passed over."""
        if path not in self._equipment:
            return
        room = OTHER_TAGS_MAX - len(self._below[path])
        for tag in tags:
            if room > 0 and tag_id(path, tag) not in self._elements:
                self._tag(path, tag, OTHER_TAG)
                room -= 1

    def __iter__(self) -> Iterator[Element]:
        return iter(self._elements.values())

    def __len__(self) -> int:
        return len(self._elements)

    def get(self, id_: str) -> Element | None:
        return self._elements.get(id_)

    def machines(self) -> Mapping[str, str]:
        """Path → equipment type."""
        return self._equipment

    def components(self, id_: str) -> list[Element]:
        return [each for each in self._under(id_) if each.is_component]

    def is_composition(self, element: Element) -> bool:
        """Every place has streams; no component has components."""
        return not element.is_component

    def edges(self, element: Element) -> Iterator[tuple[str, Element]]:
        """(relationship type, other object), both ways: each has its reverse at the other."""
        if element.parent is not None:
            yield COMPONENT_OF if element.is_component else HAS_PARENT, self._elements[element.parent]
        for below in self._under(element.id):
            yield HAS_COMPONENT if below.is_component else HAS_CHILDREN, below

    def _under(self, id_: str) -> list[Element]:
        return [self._elements[each] for each in self._below.get(id_, ())]

    def as_json(self, element: Element, metadata: bool) -> dict[str, Any]:
        told: dict[str, Any] = {
            "elementId": element.id,
            "displayName": element.name,
            "typeElementId": element.type_id,
            "parentId": element.parent,
            "isComposition": self.is_composition(element),
            "isExtended": False,
        }
        if metadata:
            told["metadata"] = self._metadata(element)
        return told

    def _metadata(self, element: Element) -> dict[str, Any]:
        kind = self.types[element.type_id]
        related: dict[str, Any] = {}
        for relation, other in self.edges(element):
            if relation in (HAS_CHILDREN, HAS_COMPONENT):
                related.setdefault(relation, []).append(other.id)
            else:
                related[relation] = other.id
        return {
            "typeNamespaceUri": kind.namespace,
            "sourceTypeId": kind.source,
            "description": str(kind.schema.get("description", "")),
            "relationships": related,
            "system": {"path": element.path, **({"unit": kind.schema["unit"]} if "unit" in kind.schema else {})},
        }


def _places(plant: Plant) -> Iterator[Path]:
    """Every place of the model, each behind the one it lies in."""
    seen: set[Path] = set()
    for lowest in (*plant.places(), *plant.cells()):
        for level in range(Level.ENTERPRISE, lowest.level + 1):
            path = lowest.at(Level(level))
            if path not in seen:
                seen.add(path)
                yield path
