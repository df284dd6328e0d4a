"""Times and spans: the one place where what people type is read, and where times are written for them."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from uns.errors import UserError

if TYPE_CHECKING:
    from topology.namespace.filters import Filter
    from uns.model.zones import SiteZones

SECOND_US = 1_000_000
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
FOREVER_US = 1 << 62
EXPECTED = "expected beginning, now, an ISO time such as 2026-11-23T06:00, or a span back such as 15m, 8h, 2d"


def span_s(option: str, text: str, example: str = "15m, 8h or 30d") -> float:
    """Seconds of a length of time such as 90s. Raises `UserError`."""
    match = SPAN.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise UserError(f"{option} {text!r}: expected a span such as {example}")
    return float(match[1]) * UNITS_S[match[2]]


def hours(option: str, text: str) -> float:
    """Hours of a length of time such as 30d. Raises `UserError`."""
    return span_s(option, text, "72h or 30d") / 3600


def day(option: str, text: str) -> date:
    """Raises `UserError`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text!r} is no date; write e.g. 2026-10-24") from None


def zones_of(folder: Path) -> "SiteZones":
    """Time zones of a plant's sites; without a plant that can be read there are none, and all is UTC."""
    from uns.model.plant import load_plant
    from uns.model.zones import SiteZones

    try:
        return SiteZones(load_plant(folder) if folder.exists() else None)
    except UserError:
        return SiteZones(None)


class Reader:
    """Reads the times of a command's options. A time without offset is the site's, and what it was taken for is said."""

    def __init__(self, now_us: int, zones: "SiteZones", filters: "Iterable[Filter]" = ()) -> None:
        """`filters`: the places that the command speaks of."""
        self.now_us = now_us
        self._names = zones.names(filters)

    def instant(self, option: str, text: str) -> int:
        """Microseconds UTC; 0 for `beginning`. Raises `UserError`."""
        if text == "beginning":
            return 0
        if text == "now":
            return self.now_us
        if SPAN.fullmatch(text):
            return self.now_us - round(span_s(option, text) * SECOND_US)
        return self.moment(option, text, EXPECTED)

    def moment(self, option: str, text: str, expected: str = "expected an ISO time such as 2026-11-23T06:00") -> int:
        """Microseconds UTC of an ISO time. Raises `UserError`."""
        from schemas.text import micros_of

        try:
            told = datetime.fromisoformat(text)
        except ValueError:
            raise UserError(f"{option} {text!r}: {expected}") from None
        return micros_of(told if told.tzinfo is not None else self._of_site(option, text, told))

    def between(self, begin: str, until: str | None) -> tuple[int, int]:
        """[`--from`, `--to`) in microseconds UTC; without `--to` there is no end. Raises `UserError`."""
        start = self.instant("--from", begin)
        end = FOREVER_US if until is None else self.instant("--to", until)
        if start >= end:
            raise UserError(f"--from {begin} is not before --to {until}")
        return start, end

    def _of_site(self, option: str, text: str, told: datetime) -> datetime:
        zone = ZoneInfo(self._names[0] if len(self._names) == 1 else "UTC")
        first, second = (told.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == told
            what = "comes twice" if there else "does not exist"
            raise UserError(
                f"{option} {text!r} {what} in {zone.key}, where the clock is changed; write the offset, "
                f"{first.isoformat()} or {second.isoformat()}"
            )
        if len(self._names) == 1:
            why = f"{zone.key}, the site's time zone"
        elif self._names:
            why = f"UTC, because the sites are in {' and '.join(self._names)}; write an offset for another"
        else:
            why = "UTC, because no shift calendar of the plant says a time zone; write an offset for another"
        typer.echo(f"uns: {option} {text} is read as {why}: {first.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", err=True)
        return first


def shown(at_us: int, zone: ZoneInfo, timespec: str = "seconds") -> str:
    """For people: date, time and zone, `2026-11-23 06:00:01 CET`."""
    from uns.model.zones import local

    try:
        there = local(at_us, zone)
    except OverflowError:  # of what no calendar has
        return f"{at_us} µs"
    return f"{there.replace(tzinfo=None).isoformat(' ', timespec)} {there:%Z}"
