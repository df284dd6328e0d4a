"""Bytes become values: what another library writes, and what no library would."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snap7 import util

from connectors.base import Malformed, Reading
from connectors.kit.polling.quality import BAD_DECODING_ERROR, BAD_NO_DATA, GOOD
from connectors.s7.address import SIZES, Point, Type
from connectors.s7.blocks import Span
from connectors.s7.codec import decode
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_800_000_000_000_000
TEXT = st.text(st.characters(max_codepoint=255), max_size=12)


def read(kind: Type, raw: bytes, length: int = 0, bit: int = 0, zone: str | None = None) -> tuple[Any, int, list[str]]:
    """Value, quality and what is malformed, of a point at byte 4 in a block from 2 on."""
    point = Point(PATH, "Tag", "DB", 1, 4, bit, kind, length)
    info = None if zone is None else ZoneInfo(zone)
    said = list(decode(Span("DB", 1, 2, 2 + len(raw), (point,)), b"\xaa\xaa" + raw, AT, "plc", "latin-1", info))
    (reading,) = [thing for thing in said if isinstance(thing, Reading)]
    assert (reading.sample.at, reading.time_of) == (AT, "arrival")
    return (
        reading.sample.value,
        reading.sample.quality,
        [thing.reason for thing in said if isinstance(thing, Malformed)],
    )


def written(setter: Callable[..., Any], size: int, *value: Any) -> bytes:
    raw = bytearray(size)
    setter(raw, 0, *value)
    return bytes(raw)


NUMBERS: dict[Type, tuple[Callable[..., Any], int, int]] = {
    "byte": (util.set_byte, 0, 2**8 - 1),
    "usint": (util.set_usint, 0, 2**8 - 1),
    "sint": (util.set_sint, -(2**7), 2**7 - 1),
    "word": (util.set_word, 0, 2**16 - 1),
    "uint": (util.set_uint, 0, 2**16 - 1),
    "int": (util.set_int, -(2**15), 2**15 - 1),
    "dword": (util.set_dword, 0, 2**32 - 1),
    "udint": (util.set_udint, 0, 2**32 - 1),
    "dint": (util.set_dint, -(2**31), 2**31 - 1),
    "lint": (util.set_lint, -(2**63), 2**63 - 1),
    "ulint": (util.set_ulint, 0, 2**63 - 1),
    "lword": (util.set_lword, 0, 2**63 - 1),
}


@pytest.mark.parametrize("kind", sorted(NUMBERS))
@given(data=st.data())
def test_what_snap7_writes_is_read_as_the_same_number(kind: Type, data: st.DataObject) -> None:
    setter, least, most = NUMBERS[kind]
    number = data.draw(st.integers(least, most) | st.sampled_from((least, most)))
    assert read(kind, written(setter, SIZES[kind], number)) == (number, GOOD, [])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_reals_are_just_what_was_written(small: float, large: float) -> None:
    assert read("real", written(util.set_real, 4, small)) == (small, GOOD, [])
    assert read("lreal", written(util.set_lreal, 8, large)) == (large, GOOD, [])


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_value(number: float) -> None:
    assert read("real", written(util.set_real, 4, number)) == (None, BAD_NO_DATA, [])


@given(TEXT, TEXT)
def test_texts_are_what_was_written_up_to_their_length(text: str, before: str) -> None:
    raw = bytearray(14)
    util.set_string(raw, 0, before, 12)
    util.set_string(raw, 0, text, 12)
    assert read("string", bytes(raw), 12) == (text, GOOD, [])


@given(st.text(st.characters(max_codepoint=0xD7FF), max_size=6))
def test_wide_texts(text: str) -> None:
    assert read("wstring", written(util.set_wstring, 28, text, 12), 12) == (text, GOOD, [])


@given(st.integers(0, 7), st.integers(0, 255))
def test_bits(bit: int, byte: int) -> None:
    assert read("bool", bytes([byte]), bit=bit) == (util.get_bool(bytearray([byte]), 0, bit), GOOD, [])


@given(st.datetimes(datetime(1990, 1, 1), datetime(2089, 12, 31)).map(lambda at: at.replace(microsecond=0)))
def test_moments(at: datetime) -> None:
    for kind, setter in (("date_and_time", util.set_dt), ("dtl", util.set_dtl)):
        raw = written(setter, SIZES[kind], at)  # type: ignore[index]
        assert read(kind, raw) == (at.isoformat(), GOOD, [])  # type: ignore[arg-type]
        value, code, bad = read(kind, raw, zone="UTC")  # type: ignore[arg-type]
        assert (datetime.fromisoformat(value), code, bad) == (at.replace(tzinfo=UTC), GOOD, [])
    assert read("date", written(util.set_date, 2, at.date())) == (at.date().isoformat(), GOOD, [])


@given(st.integers(0, 86_399_999))
def test_a_time_of_day(ms: int) -> None:
    value, code, bad = read("time_of_day", written(util.set_tod, 4, timedelta(milliseconds=ms)))
    assert (code, bad) == (GOOD, [])
    assert datetime.fromisoformat(f"2026-01-01T{value}") - datetime(2026, 1, 1) == timedelta(milliseconds=ms)


def test_examples_of_siemens_manuals() -> None:
    assert read("date_and_time", bytes.fromhex("0212 2413 0507 1234".replace(" ", ""))) == (
        "2002-12-24T13:05:07.123000",
        GOOD,
        [],
    )
    assert read("s5time", bytes.fromhex("0999")) == (9_990, GOOD, [])
    assert read("s5time", bytes.fromhex("3999")) == (9_990_000, GOOD, []), "2h46m30s"
    assert read("time", bytes.fromhex("ffffffff")) == (-1, GOOD, [])
    assert read("ldt", (1_795_413_600_123_456_789).to_bytes(8, "big"))[0] == "2026-11-23T06:00:00.123456789"
    assert (
        read("dtl", bytes.fromhex("07ea0b1d0106000100000000"), zone="Europe/Berlin")[0] == "2026-11-29T06:00:01+01:00"
    )
    assert date.fromisoformat(read("date", b"\0\0")[0]) == date(1990, 1, 1)


@pytest.mark.parametrize(
    ("kind", "raw", "length", "reason"),
    [
        ("string", "0405616263646500", 6, "bad_text"),
        ("string", "ffff616263646500", 6, "bad_text"),
        ("string", "0e0a616263646500", 6, "bad_text"),
        ("wstring", "00040003d8000061000061", 3, "bad_text"),
        ("date_and_time", "0000000000000000", 0, "bad_time"),
        ("date_and_time", "021224130507aa34", 0, "bad_time"),
        ("dtl", "000000000000000000000000", 0, "bad_time"),
        ("dtl", "07ea0b1d010600013b9aca00", 0, "bad_time"),
        ("time_of_day", "05265c00", 0, "bad_time"),
        ("s5time", "0a00", 0, "bad_time"),
        ("ulint", "8000000000000000", 0, "bad_value"),
        ("dint", "0000", 0, "short_answer"),
    ],
)
def test_what_is_no_value_is_quarantined(kind: Type, raw: str, length: int, reason: str) -> None:
    assert read(kind, bytes.fromhex(raw), length) == (None, BAD_DECODING_ERROR, [reason])
