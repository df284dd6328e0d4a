"""Bytes and symbols become values; what is none never does."""

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyads import constants

from connectors.ads.answer import Entry, entry, replies, table, values
from connectors.ads.codec import LAST_USABLE, Answer, decode, unfit
from connectors.ads.kinds import LAYOUTS, Form, Formless, Symbol, form
from connectors.ads.quality import not_there, of_code, stopped
from connectors.ads.wanted import ITEMS_MAX, NAME, Wanted, groups
from connectors.base import Malformed, Reading
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DECODING_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_DATA,
    BAD_NOT_SUPPORTED,
    GOOD,
)
from connectors.kit.polling.wire import Garbled
from connectors.kit.zone import Zoned
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_800_000_000_000_000


def wanted(**options: Any) -> Wanted:
    return Wanted(PATH, "Tag", "MAIN.Tag", **options)


def read(type_: str, raw: bytes, code: int = 0, zone: str | None = None, **options: Any) -> tuple[list[Any], list[str]]:
    """(value, quality) of each element, and the reasons of what is malformed."""
    answer = Answer(Symbol(len(raw), code, type_), raw)
    said = list(decode(wanted(**options), answer, AT, "plc", "cp1252", Zoned(zone=zone).zone_info))
    readings = [thing for thing in said if isinstance(thing, Reading)]
    assert all((one.sample.at, one.time_of) == (AT, "arrival") for one in readings)
    return (
        [(one.sample.value, one.sample.quality) for one in readings],
        [thing.reason for thing in said if isinstance(thing, Malformed)],
    )


NUMBERS = {
    "SINT": (constants.PLCTYPE_SINT, constants.ADST_INT8),
    "USINT": (constants.PLCTYPE_USINT, constants.ADST_UINT8),
    "BYTE": (constants.PLCTYPE_BYTE, constants.ADST_UINT8),
    "INT": (constants.PLCTYPE_INT, constants.ADST_INT16),
    "UINT": (constants.PLCTYPE_UINT, constants.ADST_UINT16),
    "DINT": (constants.PLCTYPE_DINT, constants.ADST_INT32),
    "DWORD": (constants.PLCTYPE_DWORD, constants.ADST_UINT32),
    "LINT": (constants.PLCTYPE_LINT, constants.ADST_INT64),
    "ULINT": (constants.PLCTYPE_ULINT, constants.ADST_UINT64),
    "LREAL": (constants.PLCTYPE_LREAL, constants.ADST_REAL64),
    "REAL": (constants.PLCTYPE_REAL, constants.ADST_REAL32),
}


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_pyads_writes_is_read_as_the_same_number(name: str, data: st.DataObject) -> None:
    """By the name of its type, and by the code where it is of a type of the project."""
    kind, code = NUMBERS[name]
    size = len(bytes(kind()))
    raw = data.draw(st.binary(min_size=size, max_size=size))
    number = kind.from_buffer_copy(raw).value
    expected = (number, GOOD)
    if isinstance(number, float) and not math.isfinite(number):
        expected = (None, BAD_NO_DATA)
    elif number >= 2**63 and isinstance(number, int):
        expected = (None, BAD_DECODING_ERROR)
    assert read(name, raw, code)[0] == read("E_Own", raw, code)[0] == [expected]


@pytest.mark.parametrize(
    ("type_", "code", "raw", "value"),
    [
        ("BOOL", 33, b"\1", True),
        ("BOOL", 33, b"\0", False),
        ("BIT", 33, b"\2", True),
        ("STRING(80)", 30, b"ab\0cd\0", "ab"),
        ("STRING", 30, "Füller\0".encode("cp1252"), "Füller"),
        ("T_MaxString", 30, b"\0" * 256, ""),
        ("WSTRING(4)", 31, "Ωä\0".encode("utf-16-le") + b"\1\1\0\0", "Ωä"),
        ("TIME", 19, struct.pack("<I", 1500), 1500),
        ("LTIME", 21, struct.pack("<Q", 1500), 1500),
        ("TIME_OF_DAY", 19, struct.pack("<I", 21_601_250), "06:00:01.250000"),
        ("TOD", 19, struct.pack("<I", 0), "00:00:00"),
        ("LTOD", 21, struct.pack("<Q", 1), "00:00:00.000000001"),
        ("DATE", 19, struct.pack("<I", 1_764_374_400), "2025-11-29"),
        ("DT", 19, struct.pack("<I", 1_764_374_401), "2025-11-29T00:00:01"),
        ("DATE_AND_TIME", 19, struct.pack("<I", 0), "1970-01-01T00:00:00"),
        ("LDT", 21, struct.pack("<Q", 1_764_374_401_000_000_500), "2025-11-29T00:00:01.000000500"),
        ("LDATE", 21, struct.pack("<Q", 1_764_374_400_000_000_000), "2025-11-29"),
        ("E_State", 2, struct.pack("<h", 3), 3),
    ],
)
def test_each_type_is_read_by_its_rule(type_: str, code: int, raw: bytes, value: Any) -> None:
    assert read(type_, raw, code) == ([(value, GOOD)], [])


