"""The `.avsc` files: where they are, what subject they have and how fastavro reads them."""

import functools
import importlib.resources
import json
from typing import Any

import fastavro
from fastavro.types import Schema

from schemas.records import TYPES

NAMESPACE = "uns"


def subject(name: str) -> str:
    """Registry subject of a record: its full name (RecordNameStrategy)."""
    return f"{NAMESPACE}.{name}"


@functools.cache
def source(name: str) -> str:
    """The `.avsc` text of a record as it is registered."""
    return importlib.resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")


def sources() -> dict[str, str]:
    """Subject → `.avsc` text of every record."""
    return {subject(name): source(name) for name in TYPES}


@functools.cache
def parsed(text: str) -> Schema:
    """A schema ready for fastavro. Times stay integers: logical types are for other readers, a datetime a value is too dear."""
    return fastavro.parse_schema(_plain(json.loads(text)))


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _plain(part) for key, part in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    return schema
