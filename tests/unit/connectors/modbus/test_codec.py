import struct
from decimal import Decimal
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Malformed, Reading
from connectors.kit.polling import quality
from connectors.modbus.codec import decode
from connectors.modbus.point import WORDS, Layout, Order, Point, Type
from connectors.modbus.quality import of_exception, words
from topology.namespace.path import Path

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
AT = 1_795_413_600_000_000
FORMATS: dict[Type, str] = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
ORDERS = st.sampled_from(["big", "little"])


def read(came: list[int], scale_address: int | None = None, **layout: Any) -> tuple[Any, int, list[Malformed]]:
    """Value, quality and what is malformed, of a point at 10 in a block from 8 on."""
    layout["words"] = layout.get("words", WORDS[layout["type"]])
    said = list(
        decode(Point(PATH, "Tag", "holding", 10, Layout(**layout), scale_address), 8, [7, 7, *came], AT, "unit 1")
    )
    (reading,) = [thing for thing in said if isinstance(thing, Reading)]
    assert (reading.path, reading.sample.tag, reading.sample.at, reading.time_of) == (PATH, "Tag", AT, "arrival")
    return reading.sample.value, reading.sample.quality, [thing for thing in said if isinstance(thing, Malformed)]


def value(came: list[int], scale_address: int | None = None, **layout: Any) -> Any:
    found, code, malformed = read(came, scale_address, **layout)
    assert (code, malformed) == (quality.GOOD, [])
    return found


def no_value(came: list[int], scale_address: int | None = None, **layout: Any) -> bool:
    return read(came, scale_address, **layout) == (None, quality.BAD_NO_DATA, [])


def refused(came: list[int], scale_address: int | None = None, **layout: Any) -> str:
    found, code, (malformed,) = read(came, scale_address, **layout)
    assert (found, code, malformed.path) == (None, quality.BAD_DECODING_ERROR, PATH)
    return malformed.reason


@pytest.mark.parametrize(
    ("words", "layout", "expected"),
    [
        ([0xFFFE], {"type": "int16"}, -2),
        ([0xFFFE], {"type": "uint16"}, 65534),
        ([0x0102, 0x0304], {"type": "uint32"}, 0x01020304),
        ([0x0102, 0x0304], {"type": "uint32", "word_order": "little"}, 0x03040102),
        ([0x0102, 0x0304], {"type": "uint32", "byte_order": "little"}, 0x02010403),
        ([0x0102, 0x0304], {"type": "uint32", "word_order": "little", "byte_order": "little"}, 0x04030201),
        ([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], {"type": "int64"}, -2),
        ([0x4145, 0x0000], {"type": "float32"}, 12.3125),
        ([0x0000, 0x4145], {"type": "float32", "word_order": "little"}, 12.3125),
        ([0x4028, 0xA000, 0, 0], {"type": "float64"}, 12.3125),
        ([0x1234], {"type": "bcd"}, 1234),
        ([0x0012, 0x3456], {"type": "bcd", "words": 2}, 123456),
        ([0x8000], {"type": "bool", "bit": 15}, True),
        ([0x7FFF], {"type": "bool", "bit": 15}, False),
        ([0b1011_0100], {"type": "bits", "bit": 2, "width": 4}, 0b1101),
        ([0x0001, 0x8000], {"type": "bits", "words": 2, "bit": 15, "width": 2}, 3),
        ([0x4142, 0x4320, 0x2000, 0x5858], {"type": "string", "words": 4}, "ABC"),
        ([0x4241, 0x2043], {"type": "string", "words": 2, "byte_order": "little"}, "ABC"),
        ([0x4142, 0x4344], {"type": "string", "words": 2, "word_order": "little"}, "ABCD"),
        ([0xC3A4, 0x0000], {"type": "string", "words": 2}, "ä"),
        ([0, 0], {"type": "string", "words": 2}, ""),
        ([3], {"type": "uint16", "scale": Decimal("0.1")}, 0.3),
        ([1115], {"type": "uint16", "scale": Decimal("0.001"), "offset": Decimal("-0.115")}, 1.0),
        ([65535], {"type": "int16", "offset": Decimal(273)}, 272.0),
        ([0x0100], {"type": "bcd", "scale": Decimal("0.01")}, 1.0),
    ],
)
def test_registers_become_values(words: list[int], layout: dict[str, Any], expected: object) -> None:
    found = value(words, **layout)
    assert (found, type(found)) == (expected, type(expected))


