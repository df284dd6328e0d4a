"""The cells of a line as they are known at one tick: what each does hour by hour, and who holds the line up."""

from collections.abc import Sequence
from typing import NamedTuple

from processors.cell.cell import Cell
from processors.derive.bottleneck.active_period import ActivePeriod, Chain, chain, held_us
from processors.derive.bottleneck.activity import Activity, Stretch, activity, blocked_and_starved
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import Moment
from processors.units import HOUR

LOOK, WARM_UP = 4, 1
"""Hours."""
KEPT_STRETCHES = 16
"""A past hour of a cell with more of them is not remembered between refreshes."""


class Hour(NamedTuple):
    """One hour of one cell."""

    stretches: list[Stretch]
    first_offset: int
    last_offset: int


class CellShare(NamedTuple):
    """One cell in one hour, or in the part of it that is in one shift; parts add up. All but `ended` in µs."""

    sole: int = 0
    shifting: int = 0
    active: int = 0
    blocked: int = 0
    starved: int = 0
    other: int = 0
    ended: int = 0
    """Active periods that ended in it."""
    ended_us: int = 0
    """Their whole length."""
    age: int = 0
    """Of the active period that reaches over its end."""


class HourShares(NamedTuple):
    cells: list[CellShare]
    certain: bool
    first_offset: int
    last_offset: int


