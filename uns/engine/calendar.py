"""Shift calendars into the raw log: the shifts of a partition's lines, told when it is taken over and once a day."""

from collections.abc import Iterator

from schemas.records import Shift
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level
from topology.namespace.topics import partition, topic

HOUR, DAY = 3_600_000_000, 86_400_000_000
AHEAD = 8 * DAY
"""How far ahead shifts are told: a plan for the week is on the screens, and a worker may be away for as long."""


class ShiftPlan:
    """What the plant's calendars say, by raw partition. Telling it again changes nothing: ids follow from the day."""

    def __init__(self, plant: Plant) -> None:
        self._horizon = round(plant.time.horizon_h * HOUR)
        areas = plant.areas()
        self._lines: dict[tuple[str, int], list[tuple[str, str]]] = {}
        for line, name in plant.calendars.items():
            area = line.at(Level.AREA)
            where = topic(area, MessageClass.RAW), partition(line, areas[area])
            self._lines.setdefault(where, []).append((str(line), name))
        self._calendars = plant.shifts

    def shifts(self, topic: str, partition: int, now: int) -> Iterator[tuple[str, Shift]]:
        """(line, shift) of one raw partition, from the correction horizon to some days after `now` (µs UTC)."""
        lines = self._lines.get((topic, partition), [])
        # An hour short of the horizon: what the fold would find too late is not told.
        oldest = now - self._horizon + HOUR
        shifts_by_calendar = {
            name: [s for s in self._calendars[name].between(oldest, now + AHEAD) if s.ended_at > oldest]
            for name in dict.fromkeys(name for _, name in lines)
        }
        return ((line, shift) for line, name in lines for shift in shifts_by_calendar[name])
