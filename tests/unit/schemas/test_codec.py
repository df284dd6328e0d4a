"""Bytes and back: every record survives, nothing else decodes, an absent registry is no verdict."""

import io
import json
import struct
from typing import Any, get_args, get_type_hints

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import parsed, source
from schemas.codec import Codec, Undecodable
from schemas.records import TYPES, Current, CurrentTag, Order, Record, Sample, Samples, State, Tick
from tests.harness.any_record import any_record, records
from tests.harness.records import EXAMPLES

IDS = {name: number for number, name in enumerate(TYPES, 1)}
CODEC = Codec(IDS)
FOREIGN = 900


def _framed(schema: dict[str, Any], value: dict[str, Any], id_: int = FOREIGN) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, parsed(json.dumps(schema)), value)
    return struct.pack(">bI", 0, id_) + body.getvalue()


def _reading(text: str) -> Codec:
    return Codec(IDS, {FOREIGN: text}.__getitem__)


def _reason(codec: Codec, data: bytes | None) -> str:
    with pytest.raises(Undecodable) as refused:
        codec.decode(data)
    return refused.value.reason


@pytest.mark.parametrize("name", TYPES)
def test_a_struct_has_the_fields_of_its_schema(name: str) -> None:
    assert _fields_of_struct(TYPES[name]) == _fields_of_schema(json.loads(source(name)))


def _fields_of_struct(struct_: type) -> dict[str, Any]:
    """Field → None, or the fields of the structs inside."""
    found = {}
    for field, hint in get_type_hints(struct_).items():
        if field in struct_.__struct_fields__:  # type: ignore[attr-defined]
            inner = [
                one for one in (hint, *get_args(hint)) if isinstance(one, type) and hasattr(one, "__struct_fields__")
            ]
            found[field] = _fields_of_struct(inner[0]) if inner else None
    return found


def _fields_of_schema(schema: dict[str, Any], named: dict[str, Any] | None = None) -> dict[str, Any]:
    """A record that is named once is known by its name from there on."""
    known, found = {} if named is None else named, {}
    for field in schema["fields"]:
        kind = field["type"]["items"] if isinstance(field["type"], dict) and "items" in field["type"] else field["type"]
        if isinstance(kind, list):
            kind = next((one for one in kind if isinstance(one, str) and one in known), None)
        if isinstance(kind, dict) and "fields" in kind:
            known[kind["name"]] = _fields_of_schema(kind, known)
            kind = kind["name"]
        found[field["name"]] = known.get(kind) if isinstance(kind, str) else None
    return found


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_every_record_comes_back(record: Record) -> None:
    assert CODEC.decode(CODEC.encode(record)) == record


@given(any_record())
def test_whatever_a_schema_allows_comes_back(record: Record) -> None:
    # repr: NaN equals itself, and 1, 1.0 and True differ
    assert repr(CODEC.decode(CODEC.encode(record))) == repr(record)


@given(any_record())
def test_the_bytes_are_avro_as_fastavro_reads_it(record: Record) -> None:
    name, data = type(record).__name__, CODEC.encode(record)
    assert struct.unpack_from(">bI", data) == (0, IDS[name])
    value = fastavro.schemaless_reader(io.BytesIO(data[5:]), parsed(source(name)), None)
    assert isinstance(value, dict)
    assert set(value) == set(TYPES[name].__struct_fields__)


@pytest.mark.parametrize(
    "record",
    [
        Samples("s", 1, (Sample("t", 1, 2**63),)),
        Samples("s", 1, (Sample("t", 1, -(2**63) - 1),)),
        Samples("s", 1, (Sample("t", 2**63, 1),)),
        Samples("s", 1, (Sample("t", 1, "\ud800"),)),
        Samples("s", 1, (Sample("t", 1, [1]),)),  # type: ignore[arg-type]
        Tick(at=None, worker="w"),  # type: ignore[arg-type]
        Order(id="1", product="p", started_at=1, planned_quantity=2**64),
    ],
    ids=["large", "small", "time", "surrogate", "list", "null", "quantity"],
)
def test_a_value_that_does_not_fit_is_refused_not_bent(record: Record) -> None:
    with pytest.raises(ValueError, match=r"fit|schema"):
        CODEC.encode(record)


def test_a_revision_that_other_readers_could_not_hold_is_refused() -> None:
    # fastavro writes any integer as an Avro int; Java's reader fails on more than 32 bits
    state = next(record for record in EXAMPLES if isinstance(record, State))
    with pytest.raises(ValueError, match="revision"):
        CODEC.encode(msgspec.structs.replace(state, revision=2**31))


def test_a_snapshots_large_integer_is_refused_too() -> None:
    current = next(record for record in EXAMPLES if isinstance(record, Current))
    with pytest.raises(ValueError, match="64 bits"):
        CODEC.encode(msgspec.structs.replace(current, tags=(CurrentTag("n", 1, 2**63, 0),)))


