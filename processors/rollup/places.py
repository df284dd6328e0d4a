"""The places that Kpi records are rolled up to, and which records of parts speak of the same window there."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from urllib.parse import quote

from schemas.records import Kpi
from topology.model.plant import Plant
from topology.model.shifts import Days
from topology.namespace.path import Level, Path

TOP = {
    "hour": Level.ENTERPRISE,
    "day": Level.ENTERPRISE,
    "product": Level.ENTERPRISE,
    "shift": Level.SITE,
    "order": Level.LINE,
}
"""Window → the highest level that it is rolled up to."""


class Key(NamedTuple):
    """One window at a place."""

    window: str
    name: str | None
    """Shift, order or product."""
    when: int
    """Begin of an hour or shift (µs); number of the day of a day or product; 0 of an order."""

    @property
    def kind(self) -> str:
        """Kind of the record; a name is quoted: an id has separators of its own, and two may begin together."""
        return f"kpi.{self.window}" if self.name is None else f"kpi.{self.window}.{quote(self.name, safe='')}"

    @property
    def window_name(self) -> str | None:
        return date.fromordinal(self.when).isoformat() if self.window == "day" else self.name


class Zones:
    """The time zones of a place's lines: a day there begins with the first and ends with the last."""

    def __init__(self, names: frozenset[str]) -> None:
        self._days = [Days(name) for name in sorted(names)]

    def day(self, number: int) -> tuple[int, int]:
        """[start, end) in µs UTC of the day with this number."""
        by_zone = [days.on(date.fromordinal(number)) for days in self._days]
        return min(day.start for day in by_zone), max(day.end for day in by_zone)

    def number(self, started_at: int) -> int:
        """The number of the day that begins then; where zones differ, in the first of them."""
        return max(date.fromisoformat(days.at(started_at).name).toordinal() for days in self._days)


def key_of(record: Kpi, zones: Zones) -> Key | None:
    """The window that a record of a place in these zones speaks of; None: it is none that is rolled up.

    Records of parts and of their whole have the same key.
    """
    match record:
        case Kpi(window="hour"):
            return Key("hour", None, record.started_at)
        case Kpi(window="shift", window_name=str(name)):
            return Key("shift", name, record.started_at)
        case Kpi(window="order", window_name=str(name)):
            return Key("order", name, 0)
        case Kpi(window="product", product=str(name)):
            return Key("product", name, zones.number(record.started_at))
        case Kpi(window="day", window_name=str(name)):
            try:
                return Key("day", None, date.fromisoformat(name).toordinal())
            except ValueError:
                return None
    return None


def zones(plant: Plant) -> Mapping[Path, Zones]:
    """Every line and every place above it → its zones."""
    names_by_place: dict[Path, set[str]] = {}
    for line in dict.fromkeys(cell.at(Level.LINE) for cell in plant.cells()):
        calendar = plant.calendars.get(line)
        zone = plant.shifts[calendar].zone if calendar is not None else "UTC"
        place: Path | None = line
        while place is not None:
            names_by_place.setdefault(place, set()).add(zone)
            place = place.parent
    return {place: Zones(frozenset(names)) for place, names in names_by_place.items()}
