"""Derived records as compressed columns: what records of one kind have in common is said once, numbers by difference.

What is packed names its types and their fields, so that another release can read it: a field that it lacks gets its
default, a field or a type that is gone is left out. A field that is new and has no default needs a new `state_version`.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from processors.output.words import DICTIONARY
from schemas.records import DERIVED_TYPES, Derived


def _holds_records(hint: Any) -> bool:
    inner = get_args(hint)
    return bool(inner) and isinstance(inner[0], type) and issubclass(inner[0], msgspec.Struct)


_TYPES: dict[str, type[Derived]] = {cls.__name__: cls for cls in DERIVED_TYPES}
_SHARED = ("id", "path", "definition", "inputs")
FIELDS = {cls: tuple(name for name in cls.__struct_fields__ if name not in _SHARED) for cls in DERIVED_TYPES}
"""What a record says beside its identity and lineage."""

_NESTED = {cls: {name: hint for name, hint in get_type_hints(cls).items() if _holds_records(hint)} for cls in FIELDS}
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


def pack(records: Iterable[tuple[str, Derived]]) -> bytes:
    """Records with their kinds; all of one kind are of one type."""
    by_kind: dict[str, list[Derived]] = {}
    for kind, record in records:
        by_kind.setdefault(kind, []).append(record)
    groups = []
    fields: dict[str, tuple[str, ...]] = {}
    for kind, same_kind in by_kind.items():
        same_kind.sort(key=lambda record: record.started_at)
        cls = type(same_kind[0])
        fields[cls.__name__] = FIELDS[cls]
        columns = [
            _column([record.inputs.first_offset for record in same_kind]),
            _column([record.inputs.last_offset - record.inputs.first_offset for record in same_kind]),
            *(_column([getattr(record, field) for record in same_kind]) for field in FIELDS[cls]),
        ]
        groups.append((kind, cls.__name__, len(same_kind), columns))
    deflate = zlib.compressobj(6, zdict=DICTIONARY)
    return deflate.compress(_encoder.encode((fields, groups))) + deflate.flush()


def unpack(data: bytes, dropped: dict[str, int], only: str | None = None) -> Iterator[Row]:
    """What `pack` gave, here or in another release, of all kinds or of one.

    Records of a type that is gone are counted in `dropped`, by name, when all are unpacked.
    """
    fields, groups = _decoder.decode(zlib.decompressobj(zdict=DICTIONARY).decompress(data))
    for kind, name, count, columns in groups:
        if only is not None and kind != only:
            continue
        cls = _TYPES.get(name)
        if cls is None:
            dropped[name] = dropped.get(name, 0) + count
            continue
        first, length, *rest = (_values(count, how, values) for how, values in columns)
        known = [(field, values) for field, values in zip(fields[name], rest, strict=True) if field in FIELDS[cls]]
        nested = [(field, inner) for field, inner in _NESTED[cls].items() if field in fields[name]]
        for n in range(count):
            content = {field: _value(values[n]) for field, values in known}
            for field, inner in nested:
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


_BASE = ("started_at", "ended_at", "status", "revision")


def content_of(record: Derived) -> dict[str, Any]:
    """What a record says beside identity, interval, status and lineage."""
    return {name: getattr(record, name) for name in FIELDS[type(record)] if name not in _BASE}
