"""OPC UA data values to readings. Pure: a value that is none of ours is `Malformed`, never an error."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from asyncua import ua

from connectors.base import Malformed, Reading, TimeOf
from connectors.kit.times import plausible
from connectors.opcua.values import PARTS_MAX, parts, scalar
from schemas.records import Sample
from topology.namespace.path import Path

PAYLOAD_MAX_BYTES = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Part(NamedTuple):
    """What a value says of one tag."""

    tag: str
    said: Reading | Malformed


def decode(
    path: Path, tag: str, node_id: str, data: ua.DataValue, arrived: int | None = None, known: Iterable[str] = ()
) -> list[Part]:
    """One data value at the source's time; where that cannot be one, at the server's, then at `arrived` (µs), if given.

    An array or a structure has a tag for each of its parts (docs/values.md). `known`: tags that the parts of this one have
    had; a null of the whole is one of each.
    """
    raw = data.Value.Value if data.Value is not None else None
    at, time_of = _time(data)
    if at is None:
        if arrived is None:
            return [_malformed(path, tag, node_id, raw, "no_time", "neither the source nor the server gave a time")]
        at, time_of = arrived, "arrival"
    quality = data.StatusCode.value if data.StatusCode is not None else 0
    if isinstance(raw, int | float | str):  # nearly all are one
        return [_part(path, tag, node_id, raw, at, quality, time_of)]
    try:
        leaves = [(name, None) for name in known] if raw is None else []
        leaves = leaves or list(islice(parts(tag, raw), PARTS_MAX + 1))
        if len(leaves) > PARTS_MAX:
            raise ValueError(f"more than {PARTS_MAX} parts; list those that are wanted one by one, as variables")
    except ValueError as error:
        return [_malformed(path, tag, node_id, raw, "bad_value", str(error))]
    return [_part(path, name, node_id, leaf, at, quality, time_of) for name, leaf in leaves]


def _part(path: Path, tag: str, node_id: str, leaf: Any, at: int, quality: int, time_of: TimeOf) -> Part:
    try:
        return Part(tag, Reading(path, Sample(tag, at, scalar(leaf, quality), quality), time_of))
    except (TypeError, ValueError) as error:
        return _malformed(path, tag, node_id, leaf, "bad_value", str(error))


def time_of(data: ua.DataValue) -> int | None:
    """When a value came to be (µs), as the source or the server says; None where neither can be a time."""
    return _time(data)[0]


def server_time(data: ua.DataValue) -> int | None:
    """When the server saw a value (µs); None where it does not say."""
    return _plausible(data.ServerTimestamp)


def _time(data: ua.DataValue) -> tuple[int | None, TimeOf]:
    at = _plausible(data.SourceTimestamp)
    return (at, "source") if at is not None else (_plausible(data.ServerTimestamp), "server")


def _plausible(said: datetime | None) -> int | None:
    if said is None:
        return None
    at = micros(said)
    return at if plausible(at) else None


def micros(moment: datetime) -> int:
    """µs since the epoch; asyncua gives UTC with and without saying so."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    return _EPOCH + at * _MICROSECOND


def _malformed(path: Path, tag: str, node_id: str, raw: Any, reason: str, message: str) -> Part:
    payload = repr(raw).encode("utf-8", "backslashreplace")[:PAYLOAD_MAX_BYTES]
    return Part(tag, Malformed(node_id, payload, reason, f"{path} {tag} ({node_id}): {message}", path))
