"""Times as sources write them, to µs: ISO 8601, or a number since 1970 in the unit that the configuration names; and which
times a source can mean: outside of them no clock was ever set, or the number counts something else.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

Unit = Literal["s", "ms", "us", "ns"]
PER_SECOND: dict[Unit, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?")
PLAUSIBLE = (633_830_400_000_000, 7_258_118_400_000_000)
"""µs, 1990-02-01 to 2200-01-01. Clocks that were never set say 1601, 1970, 1980 or 1990-01-01."""
SHOWN_MAX = 80
"""Characters of a value that an error repeats."""


class BadTime(ValueError):
    """What stands there is no time; the message says what it looks like."""


def plausible(at: int) -> bool:
    """Whether a time (µs) can be one."""
    return PLAUSIBLE[0] <= at < PLAUSIBLE[1]


def _checked(text: str) -> str:
    moment = datetime(2026, 11, 23, 16, 5, 7, tzinfo=UTC)
    try:
        read = datetime.strptime(moment.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no format of times: {error}") from None
    if read.date() != moment.date():
        raise ValueError(f"{text!r} has no whole date; %d.%m.%Y %H:%M:%S is one that has")
    return text


TimeFormat = Annotated[str, AfterValidator(_checked)]
"""An option: how times are written, as Python's strptime has it."""


def micros(value: Any, unit: Unit = "ms", zone: ZoneInfo | None = None, written: str | None = None) -> int:
    """A time in µs. A text without an offset is local time of `zone`; `written`: a format in place of ISO 8601.

    Raises `BadTime`.
    """
    if type(value) is int and 0 <= value < 1e21 and plausible(at := value * 1_000_000 // PER_SECOND[unit]):
        return at  # what nearly all say
    if written is not None and isinstance(value, str):
        value = _of_format(value, written)
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        at = _of_text(value, zone)
    else:
        at = _of_number(value, unit)
    if not plausible(at):
        raise BadTime(f"{shown(value)} is {_words(at)}, before 1990 or after 2199{_guess(value, unit)}")
    return at


def shown(value: Any) -> str:
    """The beginning of what stands there, for an error."""
    return repr(value)[:SHOWN_MAX]


def _of_format(text: str, written: str) -> str:
    try:
        return datetime.strptime(text.strip(), written).isoformat()
    except ValueError:
        raise BadTime(f"{shown(text)} is no time of the format {written!r}") from None


def _of_text(value: str, zone: ZoneInfo | None) -> int:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise BadTime(f"{shown(value)} is no ISO 8601 time") from None
    if moment.tzinfo is None:
        if zone is None:
            raise BadTime(f"{shown(value)} has no offset; write a Z behind it or the offset it has, or name its `zone`")
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MICROSECOND


def _of_number(value: Any, unit: Unit) -> int:
    if isinstance(value, str):
        text = value.strip()
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadTime(f"there is no time; it must be ISO 8601, or a number since 1970 in {unit}")
    if not 0 <= value < 1e21:  # NaN is not either
        raise BadTime(f"{shown(value)} is no time in {unit} since 1970")
    per_second = PER_SECOND[unit]
    if isinstance(value, int):
        return value * 1_000_000 // per_second
    return round(value * (1_000_000 // per_second)) if per_second <= 1_000_000 else round(value / 1000)


def _words(at: int) -> str:
    try:
        return (_EPOCH + at * _MICROSECOND).isoformat(timespec="seconds")
    except OverflowError:
        return "no year that there is"


def _guess(value: Any, unit: Unit) -> str:
    """What unit would make a time of it that can be one."""
    if isinstance(value, str):
        return ""
    for other in PER_SECOND:
        if other != unit and plausible(at := _of_number(value, other)):
            return f"; it looks like {_words(at)} in {other}: say `time: {other}`"
    return "; is the clock of the source set?"
