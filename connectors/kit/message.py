"""What one message of JSON says, wherever it came from. Pure: the answer is readings, facts or `Malformed`, never an error."""

import json
import re
from typing import Any

import msgspec

from connectors.base import FactReading, Malformed, Reading, Said
from connectors.kit.payloads import BadPayload, Told, check_text, document, told
from connectors.kit.plain import plain
from connectors.kit.shape import Shape
from connectors.kit.times import BadTime, micros
from schemas.records import (
    Acknowledge,
    Fact,
    Gap,
    Inspection,
    Limits,
    Lot,
    Order,
    OutOfService,
    Reason,
    Sample,
    Shelve,
    Shift,
    WorkOrder,
)
from topology.namespace.path import Path

PAYLOAD_MAX_BYTES = 1_000_000
FACTS: dict[str, type[Fact]] = {
    "order": Order,
    "lot": Lot,
    "shift": Shift,
    "reason": Reason,
    "gap": Gap,
    "inspection": Inspection,
    "acknowledge": Acknowledge,
    "work_order": WorkOrder,
    "shelve": Shelve,
    "out_of_service": OutOfService,
    "limits": Limits,
}
TIMES = frozenset({"at", "started_at", "ended_at"})
MESSAGE_MAX = 500
_MAY_HOLD_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\x00")
"""Half of a surrogate pair, escaped or as bytes; a zero byte: UTF-16 or UTF-32, which JSON may be, too."""


def said(
    shape: Shape, origin: str, path: Path, payload: bytes, arrived: int | None = None, tag: str | None = None
) -> list[Said]:
    """What a message says; a malformed value of a list or map does not spoil the others.

    `origin` names where it came from, for errors. `arrived` (µs) is the time of what carries none. `tag`: see
    `connectors.kit.payloads.told`.
    """
    if shape.payload == "samples" and (readings := plain(shape, path, payload, PAYLOAD_MAX_BYTES)) is not None:
        return list[Said](readings)
    try:
        if shape.payload in FACTS:
            return [FactReading(path, _fact(FACTS[shape.payload], payload, shape))]
        values = told(shape, tag, payload, PAYLOAD_MAX_BYTES)
        return [_said(origin, path, value, payload, arrived) for value in values]
    except BadPayload as bad:
        return [malformed(origin, payload, bad, path)]
    except RecursionError:  # read by json, which goes deeper than we can
        return [Malformed(origin, payload, "bad_payload", f"{origin}: nested too deep", path)]


def malformed(origin: str, payload: bytes, bad: BadPayload, path: Path | None) -> Malformed:
    """A whole message that says nothing we can use."""
    return Malformed(origin, payload, bad.reason, f"{origin}: {bad}"[:MESSAGE_MAX], path)


def _said(origin: str, path: Path, value: Told | BadPayload, payload: bytes, arrived: int | None) -> Said:
    if isinstance(value, BadPayload):
        part = _bytes(value.part, payload)
        return Malformed(origin, part, value.reason, f"{origin}: {value}"[:MESSAGE_MAX], path)
    if value.at is not None:
        return Reading(path, Sample(value.tag, value.at, value.value, value.quality))
    if arrived is None:
        return Malformed(origin, payload, "bad_time", f"{origin}: the message gives no time", path)
    return Reading(path, Sample(value.tag, arrived, value.value, value.quality), "arrival")


def _bytes(entry: Any, payload: bytes) -> bytes:
    """The bad part of a message; the whole of it where the part is nested too deep to be written again."""
    try:
        return json.dumps(entry).encode()
    except RecursionError:
        return payload


def _fact(kind: type[Fact], payload: bytes, shape: Shape) -> Fact:
    read = document(payload, PAYLOAD_MAX_BYTES)
    if not isinstance(read, dict):
        raise BadPayload("bad_payload", f"a JSON object is expected, this is a {type(read).__name__}")
    if _MAY_HOLD_HALF_A_PAIR.search(payload):
        check_text(json.dumps(read, ensure_ascii=False), "the message")
    try:
        return msgspec.convert(_with_times(read, shape), kind)
    except BadTime as error:
        raise BadPayload("bad_time", str(error)) from None
    except msgspec.ValidationError as error:
        raise BadPayload("bad_fact", f"not a {kind.__name__}: {error}") from None


def _with_times(value: Any, shape: Shape) -> Any:
    if isinstance(value, list):
        return [_with_times(part, shape) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: micros(part, shape.time, shape.zone_info, shape.time_format)
        if name in TIMES and part is not None
        else _with_times(part, shape)
        for name, part in value.items()
    }
