"""Records as Arrow tables: a row a record, columns and types from its `.avsc`, and where it lies in the log beside it.

Needs the extra `frame` (pyarrow, pandas); everything else of `uns.client` works without.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.catalog import source
from schemas.records import Record
from uns.client.subscribe import Received
from uns.errors import UserError

if TYPE_CHECKING:
    import pandas
    import pyarrow


class MissingExtra(UserError, ImportError):
    """A library that only tables need is not installed; says how to install it."""


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtra("tables need pyarrow: pip install 'uns-backbone[frame]'") from error
    return pyarrow


def table(kind: type[Record] | None, items: Sequence[Received]) -> "pyarrow.Table":
    """Records of one type. Times are timestamps (µs, UTC), maps are maps; a value that may be of several types is a struct
    with one field a type, so that nothing is rounded. Raises `MissingExtra`.
    """
    pa = _pyarrow()
    if kind is None:
        return pa.table({})
    fields = json.loads(source(kind.__name__))["fields"]
    named: dict[str, Any] = {}
    place = {"kafka_topic": pa.string(), "kafka_partition": pa.int32(), "kafka_offset": pa.int64()}
    columns: dict[str, Any] = {"path": pa.string()} | {field["name"]: _type(field["type"], named) for field in fields}
    rows = []
    for item in items:
        values = msgspec.to_builtins(item.record)
        row = {field["name"]: _value(field["type"], values[field["name"]], named) for field in fields}
        row |= {"path": str(item.path), "kafka_topic": item.topic, "kafka_partition": item.partition}
        rows.append(row | {"kafka_offset": item.offset})
    return pa.Table.from_pylist(rows, schema=pa.schema(list((columns | place).items())))


def to_pandas(arrow: "pyarrow.Table") -> "pandas.DataFrame":
    """Raises `MissingExtra`."""
    try:
        import pandas  # noqa: F401  (pyarrow needs it, and says so less plainly)
    except ImportError as error:
        raise MissingExtra("data frames need pandas: pip install 'uns-backbone[frame]'") from error
    return arrow.to_pandas()


def _branches(avro: Any) -> list[Any]:
    return [part for part in avro if part != "null"] if isinstance(avro, list) else [avro]


def _name(avro: Any) -> str:
    return str(avro["type"] if isinstance(avro, dict) else avro)


def _type(avro: Any, named: dict[str, Any]) -> Any:
    """The Arrow type of an Avro one. `named`: records met before, by name."""
    pa = _pyarrow()
    branches = _branches(avro)
    if len(branches) > 1:
        return pa.struct([(_name(part), _type(part, named)) for part in branches])
    (plain,) = branches
    if isinstance(plain, dict):
        match plain["type"]:
            case "record":
                named[plain["name"]] = plain
                return pa.struct([(field["name"], _type(field["type"], named)) for field in plain["fields"]])
            case "array":
                return pa.list_(_type(plain["items"], named))
            case "map":
                return pa.map_(pa.string(), _type(plain["values"], named))
        if plain.get("logicalType") == "timestamp-micros":
            return pa.timestamp("us", "UTC")
        return _type(plain["type"], named)
    if plain in named:
        return _type(named[plain], named)
    simple = {
        "string": pa.string(),
        "int": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
        "float": pa.float32(),
        "boolean": pa.bool_(),
        "bytes": pa.binary(),
    }
    return simple[plain]


def _value(avro: Any, value: Any, named: dict[str, Any]) -> Any:
    """A value as `_type` wants it."""
    branches = _branches(avro)
    if value is None:
        return None
    if len(branches) > 1:
        kind = {bool: "boolean", int: "long", float: "double", str: "string"}[type(value)]
        return {kind: value}
    (plain,) = branches
    if isinstance(plain, str) and plain in named:
        plain = named[plain]
    if isinstance(plain, dict):
        match plain["type"]:
            case "record":
                return {field["name"]: _value(field["type"], value[field["name"]], named) for field in plain["fields"]}
            case "array":
                return [_value(plain["items"], part, named) for part in value]
            case "map":
                return [(key, _value(plain["values"], part, named)) for key, part in value.items()]
    return value
