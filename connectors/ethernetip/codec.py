"""Bytes of a tag to readings, by the type that comes with them. Pure: what is no value is `Malformed` beside a reading that
says so, never an error.
"""

import math
import struct
from collections.abc import Iterator

from connectors.base import Malformed, Said
from connectors.ethernetip.wanted import Wanted
from connectors.kit.polling.quality import BAD_DECODING_ERROR, BAD_NO_DATA, GOOD
from connectors.kit.polling.readings import Unreadable, reading, whole
from schemas.records import Value

STRUCTURE = 0x02A0
STRING_HANDLE = 0x0FCE
"""Of the type STRING, which every Logix controller has."""
BOOL, STRING, SHORT_STRING = 0xC1, 0xD0, 0xDA
_NUMBERS = {
    0xC2: struct.Struct("<b"),
    0xC3: struct.Struct("<h"),
    0xC4: struct.Struct("<i"),
    0xC5: struct.Struct("<q"),
    0xC6: struct.Struct("<B"),
    0xC7: struct.Struct("<H"),
    0xC8: struct.Struct("<I"),
    0xC9: struct.Struct("<Q"),
    0xCA: struct.Struct("<f"),
    0xCB: struct.Struct("<d"),
    0xD1: struct.Struct("<B"),
    0xD2: struct.Struct("<H"),
    0xD3: struct.Struct("<I"),
    0xD4: struct.Struct("<Q"),
}
"""By the type of CIP: SINT to ULINT, REAL and LREAL, BYTE to LWORD."""


def decode(wanted: Wanted, came: bytes, arrived: int, origin: str, encoding: str) -> Iterator[Said]:
    """What the answer to one name says, type first, at µs of arrival. `origin` names the controller."""
    points = wanted.points
    try:
        values = _values(wanted, came, encoding)
        if len(values) < len(points):
            raise Unreadable("bad_type", f"{len(values)} values have come, {len(points)} were expected")
    except Unreadable as bad:
        message = f"{wanted.path} {wanted.tag} ({origin} {wanted}): {bad}"
        yield Malformed(f"{origin} {wanted}", came, bad.reason, message, wanted.path)
        values = None
    for number, point in enumerate(points):
        if values is None:
            yield reading(point, None, BAD_DECODING_ERROR, arrived)
        else:
            yield reading(point, values[number], BAD_NO_DATA if values[number] is None else GOOD, arrived)


def _values(wanted: Wanted, came: bytes, encoding: str) -> list[Value]:
    """One for each element."""
    code, body, count = int.from_bytes(came[:2], "little"), came[2:], wanted.count or 1
    if code == STRUCTURE:
        body = body[2:]
        size, rest = divmod(len(body), count)
        if rest or size < 4:
            raise Unreadable("bad_text", f"{len(body)} bytes are not {count} texts")
        return [_counted(body[at : at + size], 4, encoding) for at in range(0, len(body), size)]
    if code in (STRING, SHORT_STRING):
        if count > 1:
            raise Unreadable("bad_type", "an array of such texts has no places")
        return [_counted(body, 2 if code == STRING else 1, encoding)]
    if code != BOOL and code not in _NUMBERS:
        raise Unreadable("bad_type", f"0x{code:04X} is no type that is known")
    layout = _NUMBERS.get(code)
    size = 1 if layout is None else layout.size
    if len(body) != count * size:
        raise Unreadable("short_answer", f"{len(body)} bytes have come, {count * size} were expected")
    if layout is None:
        return [bool(byte) for byte in body]
    numbers = [number for (number,) in layout.iter_unpack(body)]
    if wanted.bits or wanted.bit is not None:
        if not all(isinstance(number, int) for number in numbers):
            raise Unreadable("bad_type", "it is no whole number, and has no bits")
        return _bits(wanted, numbers, 8 * size)
    return [_fitting(number) for number in numbers]


def _bits(wanted: Wanted, numbers: list[int], width: int) -> list[Value]:
    if wanted.bit is None:
        if width != 32:
            raise Unreadable("bad_type", "it is no array of BOOL")
        return [bool(number >> bit & 1) for number in numbers for bit in range(32)]
    if wanted.bit >= width:
        raise Unreadable("bad_type", f"it has {width} bits, bit {wanted.bit} is none of them")
    return [bool(numbers[0] >> wanted.bit & 1)]


def _fitting(number: int | float) -> Value:
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return whole(number)


def _counted(body: bytes, width: int, encoding: str) -> str:
    """A text that begins with how long it is."""
    length = int.from_bytes(body[:width], "little", signed=width == 4)
    if len(body) < width or not 0 <= length <= len(body) - width:
        raise Unreadable("bad_text", f"it says that {length} of {len(body) - width} characters are used: it is no text")
    try:
        return body[width : width + length].decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("bad_text", f"not {encoding}: {error.reason}") from None
