"""The sums of an hour, shift, order or day so far: from hours that are kept, and from what evicted hours left behind."""

from collections.abc import Iterable
from typing import NamedTuple

from processors.inputs.schedule import Schedule
from processors.output.ledger import Ledger
from processors.timeline import stops
from processors.timeline.elements import MAINTENANCE
from processors.timeline.timeline import Timeline
from processors.timeline.totals import Group, Groups, Totals, merge
from processors.timeline.view import View
from processors.timeline.windows import Windows
from processors.units import HOUR

LONG_MAX = (1 << 63) - 1
"""What the record can hold; only a counter gone mad comes near."""

ORDERS, SHIFTS, DAY = 0, 1, 2
"""Places in a `Group`."""


class Running(NamedTuple):
    """A window that is longer than an hour: [start, end) of one order, shift or day."""

    part: int
    """ORDERS, SHIFTS or DAY."""
    name: str
    start: int
    end: int
    parts: tuple[tuple[int, int], ...] = ()
    """Its stretches [start, end), where another interrupts it; empty: all of it."""

    def own_us(self, until: int) -> int:
        """How much of it lies before an instant."""
        return sum(min(end, until) - start for start, end in self.parts or ((self.start, self.end),) if start < until)

    @property
    def label(self) -> str:
        """Names it in `Sums.carried`."""
        return f"{('order', 'shift', 'day')[self.part]} {self.name}"


class Sums:
    """Sums of one cell's windows."""

    __slots__ = ("_ledger", "_timeline", "carried", "windows")

    def __init__(self, windows: Windows, timeline: Timeline, ledger: Ledger) -> None:
        self.windows = windows
        self._timeline = timeline
        self._ledger = ledger
        self.carried: dict[str, Groups] = {}
        """Sums over evicted hours of windows that still run on, by `Running.label`."""

    def hour(self, schedule: Schedule, hour: int, view: View) -> Groups:
        """The sums of an hour so far. To be read, not changed."""
        return self.windows.hour(schedule, hour, view.now, view.watermark)

    def shift(self, schedule: Schedule, name: str, view: View) -> Groups:
        """The sums of a shift so far."""
        shift = schedule.shifts[name]
        return self.of(schedule, Running(SHIFTS, name, shift.start, shift.end, shift.parts), view)

    def of(self, schedule: Schedule, window: Running, view: View) -> Groups:
        """The sums of a window so far, from hours and from what was carried over. Nobody saw what is older than both."""
        part, name, start, end, _ = window
        groups: Groups = {}
        merge(groups, self.carried.get(window.label, {}))
        until = min(end, view.now)
        last_moment = int(until < end and until == self.windows.end)
        for hour in range(max(start, view.floor) // HOUR, -(-(until + last_moment) // HOUR)):
            for group, totals in self.hour(schedule, hour, view).items():
                if group[part] == name:
                    merge(groups, {group: totals})
        known_us = sum(sum(totals.element_us) for totals in groups.values())
        if (missing := window.own_us(until) - known_us) > 0:  # a part older than anything kept
            rest = self.windows.nothing()
            rest.element_us[self.windows.not_observed] = missing
            order, shift, day = (name if n == part else None for n in (ORDERS, SHIFTS, DAY))
            merge(groups, {Group(order, shift, day or ""): rest})
        return groups

    def carry_over(
        self, schedule: Schedule, running: Iterable[Running], first: int, before: int, now: int, watermark: int
    ) -> None:
        """Adds the hours first ≤ hour < before to the windows that run on after them; forgets those that have ended."""
        edge = before * HOUR
        live = set()
        for window in running:
            if window.end > edge:
                live.add(window.label)
                if window.start < edge:
                    since = max(first, window.start // HOUR)
                    self._carry(
                        self.carried.setdefault(window.label, {}), schedule, window, since, before, now, watermark
                    )
        self.carried = {label: groups for label, groups in self.carried.items() if label in live}

    def _carry(
        self,
        carried: Groups,
        schedule: Schedule,
        window: Running,
        first: int,
        before: int,
        now: int,
        watermark: int,
    ) -> None:
        part, name = window.part, window.name
        for hour in range(first, before):
            for group, totals in self.windows.hour(schedule, hour, now, watermark).items():
                if group[part] == name:
                    merge(carried, {group: totals})
        for piece in schedule.slices(first * HOUR, before * HOUR):
            group = Group(piece.order, piece.shift, piece.day)
            if group[part] == name:
                maintained = self._timeline.in_mode_us(MAINTENANCE, piece.start, piece.end, now)
                stopped = stops.within(self._ledger, piece.start, piece.end)
                if maintained or stopped:
                    totals = Totals(self.windows.nothing().element_us, maintained_us=maintained, stopped=stopped)
                    merge(carried, {group: totals})
