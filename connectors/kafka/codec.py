"""Records of foreign topics to readings. Pure: whatever a record holds, the answer is readings, facts or `Malformed`."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import fastavro
from msgspec.structs import replace

from connectors.base import Reading, Said
from connectors.kafka.config import Records
from connectors.kit.message import PAYLOAD_MAX_BYTES, malformed, said
from connectors.kit.payloads import BadPayload
from schemas import bounds
from topology.namespace.path import BadPath, Path

MAGIC, HEADER_BYTES = 0, 5
"""Confluent's wire format: a zero, four bytes of the schema's id, Avro."""
PLACES_MAX = 100_000
"""Topics and keys whose place is remembered: a source that invents keys must not fill the memory."""


class Record(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    """µs, Kafka's; None: it has none."""

    @property
    def origin(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class _Place(NamedTuple):
    records: Records
    path: Path
    tag: str | None


def schema_id(value: bytes | None) -> int | None:
    """Of a value in Confluent's wire format; None where it is none."""
    if value is None or len(value) < HEADER_BYTES or value[0] != MAGIC:
        return None
    return int.from_bytes(value[1:HEADER_BYTES], "big")


class Decoder:
    """Reads records by the first entry that fits topic and key. `schemas`: by id, a parsed schema or why there is none; a
    value whose schema is not there is malformed."""

    def __init__(self, entries: Sequence[Records], schemas: Mapping[int, Any]) -> None:
        self._entries = [(entry, entry.topic_pattern, entry.key_pattern) for entry in entries]
        self._schemas = schemas
        self._places: dict[tuple[str, bytes | None], _Place | BadPayload] = {}

    def decode(self, record: Record, arrived: int) -> list[Said]:
        """What a record says. `arrived` (µs) is the time of what carries none, where Kafka has none either. A tombstone says
        nothing."""
        place = self._place(record.topic, record.key)
        if isinstance(place, BadPayload):
            return [malformed(record.origin, record.value or b"", place, None)]
        if record.value is None:
            return []
        payload = record.value
        if place.records.format == "avro":
            try:
                payload = self._as_json(record.value)
            except BadPayload as bad:
                return [malformed(record.origin, record.value, bad, place.path)]
        at = arrived if record.timestamp is None else record.timestamp
        told = said(place.records, record.origin, place.path, payload, at, place.tag)
        return told if record.timestamp is None else [_by_kafka(one) for one in told]

    def _place(self, topic: str, key: bytes | None) -> _Place | BadPayload:
        found = self._places.get((topic, key))
        if found is None:
            if len(self._places) >= PLACES_MAX:
                self._places.clear()
            found = self._places[topic, key] = self._find(topic, key)
        return found

    def _find(self, topic: str, key: bytes | None) -> _Place | BadPayload:
        for entry, topics, keys in self._entries:
            named = topics.fullmatch(topic)
            if named is None:
                continue
            groups = named.groupdict()
            if keys is not None:
                text = None if key is None else key.decode("utf-8", "replace")
                of_key = None if text is None else keys.fullmatch(text)
                if of_key is None:
                    continue
                groups |= of_key.groupdict()
            try:
                return _Place(entry, entry.path_of(groups), entry.tag_of(groups))
            except BadPath as error:
                return BadPayload("no_path", f"topic and key give no path: {error}; `levels: spelled` spells it anew")
        return BadPayload("no_path", f"no entry of `records` fits key {(key or b'')[:100]!r}")

    def _as_json(self, value: bytes) -> bytes:
        number = schema_id(value)
        if number is None:
            raise BadPayload(
                "bad_avro", "no value in Confluent's wire format: it does not begin with 0 and a schema's id"
            )
        schema = self._schemas.get(number)
        if schema is None or isinstance(schema, str):
            raise BadPayload("unknown_schema", schema or f"schema id {number} is not known")
        if len(value) > PAYLOAD_MAX_BYTES:
            raise BadPayload("too_large", f"{len(value)} bytes, at most {PAYLOAD_MAX_BYTES} are read")
        body = io.BytesIO(value[HEADER_BYTES:])
        try:
            read = fastavro.schemaless_reader(body, schema)
        except Exception as error:  # fastavro raises what the bytes make it meet
            raise BadPayload("bad_avro", f"no record of schema id {number}: {type(error).__name__}: {error}") from None
        if body.read(1):
            raise BadPayload("bad_avro", f"bytes behind the record of schema id {number}")
        try:
            return json.dumps(read, default=_plain).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise BadPayload("bad_payload", f"schema id {number}: {error}") from None


def parsed(text: str, kind: str | None) -> Any:
    """A schema of the registry, parsed; a text that says why it is none that we can read by."""
    if kind not in (None, "AVRO"):
        return f"its schema is {kind}, and not Avro"
    if len(text) > bounds.SCHEMA_MAX_CHARACTERS:
        return f"its schema has {len(text)} characters, at most {bounds.SCHEMA_MAX_CHARACTERS} are read"
    try:
        schema = fastavro.parse_schema(json.loads(text))
        bounds.check(schema)
    except bounds.Unbounded as error:
        return f"its schema cannot be decoded safely: {error}"
    except Exception as error:  # a text from outside fails in many ways
        return f"its schema is no Avro schema: {type(error).__name__}: {error}"
    return schema


def _by_kafka(one: Said) -> Said:
    """What has no time of its own has Kafka's: when the record was written there."""
    return replace(one, time_of="server") if isinstance(one, Reading) and one.time_of == "arrival" else one


def _plain(value: Any) -> Any:
    """Logical types as JSON: times with their zone, decimals as numbers, bytes as hexadecimal text."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() and math.isfinite(value) else float(value)
        case bytes():
            return value.hex()
        case UUID():
            return str(value)
    raise TypeError(f"a {type(value).__name__} is no value")
