"""The OpenAPI 3.1 document of what is served, made of the table of routes. Pure."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from connectors.http.problem import MEDIA_TYPE
from connectors.http.routes import Operation
from connectors.kit.message import TIMES
from schemas.records import Inspection, Limits, Lot, Order, Reason, Shift, WorkOrder

_REF = "#/components/schemas/{name}"
_TIME = {
    "description": "ISO 8601 with its offset, or a number of milliseconds since 1970",
    "anyOf": [{"type": "string", "examples": ["2026-11-29T06:00:00Z"]}, {"type": "number", "minimum": 0}],
}
_VALUE = {
    "description": "a finite number within 64 bits, text, true, false, or null",
    "type": ["number", "string", "boolean", "null"],
}
_QUALITY = {"description": "OPC UA status code; 0 is good", "type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_WORDS = {"type": "string"}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document of these operations."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "uns-backbone HTTP ingest",
            "version": version("uns-backbone"),
            "description": "2xx comes only after Kafka has all of a request.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    read: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}{operation.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "summary": operation.summary,
        "security": [{"token": []}] if operation.token else [],
        "responses": {str(status): _answer(operation, status, words) for status, words in operation.answers.items()},
    }
    if parameters := _parameters(operation):
        read["parameters"] = parameters
    if operation.takes:
        read["requestBody"] = {"required": True, "content": _content(operation.takes)}
    return read


def _answer(operation: Operation, status: int, words: str) -> dict[str, Any]:
    read: dict[str, Any] = {"description": words}
    if status >= 400:
        read["content"] = _content({MEDIA_TYPE: "Problem"})
    elif operation.gives:
        read["content"] = _content(operation.gives)
    if status in (429, 503):
        read["headers"] = {"Retry-After": {"description": "s, when to post it again", "schema": {"type": "integer"}}}
    return read


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    if "{path}" in operation.path:
        words = "enterprise/site/area/line/cell, one to five parts with their slashes"
        read.append({"name": "path", "in": "path", "required": True, "description": words, "schema": _WORDS})
    named = (name for name in ("file", "hook") if f"{{{name}}}" in operation.path)
    read += [{"name": name, "in": "path", "required": True, "schema": _WORDS} for name in named]
    read += [{"name": name, "in": "query", "description": words, "schema": _WORDS} for name, words in operation.query.items()]  # fmt: skip
    if operation.key:
        words = "with it a request that comes again is taken once; the last 1000 are remembered"
        read.append({"name": "Idempotency-Key", "in": "header", "description": words, "schema": {"type": "string", "minLength": 1, "maxLength": 200}})  # fmt: skip
    return read


def _content(types: Mapping[str, str]) -> dict[str, Any]:
    return {media: {"schema": {"$ref": _REF.format(name=name)}} for media, name in types.items()}


def _object(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _schemas() -> dict[str, Any]:
    _, facts = msgspec.json.schema_components(
        (Order, Lot, Shift, Reason, Inspection, WorkOrder, Limits), ref_template=_REF
    )
    for fact in facts.values():
        for name in TIMES & fact["properties"].keys():
            nullable = "default" in fact["properties"][name]
            fact["properties"][name] = {"anyOf": [_TIME, {"type": "null"}]} if nullable else _TIME
    sample = _object(
        ("tag", "at", "value"), tag={"type": "string", "minLength": 1}, at=_TIME, value=_VALUE, quality=_QUALITY
    )
    values = {"type": "object", "additionalProperties": _VALUE}
    return {
        **facts,
        "Samples": {
            "anyOf": [
                _object(("values", "at"), at=_TIME, quality=_QUALITY, values=values),
                _object(("samples",), samples={"type": "array", "items": sample}),
            ]
        },
        "Hook": {"description": "JSON in the words of who posts it"},
        "Lines": {"type": "string", "description": "one on each line"},
        "Counts": _object(
            ("accepted", "quarantined", "quarantined_count"),
            accepted={"type": "integer"},
            quarantined={"type": "array", "items": _object(("reason", "message"), reason=_WORDS, message=_WORDS)},
            quarantined_count={"type": "integer"},
        ),
        "Problem": _object(
            ("title", "status", "detail"), title=_WORDS, status={"type": "integer"}, detail=_WORDS,
            error=_WORDS, code=_WORDS, message=_WORDS,
        ),
        "Health": _object(("name", "status"), name=_WORDS, status={"enum": ["pass", "fail"]}),
        "Query": _object(("q",), q=_WORDS),
        "QueryResult": _object(("results",), results={"type": "array"}),
        "Form": _object(
            ("machines", "tags", "now"),
            machines={"type": "array", "items": _WORDS},
            tags={"type": "object", "additionalProperties": _WORDS},
            now={"type": "integer", "description": "µs since 1970, our clock"},
        ),
        "Page": _WORDS,
        "OpenApi": {"type": "object"},
    }  # fmt: skip
