"""Records to bytes and back in Confluent's wire format: a zero byte, a 4-byte schema id, the Avro body."""

import functools
import io
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
import msgspec

from schemas import bounds
from schemas.catalog import NAMESPACE, parsed, source
from schemas.reader import samples
from schemas.records import TYPES, Current, Record, Samples
from schemas.writer import Unusual, Write, compiled

MAGIC = 0
_SAMPLES = Samples.__name__
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_HEADER = struct.Struct(">bI")
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


REASONS = (
    "null_value",
    "truncated",
    "bad_magic",
    "unknown_schema",
    "foreign_schema",
    "bad_avro",
    "trailing_bytes",
)
"""Of an `Undecodable`, every one there is."""


class Undecodable(ValueError):
    """Bytes that are no record of ours. `reason` is a bounded label for metrics, the message says what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Codec:
    """Encodes and decodes every record type.

    `ids` maps a record's name to its registered schema id. `writer_schema` gives the `.avsc` text behind an id that
    is not among them and raises `LookupError` when nobody knows it; `schema_id` gives the id of a record that is
    written for the first time and not among them. Whatever else they raise (the registry is away) comes through
    `decode` and `encode` as it is: that is no verdict on the record.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        writer_schema: Callable[[int], str] | None = None,
        schema_id: Callable[[str], int] | None = None,
    ) -> None:
        self._header = {name: _HEADER.pack(MAGIC, id_) for name, id_ in ids.items()}
        self._schema = {name: parsed(source(name)) for name in TYPES}
        self._int_fields = {name: _int_fields(name) for name in TYPES}
        self._name = {id_: name for name, id_ in ids.items()}
        self._writer_schema = writer_schema
        self._schema_id = schema_id
        self._foreign: dict[int, tuple[str, Any] | Undecodable] = {}

    def encode(self, record: Record) -> bytes:
        """The record's bytes. Raises `ValueError` for a value that the schema cannot hold."""
        name = type(record).__name__
        header = self._header.get(name) or self._first_header(name)
        try:
            return header + _write(name)(record)
        except Unusual:
            return self._judged(name, header, record)

    def _judged(self, name: str, header: bytes, record: Record) -> bytes:
        """The same by fastavro, which says what does not fit."""
        buffer = io.BytesIO()
        buffer.write(header)
        try:
            value = _to_avro(record)
            for field in self._int_fields[name]:
                # fastavro writes any integer as an Avro int, and other readers fail on it
                if not _INT_MIN <= value[field] <= _INT_MAX:
                    raise ValueError(f"{field} = {value[field]} does not fit 32 bits")
            fastavro.schemaless_writer(buffer, self._schema[name], value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name} does not fit its schema: {error}") from error
        return buffer.getvalue()

    def kind(self, data: bytes | None) -> str | None:
        """Name of the record in the bytes, by their header alone; None when they are none of ours."""
        if data is None or len(data) < _HEADER.size:
            return None
        magic, id_ = _HEADER.unpack_from(data)
        if magic != MAGIC:
            return None
        try:
            return self._name.get(id_) or self._resolve(id_)[0]
        except Undecodable:
            return None

    def decode(self, data: bytes | None) -> Record:
        """The record in the bytes. Raises `Undecodable`."""
        if data is None:
            raise Undecodable("null_value", "the record has no value")
        if len(data) < _HEADER.size:
            raise Undecodable("truncated", f"{len(data)} bytes are too few for a header")
        magic, id_ = _HEADER.unpack_from(data)
        if magic != MAGIC:
            raise Undecodable("bad_magic", f"first byte is {data[0]}, Confluent's wire format begins with 0")
        name = self._name.get(id_)
        if name is not None:
            if name == _SAMPLES and (read := samples(data, _HEADER.size)) is not None:
                return read
            writer, reader = self._schema[name], None
        else:
            name, writer = self._resolve(id_)
            reader = self._schema[name]
            if len(data) > bounds.RECORD_MAX_BYTES:
                raise Undecodable("bad_avro", f"{len(data)} bytes; {bounds.RECORD_MAX_BYTES} are the most")
        body = io.BytesIO(data)
        body.seek(_HEADER.size)
        try:
            value = fastavro.schemaless_reader(body, writer, None)
            if body.tell() != len(data):
                raise Undecodable("trailing_bytes", f"{len(data) - body.tell()} bytes follow the record")
            if reader is not None:
                value = _resolved(value, writer, reader)
            return msgspec.convert(value, TYPES[name])
        except Undecodable:
            raise
        except Exception as error:  # fastavro raises whatever the bytes provoke: EOFError, UnicodeDecodeError, …
            # No object's address in the words: they go into a header that every replay must say again, byte for byte.
            words = _ADDRESS.sub("", str(error))
            raise Undecodable("bad_avro", f"not a {name}: {type(error).__name__}: {words}") from error

    def _resolve(self, id_: int) -> tuple[str, Any]:
        """Record name and writer schema of an id that is not among ours."""
        if id_ not in self._foreign:
            try:
                self._foreign[id_] = self._look_up(id_)
            except Undecodable as refused:
                if refused.reason == "unknown_schema":  # not remembered: it may be registered any moment
                    raise
                self._foreign[id_] = refused
        resolved = self._foreign[id_]
        if isinstance(resolved, Undecodable):
            raise Undecodable(resolved.reason, str(resolved))
        if resolved[1] == self._schema[resolved[0]]:
            self._name[id_] = resolved[0]  # written under our own schema: from now on the short way
        return resolved

    def _first_header(self, name: str) -> bytes:
        if self._schema_id is None:
            raise LookupError(f"{name} has no schema id")
        id_ = self._schema_id(name)
        self._name[id_] = name
        self._header[name] = _HEADER.pack(MAGIC, id_)
        return self._header[name]

    def _look_up(self, id_: int) -> tuple[str, Any]:
        if self._writer_schema is None:
            raise Undecodable("unknown_schema", f"schema id {id_} is not known")
        try:
            text = self._writer_schema(id_)
        except LookupError as error:
            raise Undecodable("unknown_schema", f"schema id {id_} is not in the registry") from error
        if len(text) > bounds.SCHEMA_MAX_CHARACTERS:
            raise Undecodable(
                "foreign_schema", f"schema id {id_} has {len(text)} characters; no schema of ours is so long"
            )
        try:
            schema = parsed(text)
        except Exception as error:  # JSON Schema and Protobuf texts fail in many ways; the registry has answered
            raise Undecodable("foreign_schema", f"schema id {id_} is no Avro schema: {error}") from error
        full_name = str(schema.get("name")) if isinstance(schema, dict) else "schema without a name"
        namespace, _, name = full_name.rpartition(".")
        if namespace != NAMESPACE or name not in self._schema:
            raise Undecodable("foreign_schema", f"schema id {id_} is a {full_name}, no record of the namespace")
        try:
            bounds.check(schema)
        except bounds.Unbounded as error:
            raise Undecodable(
                "foreign_schema", f"schema id {id_}, a {full_name}, cannot be decoded safely: {error}"
            ) from error
        return name, schema