class LineView:
    """The cells of a line as they are known at one tick."""

    def __init__(
        self,
        flow: Sequence[Cell | None],
        ideal_us: Sequence[int],
        past: dict[tuple[int, int], Hour],
        moment: Moment,
        floor: int,
    ) -> None:
        """`flow`: the cells in their order, None for one that was never heard of; `past`: (cell, hour) → hours behind the
        watermark, which are read from there and put there."""
        self.now, self.watermark, self.floor = moment.now, moment.watermark, floor
        self.offset = moment.inputs.first_offset
        """Of the tick."""
        self._flow, self._ideal_us, self._past = flow, ideal_us, past
        self._hours: dict[tuple[int, int], Hour] = {}
        self._chains: dict[int, tuple[list[ActivePeriod], Chain]] = {}

    def shares(self, hour: int, start: int, end: int) -> HourShares:
        """[start, end) of one hour."""
        over, until = (hour + 1) * HOUR, min(end, self.now)
        hours = [self._hour(n, hour) for n in range(len(self._flow))]
        if hour not in self._chains:
            self._chains[hour] = self._chain(hour)
        periods, bottlenecks = self._chains[hour]
        held = held_us(bottlenecks.periods, len(hours), start, until)
        flow = [[_clip(s, start, end) for s in of.stretches if s.start < end and s.end > start] for of in hours]
        waits = blocked_and_starved(flow, self._ideal_us)
        first = offset = NO_OFFSET
        cells = []
        for n, stretches in enumerate(flow):
            first, offset = hull(first, offset, hours[n].first_offset, hours[n].last_offset)
            active = sum(s.end - s.start for s in stretches if s.activity.active)
            own = [p for p in periods if p.machine == n]
            ended = [p.length for p in own if start < p.end <= until and p.end < self.now]
            age = next((until - p.start for p in own if p.start < until < p.end or until == p.end == self.now), 0)
            other = until - start - active - sum(waits[n])
            cells.append(CellShare(*held[n], active, *waits[n], other, len(ended), sum(ended), age))
        certain = over + LOOK * HOUR <= self.watermark or (over <= self.watermark and bottlenecks.certain)
        return HourShares(cells, certain, first, offset)

    def _chain(self, hour: int) -> tuple[list[ActivePeriod], Chain]:
        """(active periods, bottlenecks among them) of an hour."""
        periods = [p for n in range(len(self._flow)) for p in self._periods(n, hour - WARM_UP, hour, hour)]
        begin, over = (hour - WARM_UP) * HOUR, (hour + 1) * HOUR
        last = min(self.now, over + LOOK * HOUR)
        return periods, chain(periods, begin, over, last, lambda at: self._active_at(at, hour))

    def reach(self, lo: int, hi: int) -> range:
        """The hours whose parts a change in [lo, hi] may have changed."""
        since, until = lo, hi
        for _ in range(2):  # periods that hold it, and those that a period held by it may follow
            since = min((p.start for p in self._around(since)), default=since)
        until = max((p.end for p in self._around(until)), default=until)
        return range(max(since, self.floor) // HOUR, min(until // HOUR + WARM_UP, self.now // HOUR) + 1)

    def _around(self, at: int) -> list[ActivePeriod]:
        hour = at // HOUR
        near = [p for n in range(len(self._flow)) for p in self._periods(n, hour - 1, hour, hour)]
        return [p for p in near if p.start <= at <= p.end]

    def _active_at(self, at: int, hour: int) -> list[ActivePeriod]:
        return [
            p
            for n in range(len(self._flow))
            for p in self._periods(n, at // HOUR, at // HOUR, hour)
            if p.start <= at < p.end
        ]

    def _periods(self, n: int, first: int, last: int, hour: int) -> list[ActivePeriod]:
        """The active periods of a cell that meet the hours `first` to `last`, whole within LOOK hours around `hour`."""
        lowest, highest = max(hour - LOOK, self.floor // HOUR), min(hour + LOOK, self.now // HOUR)
        periods: list[list[int]] = []
        for number in range(max(first, lowest), min(last, highest) + 1):
            for stretch in self._hour(n, number).stretches:
                if stretch.activity.active:
                    if periods and periods[-1][1] == stretch.start:
                        periods[-1][1] = stretch.end
                    else:
                        periods.append([stretch.start, stretch.end])
        if periods:
            periods[0][0] = self._reach(n, periods[0][0], -1, lowest)
            periods[-1][1] = self._reach(n, periods[-1][1], 1, highest)
        # What reaches up to now lasts, also where nothing is waited for.
        return [ActivePeriod(start, end, n, end > self.watermark or end == self.now) for start, end in periods]

    def _reach(self, n: int, edge: int, step: int, furthest: int) -> int:
        """Where an active period that meets the edge of an hour begins (step −1) or ends (+1)."""
        while edge % HOUR == 0:
            number = edge // HOUR - (step < 0)
            if number * step > furthest * step:
                break
            stretches = self._hour(n, number).stretches
            further = edge
            for stretch in stretches[::step]:
                if not stretch.activity.active or (stretch.start if step > 0 else stretch.end) != further:
                    break
                further = stretch.end if step > 0 else stretch.start
            if further == edge:
                break
            edge = further
        return edge

    def _hour(self, n: int, number: int) -> Hour:
        key = n, number
        known = self._hours.get(key) or self._past.get(key)
        if known is None:
            known = self._read(self._flow[n], number * HOUR, min((number + 1) * HOUR, self.now))
            self._hours[key] = known
            if (number + 1) * HOUR <= self.watermark and len(known.stretches) <= KEPT_STRETCHES:
                self._past[key] = known
        return known

    def _read(self, cell: Cell | None, start: int, end: int) -> Hour:
        if cell is None or start >= end:
            return Hour([], NO_OFFSET, NO_OFFSET)
        stretches: list[Stretch] = []
        first = last = NO_OFFSET
        for interval in cell.intervals(start, end, self.now):
            first, last = hull(first, last, interval.first_offset, interval.last_offset)
            for piece in cell.schedule.slices(interval.start, interval.end):
                order = piece.order is not None or not cell.schedule.orders_told
                does = activity(cell.elements, interval.state, interval.mode, order, piece.status)
                if does is Activity.NEITHER:
                    continue
                if stretches and stretches[-1].end == piece.start and stretches[-1].activity is does:
                    stretches[-1] = stretches[-1]._replace(end=piece.end)
                else:
                    stretches.append(Stretch(piece.start, piece.end, does))
        return Hour(stretches, first, last)


def _clip(stretch: Stretch, start: int, end: int) -> Stretch:
    return stretch._replace(start=max(stretch.start, start), end=min(stretch.end, end))
