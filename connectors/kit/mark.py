"""How far a query has been read: watermark and key of a row, kept as JSON that remembers what they were. Pure."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

AHEAD = timedelta(hours=1)
"""A time that is further ahead of our clock was not written by one that is right."""
ANY_ZONE = timedelta(hours=15)
"""How far a local time may be ahead of UTC, and more."""


class BadMark(ValueError):
    """A value that no order and no place can be made of; the words say which."""


class Mark(NamedTuple):
    """The last row that was told: what follows is greater."""

    watermark: Any
    key: tuple[Any, ...]

    def encode(self) -> bytes:
        """Raises `BadMark`."""
        return json.dumps([_plain(part) for part in (self.watermark, *self.key)]).encode()


class Place(NamedTuple):
    """Where a query goes on: a mark, and which rows of the overlap before it were told."""

    mark: Mark | None
    """None: all rows that were told have a watermark that is still to come."""
    told: Mapping[bytes, bytes]
    """Hash of the key → hash of the content."""


def encode(mark: Mark | None) -> bytes:
    """A mark as it is kept. Raises `BadMark`."""
    return b'{"mark": %s}' % (b"null" if mark is None else mark.encode())


_READ: dict[str, Any] = {
    "int": int,
    "str": str,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time_of_day.fromisoformat,
    "uuid": UUID,
    "bytes": bytes.fromhex,
    "float": float,
}


def _plain(value: Any) -> list[str]:
    match value:
        case bool() | None:
            pass
        case int():
            return ["int", str(value)]
        case float() if value == value:
            return ["float", repr(value)]
        case str():
            return ["str", value]
        case Decimal() if value.is_finite():
            return ["decimal", str(value)]
        case datetime():  # before date, which it is, too
            return ["datetime", value.isoformat()]
        case date():
            return ["date", value.isoformat()]
        case time_of_day():
            return ["time", value.isoformat()]
        case UUID():
            return ["uuid", str(value)]
        case bytes() | bytearray() | memoryview():
            return ["bytes", bytes(value).hex()]
    raise BadMark(
        f"watermark and key must be numbers, times, texts or bytes, and never NULL; this is {str(value)[:80]!r}"
    )


def decode(kept: bytes) -> Place | None:
    """A mark that was kept, without the rows of its overlap; None for what is none of ours."""
    try:
        read = json.loads(kept)
        parts = None if read["mark"] is None else [_READ[kind](text) for kind, text in read["mark"]]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None
    return None if parts == [] else Place(None if parts is None else Mark(parts[0], tuple(parts[1:])), {})


def before(watermark: Any, seconds: float, numbers: int) -> Any:
    """The watermark from which on is read again; None where it cannot be reckoned with, or there is no overlap."""
    if isinstance(watermark, datetime) and seconds:
        earliest = datetime.min.replace(tzinfo=UTC if watermark.tzinfo else None)
        span = timedelta(seconds=seconds)
        return watermark - span if watermark - earliest > span else earliest
    if isinstance(watermark, date) and seconds and not isinstance(watermark, datetime):
        return date.fromordinal(max(1, watermark.toordinal() - math.ceil(seconds / 86_400)))
    return watermark - numbers if isinstance(watermark, int | Decimal) and numbers else None


def ahead(watermark: Any, now: datetime) -> bool:
    """Whether a watermark is a time that cannot have come yet. `now` is in UTC."""
    match watermark:
        case datetime() if watermark.tzinfo is not None:
            return watermark - now > AHEAD
        case datetime():
            return watermark - now.replace(tzinfo=None) > AHEAD + ANY_ZONE
        case date():
            return watermark - now.date() > timedelta(days=2)
    return bool(watermark == "infinity")  # PostgreSQL has it among its times
