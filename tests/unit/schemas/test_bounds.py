"""Foreign writers: whatever a compatible schema adds and whatever the bytes announce, decoding ends, soon."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import bounds
from schemas.catalog import parsed, source
from schemas.codec import Codec, Undecodable
from schemas.compatibility import Level, problems
from schemas.history import versions
from schemas.records import TYPES, Tick
from tests.harness.records import EXAMPLES

FOREIGN = 900
IDS = {name: number for number, name in enumerate(TYPES, 1)}
HEADER = b"\0" + FOREIGN.to_bytes(4, "big")
TICK = b"\x02\x02w"
"""at = 1, worker = w."""


def writer(type_: Any, default: Any) -> str:
    """A newer Tick with one field more."""
    schema = json.loads(source("Tick"))
    return json.dumps({**schema, "fields": [*schema["fields"], {"name": "more", "type": type_, "default": default}]})


def verdict(codec: Codec, data: bytes) -> str:
    """Reason of the refusal; empty: decoded."""
    try:
        codec.decode(data)
    except Undecodable as refused:
        return refused.reason
    return ""


def varint(number: int) -> bytes:
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def record(name: str, *types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{n}", "type": t} for n, t in enumerate(types)]}


def laughs(levels: int) -> dict[str, Any]:
    """Records of two of the next level each: 2^levels nulls, and not one byte."""
    schema: Any = "null"
    for level in range(levels):
        schema = record(f"L{level}", schema, f"L{level - 1}" if level else "null")
    return dict(schema)


FIXED = {"type": "fixed", "name": "F", "size": 4}
NOTHING = {"type": "fixed", "name": "F", "size": 0}
ITEMS = ["null", NOTHING, record("Empty"), record("Nulls", "null", "null"), array("null"), record("A", array("null"))]


@pytest.mark.parametrize("text", [source(name) for name in TYPES] + [v for n in TYPES for v in versions(n).values()])
def test_our_own_schemas_are_bounded(text: str) -> None:
    bounds.check(parsed(text))


@pytest.mark.parametrize("items", ITEMS, ids=json.dumps)
def test_items_that_take_no_bytes_are_refused(items: Any) -> None:
    text = writer(array(items), [])
    assert problems(text, {1: source("Tick")}, Level.BACKWARD_TRANSITIVE) == [], "compatible: a registry takes it"
    data = HEADER + TICK + varint(10**11) + b"\0"
    assert len(data) <= 20
    with pytest.raises(Undecodable, match="cannot be decoded safely") as refused:
        Codec(IDS, {FOREIGN: text}.__getitem__).decode(data)
    assert refused.value.reason == "foreign_schema"


@pytest.mark.parametrize("count", [10**11, -(10**11)])
@pytest.mark.parametrize(
    "items", ["double", "boolean", "float", "long", "string", FIXED, ["null", "long"]], ids=json.dumps
)
@pytest.mark.parametrize("form", ["array", "map"])
def test_a_count_that_the_bytes_do_not_bear_out_ends_at_once(form: str, items: Any, count: int) -> None:
    type_ = array(items) if form == "array" else {"type": "map", "values": items}
    size = varint(3) if count < 0 else b""
    data = HEADER + TICK + varint(count) + size + b"\2a\0"
    with pytest.raises(Undecodable) as refused:
        Codec(IDS, {FOREIGN: writer(type_, [] if form == "array" else {})}.__getitem__).decode(data)
    assert refused.value.reason == "bad_avro"


def test_a_block_that_lies_about_its_size_leads_nowhere() -> None:
    """Passed over by its size, the reader would go on in the midst of an item, and read a count there."""
    hidden = varint(10**11) + b"\0" * 3
    item = b"\x0c" + hidden[:6]
    data = HEADER + TICK + varint(-1) + varint(1) + item + b"\0"
    text = writer(array("bytes"), [])
    assert Codec(IDS, {FOREIGN: text}.__getitem__).decode(data) == Tick(at=1, worker="w")


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (record("Self", ["null", "Self"]), "holds itself"),
        (record("A", array(record("B", ["null", "A"]))), "holds itself"),
        (laughs(40), "values outside its arrays"),
        (array(laughs(12)), "values a byte"),
        ({"type": "map", "values": record("Wide", *["null"] * 40)}, "values a byte"),
    ],
    ids=["itself", "by a round", "laughs", "laughs in an array", "wide items"],
)
def test_what_grows_without_bytes_is_refused(type_: Any, words: str) -> None:
    schema = parsed(json.dumps({"type": "record", "name": "T", "fields": [{"name": "x", "type": type_}]}))
    with pytest.raises(bounds.Unbounded, match=words):
        bounds.check(schema)


def test_depth_is_bounded() -> None:
    schema: Any = "long"
    for _ in range(bounds.DEPTH_MAX + 1):
        schema = array(schema)
    with pytest.raises(bounds.Unbounded, match="deeper"):
        bounds.check(schema)


def test_a_record_or_schema_beyond_all_measure_is_refused() -> None:
    codec = Codec(
        IDS, {FOREIGN: writer("bytes", ""), 901: " " * bounds.SCHEMA_MAX_CHARACTERS + source("Tick")}.__getitem__
    )
    length = bounds.RECORD_MAX_BYTES
    with pytest.raises(Undecodable, match="are the most"):
        codec.decode(HEADER + TICK + varint(length) + b"\0" * length)
    with pytest.raises(Undecodable, match="characters"):
        codec.decode(b"\0" + (901).to_bytes(4, "big") + TICK)


SIMPLE = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])


def _named(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=3).map(lambda types: record("R", *types))


TREES = st.recursive(
    SIMPLE,
    lambda children: st.one_of(
        children.map(array),
        children.map(lambda values: {"type": "map", "values": values}),
        st.lists(SIMPLE, min_size=1, max_size=3, unique=True),
        _named(children),
    ),
    max_leaves=6,
)


def _distinct(schema: Any, taken: list[int]) -> Any:
    """Names of records made unique: a schema may define each once."""
    if isinstance(schema, list):
        return [_distinct(part, taken) for part in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _distinct(part, taken) for key, part in schema.items()}
    if renamed["type"] == "record":
        taken.append(1)
        renamed["name"] = f"R{len(taken)}"
    return renamed


@given(TREES, st.binary(max_size=60), st.sampled_from([10**11, -(10**11), 10**6, 3]))
def test_any_schema_and_any_bytes_end(tree: Any, noise: bytes, count: int) -> None:
    schema = json.loads(source("Tick"))
    added = {"name": "more", "type": _distinct(tree, [])}
    text = json.dumps({**schema, "fields": [*schema["fields"], added]})
    codec = Codec(IDS, {FOREIGN: text}.__getitem__)
    for data in (TICK + noise, TICK + varint(count) + noise, noise):
        assert verdict(codec, HEADER + data) in ("", "bad_avro", "trailing_bytes", "foreign_schema")


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=60), st.sampled_from([10**11, -(10**11), 10**6]))
def test_our_own_schemas_end_on_any_bytes(name: str, noise: bytes, count: int) -> None:
    codec = Codec(IDS)
    for data in (noise, varint(count) + noise, noise + varint(count)):
        assert verdict(codec, b"\0" + IDS[name].to_bytes(4, "big") + data) in ("", "bad_avro", "trailing_bytes")


def test_an_older_and_a_newer_writer_are_read_as_before() -> None:
    codec = Codec(IDS)
    for example in EXAMPLES:
        name = type(example).__name__
        schema = json.loads(source(name))
        more = {"name": "added", "type": ["null", array(["null", "string"])], "default": None}
        newer = json.dumps({**schema, "fields": [more, *schema["fields"]]})
        foreign = Codec(IDS, {FOREIGN: newer}.__getitem__)
        body = codec.encode(example)[5:]
        assert foreign.decode(HEADER + b"\0" + body) == example
        assert foreign.decode(HEADER + b"\2" + varint(1) + b"\2\2x\0" + body) == example
