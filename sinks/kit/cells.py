"""A sample and a derived record as named values, as a reader of a series finds them: what `uns sink verify` compares. Pure."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.records import DERIVED_TYPES, Derived, Value
from sinks.kit.columns import cells, columns
from sinks.kit.rows import Kind

VALUE_FIELDS = {"number": ("value",), "integer": ("value", "value_integer"), "text": ("value_text",), "boolean": ("value_boolean",)}  # fmt: skip
"""Type of a sample → the fields that say its value; a type that is not here has none."""
_KINDS = {"value": Kind.NUMBER, "value_integer": Kind.INTEGER, "value_text": Kind.TEXT, "value_boolean": Kind.BOOLEAN}


def of_sample(value: Value, quality: int) -> dict[str, Any]:
    """`type`, the fields of that type, `quality`."""
    if isinstance(value, bool):
        return {"type": "boolean", "value_boolean": value, "quality": quality}
    if isinstance(value, int):
        return {"type": "integer", "value": float(value), "value_integer": value, "quality": quality}
    if isinstance(value, float):
        finite = math.isfinite(value)
        return {"type": "number", "value": value, "quality": quality} if finite else {"type": repr(value), "quality": quality}  # fmt: skip
    if value is None:
        return {"type": "null", "quality": quality}
    return {"type": "text", "value_text": value, "quality": quality}


def of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of what a target holds of a sample; a field of another type is left of an earlier value."""
    its = str(row.get("type"))
    names = VALUE_FIELDS.get(its, ())
    return {"type": its, "quality": row.get("quality")} | {name: _as(_KINDS[name], row.get(name)) for name in names}


def of_record(record: Derived) -> dict[str, Any]:
    """Its cells that have a value. Raises `BadColumns`."""
    found = {cell.name: cell.value for cell in cells(record) if _there(cell.kind, cell.value)}
    return {name: _as(kind_of(record.message_class, name), value) for name, value in found.items()}


def of_cells(message_class: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of what a target holds of a derived record."""
    found = {name: _as(kind_of(message_class, name), value) for name, value in row.items() if value is not None}
    return {name: value for name, value in found.items() if value is not None}


@cache
def always(message_class: str) -> frozenset[str]:
    """Columns that every record of the class has a value for."""
    return frozenset(column.name for column in columns(_type(message_class)) if column.always)


def kind_of(message_class: str, name: str) -> Kind:
    """Of a column; the members of a map are numbers or integers, and a number is told apart from neither."""
    return _kinds(message_class).get(name, Kind.JSON)


def _there(kind: Kind, value: Any) -> bool:
    return value is not None and (kind is not Kind.NUMBER or math.isfinite(value))


def _as(kind: Kind, value: Any) -> Any:
    """JSON writes a whole number as an integer; the column says what it is. A member of a map: whichever, as a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return float(value) if kind in (Kind.NUMBER, Kind.JSON) else value


@cache
def _kinds(message_class: str) -> dict[str, Kind]:
    return {column.name: column.kind for column in columns(_type(message_class))}


def _type(message_class: str) -> type[Derived]:
    return next(one for one in DERIVED_TYPES if one.message_class == message_class)
