"""Toy records: how often a work unit began to run, by hour. Provisional while the hour is open, final after it."""

from collections.abc import Iterator

import msgspec

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation, Saved
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import View
from processors.units import HOUR
from schemas.records import Derived, Toy

KIND = "toy"


class FirstHour(msgspec.Struct, frozen=True):
    """What the ledger does not know any more once the horizon has passed it."""

    at: int


class ToyRecords(Derivation):
    """The hours of one cell."""

    __slots__ = ("_changed", "_first_hour")

    name = KIND
    kinds = (KIND,)
    records = (Toy,)

    def __init__(self, cell: Cell) -> None:
        self._first_hour: FirstHour | None = None
        self._changed = False

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Hours that are due."""
        out: list[Derived] = []
        first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
        for hour in range(first // HOUR, view.now // HOUR + 1):
            start, end = hour * HOUR, (hour + 1) * HOUR
            if view.due(start, end, view.moment.flush):
                out += self._hour(cell, view, start, end)
        return out

    def _hour(self, cell: Cell, view: View, start: int, end: int) -> list[Derived]:
        if self._first_hour is None or start < self._first_hour.at:
            self._first_hour, self._changed = FirstHour(start), True
        starts, first, last = 0, NO_OFFSET, NO_OFFSET
        for interval in cell.intervals(start, min(end, view.now), view.now):
            if cell.elements.runs(interval.state, interval.mode) and start <= interval.start < end:
                starts += 1
                first, last = hull(first, last, interval.first_offset, interval.last_offset)
        return cell.ledger.put(
            Toy,
            KIND,
            start,
            end if end <= view.now else None,
            end <= view.watermark,
            view.inputs(first, last),
            starts=starts,
            first_hour=self._first_hour.at,
        )

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed and self._first_hour is not None:
            self._changed = False
            yield "", self._first_hour

    def load(self, saved: Saved, redefined: bool) -> None:
        self._first_hour = msgspec.msgpack.decode(saved[""].state, type=FirstHour)
