"""The Avro schema of each record: composed from its `.avsc`, with its registry subject and fastavro's form of it.

`avro/<Record>.avsc` holds what a record alone has. `avro/Derived.avsc` holds the fields that every derived record begins
with, said once; a derived record's file that gives such a field a doc only, without a type, says what it means there.
"""

import functools
import importlib.resources
import json
from typing import Any

import fastavro
from fastavro.types import Schema

from schemas.envelope import Derived
from schemas.records import TYPES

NAMESPACE = "uns"


def subject(name: str) -> str:
    """Registry subject of a record: its full name (RecordNameStrategy)."""
    return f"{NAMESPACE}.{name}"


@functools.cache
def source(name: str) -> str:
    """The whole `.avsc` text of a record, as it is registered and published."""
    text = _file(name)
    if not issubclass(TYPES[name], Derived):
        return text
    schema = json.loads(text)
    schema["fields"] = _with_shared(schema["fields"])
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def sources() -> dict[str, str]:
    """Subject → `.avsc` text of every record."""
    return {subject(name): source(name) for name in TYPES}


@functools.cache
def parsed(text: str) -> Schema:
    """A schema ready for fastavro. Times stay integers: logical types are for other readers, a datetime a value is too dear."""
    return fastavro.parse_schema(_plain(json.loads(text)))


def _file(name: str) -> str:
    return importlib.resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")


def _with_shared(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The shared fields, with the record's own words for them, and then the record's own fields."""
    own_words = {field["name"]: field["doc"] for field in fields if "type" not in field}
    shared = json.loads(_file(Derived.__name__))["fields"]
    return [
        *({**field, "doc": own_words.get(field["name"], field["doc"])} for field in shared),
        *(field for field in fields if "type" in field),
    ]


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _plain(part) for key, part in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    return schema
