"""Registers and bits to readings. Pure: what is no value is `Malformed` beside a reading that says so, never an error."""

import math
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal

from connectors.base import Malformed, Said
from connectors.kit.polling.quality import BAD_DECODING_ERROR, BAD_NO_DATA, GOOD
from connectors.kit.polling.readings import Unreadable, reading, whole
from connectors.modbus.point import BIT_TABLES, Layout, Point
from schemas.records import Value

_STRUCTS = {
    "int16": struct.Struct(">h"),
    "uint16": struct.Struct(">H"),
    "int32": struct.Struct(">i"),
    "uint32": struct.Struct(">I"),
    "int64": struct.Struct(">q"),
    "uint64": struct.Struct(">Q"),
    "float32": struct.Struct(">f"),
    "float64": struct.Struct(">d"),
}
POWERS = range(-10, 11)
"""Powers of ten that a scale factor may be (SunSpec: -10 to 10)."""
_NO_POWER = 0x8000


def decode(point: Point, start: int, words: Sequence[int], arrived: int, origin: str) -> Iterator[Said]:
    """What one point says in a block of registers (0 to 65535) or bits (0 or 1) that begins at `start`, at µs of arrival.

    `origin` names the unit. Where the device says that it has no value, the value is None with Bad_NoData.
    """
    part = words[point.address - start : point.address - start + point.layout.words]
    try:
        if len(part) < point.layout.words or point.first < start:
            raise Unreadable("short_answer", f"{len(part)} of {point.layout.words} registers have come")
        value = _bit(part) if point.table in BIT_TABLES else _value(point, part, start, words)
    except Unreadable as bad:
        message = f"{point.path} {point.tag} ({origin}): {bad}"
        yield Malformed(f"{origin} {point.table} {point.address}", payload(part), bad.reason, message, point.path)
        yield reading(point, None, BAD_DECODING_ERROR, arrived)
    else:
        yield reading(point, value, BAD_NO_DATA if value is None else GOOD, arrived)


def payload(words: Sequence[int]) -> bytes:
    """Registers as they came: two bytes each, the more significant first."""
    return b"".join(word.to_bytes(2, "big") for word in words)


def _bit(part: Sequence[int]) -> bool:
    return bool(part[0])


def _value(point: Point, part: Sequence[int], start: int, words: Sequence[int]) -> Value:
    layout = point.layout
    raw = _raw(layout, part)
    if layout.not_available and int.from_bytes(raw, "big") in layout.not_available:
        return None
    match layout.type:
        case "string":
            return _text(raw)
        case "bool":
            return bool(int.from_bytes(raw, "big") >> layout.bit & 1)
        case "bits":
            return int.from_bytes(raw, "big") >> layout.bit & (1 << layout.width) - 1
        case "bcd":
            number: int | float = _bcd(raw)
        case _:
            (number,) = _STRUCTS[layout.type].unpack(raw)
    if isinstance(number, float) and not math.isfinite(number):
        return None
    if point.scale_address is None:
        return _fitting(_scaled(layout, number))
    return _fitting(_by_power(number, _power(point.scale_address, start, words)))


def _raw(layout: Layout, part: Sequence[int]) -> bytes:
    """The bytes of a value, the most significant first; of a text in their order."""
    if layout.word_order == "little" and layout.type != "string":
        part = part[::-1]
    return b"".join(word.to_bytes(2, layout.byte_order) for word in part)


def _text(raw: bytes) -> str:
    """Up to its first zero byte, without the blanks that fill it up."""
    try:
        return raw.partition(b"\0")[0].decode().rstrip(" ")
    except UnicodeDecodeError as error:
        raise Unreadable("bad_text", f"not UTF-8: {error}") from None


def _bcd(raw: bytes) -> int:
    digits = raw.hex()
    if not digits.isdecimal():
        raise Unreadable("bad_bcd", f"0x{digits} holds a digit above 9")
    return int(digits)


def _scaled(layout: Layout, number: int | float) -> int | float:
    """In decimal, as it is meant: 3 by 0.1 is 0.3."""
    if layout.scale is None and layout.offset is None:
        return number
    scaled = Decimal(number) * (1 if layout.scale is None else layout.scale) + (layout.offset or 0)
    return float(scaled)


def _power(address: int, start: int, words: Sequence[int]) -> int:
    if not 0 <= address - start < len(words):
        raise Unreadable("short_answer", "its scale factor has not come")
    power = scale_power(words[address - start])
    if power not in POWERS:
        raise Unreadable("bad_scale", f"10 to the {power} is no scale factor")
    return power


def scale_power(word: int) -> int:
    """The power of ten in a register; 0 where it is not implemented, as SunSpec's own library has it."""
    if word == _NO_POWER:
        return 0
    return word - 0x10000 if word & 0x8000 else word


def _by_power(number: int | float, power: int) -> int | float:
    """A division is nearer to what is meant than a multiplication by a negative power."""
    factor = int(10 ** abs(power))
    return number * factor if power >= 0 else number / factor


def _fitting(number: int | float) -> int | float:
    if isinstance(number, int):
        return whole(number)
    if not math.isfinite(number):
        raise Unreadable("bad_value", "scaled, it does not fit 64 bits")
    return number