def test_a_local_time_has_the_offset_of_its_zone_where_that_is_known() -> None:
    raw = struct.pack("<I", 1_764_374_401)
    assert read("DT", raw, zone="Europe/Berlin")[0] == [("2025-11-29T00:00:01+01:00", GOOD)]


@pytest.mark.parametrize(
    ("type_", "raw", "reason"),
    [
        ("STRING(3)", b"abcd", "bad_text"),
        ("STRING(3)", b"\x81bc\0", "bad_text"),
        ("WSTRING(1)", b"\x00\xd8\0\0", "bad_text"),
        ("TOD", struct.pack("<I", 86_400_000), "bad_time"),
        ("LDATE", b"\xff" * 8, None),
        ("ULINT", b"\xff" * 8, "bad_value"),
    ],
)
def test_bytes_that_are_no_value_are_malformed_beside_a_bad_reading(type_: str, raw: bytes, reason: str | None) -> None:
    said, reasons = read(type_, raw)
    assert reasons == ([reason] if reason else [])
    assert (said[0] == (None, BAD_DECODING_ERROR)) == bool(reason)


def test_an_array_becomes_its_elements_whatever_its_bounds() -> None:
    raw = struct.pack("<6h", *range(6))
    assert [value for value, _ in read("ARRAY [-1..1,2..3] OF INT", raw, 2, count=6)[0]] == list(range(6))
    assert [value for value, _ in read("T_Own", raw, 2, count=2)[0]] == [0, 1]
    assert [value for value, _ in read("ARRAY [0..1] OF ARRAY [0..2] OF INT", raw, 2, count=6)[0]] == list(range(6))
    assert [value for value, _ in read("ARRAY [0..1] OF STRING(2)", b"a\0\0bc\0", 30, count=2)[0]] == ["a", "bc"]


def test_a_bit_is_of_a_whole_number() -> None:
    assert read("WORD", b"\x08\x00", 18, bit=3)[0] == [(True, GOOD)]
    assert read("WORD", b"\x08\x00", 18, bit=4)[0] == [(False, GOOD)]
    for type_, size, bit in (("REAL", 4, 3), ("WORD", 2, 16), ("STRING(3)", 4, 0)):
        refusal = unfit(wanted(bit=bit), Symbol(size, 0, type_))
        assert refusal is not None
        assert "has no bit" in refusal.words


def test_what_a_stopped_program_has_is_the_last_of_it() -> None:
    answer = Answer(Symbol(2, 2, "INT"), b"\7\0", running=False)
    (said,) = decode(wanted(), answer, AT, "plc", "cp1252", None)
    assert isinstance(said, Reading)
    assert (said.sample.value, said.sample.quality) == (7, LAST_USABLE)


@pytest.mark.parametrize(
    ("symbol", "options", "code", "words"),
    [
        (Symbol(12, 65, "ST_Motor"), {}, BAD_NOT_SUPPORTED, "name its members"),
        (Symbol(24, 65, "ARRAY [0..1] OF ST_Motor"), {"count": 2}, BAD_NOT_SUPPORTED, "name its members"),
        (Symbol(8, 21, "POINTER TO INT"), {}, BAD_NOT_SUPPORTED, "an address"),
        (Symbol(8, 65, "REFERENCE TO INT"), {}, BAD_NOT_SUPPORTED, "an address"),
        (Symbol(10, 32, "LREAL80"), {}, BAD_NOT_SUPPORTED, "no value"),
        (Symbol(8, 2, "ARRAY [0..3] OF INT"), {}, BAD_CONFIGURATION_ERROR, "an array of 4; say a `count`"),
        (Symbol(8, 2, "ARRAY [0..3] OF INT"), {"count": 5}, BAD_CONFIGURATION_ERROR, "has 4 elements, 5"),
        (Symbol(8, 2, "ARRAY [*] OF INT"), {}, BAD_NOT_SUPPORTED, "name an element"),
        (Symbol(3, 2, "INT"), {}, BAD_NOT_SUPPORTED, "its 3 bytes"),
        (Symbol(0, 33, "BIT"), {}, BAD_NOT_SUPPORTED, "its 0 bytes"),
        (Symbol(4, 19, "UDINT"), {"type": "lreal"}, BAD_NOT_SUPPORTED, "say another `type`"),
    ],
)
def test_what_cannot_be_read_as_it_is_wanted_is_refused_with_words(
    symbol: Symbol, options: dict[str, Any], code: int, words: str
) -> None:
    refusal = unfit(wanted(**options), symbol)
    assert isinstance(refusal, Refusal)
    assert (refusal.quality, refusal.lasting) == (code, True)
    assert words in refusal.words


