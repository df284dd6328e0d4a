"""A derived record as flat, named, typed cells: what a target with columns writes of it. Pure.

Numbers, texts, booleans and times are columns of their own; a map is a column for each of its members (`element_us_APT`);
what is a list or a list of parts is one column of JSON. A column's type follows from the record's type, never from a value,
so that it stays the same.
"""

import json
import re
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.catalog import source
from schemas.records import Derived, Samples
from sinks.kit.rows import Kind
from topology.namespace.path import Level

LEVELS = tuple(level.name.lower() for level in Level)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")


_PLAIN = {str: Kind.TEXT, int: Kind.INTEGER, float: Kind.NUMBER, bool: Kind.BOOLEAN}


class Cell(NamedTuple):
    name: str
    kind: Kind
    value: Any
    """None where the record has none."""
    always: bool = True
    """Every record of the type has a value: it is neither optional nor the member of a map."""


class BadColumns(ValueError):
    """A record that makes no columns; the message says why."""


def cells(record: Derived) -> Iterator[Cell]:
    """All of its fields but `path` and `started_at`, and whether it was withdrawn. Raises `BadColumns` where two members
    come to one name, capitals or not."""
    seen: set[str] = set()
    for name, kind, members, always in _plan(type(record)):
        value = getattr(record, name)
        if members is None:
            yield Cell(name, kind, _plain(kind, value), always)
            continue
        for member, part in (value if isinstance(value, dict) else msgspec.structs.asdict(value)).items():
            column = f"{name}_{_NO_NAME.sub('_', member)}"
            if column.lower() in seen:
                raise BadColumns(f"two members of {name} come to one column, {column}")
            seen.add(column.lower())
            its = members if isinstance(members, Kind) else members[member]
            yield Cell(column, its, _plain(its, part), always)
    yield Cell("withdrawn", Kind.BOOLEAN, record.withdrawn)


class Column(NamedTuple):
    name: str
    kind: Kind
    always: bool
    """As of a cell."""


@cache
def columns(kind: type[Derived]) -> tuple[Column, ...]:
    """What every record of the type has: the columns of `cells` without the members of maps."""
    found: list[Column] = []
    for name, its, members, always in _plan(kind):
        if members is None:
            found.append(Column(name, its, always))
        elif not isinstance(members, Kind):
            found += [Column(f"{name}_{member}", part, always) for member, part in members.items()]
    return (*found, Column("withdrawn", Kind.BOOLEAN, True))


_Plan = tuple[str, Kind, Kind | dict[str, Kind] | None, bool]
"""Field, kind, members, whether it is always there. Members of a map have one kind, those of a part each its own."""


@cache
def _plan(kind: type[Derived]) -> tuple[_Plan, ...]:
    hints = get_type_hints(kind)
    logical = {field["name"]: field["type"] for field in json.loads(source(kind.__name__))["fields"]}
    plan: list[_Plan] = []
    for name in kind.__struct_fields__:
        inner = _inner(hints[name])
        if name in ("path", "started_at"):
            continue
        if get_origin(inner) is dict:
            plan.append((name, Kind.JSON, _PLAIN[_inner(get_args(inner)[1])], False))
        elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            parts = get_type_hints(inner)
            plan.append(
                (name, Kind.JSON, {part: _PLAIN[_inner(parts[part])] for part in inner.__struct_fields__}, True)
            )
        else:
            plan.append(
                (
                    name,
                    Kind.TIME if _is_time(logical[name]) else _PLAIN.get(inner, Kind.JSON),
                    None,
                    inner is hints[name],
                )
            )
    return tuple(plan)


def _plain(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind is Kind.JSON:
        return msgspec.json.encode(value).decode()
    return float(value) if kind is Kind.NUMBER else value


def _inner(hint: Any) -> Any:
    if get_origin(hint) in (types.UnionType, Union):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _is_time(schema: Any) -> bool:
    parts = schema if isinstance(schema, list) else [schema]
    return any(isinstance(part, dict) and part.get("logicalType") == "timestamp-micros" for part in parts)


def levels(path: str) -> list[tuple[str, str]]:
    """(level, segment) of a path; what is deeper than a cell stands in the path alone."""
    return list(zip(LEVELS, path.split("/"), strict=False))


def id_kind(record: Derived) -> str:
    """With path, definition and start: the natural id. So it holds no time, and is one of a few words for a machine.

    Where an id is not made of these, the whole of it.
    """
    natural, before = record.natural_id, f"{record.path}#"
    after = f"@{_instant(record.started_at)}~{record.definition}"
    kind = natural.removeprefix(before).removesuffix(after)
    return kind if kind and natural == f"{before}{kind}{after}" else natural


def _instant(at: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=at)).strftime("%Y%m%dT%H%M%S.%fZ")
    except OverflowError:
        return ""


def is_series(record: object) -> bool:
    """Whether the record is one that a time series can hold: samples, and what is derived. Facts are replaced by their
    id, wherever in time they move; ticks say nothing."""
    return isinstance(record, Samples | Derived)


@cache
def map_fields(kind: type[Derived]) -> tuple[str, ...]:
    """Fields that are maps: each of their members is a column that begins with the field's name and `_`."""
    return tuple(name for name, _, members, _ in _plan(kind) if isinstance(members, Kind))
