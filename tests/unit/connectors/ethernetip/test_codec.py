"""Bytes become values by the type that comes with them: what another library encodes, and what none would."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycomm3.cip import DataTypes

from connectors.base import Malformed, Reading
from connectors.ethernetip.answer import EMBEDDED, READ, SEVERAL, Reply, replies
from connectors.ethernetip.codec import decode
from connectors.ethernetip.quality import judged, of_status
from connectors.ethernetip.wanted import ITEMS_MAX, NAME, Wanted, groups
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import BAD_CONFIGURATION_ERROR, BAD_DECODING_ERROR, BAD_NO_DATA, GOOD
from connectors.kit.polling.wire import Garbled, Refused
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_800_000_000_000_000
WHOLE = {"SINT": (8, True), "INT": (16, True), "DINT": (32, True), "LINT": (64, True)}
WHOLE |= {"USINT": (8, False), "UINT": (16, False), "UDINT": (32, False), "ULINT": (63, False)}


def read(raw: bytes, **options: Any) -> tuple[list[tuple[str, Any, int]], list[str]]:
    """(tag, value, quality) of each reading, and what is malformed."""
    said = list(decode(Wanted(PATH, "Tag", "Tag", **options), raw, AT, "plc", "latin-1"))
    found = [(one.sample.tag, one.sample.value, one.sample.quality) for one in said if isinstance(one, Reading)]
    return found, [one.reason for one in said if isinstance(one, Malformed)]


def encoded(kind: str, *values: Any) -> bytes:
    type_ = DataTypes.get(kind)
    return struct.pack("<H", type_.code) + b"".join(type_.encode(value) for value in values)


@pytest.mark.parametrize("kind", sorted(WHOLE))
@given(data=st.data())
def test_what_pycomm3_encodes_is_read_as_the_same_number(kind: str, data: st.DataObject) -> None:
    bits, signed = WHOLE[kind]
    number = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1))
    assert read(encoded(kind, number)) == ([("Tag", number, GOOD)], [])


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_arrays_are_tags(numbers: list[float]) -> None:
    found, bad = read(encoded("REAL", *numbers), count=len(numbers))
    assert found == [(f"Tag.{at}", number, GOOD) for at, number in enumerate(numbers)]
    assert bad == []


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(max_codepoint=255), max_size=82),
)
def test_reals_bits_and_texts(number: float, on: bool, text: str) -> None:
    assert read(encoded("LREAL", number)) == ([("Tag", number, GOOD)], [])
    assert read(encoded("BOOL", on)) == ([("Tag", on, GOOD)], [])
    raw = text.encode("latin-1")
    assert read(encoded("SHORT_STRING", text)) == ([("Tag", text, GOOD)], [])
    logix = b"\xa0\x02\xce\x0f" + len(raw).to_bytes(4, "little") + raw.ljust(84, b"\0")
    assert read(logix) == ([("Tag", text, GOOD)], [])
    assert read(logix + logix[4:], count=2) == ([("Tag.0", text, GOOD), ("Tag.1", text, GOOD)], [])


@given(st.integers(0, 2**32 - 1), st.integers(0, 31))
def test_bits_of_a_number(number: int, bit: int) -> None:
    assert read(encoded("UDINT", number), bit=bit) == ([("Tag", bool(number >> bit & 1), GOOD)], [])
    found, _ = read(struct.pack("<HI", 0xD3, number), count=1, bits=True)
    assert [value for _, value, _ in found] == [bool(number >> at & 1) for at in range(32)]
    assert found[31][0] == "Tag.31"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_has_no_value(number: float) -> None:
    assert read(encoded("REAL", number)) == ([("Tag", None, BAD_NO_DATA)], [])


@pytest.mark.parametrize(
    ("raw", "options", "reason"),
    [
        ("", {}, "bad_type"),
        ("ff00", {}, "bad_type"),
        ("c4000102", {}, "short_answer"),
        ("c40001020304", {"count": 2}, "short_answer"),
        ("c400010203040506", {}, "short_answer"),
        ("c900ffffffffffffffff", {}, "bad_value"),
        ("ca0000000000", {"bit": 3}, "bad_type"),
        ("c20001", {"bit": 8}, "bad_type"),
        ("c20001", {"count": 1, "bits": True}, "bad_type"),
        ("c10001", {"count": 1, "bits": True}, "bad_type"),
        ("c4000102030405060708", {"count": 2, "bit": 3}, "bad_type"),
        ("a002ce0f05000000616263", {}, "bad_text"),
        ("a002ce0fffffffff616263", {}, "bad_text"),
        ("a002ce0f01", {}, "bad_text"),
        ("da000561", {}, "bad_text"),
    ],
)
def test_what_is_no_value_is_quarantined(raw: str, options: dict[str, Any], reason: str) -> None:
    found, bad = read(bytes.fromhex(raw), **options)
    assert {(value, code) for _, value, code in found} == {(None, BAD_DECODING_ERROR)}
    assert bad == [reason]


def test_a_structure_is_refused_in_words() -> None:
    reply = Reply(0, 0, bytes.fromhex("a002123400000000"))
    refusal = judged(Wanted(PATH, "Tag", "Tag"), reply)
    assert isinstance(refusal, Refusal)
    assert "members: true" in refusal.words
    assert judged(Wanted(PATH, "Tag", "Tag", text=True), reply) == reply.data
    assert of_status(0xFF, 0x2105).quality == BAD_CONFIGURATION_ERROR
    assert not of_status(0x99).lasting


@pytest.mark.parametrize(
    "name", ["Speed", "Program:Main.Motor.Speed", "Stations[2].Count", "Grid[1,2,3]", "Status.3", "Local:1:I.Data.0"]
)
def test_names(name: str) -> None:
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "3", "a b", "Motor.", ".x", "Arr[x]", "Arr[1", "ä", "A{3}", "Arr[1,2,3,4]"])
def test_what_is_no_name(name: str) -> None:
    assert not NAME.fullmatch(name)


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=40), st.none() | st.integers(1, 64)), min_size=1, max_size=300
    ),
    st.sampled_from([500, 4000]),
)
def test_every_name_is_asked_for_once(names: list[tuple[str, int | None]], size: int) -> None:
    wanted = [Wanted(PATH, str(at), name, count) for at, (name, count) in enumerate(names)]
    made = groups(wanted, size)
    assert [one for group in made for one in group.items] == wanted
    assert all(len(group.items) <= ITEMS_MAX for group in made)
    assert all(len(group.items) == 1 or sum(2 * len(one.name) for one in group.items) < size for group in made)


def frame(message: bytes, sequence: int = 7) -> bytes:
    """As an answer comes over a connection."""
    items = struct.pack("<IHHHHIHHH", 0, 0, 2, 0xA1, 4, 9, 0xB1, len(message) + 2, sequence) + message
    return struct.pack("<HHII8sI", 0x70, len(items), 1, 0, b"_pycomm_", 0) + items


def one(reply: Reply) -> bytes:
    extended = struct.pack("<H", reply.extended) if reply.extended else b""
    return bytes([READ, 0, reply.status, len(extended) // 2]) + extended + reply.data


def several(found: list[Reply]) -> bytes:
    parts = [one(reply) for reply in found]
    offsets = [2 + 2 * len(parts) + sum(map(len, parts[:at])) for at in range(len(parts))]
    status = EMBEDDED if any(reply.status for reply in found) else 0
    return bytes([SEVERAL, 0, status, 0]) + struct.pack(f"<H{len(parts)}H", len(parts), *offsets) + b"".join(parts)


REPLIES = st.builds(Reply, st.sampled_from([0, 5, 0xFF]), st.sampled_from([0, 0x2105]), st.binary(max_size=12))


@given(st.lists(REPLIES, min_size=1, max_size=20))
def test_answers_are_taken_apart_as_they_were_put_together(found: list[Reply]) -> None:
    assert replies(frame(several(found)), 7, len(found)) == found
    assert replies(frame(one(found[0])), 7, 1) == found[:1]


@given(st.lists(REPLIES, min_size=2, max_size=5), st.data())
def test_an_answer_that_is_cut_or_changed_is_none_or_has_as_many(found: list[Reply], data: st.DataObject) -> None:
    whole = bytearray(frame(several(found)))
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Garbled):
        replies(bytes(whole[:at]), 7, len(found))
    with pytest.raises(Garbled):
        replies(bytes(whole), 8, len(found))
    with pytest.raises(Garbled):
        replies(bytes(whole), 7, len(found) + 1)
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        assert len(replies(bytes(whole), 7, len(found))) == len(found)
    except (Garbled, Refused):
        return


@given(st.binary(max_size=80), st.integers(1, 5))
def test_any_bytes_are_an_answer_or_none(message: bytes, count: int) -> None:
    for came in (message, frame(message), frame(bytes([SEVERAL, 0, 0, 0]) + message)):
        try:
            assert len(replies(came, 7, count)) == count
        except (Garbled, Refused):
            continue
