"""The time zone that people at a place of the plant live by, from its shift calendars."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.text import moment
from topology.model.plant import Plant
from topology.namespace.filters import ONE, REST, Filter
from topology.namespace.path import Level, Path

UTC = ZoneInfo("UTC")


class SiteZones:
    """Zones by place; UTC where no calendar says one, and everywhere without a plant."""

    def __init__(self, plant: Plant | None) -> None:
        self._of_line: dict[Path, str] = {}
        if plant is not None:
            self._of_line = {line: plant.shifts[name].zone for line, name in plant.calendars.items()}

    def names(self, filters: Iterable[Filter] = ()) -> list[str]:
        """Zones of the lines that a filter may speak of, itself or above or below them; without filters: of all lines."""
        wanted = tuple(filters)
        return sorted(
            {zone for line, zone in self._of_line.items() if not wanted or any(_speaks_of(one, line) for one in wanted)}
        )

    def at(self, place: Path) -> ZoneInfo:
        """Of a line or cell its calendar's; of what is above them the one zone of all its lines, else UTC."""
        if place.level >= Level.LINE:
            return ZoneInfo(self._of_line.get(place.at(Level.LINE), "UTC"))
        inside = {zone for line, zone in self._of_line.items() if place.contains(line)}
        return ZoneInfo(inside.pop()) if len(inside) == 1 else UTC


def _speaks_of(wanted: Filter, line: Path) -> bool:
    return all(level in (ONE, REST, segment) for level, segment in zip(wanted.levels, line.segments, strict=False))


def local(at_us: int, zone: ZoneInfo) -> datetime:
    """The time of microseconds UTC in a zone."""
    return moment(at_us).astimezone(zone)