@given(any_record(), st.data())
def test_damaged_bytes_are_a_record_or_undecodable(record: Record, data: st.DataObject) -> None:
    damaged = bytearray(CODEC.encode(record))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        match data.draw(st.sampled_from(["cut", "flip", "insert"])):
            case "cut":
                del damaged[at:]
            case "flip" if at < len(damaged):
                damaged[at] ^= data.draw(st.integers(1, 255))
            case _:
                damaged[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    assert _outcome(bytes(damaged)) in {
        "record",
        "truncated",
        "bad_magic",
        "unknown_schema",
        "bad_avro",
        "trailing_bytes",
    }


@given(st.binary())
def test_noise_is_undecodable_or_a_record(noise: bytes) -> None:
    for id_ in IDS.values():
        assert _outcome(struct.pack(">bI", 0, id_) + noise) in {"record", "bad_avro", "trailing_bytes"}


def _outcome(data: bytes) -> str:
    try:
        return "record" if isinstance(CODEC.decode(data), tuple(TYPES.values())) else "something else"
    except Undecodable as refused:
        return refused.reason


@given(any_record())
def test_every_truncation_is_undecodable(record: Record) -> None:
    data = CODEC.encode(record)
    for length in range(len(data)):
        with pytest.raises(Undecodable):
            CODEC.decode(data[:length])


def test_reasons_tell_the_kinds_apart() -> None:
    data = CODEC.encode(Tick(at=1, worker="w"))
    assert _reason(CODEC, None) == "null_value"
    assert _reason(CODEC, b"\0\0") == "truncated"
    assert _reason(CODEC, b'{"json": 1}') == "bad_magic"
    assert _reason(CODEC, b"\0\0\0\x03\xe7" + data[5:]) == "unknown_schema"
    assert _reason(CODEC, data + b"\0") == "trailing_bytes"
    assert _reason(CODEC, data[:-1]) == "bad_avro"


def test_what_is_wrong_is_said_in_the_same_words_each_time() -> None:
    # The words go into a quarantine header, and a replay must say the same bytes: no address of an object in them.
    data = CODEC.encode(Samples("plc", 1, (Sample("Weight", 1, 1.5, 0), Sample("State", 1, "run", 0))))
    for cut in range(5, len(data)):
        with pytest.raises(Undecodable) as refused:
            CODEC.decode(data[:cut])
        assert "0x" not in str(refused.value)


def test_a_length_that_lies_costs_no_memory() -> None:
    huge = struct.pack(">bI", 0, IDS["Tick"]) + b"\x02" + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    assert _reason(CODEC, huge) == "bad_avro"


# -- writers with other schemas --------------------------------------------------------------------------------


def test_an_older_writers_record_gets_todays_defaults() -> None:
    older = json.loads(source("Order"))
    older["fields"] = [field for field in older["fields"] if field["name"] not in ("ideal_cycle_s", "planned_quantity")]
    data = _framed(older, {"id": "1", "product": "p", "started_at": 5, "ended_at": None})
    assert _reading(json.dumps(older)).decode(data) == Order(id="1", product="p", started_at=5)


def test_a_newer_writers_field_is_passed_over() -> None:
    newer = json.loads(source("Tick"))
    newer["fields"].insert(1, {"name": "zone", "type": "string", "default": ""})
    data = _framed(newer, {"at": 5, "zone": "CET", "worker": "w"})
    assert _reading(json.dumps(newer)).decode(data) == Tick(at=5, worker="w")


@given(st.sampled_from(list(TYPES)).flatmap(lambda name: records(name)))
def test_the_same_schema_under_another_id_reads_the_same(record: Record) -> None:
    data = CODEC.encode(record)
    codec = _reading(source(type(record).__name__))
    assert repr(codec.decode(struct.pack(">bI", 0, FOREIGN) + data[5:])) == repr(record)


def test_a_writer_whose_record_cannot_be_read_is_undecodable() -> None:
    other = {"type": "record", "name": "Tick", "namespace": "uns", "fields": [{"name": "at", "type": "string"}]}
    assert _reason(_reading(json.dumps(other)), _framed(other, {"at": "now"})) == "bad_avro"


@pytest.mark.parametrize(
    "text",
    [
        'syntax = "proto3"; message Tick {}',
        '{"type": "object", "properties": {}}',
        '"string"',
        '["null", "string"]',
        '{"type": "record", "name": "Tick", "namespace": "other", "fields": []}',
        '{"type": "record", "name": "Unheard", "namespace": "uns", "fields": []}',
    ],
)
def test_somebody_elses_schema_is_named_as_such_and_asked_for_once(text: str) -> None:
    asked = []

    def writer_schema(id_: int) -> str:
        asked.append(id_)
        return text

    codec = Codec(IDS, writer_schema)
    for _ in range(3):
        assert _reason(codec, b"\0\0\0\x03\x84abc") == "foreign_schema"
    assert asked == [FOREIGN]


def test_an_id_nobody_knows_yet_is_asked_for_again() -> None:
    known: dict[int, str] = {}
    codec = Codec(IDS, known.__getitem__)
    data = b"\0\0\0\x03\x84" + CODEC.encode(Tick(at=1, worker="w"))[5:]
    assert _reason(codec, data) == "unknown_schema"
    known[FOREIGN] = source("Tick")
    assert codec.decode(data) == Tick(at=1, worker="w")


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_the_header_alone_says_what_a_record_is(record: Record) -> None:
    data = CODEC.encode(record)
    assert CODEC.kind(data[:5]) == type(record).__name__
    assert CODEC.kind(b"\1" + data[1:]) is None
    assert CODEC.kind(data[:4]) is CODEC.kind(None) is CODEC.kind(b"\0\0\0\x03\x84") is None
    assert Codec(IDS, {FOREIGN: source("Tick")}.__getitem__).kind(b"\0\0\0\x03\x84") == "Tick"


def test_an_absent_registry_is_no_verdict_on_the_record() -> None:
    def away(id_: int) -> str:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        Codec(IDS, away).decode(b"\0\0\0\x03\x84abc")
