"""Derived records as compressed columns: what records of one kind have in common is said once, numbers by difference."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from schemas.records import DERIVED_TYPES, Derived


def _holds_records(hint: Any) -> bool:
    inner = get_args(hint)
    return bool(inner) and isinstance(inner[0], type) and issubclass(inner[0], msgspec.Struct)


_TYPES = list(DERIVED_TYPES)
_SHARED = ("id", "path", "definition", "inputs")
FIELDS = {cls: tuple(name for name in cls.__struct_fields__ if name not in _SHARED) for cls in _TYPES}
"""What a record says beside its identity and lineage."""

_NESTED = {cls: {name: hint for name, hint in get_type_hints(cls).items() if _holds_records(hint)} for cls in _TYPES}
"""Fields that are lists of records."""

SAME, CLIMBS, PLAIN = 0, 1, 2
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


class Row(NamedTuple):
    """A record without what its ledger knows."""

    kind: str
    cls: type[Derived]
    first_offset: int
    last_offset: int
    content: dict[str, Any]


def encode(records: Iterable[tuple[str, Derived]]) -> bytes:
    """Records with their kinds; all of one kind are of one type."""
    by_kind: dict[str, list[Derived]] = {}
    for kind, record in records:
        by_kind.setdefault(kind, []).append(record)
    groups = []
    for kind, found in by_kind.items():
        found.sort(key=lambda record: record.started_at)
        cls = type(found[0])
        columns = [
            _column([record.inputs.first_offset for record in found]),
            _column([record.inputs.last_offset - record.inputs.first_offset for record in found]),
            *(_column([getattr(record, field) for record in found]) for field in FIELDS[cls]),
        ]
        groups.append((kind, _TYPES.index(cls), len(found), columns))
    return zlib.compress(_encoder.encode(groups), 6)


def decode(data: bytes) -> Iterator[Row]:
    for kind, number, count, columns in _decoder.decode(zlib.decompress(data)):
        cls = _TYPES[number]
        first, length, *rest = (_values(count, how, values) for how, values in columns)
        for n in range(count):
            content = {field: _value(values[n]) for field, values in zip(FIELDS[cls], rest, strict=True)}
            for field, inner in _NESTED[cls].items():
                content[field] = msgspec.convert(content[field], inner)
            yield Row(kind, cls, first[n], first[n] + length[n], content)


def _column(values: list[Any]) -> tuple[int, Any]:
    value = values[0]
    if all(type(other) is type(value) and other == value for other in values) and value != 0:  # 0.0 and -0.0 differ
        return SAME, value
    if all(type(value) is int for value in values):
        return CLIMBS, [value, *map(sub, values[1:], values)]
    return PLAIN, values


def _values(count: int, how: int, values: Any) -> list[Any]:
    if how == SAME:
        return [values] * count
    return list(accumulate(values)) if how == CLIMBS else values


def _value(value: Any) -> Any:
    """Tuples travel as lists; each record has its own dict."""
    return tuple(value) if type(value) is list else dict(value) if type(value) is dict else value
