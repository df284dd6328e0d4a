"""A record as rows with named, typed columns, for targets that are tables: SQL, CSV, Parquet. Pure.

A derived record is one row, and so is a fact; samples are a row each. Times are `datetime` in UTC, what has parts (the
windows' elements, a KPI's stops) is plain JSON with times as ISO 8601 text. The last columns say where in the log it stands.
"""

import json
import types
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from schemas.catalog import source
from schemas.records import DERIVED_TYPES, FACT_TYPES, Derived, Fact, Inputs, Samples, Tick, Value
from schemas.text import calendar, moment, to_plain
from sinks.base import Delivery

Row = dict[str, Any]
"""Column → value."""


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    JSON = "json"


class Column(NamedTuple):
    name: str
    kind: Kind
    nullable: bool = False


class Shape(NamedTuple):
    """What the rows of a kind of record look like."""

    record: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns that tell its things apart: a later row with the same ones replaces the earlier."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


_PLACE = (
    Column("kafka_topic", Kind.TEXT),
    Column("kafka_partition", Kind.INTEGER),
    Column("kafka_offset", Kind.INTEGER),
)
_INPUTS = (
    Column("inputs_topic", Kind.TEXT),
    Column("inputs_partition", Kind.INTEGER),
    Column("inputs_first_offset", Kind.INTEGER),
    Column("inputs_last_offset", Kind.INTEGER),
)
_SAMPLES = Shape(
    "samples",
    (
        Column("path", Kind.TEXT),
        Column("tag", Kind.TEXT),
        Column("at", Kind.TIME),
        Column("value_number", Kind.NUMBER, True),
        Column("value_integer", Kind.INTEGER, True),
        Column("value_text", Kind.TEXT, True),
        Column("value_boolean", Kind.BOOLEAN, True),
        Column("quality", Kind.INTEGER),
        Column("source", Kind.TEXT),
        Column("sequence", Kind.INTEGER),
        *_PLACE,
    ),
    ("path", "tag", "at"),
)
_KINDS = {str: Kind.TEXT, int: Kind.INTEGER, float: Kind.NUMBER, bool: Kind.BOOLEAN}


@cache
def shapes() -> Mapping[str, Shape]:
    """Kind of record → its shape: `samples`, a fact (`order`), or a class of derived records (`downtime`)."""
    derived = (
        Shape(
            _name(kind),
            (
                Column("natural_id", Kind.TEXT),
                *_columns(kind),
                Column("withdrawn", Kind.BOOLEAN),
                *_PLACE,
            ),
            ("natural_id",),
        )
        for kind in DERIVED_TYPES
    )
    facts = (
        Shape(_name(kind), (Column("path", Kind.TEXT), *_columns(kind), *_PLACE), ("path", _identity(kind)))
        for kind in FACT_TYPES
    )
    return {shape.record: shape for shape in (_SAMPLES, *facts, *derived)}


def record_of(delivery: Delivery) -> str:
    """The kind of record that a delivery brings."""
    return _name(type(delivery.record))


def rows(delivery: Delivery) -> list[Row]:
    """None of a tick. Raises `OverflowError` for a time that no calendar has."""
    record = delivery.record
    place = {
        "kafka_topic": delivery.topic,
        "kafka_partition": delivery.partition,
        "kafka_offset": delivery.offset,
    }
    if isinstance(record, Samples):
        return [
            {
                "path": delivery.key,
                "tag": sample.tag,
                "at": moment(sample.at),
                **_value(sample.value),
                "quality": sample.quality,
                "source": record.source,
                "sequence": record.sequence,
                **place,
            }
            for sample in record.samples
        ]
    if isinstance(record, Tick):
        return []
    if isinstance(record, Derived):
        return [{"natural_id": record.natural_id, **_fields(record), "withdrawn": record.withdrawn, **place}]
    return [{"path": delivery.key, **_fields(record), **place}]


def plain(row: Row) -> Row:
    """The row as templates see it: times as ISO 8601 text; of a sample also `value`, whatever its type."""
    told = {name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value for name, value in row.items()}  # fmt: skip
    if "value_number" in told:
        found = (told[name] for name in ("value_boolean", "value_text", "value_integer", "value_number"))
        told["value"] = next((value for value in found if value is not None), None)
    return told


def plain_names(record: str) -> set[str]:
    """What templates may name."""
    return {*shapes()[record].names} | ({"value"} if record == "samples" else set())


def _value(value: Value) -> Row:
    """A number stands in value_number whatever its type; value_integer keeps all 64 bits where a double would round."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "value_number": float(value) if is_number else None,  # type: ignore[arg-type]
        "value_integer": value if is_number and isinstance(value, int) else None,
        "value_text": value if isinstance(value, str) else None,
        "value_boolean": value if isinstance(value, bool) else None,
    }


def _name(kind: type) -> str:
    return kind.__name__.lower()


def _identity(kind: type[Fact]) -> str:
    return "id" if "id" in kind.__struct_fields__ else "alert"


@cache
def _plan(kind: type[Derived | Fact]) -> tuple[Column, ...]:
    """A column for each field."""
    hints = get_type_hints(kind)
    logical = {field["name"]: field["type"] for field in json.loads(source(kind.__name__))["fields"]}
    return tuple(_column(name, hints[name], logical[name]) for name in kind.__struct_fields__)


def _column(name: str, hint: Any, schema: Any) -> Column:
    parts = [hint]
    if get_origin(hint) in (types.UnionType, Union):
        parts = [part for part in get_args(hint) if part is not type(None)]
    kind = Kind.TIME if _is_time(schema) else _KINDS.get(parts[0], Kind.JSON)
    return Column(name, kind, nullable=type(None) in get_args(hint))


def _is_time(schema: Any) -> bool:
    parts = schema if isinstance(schema, list) else [schema]
    return any(isinstance(part, dict) and part.get("logicalType") == "timestamp-micros" for part in parts)


def _columns(kind: type[Derived | Fact]) -> tuple[Column, ...]:
    return tuple(column for field in _plan(kind) for column in (_INPUTS if field.name == "inputs" else (field,)))


def _fields(record: Derived | Fact) -> Row:
    plan = _plan(type(record))
    parts = (
        to_plain(record, calendar)
        if any(column.kind is Kind.JSON and column.name != "inputs" for column in plan)
        else {}
    )
    row: Row = {}
    for name, kind, _ in plan:
        value = getattr(record, name)
        if isinstance(value, Inputs):
            row |= {f"inputs_{part}": getattr(value, part) for part in Inputs.__struct_fields__}
        elif kind is Kind.JSON:
            row[name] = parts[name]
        else:
            row[name] = moment(value) if kind is Kind.TIME and value is not None else value
    return row
