"""Bytes of a variable to readings, by what its symbol says. Pure: what is no value is `Malformed` beside a reading that says
so, never an error.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.ads.kinds import LAYOUTS, WHOLE, Form, Formless, Kind, Symbol, form
from connectors.ads.wanted import Wanted
from connectors.base import Malformed, Said
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.moments import local, of_day
from connectors.kit.polling.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DECODING_ERROR,
    BAD_NO_DATA,
    BAD_NOT_SUPPORTED,
    GOOD,
)
from connectors.kit.polling.readings import Unreadable, reading, whole
from schemas.records import Value

LAST_USABLE = 0x40900000
_ZERO = datetime(1970, 1, 1)


class Answer(NamedTuple):
    """What a controller says of a variable."""

    symbol: Symbol
    data: bytes
    running: bool = True
    """Whether its program runs; else its values are the last ones."""


def unfit(wanted: Wanted, symbol: Symbol) -> Refusal | None:
    """Why a variable cannot be read as it is wanted; None where it can."""
    try:
        found = form(symbol, wanted.type)
    except Formless as error:
        return Refusal(BAD_NOT_SUPPORTED, str(error))
    if wanted.count is None and found.elements != 1:
        return Refusal(
            BAD_CONFIGURATION_ERROR, f"it is an array of {found.elements}; say a `count`, or name an element"
        )
    if (wanted.count or 1) > found.elements:
        return Refusal(BAD_CONFIGURATION_ERROR, f"it has {found.elements} elements, {wanted.count} are wanted")
    if wanted.bit is not None and (found.kind not in WHOLE or wanted.bit >= 8 * found.size):
        return Refusal(BAD_CONFIGURATION_ERROR, f"it is {symbol.type}, which has no bit {wanted.bit}")
    return None


def decode(
    wanted: Wanted, answer: Answer, arrived: int, origin: str, encoding: str, zone: ZoneInfo | None
) -> Iterator[Said]:
    """What a variable says, at µs of arrival. `origin` names the controller, `encoding` is that of its texts, `zone` of its
    local times.
    """
    quality = GOOD if answer.running else LAST_USABLE
    for number, point in enumerate(wanted.points):
        raw = b""
        try:
            found = form(answer.symbol, wanted.type)
            raw = answer.data[number * found.size : (number + 1) * found.size]
            value = _value(found, raw, wanted.bit, encoding, zone)
        except (Unreadable, Formless) as bad:
            reason = bad.reason if isinstance(bad, Unreadable) else "bad_type"
            message = f"{wanted.path} {point.tag} ({origin} {wanted}): {bad}"
            yield Malformed(f"{origin} {wanted.name} {point.tag}", raw, reason, message, wanted.path)
            yield reading(point, None, BAD_DECODING_ERROR, arrived)
        else:
            yield reading(point, value, BAD_NO_DATA if value is None else quality, arrived)


def _value(found: Form, raw: bytes, bit: int | None, encoding: str, zone: ZoneInfo | None) -> Value:
    if len(raw) != found.size:
        raise Unreadable("short_answer", f"{len(raw)} of {found.size} bytes have come")
    if found.kind == "string":
        return _text(raw, encoding, 1)
    if found.kind == "wstring":
        return _text(raw, "utf-16-le", 2)
    (number,) = LAYOUTS[found.kind].unpack(raw)
    if isinstance(number, float):
        return number if math.isfinite(number) else None
    if bit is not None:
        if bit >= 8 * found.size:
            raise Unreadable("bad_type", f"it has no bit {bit}")
        return bool(number >> bit & 1)
    if found.kind == "bool":
        return bool(number)
    try:
        return _moment(found.kind, number, zone)
    except Unreadable:
        raise
    except (ValueError, OverflowError) as error:
        raise Unreadable("bad_time", f"0x{raw.hex()} is no {found.kind}: {error}") from None


def _moment(kind: Kind, number: int, zone: ZoneInfo | None) -> Value:
    """ISO 8601 of times and days; the number of all else."""
    match kind:
        case "time_of_day":
            return of_day(number * 1_000_000)
        case "ltime_of_day":
            return of_day(number)
        case "date":
            return (_ZERO + timedelta(seconds=number)).date().isoformat()
        case "ldate":
            return (_ZERO + timedelta(seconds=number // 1_000_000_000)).date().isoformat()
        case "date_and_time":
            return local(_ZERO + timedelta(seconds=number), 0, zone)
        case "ldt":
            seconds, ns = divmod(number, 1_000_000_000)
            return local(_ZERO + timedelta(seconds=seconds), ns, zone)
        case _:
            return whole(number)


def _text(raw: bytes, encoding: str, width: int) -> str:
    """Up to the zero that ends it; without one it is none."""
    end = next((at for at in range(0, len(raw), width) if not any(raw[at : at + width])), None)
    if end is None:
        raise Unreadable("bad_text", "no zero ends it: it is no text")
    try:
        return raw[:end].decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("bad_text", f"0x{raw[: min(end, 32)].hex()} is not {encoding}: {error.reason}") from None
