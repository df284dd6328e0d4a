"""What was planned when: orders, shifts and breaks as one sequence of slices of time, each with one order, shift and status.

Orders never overlap here: one that has no end, or ends after the next has begun, ends where the next begins; the same
for shifts. So each instant belongs to at most one order and one shift, whatever was told in which order, and to the one
day that the line's calendar says it is.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from processors.units import INF
from schemas.records import Order, Shift
from topology.kpi.definition import Planned
from topology.model.shifts import Days

BUSY: Planned = "busy"
BREAK: Planned = "break"
UNPLANNED: Planned = "unplanned"
UTC_DAYS = Days("UTC")


class OrderSpan(NamedTuple):
    start: int
    end: int
    """INF while it runs."""
    order: Order
    offset: int


class ShiftSpan(NamedTuple):
    start: int
    end: int
    shift: Shift
    offset: int


class Slice(NamedTuple):
    """[start, end) with one order on the machine, one shift, one planned status and one local day."""

    start: int
    end: int
    order: str | None
    shift: str | None
    status: Planned
    day: str


class Schedule:
    """Orders and shifts that hold for one cell. `unplanned` exists only once a shift, any shift, has been told."""

    def __init__(
        self,
        orders: Sequence[tuple[Order, int]],
        shifts: Sequence[tuple[Shift, int]],
        shifts_told: bool,
        orders_told: bool,
        days: Days = UTC_DAYS,
    ) -> None:
        """Orders and shifts come sorted by begin; `*_told`: whether any was ever told, also one since forgotten.

        One that ends where it begins has been taken back: it cuts nothing short.
        """
        self.shifts_told = shifts_told or bool(shifts)
        self.orders_told = orders_told or bool(orders)
        self.days = days
        orders = [pair for pair in orders if pair[0].ended_at is None or pair[0].started_at < pair[0].ended_at]
        shifts = [pair for pair in shifts if pair[0].started_at < pair[0].ended_at]
        self.orders: dict[str, OrderSpan] = {}
        for n, (order, offset) in enumerate(orders):
            following = orders[n + 1][0].started_at if n + 1 < len(orders) else INF
            end = min(INF if order.ended_at is None else order.ended_at, following)
            if order.started_at < end:
                self.orders[order.id] = OrderSpan(order.started_at, end, order, offset)
        self.shifts: dict[str, ShiftSpan] = {}
        for n, (shift, offset) in enumerate(shifts):
            following = shifts[n + 1][0].started_at if n + 1 < len(shifts) else INF
            if shift.started_at < (end := min(shift.ended_at, following)):
                self.shifts[shift.id] = ShiftSpan(shift.started_at, end, shift, offset)
        self._slices = self._cut()
        self._starts = [slice_.start for slice_ in self._slices]
        self._last = Slice(0, 0, None, None, BUSY, "")
        """The slice last asked for."""

    def _cut(self) -> list[Slice]:
        edges = {-INF, INF}
        for order_span in self.orders.values():
            edges.update((order_span.start, order_span.end))
        for shift_span in self.shifts.values():
            edges.update((shift_span.start, shift_span.end))
            for pause in shift_span.shift.breaks:
                edges.update((pause.started_at, pause.ended_at))
        marks = sorted(edges)
        orders, shifts = list(self.orders.values()), list(self.shifts.values())
        o = s = 0
        slices = []
        for start, end in pairwise(marks):
            while o < len(orders) and orders[o].end <= start:
                o += 1
            while s < len(shifts) and shifts[s].end <= start:
                s += 1
            order = orders[o].order.id if o < len(orders) and orders[o].start <= start else None
            shift = shifts[s].shift if s < len(shifts) and shifts[s].start <= start else None
            if shift is None:
                status = UNPLANNED if self.shifts_told else BUSY
            else:
                status = BREAK if any(p.started_at <= start < p.ended_at for p in shift.breaks) else BUSY
            slices.append(Slice(start, end, order, shift.id if shift else None, status, ""))
        return slices

    def slice_at(self, at: int) -> Slice:
        """The slice that holds an instant."""
        last = self._last
        if not last.start <= at < last.end:  # nearly always asked of one minute
            told = self._raw(at)
            day = self.days.at(at)
            start, end = max(told.start, day.start), min(told.end, day.end)
            self._last = last = Slice(start, end, told.order, told.shift, told.status, day.name)
        return last

    def slices(self, start: int, end: int) -> list[Slice]:
        """The slices that make up [start, end)."""
        slices = []
        while start < end:
            whole = self.slice_at(start)
            until = whole.end if whole.end < end else end
            slices.append(Slice(start, until, whole.order, whole.shift, whole.status, whole.day))
            start = until
        return slices

    def change(self, other: "Schedule") -> tuple[int, int] | None:
        """The stretch outside of which both schedules say the same; None where they say the same everywhere."""
        marks = sorted({*self._starts, *other._starts, INF})
        changed = [(start, end) for start, end in pairwise(marks) if self._raw(start)[2:5] != other._raw(start)[2:5]]
        return (changed[0][0], changed[-1][1]) if changed else None

    def _raw(self, at: int) -> Slice:
        return self._slices[bisect_right(self._starts, at) - 1]

    def order_at(self, at: int) -> Order | None:
        order = self.slice_at(at).order
        return None if order is None else self.orders[order].order
