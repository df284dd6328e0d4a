"""Records to bytes and back in Confluent's wire format: a zero byte, a 4-byte schema id, the Avro body."""

import io
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
import msgspec

from schemas.catalog import NAMESPACE, parsed, source
from schemas.records import TYPES, CurrentTag, Record, Sample

MAGIC = 0
_HEADER = struct.Struct(">bI")
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1


class Undecodable(ValueError):
    """Bytes that are no record of ours. `reason` is a bounded label for metrics, the message says what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Codec:
    """Encodes and decodes every record type.

    `ids` maps a record's name to its registered schema id. `writer_schema` gives the `.avsc` text behind an id that
    is not among them (an older or newer writer) and raises `LookupError` when nobody knows it.
    """

    def __init__(self, ids: Mapping[str, int], writer_schema: Callable[[int], str] | None = None) -> None:
        self._header = {name: _HEADER.pack(MAGIC, id_) for name, id_ in ids.items()}
        self._schema = {name: parsed(source(name)) for name in ids}
        self._name = {id_: name for name, id_ in ids.items()}
        self._writer_schema = writer_schema
        self._foreign: dict[int, tuple[str, Any]] = {}

    def encode(self, record: Record) -> bytes:
        """The record's bytes. Raises `ValueError` for a value that the schema cannot hold."""
        name = type(record).__name__
        buffer = io.BytesIO()
        buffer.write(self._header[name])
        try:
            fastavro.schemaless_writer(buffer, self._schema[name], _to_avro(record))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name} does not fit its schema: {error}") from error
        return buffer.getvalue()

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
            writer, reader = self._schema[name], None
        else:
            name, writer = self._resolve(id_)
            reader = self._schema[name]
        body = io.BytesIO(data)
        body.seek(_HEADER.size)
        try:
            value = fastavro.schemaless_reader(body, writer, reader)
            if body.tell() != len(data):
                raise Undecodable("trailing_bytes", f"{len(data) - body.tell()} bytes follow the record")
            return _from_avro(name, value)
        except Undecodable:
            raise
        except (
            Exception
        ) as error:  # fastavro raises whatever the bytes provoke: EOFError, IndexError, UnicodeDecodeError, …
            raise Undecodable("bad_avro", f"not a {name}: {type(error).__name__}: {error}") from error

    def _resolve(self, id_: int) -> tuple[str, Any]:
        if id_ not in self._foreign:
            if self._writer_schema is None:
                raise Undecodable("unknown_schema", f"schema id {id_} is not known")
            try:
                schema = parsed(self._writer_schema(id_))
            except LookupError as error:
                raise Undecodable("unknown_schema", f"schema id {id_} is not in the registry") from error
            namespace, _, name = str(schema["name"] if isinstance(schema, dict) else "").rpartition(".")
            if namespace != NAMESPACE or name not in self._schema:
                raise Undecodable(
                    "foreign_schema", f"schema id {id_} is a {namespace}.{name}, no record of the namespace"
                )
            self._foreign[id_] = (name, schema)
        return self._foreign[id_]


def _to_avro(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.structs.asdict(record)
    for field in ("samples", "tags"):
        if field in value:
            value[field] = [_bounded(part) for part in value[field]]
    for field in ("inputs",):
        if field in value:
            value[field] = msgspec.structs.asdict(value[field])
    if "breaks" in value:
        value["breaks"] = [msgspec.structs.asdict(part) for part in value["breaks"]]
    return value


def _bounded(sample: Sample | CurrentTag) -> dict[str, Any]:
    # fastavro would quietly turn an integer too large for a long into a double
    if type(sample.value) is int and not _LONG_MIN <= sample.value <= _LONG_MAX:
        raise ValueError(f"{sample.tag} = {sample.value} does not fit 64 bits")
    return {"tag": sample.tag, "at": sample.at, "value": sample.value, "quality": sample.quality}


def _from_avro(name: str, value: Any) -> Record:
    if name == "Samples":
        value["samples"] = tuple([Sample(s["tag"], s["at"], s["value"], s["quality"]) for s in value["samples"]])
        return TYPES[name](**value)
    return msgspec.convert(value, TYPES[name])


def is_finite(value: object) -> bool:
    """False for NaN and the infinities, which Avro carries but no fold can count."""
    return not isinstance(value, float) or math.isfinite(value)
