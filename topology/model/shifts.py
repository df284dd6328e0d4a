"""Shift calendars: weekly patterns in local time, with breaks and exceptions, to the shifts of any stretch of time. Pure.

Local times follow the zone's rules: a shift over a change of the clock is an hour shorter or longer. A time that the
change skips counts as the hour after it, a time that comes twice as its first coming.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from schemas.lengths import BREAKS_MAX, NAME_MAX
from schemas.records import Break, Shift
from schemas.text import micros_of, moment
from topology.frozen import FilterText, FrozenModel

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 24 * 60


def _minutes(value: Any) -> Any:
    """`"06:00"` → minutes since midnight. YAML reads an unquoted 14:00 as the number 840, which means the same here."""
    if isinstance(value, str):
        hours, colon, minutes = value.partition(":")
        if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60):
            raise ValueError(f'{value!r} is no time of day; write "06:00"')
        value = int(hours) * 60 + int(minutes)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MINUTES_A_DAY:
        raise ValueError(f'{value!r} is no time of day between "00:00" and "24:00"')
    return value


ShiftName = Annotated[str, StringConstraints(max_length=NAME_MAX - len("2026-12-24-"))]
"""The id of a shift has its day before the name."""


def zone_name(name: str) -> str:
    """The name itself. Raises `ValueError` where it is no time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; they look like Europe/Berlin or America/Chicago") from None
    return name


TimeOfDay = Annotated[int, BeforeValidator(_minutes)]
"""Minutes since local midnight, 0 to 1440."""


class BreakPattern(FrozenModel):
    """Part of a shift that is not worked; planned down time."""

    begin: TimeOfDay = Field(description='local time, e.g. "09:00"', examples=["09:00"])
    end: TimeOfDay = Field(description="local time", examples=["09:30"])


class ShiftPattern(FrozenModel):
    """A shift as it comes again. One that ends at or before its begin ends on the next day."""

    begin: TimeOfDay = Field(description='local time, e.g. "22:00"', examples=["22:00"])
    end: TimeOfDay = Field(
        description='local time, e.g. "06:00"; not after `begin`: of the next day', examples=["06:00"]
    )
    days: tuple[Day, ...] = Field(DAYS, description="days on which it begins; none: kept, but not worked")
    breaks: tuple[BreakPattern, ...] = Field((), max_length=BREAKS_MAX, description="its breaks")

    @property
    def length(self) -> int:
        """Minutes on the wall clock."""
        return (self.end - self.begin - 1) % MINUTES_A_DAY + 1

    def pauses(self) -> Iterator[tuple[int, int]]:
        """(begin, end) of the breaks in minutes after local midnight of the day on which the shift begins."""
        for pause in self.breaks:
            begin = pause.begin if pause.begin >= self.begin else pause.begin + MINUTES_A_DAY
            yield begin, begin + (pause.end - pause.begin - 1) % MINUTES_A_DAY + 1

    @model_validator(mode="after")
    def _breaks_inside(self) -> "ShiftPattern":
        pauses = sorted(self.pauses())
        for begin, end in pauses:
            if end > self.begin + self.length:
                raise ValueError(f"the break at {_clock(begin)} to {_clock(end)} is not inside the shift")
        for (_, end), (begin, _) in pairwise(pauses):
            if begin < end:
                raise ValueError(f"the break at {_clock(begin)} begins before the one before it has ended")
        return self


