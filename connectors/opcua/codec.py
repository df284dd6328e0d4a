"""OPC UA data values to readings. Pure: a value that is none of ours is `Malformed`, never an error."""

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

from asyncua import ua

from connectors.base import Malformed, Reading
from schemas.records import Sample, Value
from topology.namespace.path import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def decode(path: Path, tag: str, node_id: str, data: ua.DataValue) -> Reading | Malformed:
    """One data value at the source's time, or the server's where the source gave none."""
    moment = data.SourceTimestamp or data.ServerTimestamp
    raw = data.Value.Value if data.Value is not None else None
    if moment is None:
        return _malformed(path, tag, node_id, raw, "no_time", "neither the source nor the server gave a time")
    quality = data.StatusCode.value if data.StatusCode is not None else 0
    try:
        value = _value(raw)
    except (TypeError, ValueError) as error:
        return _malformed(path, tag, node_id, raw, "bad_value", str(error))
    return Reading(path, Sample(tag, micros(moment), value, quality))


def micros(moment: datetime) -> int:
    """µs since the epoch; asyncua gives UTC with and without saying so."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    return _EPOCH + at * _MICROSECOND


def _value(raw: Any) -> Value:
    if isinstance(raw, IntEnum):
        return int(raw)
    if isinstance(raw, int) and not -(2**63) <= raw < 2**63:
        raise ValueError(f"{raw} does not fit 64 bits with a sign")
    if raw is None or isinstance(raw, bool | int | float):
        return raw
    if isinstance(raw, str):
        return _text(raw)
    if isinstance(raw, datetime):
        return (raw if raw.tzinfo else raw.replace(tzinfo=UTC)).isoformat()
    if isinstance(raw, ua.LocalizedText):
        return _text(raw.Text or "")
    if isinstance(raw, ua.QualifiedName):
        return _text(raw.Name or "")
    if isinstance(raw, UUID):
        return str(raw)
    if isinstance(raw, ua.NodeId):
        return _text(raw.to_string())
    raise TypeError(f"a {type(raw).__name__} is no value of a tag; list the variables inside it one by one")


def _text(raw: str) -> str:
    """Raises `ValueError` for what UTF-8 cannot hold."""
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half of a surrogate pair, which is no character") from None
    return str(raw)


def _malformed(path: Path, tag: str, node_id: str, raw: Any, reason: str, message: str) -> Malformed:
    return Malformed(node_id, repr(raw).encode()[:100_000], reason, f"{path} {tag} ({node_id}): {message}", path)
