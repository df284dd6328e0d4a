"""Bytes of a Sparkplug B payload to what stands in it, and a rebirth request to bytes. Pure."""

import zlib
from typing import Any

from google.protobuf.message import DecodeError

from connectors.kit.payloads import BadPayload
from connectors.kit.times import plausible, shown
from connectors.sparkplug.values import text
from schemas.records import GOOD
from topology.sparkplug.schema import Payload
from topology.sparkplug.topics import BD_SEQ, REBIRTH

PAYLOAD_MAX_BYTES = 10_000_000
"""Of a payload, unpacked too: a birth of a hundred thousand metrics has less."""
COMPRESSED = "SPBV1.0_COMPRESSED"
"""The `uuid` of a payload whose body is another one, packed."""
ZLIB_OR_GZIP = 47
"""zlib's word for: the frame says which of the two it is."""
_BOOLEAN = 11

BAD, NO_COMMUNICATION, LAST_USABLE = 0x80000000, 0x80310000, 0x408F0000
"""OPC UA status codes: Bad; Bad_NoCommunication; Uncertain_NoCommunicationLastUsableValue."""
QUALITIES = {0: BAD, 192: GOOD, 500: LAST_USABLE}
"""What the property `Quality` says → the status code. 500 is stale: the edge node repeats what it heard last."""


def payload_of(data: bytes) -> Any:
    """The payload, unpacked where it was packed. Raises `BadPayload`."""
    outer = _parsed(data)
    if outer.uuid != COMPRESSED:
        return outer
    inner = _parsed(_unpacked(outer))
    if inner.uuid == COMPRESSED:
        raise BadPayload("bad_payload", "a packed payload in a packed payload")
    for name in ("timestamp", "seq"):  # what packs may leave them outside
        if outer.HasField(name) and not inner.HasField(name):
            setattr(inner, name, getattr(outer, name))
    return inner


def _parsed(data: bytes) -> Any:
    if len(data) > PAYLOAD_MAX_BYTES:
        raise BadPayload("too_large", f"{len(data)} bytes, at most {PAYLOAD_MAX_BYTES} are read")
    try:
        return Payload.FromString(data)
    except (DecodeError, RecursionError) as error:
        raise BadPayload("bad_protobuf", f"no Sparkplug B payload: {error}") from None


def _unpacked(outer: Any) -> bytes:
    for metric in outer.metrics:
        if metric.name == "algorithm" and metric.string_value not in ("GZIP", "DEFLATE"):
            raise BadPayload("bad_payload", f"packed by {shown(metric.string_value)}; GZIP and DEFLATE are known")
    unpack = zlib.decompressobj(ZLIB_OR_GZIP)
    try:
        # One byte more than may be, and no more: a bomb is not unpacked.
        data = unpack.decompress(outer.body, PAYLOAD_MAX_BYTES + 1)
    except zlib.error as error:
        raise BadPayload("bad_payload", f"the body cannot be unpacked: {error}") from None
    if len(data) > PAYLOAD_MAX_BYTES:
        raise BadPayload("too_large", f"unpacked it has more than {PAYLOAD_MAX_BYTES} bytes")
    if not unpack.eof:
        raise BadPayload("bad_payload", "the packed body ends early")
    return data


def bd_seq_of(payload: Any) -> int | None:
    """The birth-death number, by which a death finds its birth; None where there is none."""
    for metric in payload.metrics:
        if metric.name == BD_SEQ and metric.WhichOneof("value") in ("int_value", "long_value"):
            return int(metric.long_value or metric.int_value)
    return None


def time_of(holder: Any) -> int | None:
    """The timestamp of a payload or metric in µs; None where there is none that can be one."""
    at = holder.timestamp * 1000
    return at if plausible(at) else None


def quality_of(metric: Any) -> int:
    """The status code that the property `Quality` means; without it a value is good. Raises `BadPayload`."""
    if not metric.HasField("properties"):
        return GOOD
    properties = metric.properties
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == "Quality":
            code = QUALITIES.get(value.int_value if value.WhichOneof("value") == "int_value" else value.long_value)
            if code is None or value.WhichOneof("value") not in ("int_value", "long_value"):
                raise BadPayload("bad_quality", "its quality is none of 0 (bad), 192 (good) and 500 (stale)")
            return code
    return GOOD


def name_of(metric: Any) -> str:
    """A metric's name, empty where it has none. Raises `BadPayload`."""
    return text(metric.name, "the name of a metric")


def rebirth_request(now: int) -> bytes:
    """The NCMD by which a host asks an edge node for all its births. `now` in µs; a command has no sequence number."""
    payload = Payload(timestamp=now // 1000)
    payload.metrics.add(name=REBIRTH, timestamp=now // 1000, datatype=_BOOLEAN, boolean_value=True)
    return bytes(payload.SerializeToString())
