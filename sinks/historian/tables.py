"""The historian's tables, derived from the record types: columns, keys, and a record as a row. Pure.

`samples` is a view over chunks, with the natural key (path, tag, at); a value at a key that is there already replaces it
when it stands later in the log. Every derived class has a table of its name with all revisions (key: id and begin), and a
view `<class>_latest`. Facts are replaced by their (path, id); `fact_history` has every word on them.
"""

import json
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.catalog import source
from schemas.records import DERIVED_TYPES, FACT_TYPES, Record, Samples, Value
from sinks.base import Delivery

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last time that a calendar has: of the years 1 and 9999."""
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Column:
    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """`time` is the column that its partitions are cut by, part of the key. `newer`: SQL that says which of two rows with
    one key stays."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str | None
    newer: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


PLACE = (
    Column("kafka_topic", "text NOT NULL"),
    Column("kafka_partition", "integer NOT NULL"),
    Column("kafka_offset", "bigint NOT NULL"),
)
KNOWN = Column("known_at", "timestamptz")
"""When it stood in Kafka; null for what an older release has written."""
_LATER_IN_LOG = (  # offsets compare within a partition only
    "((excluded.kafka_topic, excluded.kafka_partition) <> (stored.kafka_topic, stored.kafka_partition)"
    " OR excluded.kafka_offset >= stored.kafka_offset)"
)

SAMPLES = Table(
    "samples",
    (
        Column("path", "text NOT NULL"),
        Column("tag", "text NOT NULL"),
        Column("at", "timestamptz NOT NULL"),
        Column("value_number", "double precision"),
        Column("value_integer", "bigint"),
        Column("value_text", "text"),
        Column("value_boolean", "boolean"),
        Column("quality", "bigint NOT NULL"),
        Column("source", "text NOT NULL"),
        Column("sequence", "bigint NOT NULL"),
        *PLACE,
    ),
    ("path", "tag", "at"),
    "at",
    _LATER_IN_LOG,
)


@cache
def derived_tables() -> dict[str, Table]:
    """Record name → table of every derived class."""
    return {
        kind.__name__: Table(
            kind.message_class, (*_columns(kind), *PLACE, KNOWN), ("id", "started_at"), "started_at", _LATER_IN_LOG
        )
        for kind in DERIVED_TYPES
    }


@cache
def fact_tables() -> dict[str, Table]:
    """Record name → table of every fact."""
    by_name = {}
    for kind in FACT_TYPES:
        columns = (Column("path", "text NOT NULL"), *_columns(kind), *PLACE, KNOWN)
        identity = "id" if any(column.name == "id" for column in columns) else "alert"
        by_name[kind.__name__] = Table(
            f"fact_{kind.__name__.lower()}", columns, ("path", identity), None, _LATER_IN_LOG
        )
    return by_name


FACT_HISTORY = Table(
    "fact_history",
    (
        Column("fact", "text NOT NULL"),
        Column("path", "text NOT NULL"),
        Column("id", "text NOT NULL"),
        Column("said", "jsonb NOT NULL"),
        *PLACE,
        KNOWN,
    ),
    ("kafka_topic", "kafka_partition", "kafka_offset"),
    None,
    "false",
)
"""Every word on every fact, as it was said."""


def tables() -> list[Table]:
    """Those that record types have."""
    return [*derived_tables().values(), *fact_tables().values()]


def rows(delivery: Delivery) -> tuple[Table, list[Row]] | None:
    """The table (of samples: the view) that shows a record, and its rows there; None for a record that a historian does
    not keep (ticks)."""
    record = delivery.record
    place = (delivery.topic, delivery.partition, delivery.offset)
    name = type(record).__name__
    if isinstance(record, Samples):
        return SAMPLES, [
            (delivery.key, s.tag, moment(s.at), *_value(s.value), s.quality, record.source, record.sequence, *place)
            for s in record.samples
        ]
    if (table := derived_tables().get(name)) is not None:
        return table, [(*_fields(record), *place, moment(delivery.ingested_at))]
    if (table := fact_tables().get(name)) is not None:
        return table, [(delivery.key, *_fields(record), *place, moment(delivery.ingested_at))]
    return None


def word(delivery: Delivery) -> Row | None:
    """The row of `fact_history`; None where the record is no fact."""
    name = type(delivery.record).__name__
    if (table := fact_tables().get(name)) is None:
        return None
    place = (delivery.topic, delivery.partition, delivery.offset)
    identity = getattr(delivery.record, table.key[-1])
    return (name, delivery.key, identity, _json(delivery.record), *place, moment(delivery.ingested_at))


def moment(at: int) -> datetime:
    """Microseconds since 1970 as a time. Raises OverflowError for one that no calendar has."""
    return EPOCH + at * MICROSECOND


def micros(at: datetime) -> int:
    """The reverse."""
    return (at - EPOCH) // MICROSECOND


def _value(value: Value) -> tuple[float | None, int | None, str | None, bool | None]:
    # A number stands in value_number whatever its type, so that one column draws every chart; value_integer keeps all
    # 64 bits of an integer where a double would round it.
    if isinstance(value, bool):
        return (None, None, None, value)
    if isinstance(value, int):
        return (float(value), value, None, None)
    if isinstance(value, float):
        return (value, None, None, None)
    return (None, None, value, None)


_SQL = {str: "text", int: "bigint", float: "double precision", bool: "boolean"}


@cache
def _plan(kind: type[Record]) -> tuple[tuple[Column, Callable[[Any], Any]], ...]:
    hints = get_type_hints(kind)
    logical = {field["name"]: field["type"] for field in json.loads(source(kind.__name__))["fields"]}
    plan = []
    for name in kind.__struct_fields__:
        optional, inner = _inner(hints[name])
        convert: Callable[[Any], Any]
        if _is_time(logical[name]):
            sql, convert = "timestamptz", moment
        elif inner in _SQL:
            sql, convert = _SQL[inner], _same
        else:
            sql, convert = "jsonb", _json
        plan.append((Column(name, sql if optional else f"{sql} NOT NULL"), _optional(convert) if optional else convert))
    return tuple(plan)


def _columns(kind: type[Record]) -> tuple[Column, ...]:
    return tuple(column for column, _ in _plan(kind))


def _fields(record: Record) -> tuple[Any, ...]:
    return tuple(convert(getattr(record, column.name)) for column, convert in _plan(type(record)))


def _inner(hint: Any) -> tuple[bool, Any]:
    if get_origin(hint) in (types.UnionType, Union):
        parts = [part for part in get_args(hint) if part is not type(None)]
        return len(parts) < len(get_args(hint)), parts[0]
    return False, hint


def _is_time(schema: Any) -> bool:
    parts: Sequence[Any] = schema if isinstance(schema, list) else [schema]
    return any(isinstance(part, dict) and part.get("logicalType") == "timestamp-micros" for part in parts)


def _same(value: Any) -> Any:
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)
