"""Object types and relationship types: the equipment templates and records of a plant as JSON Schema. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from schemas.history import versions
from schemas.json_schema import of_record
from schemas.records import Current
from topology.model.equipment import EquipmentType
from topology.model.plant import Plant
from topology.model.tags import Tag
from topology.namespace.path import Level

RELATIONS_URI = "https://cesmii.org/i3x"
RECORDS_URI = "urn:uns:records"
HAS_PARENT, HAS_CHILDREN = "HasParent", "HasChildren"
COMPONENT_OF, HAS_COMPONENT = "ComponentOf", "HasComponent"
REVERSE: Mapping[str, str] = {
    HAS_PARENT: HAS_CHILDREN,
    HAS_CHILDREN: HAS_PARENT,
    COMPONENT_OF: HAS_COMPONENT,
    HAS_COMPONENT: COMPONENT_OF,
}
"""Relationship type → the one back."""
SCALAR: dict[str, Any] = {"type": ["number", "string", "boolean"]}
NUMBERS = frozenset({"good_count", "scrap_count", "rework_count", "energy", "characteristic", "feature"})
"""Roles whose values are numbers: a fold refuses all others."""
OTHER_TAG = "type:tag"


class ObjectType(NamedTuple):
    """What an object's value looks like. `source`: its name where it was defined."""

    id: str
    name: str
    namespace: str
    source: str
    version: str
    schema: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "elementId": self.id,
            "displayName": self.name,
            "namespaceUri": self.namespace,
            "sourceTypeId": self.source,
            "version": self.version,
            "schema": self.schema,
        }


def types_uri(plant: Plant) -> str:
    """The namespace of the plant's own types."""
    return f"urn:uns:{plant.enterprise}:types"


def namespaces(plant: Plant) -> list[dict[str, str]]:
    """Every namespace that a type or a relationship type belongs to."""
    return [
        {"uri": RELATIONS_URI, "displayName": "i3X"},
        {"uri": types_uri(plant), "displayName": f"Equipment of {plant.enterprise}"},
        {"uri": RECORDS_URI, "displayName": "Records of the unified namespace"},
    ]


def relationship_types() -> list[dict[str, str]]:
    return [
        {
            "elementId": name,
            "displayName": name,
            "namespaceUri": RELATIONS_URI,
            "relationshipId": name,
            "reverseOf": reverse,
        }
        for name, reverse in REVERSE.items()
    ]


def level_type(level: Level) -> str:
    return f"type:{level.name.lower()}"


def equipment_type(name: str) -> str:
    return f"type:equipment:{quote(name, safe='')}"


def tag_type(equipment: str, tag: str) -> str:
    return f"{equipment_type(equipment)}:{quote(tag, safe='')}"


def record_type(name: str) -> str:
    return f"type:record:{name}"


def object_types(plant: Plant, records: tuple[str, ...]) -> dict[str, ObjectType]:
    """Id → type: ISA-95 levels, the plant's equipment types with a type for each of their tags, `records` by name."""
    uri = types_uri(plant)
    made = [_level(level, uri) for level in Level if level is not Level.CELL]
    for name, model in plant.types.items():
        made += _equipment(name, model, uri)
    words = {
        **SCALAR,
        "description": "a tag that the plant model does not name; its values come as its source says them",
    }
    made.append(ObjectType(OTHER_TAG, "Tag", uri, "tag", "1.0.0", words))
    made += [_record(name) for name in records]
    return {each.id: each for each in made}


def _level(level: Level, uri: str) -> ObjectType:
    word = level.name.lower()
    words = f"a place of ISA-95 level {word}; its numbers are its components"
    return ObjectType(
        level_type(level), word.capitalize(), uri, word, "1.0.0", {"type": "object", "description": words}
    )


def _equipment(name: str, model: EquipmentType, uri: str) -> list[ObjectType]:
    schema = of_record(Current.__name__, frozenset({"tags"}))
    schema["description"] = f"newest snapshot of a machine of type {name}; its tags are its components"
    tags = [
        ObjectType(tag_type(name, tag), f"{name} {tag}", uri, f"{name}.{tag}", "1.0.0", tag_schema(spec))
        for tag, spec in model.tags.items()
    ]
    return [ObjectType(equipment_type(name), name, uri, name, _version(Current.__name__), schema), *tags]


def tag_schema(tag: Tag) -> dict[str, Any]:
    """Of the values of a tag that the plant model names: its role says whether they are numbers."""
    kind: dict[str, Any] = {"type": "number"} if tag.role in NUMBERS else dict(SCALAR)
    unit = getattr(tag, "unit", None)
    return {**kind, "description": tag.role.replace("_", " "), **({"unit": unit} if unit else {})}


def _record(name: str) -> ObjectType:
    return ObjectType(record_type(name), name, RECORDS_URI, f"uns.{name}", _version(name), of_record(name))


def _version(name: str) -> str:
    """The published version of a record's schema; each reads all before it, so only the first number counts up."""
    return f"{max(versions(name), default=1)}.0.0"