@given(st.sampled_from(sorted(FORMATS)), ORDERS, ORDERS, st.data())
def test_every_number_comes_back(kind: Type, word_order: Order, byte_order: Order, data: st.DataObject) -> None:
    fmt = FORMATS[kind]
    if fmt in "fd":
        number = data.draw(st.floats(width=32 if fmt == "f" else 64, allow_nan=False, allow_infinity=False))
    else:
        bits = 16 * WORDS[kind]
        number = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if fmt.islower() else st.integers(0, min(2**bits, 2**63) - 1))  # fmt: skip
    raw = struct.pack(">" + fmt, number)
    words = [int.from_bytes(raw[at : at + 2], byte_order) for at in range(0, len(raw), 2)]
    found = value(
        words if word_order == "big" else words[::-1], type=kind, word_order=word_order, byte_order=byte_order
    )
    assert struct.pack(">" + fmt, found) == raw


@given(st.integers(-(2**31), 2**31 - 1), st.decimals(-1000, 1000, places=4), st.decimals(-1000, 1000, places=4))
def test_scaling_is_decimal(number: int, scale: Decimal, offset: Decimal) -> None:
    raw = struct.pack(">i", number)
    words = [int.from_bytes(raw[at : at + 2], "big") for at in (0, 2)]
    assert value(words, type="int32", scale=scale, offset=offset) == float(number * scale + offset)


@given(st.integers(0, 9999_9999))
def test_bcd_is_what_its_digits_say(number: int) -> None:
    text = f"{number:08d}"
    assert value([int(text[:4], 16), int(text[4:], 16)], type="bcd", words=2) == number


@pytest.mark.parametrize(
    ("words", "layout"),
    [
        ([0x8000], {"type": "int16", "not_available": frozenset({0x8000})}),
        ([0xFFFF, 0xFFFF], {"type": "uint32", "not_available": frozenset({0xFFFF_FFFF, 0})}),
        ([0x0000, 0x8000], {"type": "int32", "word_order": "little", "not_available": frozenset({0x8000_0000})}),
        ([0x7FC0, 0], {"type": "float32"}),
        ([0xFF80, 0], {"type": "float32"}),
        ([0, 0], {"type": "string", "words": 2, "not_available": frozenset({0})}),
    ],
)
def test_what_the_device_has_no_value_for_is_said(words: list[int], layout: dict[str, Any]) -> None:
    assert no_value(words, **layout)


@pytest.mark.parametrize(
    ("words", "layout", "reason"),
    [
        ([0x12A4], {"type": "bcd"}, "bad_bcd"),
        ([0xFFFE, 0], {"type": "string", "words": 2}, "bad_text"),
        ([0x8000, 0, 0, 0], {"type": "uint64"}, "bad_value"),
        ([0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF], {"type": "float64", "scale": Decimal(10)}, "bad_value"),
        ([1], {"type": "uint32"}, "short_answer"),
    ],
)
def test_what_is_no_value_is_malformed(words: list[int], layout: dict[str, Any], reason: str) -> None:
    assert refused(words, **layout) == reason
    if reason == "bad_bcd":
        assert read(words, **layout)[2][0].payload == b"\x12\xa4"


def test_the_scale_factor_comes_with_the_value() -> None:
    """As SunSpec has it: a power of ten beside it, before or behind."""
    assert value([123, 0xFFFE], 11, type="uint16") == 1.23
    assert value([123, 2], 11, type="uint16") == 12300
    assert value([123, 0], 11, type="uint16") == 123
    assert value([123, 0x8000], 11, type="uint16") == 123, "a factor that is not implemented is none"
    assert refused([123, 11], 11, type="uint16") == "bad_scale"
    assert refused([123], 11, type="uint16") == "short_answer"
    assert value([0x4145, 0, 0xFFFF], 12, type="float32") == 1.23125
    assert refused([0x7FFF, 0xFFFF, 0xFFFF, 0xFFFE, 1], 14, type="int64") == "bad_value"
    assert read([7], 9, type="uint16")[0] == 7 * 10**7  # the factor before it


def test_bits_are_booleans() -> None:
    for bit in (0, 1):
        (said,) = decode(Point(PATH, "Tag", "coil", 10, Layout("bool")), 10, [bit], AT, "unit 1")
        assert isinstance(said, Reading)
        assert said.sample.value is bool(bit)


def test_qualities_are_opc_uas() -> None:
    names = {
        name: code for name, code in vars(quality).items() if isinstance(code, int) and name.startswith(("BAD", "GOOD"))
    }
    assert len(names) > 8
    for name, code in names.items():
        assert getattr(ua.StatusCodes, name.title().replace("_", "")) == code
    assert of_exception(4) == ua.StatusCodes.BadDeviceFailure
    assert of_exception(99) == ua.StatusCodes.BadDeviceFailure
    assert words(99) == "exception 99"