def _resolved(value: Any, writer: Any, reader: Any) -> Any:
    """A foreign writer's value as our schema has it: fields of its own left out, ours that it lacks at their defaults.

    Through bytes of our own making. fastavro passes over fields that the reader lacks without looking where the bytes end:
    the block of doubles that a foreign record announces would be passed over 10^11 times.
    """
    body = io.BytesIO()
    fastavro.schemaless_writer(body, writer, value)
    body.seek(0)
    return fastavro.schemaless_reader(body, writer, reader)


@functools.cache
def _write(name: str) -> Write:
    return compiled(json.loads(source(name)))


def _int_fields(name: str) -> tuple[str, ...]:
    return tuple(field["name"] for field in json.loads(source(name))["fields"] if field["type"] == "int")


def _to_avro(record: Record) -> Any:
    parts = record.samples if isinstance(record, Samples) else record.tags if isinstance(record, Current) else ()
    for part in parts:
        # fastavro would quietly turn an integer too large for a long into a double
        if type(part.value) is int and not _LONG_MIN <= part.value <= _LONG_MAX:
            raise ValueError(f"{part.tag} = {part.value} does not fit 64 bits")
    return msgspec.to_builtins(record)


def is_finite(value: object) -> bool:
    """False for NaN and the infinities, which Avro carries but no fold can count."""
    return not isinstance(value, float) or math.isfinite(value)
