"""docs/records.md: every record with its fields, from the Avro schemas."""

import json
from collections.abc import Iterator
from typing import Any

from schemas.catalog import source, subject
from schemas.records import TYPES

_HEAD = """# Records

Written from the records' schemas by `uns docs`. Values are Avro in Confluent's wire format (a zero byte, the
schema's id in four bytes, the body); the subject in the registry is the record's full name. Times are microseconds
UTC (`timestamp-micros`). `T?` is a T or null.
"""


def records_page() -> str:
    """`docs/records.md`: per record its fields, types and meaning."""
    return "\n".join([_HEAD, *(line for name in TYPES for line in _record(name))]).rstrip() + "\n"


def _record(name: str) -> Iterator[str]:
    schema = json.loads(source(name))
    yield f"## {name}\n"
    yield f"{schema['doc']} Class `{TYPES[name].message_class}`, subject `{subject(name)}`.\n"
    yield "| Field | Type | Meaning |"
    yield "|---|---|---|"
    yield from _rows(schema, "")
    yield ""


def _rows(schema: dict[str, Any], above: str) -> Iterator[str]:
    for field in schema["fields"]:
        kind, inner = _type(field["type"])
        doc = field.get("doc", "").replace("|", "\\|")
        yield f"| `{above}{field['name']}` | {kind} | {doc} |"
        if inner is not None:
            yield from _rows(inner, f"{above}{field['name']}.")


def _type(schema: Any) -> tuple[str, dict[str, Any] | None]:
    """How a type reads, and the record inside it."""
    if isinstance(schema, list):
        parts = [_type(part) for part in schema if part != "null"]
        optional = "?" if "null" in schema and len(parts) == 1 else ""
        words = " or ".join([part for part, _ in parts] + ["null"] * ("null" in schema and len(parts) > 1))
        return words + optional, next((inner for _, inner in parts if inner is not None), None)
    if isinstance(schema, str):
        return schema, None
    match schema:
        case {"type": "array", "items": items}:
            words, inner = _type(items)
            return f"list of {words}", inner
        case {"type": "map", "values": values}:
            words, inner = _type(values)
            return f"map of {words}", inner
        case {"type": "record"}:
            return schema["name"], schema
        case {"logicalType": "timestamp-micros"}:
            return "time", None
        case _:
            return _type(schema["type"])