def test_what_is_said_goes_before_what_the_symbol_hides() -> None:
    assert form(Symbol(4, 65, "ST_Hidden"), "dint") == Form("dint", 1, 4)
    with pytest.raises(Formless):
        form(Symbol(4, 65, "ST_Hidden"))


@given(st.text(max_size=40), st.integers(0, 100), st.integers(0, 70), st.sampled_from([None, *LAYOUTS, "string"]))
def test_every_symbol_has_a_form_that_fits_its_bytes_or_none(type_: str, size: int, code: int, said: Any) -> None:
    try:
        found = form(Symbol(size, code, type_), said)
    except Formless:
        return
    assert found.elements * found.size == size > 0


@given(st.lists(st.tuples(st.binary(max_size=9), st.sampled_from([0, 0, 0x710])), max_size=8), st.booleans())
def test_a_sum_says_of_each_its_bytes_or_its_error(parts: list[tuple[bytes, int]], packed: bool) -> None:
    came = b"".join(struct.pack("<I", code) for _, code in parts)
    came += b"".join(raw for raw, code in parts if not (code and packed))
    assert values(came, [len(raw) for raw, _ in parts]) == [code or raw for raw, code in parts]


@given(st.lists(st.tuples(st.binary(max_size=9), st.sampled_from([0, 0, 0x710])), max_size=8))
def test_a_sum_of_questions_says_how_long_each_answer_is(parts: list[tuple[bytes, int]]) -> None:
    came = b"".join(struct.pack("<II", code, len(raw)) for raw, code in parts) + b"".join(raw for raw, _ in parts)
    assert replies(came, len(parts)) == [code or raw for raw, code in parts]


@given(st.binary(max_size=80), st.lists(st.integers(0, 9), max_size=6))
def test_whatever_comes_is_an_answer_or_garbled(came: bytes, sizes: list[int]) -> None:
    def heard(ask: Any) -> None:
        with suppress(Garbled):
            assert ask() is not None

    for ask in (lambda: values(came, sizes), lambda: replies(came, len(sizes)), lambda: entry(came)):
        heard(ask)
    heard(lambda: list(table(came)))


def test_an_answer_of_another_length_is_garbled() -> None:
    for came in (b"\0\0\0", bytes(5), bytes(7)):
        with pytest.raises(Garbled):
            values(came, [2])


def test_a_symbol_table_is_read_entry_by_entry() -> None:
    def made(name: str, type_: str, comment: str) -> bytes:
        texts = [text.encode("cp1252") + b"\0" for text in (name, type_, comment)]
        lengths = [len(text) - 1 for text in texts]
        body = b"".join(texts) + b"\0\0"  # what fills it up is passed over
        return struct.pack("<IIIIIIHHH", 30 + len(body), 0x4040, 7, 2, 2, 8, *lengths) + body

    came = made("MAIN.nA", "INT", "Stück") + made(".bB", "BOOL", "")
    assert list(table(came)) == [
        Entry("MAIN.nA", Symbol(2, 2, "INT"), "Stück"),
        Entry(".bB", Symbol(2, 2, "BOOL"), ""),
    ]


def test_requests_are_of_one_program_and_hold_so_many() -> None:
    made = [wanted(port=port) for port in (851, 852) for _ in range(ITEMS_MAX + 1)]
    packed = groups(made)
    assert [(group.unit, len(group.items)) for group in packed] == [(851, 500), (851, 1), (852, 500), (852, 1)]


@pytest.mark.parametrize("name", ["MAIN.nCount", ".bRun", "GVL.a[2].b", "A.b[1,-2]", "MAIN.p^.x", "x"])
def test_names_that_programs_have(name: str) -> None:
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "MAIN.", "MAIN.wStatus.3", "a b", "a\0", "Ä", "a[", "a..b", "3a"])
def test_names_that_no_program_has(name: str) -> None:
    assert not NAME.fullmatch(name)


def test_errors_have_words_and_a_quality() -> None:
    assert of_code(0x7FE).quality == BAD_DEVICE_FAILURE
    assert "0x7FE" in of_code(0x7FE).words
    assert not of_code(0x711).lasting
    assert "config mode" in not_there(851, 15)
    assert "851" in not_there(852, None)
    assert "STOP" in stopped(851, 6)
    assert "state 99" in stopped(851, 99)
