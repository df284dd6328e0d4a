"""Arrow types of records, from their `.avsc`, and records as Arrow arrays of those types. Pure.

Integers are 64 bits wide whatever the schema says, so that a field that grows changes no table. A value of several types
stands in one column a type (`VALUES`), so that nothing is rounded and a tag that changes its type changes no table either.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from schemas.catalog import source
from schemas.records import Record, Value

Pick = Callable[[dict[str, Any]], Any]
Convert = Callable[[Any], Any]

TIME = pa.timestamp("us", "UTC")
FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: a time outside breaks readers over the whole table."""
VALUES = (
    ("number", pa.float64()),
    ("integer", pa.int64()),
    ("text", pa.string()),
    ("boolean", pa.bool_()),
)
"""A number of any type stands in `…_number`; `…_integer` keeps all 64 bits of one that a double would round."""
_PLAIN = {
    "string": pa.string(),
    "int": pa.int64(),
    "long": pa.int64(),
    "double": pa.float64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True)
class Field:
    """A column, or a member of a struct. `pick` takes its value from the record as plain values; `same`: it is there under
    the same name."""

    name: str
    type: pa.DataType
    pick: Pick
    same: bool


@cache
def fields(record_name: str) -> tuple[Field, ...]:
    """The columns of a record's own fields."""
    return _fields(json.loads(source(record_name))["fields"], {})


def schema(record_name: str) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in fields(record_name)]


def arrays(record_name: str, records: Sequence[Record]) -> list[pa.Array]:
    """A column after the other. Raises `ValueError`, `TypeError` or `OverflowError` for what the types cannot hold."""
    rows = msgspec.to_builtins(records)
    found = [pa.array(list(map(field.pick, rows)), field.type) for field in fields(record_name)]
    for field, array in zip(fields(record_name), found, strict=True):
        check_times(array, field.name)
    return found


def values(given: Sequence[Value]) -> list[pa.Array]:
    """One array a type of `VALUES`. Raises as `arrays` does."""
    kinds = set(map(type, given))
    if kinds == {float}:  # by far the most; and one look instead of four
        return [pa.array(given, pa.float64()), *(pa.nulls(len(given), kind) for _, kind in VALUES[1:])]
    return [pa.array([part(value) for value in given], kind) for part, (_, kind) in zip(_PARTS, VALUES, strict=True)]


def check_times(array: pa.Array, name: str) -> None:
    """Raises `ValueError` where a time, however deep inside, is none that a calendar has."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        ends = pc.min_max(array.cast(pa.int64()))
        if ends["min"].is_valid and not FIRST_US <= ends["min"].as_py() <= ends["max"].as_py() <= LAST_US:
            raise ValueError(f"{name}: a time outside the years 1 to 9999")
    elif pa.types.is_list(kind):
        check_times(array.flatten(), name)
    elif pa.types.is_struct(kind):
        for inner, part in zip(kind, array.flatten(), strict=True):
            check_times(part, f"{name}.{inner.name}")


def holds(there: Any, ours: pa.DataType) -> bool:
    """Whether a column takes our values; what it has more, in a struct, is nobody's business."""
    if pa.types.is_struct(ours):
        if not pa.types.is_struct(there):
            return False
        inner = {field.name: field.type for field in there}
        return all(field.name not in inner or holds(inner[field.name], field.type) for field in ours)
    if pa.types.is_list(ours):
        return bool(pa.types.is_list(there) or pa.types.is_large_list(there)) and holds(there.value_type, ours.value_type)  # fmt: skip
    if pa.types.is_map(ours):
        return bool(pa.types.is_map(there)) and holds(there.item_type, ours.item_type)
    return bool(there == ours or (pa.types.is_string(ours) and (pa.types.is_large_string(there) or pa.types.is_string_view(there))))  # fmt: skip


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, float) or _is_integer(value) else None  # type: ignore[arg-type]


def _integer(value: Value) -> int | None:
    return value if _is_integer(value) else None  # type: ignore[return-value]


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


def _is_integer(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PARTS: tuple[Convert, ...] = (_number, _integer, _text, _boolean)


def _fields(avro: Sequence[dict[str, Any]], named: dict[str, Any]) -> tuple[Field, ...]:
    """`named`: records met before, by name."""
    found: list[Field] = []
    for field in avro:
        name, branches = field["name"], _branches(field["type"])
        if len(branches) > 1:
            for part, (kind, arrow) in zip(_PARTS, VALUES, strict=True):
                found.append(Field(f"{name}_{kind}", arrow, _picked(name, part), False))
            continue
        arrow, convert = _type(branches[0], named)
        found.append(Field(name, arrow, _picked(name, convert), convert is None))
    return tuple(found)


def _branches(avro: Any) -> list[Any]:
    return [part for part in avro if part != "null"] if isinstance(avro, list) else [avro]


def _picked(name: str, convert: Convert | None) -> Pick:
    if convert is None:
        return lambda row: row[name]
    return lambda row: None if row[name] is None else convert(row[name])


def _type(avro: Any, named: dict[str, Any]) -> tuple[pa.DataType, Convert | None]:
    """The Arrow type of one that is not a union, and what makes a plain value one of it; None: it is one."""
    if isinstance(avro, str) and avro in named:
        avro = named[avro]
    if isinstance(avro, str):
        return _PLAIN[avro], None
    match avro["type"]:
        case "record":
            named[avro["name"]] = avro
            inner = _fields(avro["fields"], named)
            return pa.struct([(field.name, field.type) for field in inner]), _as_struct(inner)
        case "array":
            arrow, convert = _inside(avro["items"], named)
            return pa.list_(arrow), convert and _for_each(convert)
        case "map":
            arrow, convert = _inside(avro["values"], named)
            return pa.map_(pa.string(), arrow), _for_values(convert or _same)
    return (TIME, None) if avro.get("logicalType") == "timestamp-micros" else (_PLAIN[avro["type"]], None)


def _inside(avro: Any, named: dict[str, Any]) -> tuple[pa.DataType, Convert | None]:
    (only,) = _branches(avro)
    return _type(only, named)


def _for_each(convert: Convert) -> Convert:
    return lambda value: [_each(convert, part) for part in value]


def _for_values(convert: Convert) -> Convert:
    return lambda value: [(key, _each(convert, part)) for key, part in value.items()]


def _each(convert: Convert, value: Any) -> Any:
    return None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


def _as_struct(inner: Sequence[Field]) -> Convert | None:
    if all(field.same for field in inner):
        return None
    return lambda value: {field.name: field.pick(value) for field in inner}
