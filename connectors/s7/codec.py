"""Bytes of an area to readings. Pure: what is no value is `Malformed` beside a reading that says so, never an error."""

import math
import struct
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.base import Malformed, Said
from connectors.kit.polling.moments import local, of_day
from connectors.kit.polling.quality import BAD_DECODING_ERROR, BAD_NO_DATA, GOOD
from connectors.kit.polling.readings import Unreadable, reading, whole
from connectors.s7.address import Point
from connectors.s7.blocks import Span
from schemas.records import Value

_STRUCTS = {
    "byte": struct.Struct(">B"),
    "usint": struct.Struct(">B"),
    "sint": struct.Struct(">b"),
    "int": struct.Struct(">h"),
    "uint": struct.Struct(">H"),
    "word": struct.Struct(">H"),
    "dint": struct.Struct(">i"),
    "udint": struct.Struct(">I"),
    "dword": struct.Struct(">I"),
    "time": struct.Struct(">i"),
    "lint": struct.Struct(">q"),
    "ulint": struct.Struct(">Q"),
    "lword": struct.Struct(">Q"),
    "ltime": struct.Struct(">q"),
    "real": struct.Struct(">f"),
    "lreal": struct.Struct(">d"),
}
_DATE_ZERO = date(1990, 1, 1)
_LDT_ZERO = datetime(1970, 1, 1)


def decode(span: Span, came: bytes, arrived: int, origin: str, encoding: str, zone: ZoneInfo | None) -> Iterator[Said]:
    """What the points of a block say, at µs of arrival. `origin` names the controller, `encoding` is that of its texts,
    `zone` of its local times.
    """
    for point in span.points:
        raw = came[point.byte - span.start : point.end - span.start]
        try:
            if len(raw) < point.size:
                raise Unreadable("short_answer", f"{len(raw)} of {point.size} bytes have come")
            value = _value(point, raw, encoding, zone)
        except Unreadable as bad:
            message = f"{point.path} {point.tag} ({origin} {point}): {bad}"
            yield Malformed(f"{origin} {point}", raw, bad.reason, message, point.path)
            yield reading(point, None, BAD_DECODING_ERROR, arrived)
        else:
            yield reading(point, value, BAD_NO_DATA if value is None else GOOD, arrived)


def _value(point: Point, raw: bytes, encoding: str, zone: ZoneInfo | None) -> Value:
    match point.type:
        case "bool":
            return bool(raw[0] >> point.bit & 1)
        case "char":
            return _text(raw, encoding)
        case "wchar":
            return _text(raw, "utf-16-be")
        case "string":
            return _text(_filled(raw[2:], raw[0], raw[1], 1), encoding)
        case "wstring":
            longest, length = struct.unpack(">HH", raw[:4])
            return _text(_filled(raw[4:], longest, length, 2), "utf-16-be")
        case "s5time":
            return _s5time(raw)
        case "date" | "time_of_day" | "ltime_of_day" | "date_and_time" | "dtl" | "ldt":
            try:
                return _moment(point.type, raw, zone)
            except (ValueError, OverflowError) as error:
                raise Unreadable("bad_time", f"0x{raw.hex()} is no {point.type}: {error}") from None
    (number,) = _STRUCTS[point.type].unpack(raw)
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    return whole(number)


def _filled(characters: bytes, longest: int, length: int, width: int) -> bytes:
    """What of a text is used."""
    if length > longest:
        raise Unreadable("bad_text", f"it says that {length} of at most {longest} characters are used: it is no text")
    if length * width > len(characters):
        raise Unreadable("bad_text", f"it has {length} characters, of which {len(characters) // width} are read")
    return characters[: length * width]


def _text(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("bad_text", f"0x{raw[:32].hex()} is not {encoding}: {error.reason}") from None


def _digits(raw: bytes) -> list[int]:
    """Two decimal digits a byte."""
    if not raw.hex().isdecimal():
        raise ValueError("a digit is above 9")
    return [int(f"{byte:02x}") for byte in raw]


def _s5time(raw: bytes) -> int:
    """ms. The highest digit says what the others count."""
    base = raw[0] >> 4 & 3
    digits = f"{raw[0] & 15:x}{raw[1]:02x}"
    if not digits.isdecimal():
        raise Unreadable("bad_time", f"0x{raw.hex()} is no s5time: a digit is above 9")
    return int(digits) * int(10 ** (base + 1))


def _moment(type_: str, raw: bytes, zone: ZoneInfo | None) -> str:
    """ISO 8601; of what is local time with an offset where the zone is known."""
    match type_:
        case "date":
            return (_DATE_ZERO + timedelta(days=int.from_bytes(raw, "big"))).isoformat()
        case "time_of_day":
            return of_day(int.from_bytes(raw, "big") * 1_000_000)
        case "ltime_of_day":
            return of_day(int.from_bytes(raw, "big"))
        case "ldt":
            whole, ns = divmod(int.from_bytes(raw, "big", signed=True), 1_000_000_000)
            moment = _LDT_ZERO + timedelta(seconds=whole)
        case "date_and_time":
            year, month, day, hour, minute, second, hundreds = _digits(raw[:7])
            tens = raw[7] >> 4
            if tens > 9:
                raise ValueError("a digit is above 9")
            ns = (hundreds * 10 + tens) * 1_000_000
            moment = datetime(year + (1900 if year >= 90 else 2000), month, day, hour, minute, second)
        case _:
            year, month, day, _, hour, minute, second, ns = struct.unpack(">HBBBBBBI", raw)
            moment = datetime(year, month, day, hour, minute, second)
    return local(moment, ns, zone)