class ExceptionalDays(FrozenModel):
    """Days on which other shifts are worked, or none."""

    day: date = Field(description="first day, e.g. 2026-12-24", examples=["2026-12-24"])
    until: date | None = Field(None, description="last day; none: one day", examples=["2026-12-26"])
    name: str = Field(description="why, e.g. Christmas", examples=["Christmas"])
    shifts: dict[ShiftName, ShiftPattern] = Field(
        default_factory=dict, description="shifts instead of the usual; none: no work"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ExceptionalDays":
        if self.until is not None and self.until < self.day:
            raise ValueError(f"{self.name}: until {self.until} is before {self.day}")
        return self

    def holds(self, day: date) -> bool:
        return self.day <= day <= (self.until or self.day)


class Calendar(FrozenModel):
    """Who works when. Time outside of its shifts is not planned."""

    filter: FilterText = Field(description="MQTT filter over the lines it holds for", examples=["acme/dallas/#"])
    zone: Annotated[str, AfterValidator(zone_name)] = Field(
        description="time zone of its local times, e.g. Europe/Berlin", examples=["Europe/Berlin"]
    )
    shifts: dict[ShiftName, ShiftPattern] = Field(min_length=1, description="name → shift")
    exceptions: tuple[ExceptionalDays, ...] = Field(
        (), description="holidays, extra shifts; the first that holds decides"
    )

    @model_validator(mode="after")
    def _no_overlaps(self) -> "Calendar":
        first = date(2024, 1, 1)  # any Monday far from a change of the clock
        days = {first + timedelta(days=n) for n in range(9)}
        for exception in self.exceptions:
            days |= {exception.day + timedelta(days=n) for n in (-1, 0, 1)}
            days |= {(exception.until or exception.day) + timedelta(days=n) for n in (-1, 0, 1)}
        worked = sorted(
            (day.toordinal() * MINUTES_A_DAY + pattern.begin, pattern.length, name, day)
            for day in days
            for name, pattern in self._patterns(day).items()
        )
        for (begin, length, name, day), (following, _, other, other_day) in pairwise(worked):
            if following < begin + length:
                raise ValueError(f"{name} of {day:%a %d %b} and {other} of {other_day:%a %d %b} overlap")
        return self

    def on(self, day: date) -> list[Shift]:
        """The shifts that begin on a day, and those that might but do not, with no length: they take back what was told."""
        zone, worked = ZoneInfo(self.zone), self._patterns(day)
        names = dict.fromkeys(
            [*worked, *self.shifts, *(name for exception in self.exceptions for name in exception.shifts)]
        )
        shifts = []
        for name in names:
            pattern = worked.get(name)
            if pattern is None:
                begin = end = _instant(day, (self.shifts.get(name) or _first(self.exceptions, name)).begin, zone)
                pauses: tuple[Break, ...] = ()
            else:
                begin = _instant(day, pattern.begin, zone)
                end = _instant(day, pattern.begin + pattern.length, zone)
                pauses = tuple(
                    Break(_instant(day, start, zone), _instant(day, stop, zone)) for start, stop in pattern.pauses()
                )
            shifts.append(
                Shift(id=f"{day.isoformat()}-{name}", name=name, started_at=begin, ended_at=end, breaks=pauses)
            )
        return shifts

    def between(self, start: int, end: int) -> list[Shift]:
        """What `on` says of every day from which a shift could reach into [start, end), µs UTC."""
        zone = ZoneInfo(self.zone)
        day = moment(start).astimezone(zone).date() - timedelta(days=1)
        last = moment(end).astimezone(zone).date()
        shifts: list[Shift] = []
        while day <= last:
            shifts += self.on(day)
            day += timedelta(days=1)
        return shifts

    def _patterns(self, day: date) -> dict[str, ShiftPattern]:
        """Name → shift that begins on a day."""
        for exception in self.exceptions:
            if exception.holds(day):
                return {
                    name: pattern for name, pattern in exception.shifts.items() if DAYS[day.weekday()] in pattern.days
                }
        return {name: pattern for name, pattern in self.shifts.items() if DAYS[day.weekday()] in pattern.days}


class LocalDay(NamedTuple):
    """A calendar day in a time zone, [start, end) in µs UTC: 23 or 25 hours long when the clock changes."""

    start: int
    end: int
    name: str
    """As 2026-11-23."""


class Days:
    """The days of a time zone."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._last = LocalDay(0, 0, "")

    def at(self, at: int) -> LocalDay:
        """The day that holds an instant (µs UTC)."""
        last = self._last
        if not last.start <= at < last.end:  # asked over and over for one day
            self._last = last = self.on(moment(at).astimezone(self._zone).date())
        return last

    def on(self, day: date) -> LocalDay:
        """The day of a date."""
        start, end = (_instant(day, minutes, self._zone) for minutes in (0, MINUTES_A_DAY))
        return LocalDay(start, end, day.isoformat())

    def between(self, start: int, end: int) -> Iterator[LocalDay]:
        """The days that meet [start, end)."""
        while start < end:
            day = self.at(start)
            yield day
            start = day.end


def _first(exceptions: tuple[ExceptionalDays, ...], name: str) -> ShiftPattern:
    return next(exception.shifts[name] for exception in exceptions if name in exception.shifts)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    """µs UTC of a local time of day; minutes above a day are of the next."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    return micros_of(local.replace(tzinfo=zone))


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"
