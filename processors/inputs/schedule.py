"""What was planned when: orders, shifts and breaks as one sequence of slices of time, each with one order, shift and status.

Orders never overlap here: of those that hold an instant, the one that began last has it (began two at once, the one that
ends first); once it has ended, the one before has what is left. So a rush order interrupts an order, which then goes on.
An order without an end ends where the next begins. The same for shifts: after a short one inside of a long one the long
one goes on. So each instant belongs to at most one order and one shift, whatever was told in which order, and to the one
day that the line's calendar says it is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
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


Stretch = tuple[int, int]
"""[start, end)."""


class OrderSpan(NamedTuple):
    """An order from its first instant on the machine to its last."""

    start: int
    end: int
    """INF while it runs."""
    order: Order
    offset: int
    parts: tuple[Stretch, ...]
    """When it was on the machine: other orders may have interrupted it."""


class ShiftSpan(NamedTuple):
    """A shift from its first instant to its last."""

    start: int
    end: int
    shift: Shift
    offset: int
    parts: tuple[Stretch, ...]
    """When it was worked: other shifts may lie inside."""


class Turn(NamedTuple):
    """A stretch in which an order is on the machine."""

    start: int
    end: int
    order: Order


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
        begins = [order.started_at for order, _ in orders]
        self._on_machine = held(
            [
                (order.started_at, _next(begins, order.started_at) if order.ended_at is None else order.ended_at)
                for order, _ in orders
            ]
        )
        self._at_work = held([(shift.started_at, shift.ended_at) for shift, _ in shifts])
        self.orders: dict[str, OrderSpan] = {}
        """By id, in order of begin."""
        for n, parts in _by_number(self._on_machine).items():
            order, offset = orders[n]
            self.orders[order.id] = OrderSpan(parts[0][0], parts[-1][1], order, offset, parts)
        self.shifts: dict[str, ShiftSpan] = {}
        for n, parts in _by_number(self._at_work).items():
            shift, offset = shifts[n]
            self.shifts[shift.id] = ShiftSpan(parts[0][0], parts[-1][1], shift, offset, parts)
        self.turns = [Turn(start, end, orders[n][0]) for start, end, n in self._on_machine]
        """Orders as they were on the machine one after another; one that was interrupted comes again."""
        self._slices = self._cut()
        self._starts = [slice_.start for slice_ in self._slices]
        self._last = Slice(0, 0, None, None, BUSY, "")
        """The slice last asked for."""

    def _cut(self) -> list[Slice]:
        edges = {-INF, INF}
        for start, end, _ in (*self._on_machine, *self._at_work):
            edges.update((start, end))
        for shift_span in self.shifts.values():
            for pause in shift_span.shift.breaks:
                edges.update((pause.started_at, pause.ended_at))
        marks = sorted(edges)
        turns = self.turns
        shifts = [(start, end, span.shift) for span in self.shifts.values() for start, end in span.parts]
        shifts.sort(key=lambda stretch: stretch[0])
        o = s = 0
        slices = []
        for start, end in pairwise(marks):
            while o < len(turns) and turns[o].end <= start:
                o += 1
            while s < len(shifts) and shifts[s][1] <= start:
                s += 1
            order = turns[o].order.id if o < len(turns) and turns[o].start <= start else None
            shift = shifts[s][2] if s < len(shifts) and shifts[s][0] <= start else None
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
        """The stretch outside of which both schedules say the same, with the ends of orders and shifts that end otherwise;
        None where they say the same everywhere."""
        marks = sorted({*self._starts, *other._starts, INF})
        changed = [(start, end) for start, end in pairwise(marks) if self._raw(start)[2:5] != other._raw(start)[2:5]]
        if not changed:
            return None
        # One that was to go on after another, and now does not, ends before anything is said otherwise.
        ends = [end for _, end in {*self._ends()} ^ {*other._ends()}]
        return min([changed[0][0], *ends]), changed[-1][1]

    def _ends(self) -> Iterator[tuple[str, int]]:
        yield from ((f"order {name}", span.end) for name, span in self.orders.items())
        yield from ((f"shift {name}", span.end) for name, span in self.shifts.items())

    def _raw(self, at: int) -> Slice:
        return self._slices[bisect_right(self._starts, at) - 1]

    def order_at(self, at: int) -> Order | None:
        order = self.slice_at(at).order
        return None if order is None else self.orders[order].order

    def turn_end(self, at: int) -> int:
        """Until when the order that is on the machine at an instant stays there; the instant itself where there is none."""
        n = bisect_right(self.turns, at, key=lambda turn: turn.start) - 1
        return self.turns[n].end if n >= 0 and at < self.turns[n].end else at


def held(spans: Sequence[Stretch]) -> list[tuple[int, int, int]]:
    """Who has which time, (start, end, number) in order, where spans overlap.

    Of those that hold an instant it is the one that began last, of these the one that ends first, of these the last.
    """
    starting = sorted(range(len(spans)), key=lambda n: (spans[n][0], n))
    marks = sorted({at for span in spans for at in span})
    stack: list[tuple[int, int, int]] = []
    told: list[tuple[int, int, int]] = []
    begun = 0
    for mark, following in pairwise(marks):
        while begun < len(starting) and spans[starting[begun]][0] <= mark:
            start, end = spans[n := starting[begun]]
            heappush(stack, (-start, end, -n))
            begun += 1
        while stack and stack[0][1] <= mark:
            heappop(stack)
        if not stack:
            continue
        n = -stack[0][2]
        if told and told[-1][1:] == (mark, n):
            told[-1] = (told[-1][0], following, n)
        else:
            told.append((mark, following, n))
    return told


def _by_number(told: Sequence[tuple[int, int, int]]) -> dict[int, tuple[Stretch, ...]]:
    parts: dict[int, tuple[Stretch, ...]] = {}
    for start, end, n in told:
        parts[n] = (*parts.get(n, ()), (start, end))
    return parts


def _next(begins: Sequence[int], at: int) -> int:
    """The first begin after an instant; INF where there is none."""
    n = bisect_right(begins, at)
    return begins[n] if n < len(begins) else INF
