"""Records as JSON-ready values and back: the same fields as the `.avsc`, times as ISO 8601 with offset."""

import functools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.catalog import source
from schemas.records import TYPES, Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """The time of microseconds UTC; exact, no floats on the way. Raises `OverflowError` outside the years 1 to 9999."""
    return _EPOCH + micros * _MICROSECOND


def micros_of(moment: datetime) -> int:
    """Microseconds UTC of a time with a zone."""
    return (moment - _EPOCH) // _MICROSECOND


def calendar(micros: int) -> str:
    """`2026-11-23T06:00:00.000000+00:00`. Raises `OverflowError` for what no calendar has."""
    return moment(micros).isoformat(timespec="microseconds")


def iso(micros: int) -> str:
    """`2026-11-23T06:00:00.000000+00:00`; of what no calendar has, `9223372036854775807 µs`: who looks must see it."""
    try:
        return calendar(micros)
    except OverflowError:
        return f"{micros} µs"


def micros(text: str) -> int:
    """Microseconds UTC of an ISO 8601 time. Raises `ValueError` without an offset: a time without one is a guess."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset; write e.g. {text}Z or {text}+01:00")
    return micros_of(moment)


def to_plain(record: Record, time: Callable[[int], str] = iso) -> dict[str, Any]:
    """`{"type": …, field: value, …}` with times as text; `time` writes them, from microseconds UTC."""
    name = type(record).__name__
    plain: dict[str, Any] = _map_times(msgspec.to_builtins(record), _times(name), time)
    return {"type": name, **plain}


def from_plain(plain: Mapping[str, Any]) -> Record:
    """The inverse of `to_plain`; unknown fields are ignored. Raises `ValueError` saying which field is wrong."""
    name = plain.get("type")
    if name not in TYPES:
        raise ValueError(f"type {name!r} is no record of the namespace; there are {', '.join(TYPES)}")
    fields = {key: value for key, value in plain.items() if key != "type"}
    try:
        return msgspec.convert(_map_times(fields, _times(name), lambda text: micros(str(text))), TYPES[name])
    except msgspec.ValidationError as error:
        raise ValueError(f"{name}: {error}") from error


Times = Mapping[str, Any]
"""Field → True for a time, or the Times of the records inside it."""


@functools.cache
def _times(name: str) -> Times:
    return _times_of(json.loads(source(name)), {})


def _times_of(schema: Mapping[str, Any], named: dict[str, Times]) -> Times:
    times: dict[str, Any] = {}
    for field in schema["fields"]:
        for part in field["type"] if isinstance(field["type"], list) else [field["type"]]:
            inner = part["items"] if isinstance(part, dict) and part.get("type") == "array" else part
            if isinstance(inner, dict) and inner.get("logicalType") == "timestamp-micros":
                times[field["name"]] = True
            elif isinstance(inner, dict) and inner.get("type") == "record":
                named[inner["name"]] = times[field["name"]] = _times_of(inner, named)
    return times


def _map_times(value: Any, times: Times, convert: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_map_times(part, times, convert) for part in value]
    if not isinstance(value, Mapping):
        return value
    plain = {}
    for key, part in value.items():
        kind = times.get(key)
        if part is None or kind is None:
            plain[key] = part
        elif kind is True:
            plain[key] = convert(part)
        else:
            plain[key] = _map_times(part, kind, convert)
    return plain
