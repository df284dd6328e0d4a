"""The JSON Schema of a record as JSON has it: what `schemas.text.to_plain` writes, made of its `.avsc`. Pure."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.catalog import source

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE: Mapping[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string"},
}


@cache
def _of_record(name: str) -> dict[str, Any]:
    return _record(json.loads(source(name)), {})


def of_record(name: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Of a record of the namespace, whole: records inside it stand where they are used. `without`: fields left out.

    A field is required where JSON always has it; one that Avro allows to be null is a union with null.
    """
    whole = _of_record(name)
    return {
        **whole,
        "properties": {field: schema for field, schema in whole["properties"].items() if field not in without},
        "required": [field for field in whole["required"] if field not in without],
    }


def _record(avro: Mapping[str, Any], named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in avro["fields"]:
        words = {"description": field["doc"]} if "doc" in field else {}
        properties[field["name"]] = {**_type(field["type"], named), **words}
    made: dict[str, Any] = {"type": "object", "properties": properties, "required": list(properties)}
    if "doc" in avro:
        made["description"] = avro["doc"]
    named[avro["name"]] = made
    return made


def _type(avro: Any, named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(avro, list):
        return _union([_type(branch, named) for branch in avro])
    if isinstance(avro, str):
        return dict(_SIMPLE.get(avro) or named[avro])
    match avro["type"]:
        case "record":
            return _record(avro, named)
        case "array":
            return {"type": "array", "items": _type(avro["items"], named)}
        case "map":
            return {"type": "object", "additionalProperties": _type(avro["values"], named)}
        case "enum":
            return {"type": "string", "enum": list(avro["symbols"])}
    if avro.get("logicalType") == "timestamp-micros":
        return {"type": "string", "format": "date-time"}
    return _type(avro["type"], named)


def _union(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """One `type` with several names, where nothing else is said of any; `anyOf` else."""
    rich = [branch for branch in branches if branch.keys() - {"type", "format"} or not isinstance(branch["type"], str)]
    if rich:
        return {"anyOf": branches}
    made: dict[str, Any] = {"type": list(dict.fromkeys(branch["type"] for branch in branches))}
    if formats := {branch["format"] for branch in branches if "format" in branch}:
        made["format"] = formats.pop()
    return made
