"""The cells of a line as they are known at one tick: what each does hour by hour, and who holds the line up."""

from collections.abc import MutableMapping, Sequence
from typing import NamedTuple

from processors.cell.cell import Cell
from processors.derive.bottleneck.active_period import ActivePeriod, Chain, chain, held_us
from processors.derive.bottleneck.activity import Activity, Stretch, activity, blocked_and_starved
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import Moment
from processors.units import HOUR

LOOK = 4
"""How many hours after an hour a period is followed that reaches over its end."""
KEPT_STRETCHES = 16
"""A past hour of a cell with more of them is not remembered between refreshes."""


class Hour(NamedTuple):
    """One hour of one cell."""

    stretches: list[Stretch]
    first_offset: int
    last_offset: int


NOTHING = Hour([], NO_OFFSET, NO_OFFSET)


class Edge(NamedTuple):
    """What reaches up to the begin of an hour: all that the hour must know of the time before."""

    begun: tuple[int | None, ...]
    """Since when each cell has been active; None: it is not."""
    holder: int | None
    """The cell that is the bottleneck."""
    certain: bool
    """Whether nothing can change this but something late."""


class CellShare(NamedTuple):
    """One cell in one hour, or in the part of it that is in one shift; parts add up. All but `ended` in µs."""

    sole: int = 0
    shifting: int = 0
    active: int = 0
    blocked: int = 0
    starved: int = 0
    other: int = 0
    ended: int = 0
    """Active periods that ended in it; what ends with it belongs to it."""
    ended_us: int = 0
    """Their whole length."""
    age: int = 0
    """Of the active period that reaches over its end."""


class HourShares(NamedTuple):
    cells: list[CellShare]
    certain: bool
    """Whether nothing can change this but something late."""
    looked: int
    """What changes after this time changes nothing here."""
    first_offset: int
    last_offset: int


class LineView:
    """The cells of a line as they are known at one tick."""

    def __init__(
        self,
        flow: Sequence[Cell | None],
        ideal_us: Sequence[int],
        past: MutableMapping[tuple[int, int], Hour],
        edges: MutableMapping[int, Edge],
        moment: Moment,
        first: int,
        lowest: int,
    ) -> None:
        """`flow`: the cells in their order, None for one that was never heard of; `past`: (cell, hour) → hours behind the
        watermark; `edges`: by hour. Both are read from there and put there. `first`: the first hour that can be read;
        `lowest`: the first that is remembered."""
        self.now, self.watermark, self.first, self.lowest = moment.now, moment.watermark, first, lowest
        self.offset = moment.inputs.first_offset
        """Of the tick."""
        self._ends = moment.last
        self._readable = moment.floor // HOUR
        self._flow, self._ideal_us, self._past, self._edges = flow, ideal_us, past, edges
        self._hours: dict[tuple[int, int], Hour] = {}
        self._chains: dict[int, Chain] = {}
        self._periods: dict[tuple[int, int], list[ActivePeriod]] = {}

    @property
    def fresh(self) -> Edge:
        """An edge before which nothing is known."""
        return Edge((None,) * len(self._flow), None, True)

    @property
    def cells(self) -> int:
        """How many there are."""
        return len(self._flow)

    def shares(self, hour: int, start: int, end: int) -> HourShares:
        """[start, end) of one hour."""
        over, until = (hour + 1) * HOUR, min(end, self.now)
        hours = [self.hour(n, hour) for n in range(len(self._flow))]
        bottlenecks = self._chain(hour)
        held = held_us(bottlenecks.periods, len(hours), start, until)
        flow = [[_clip(s, start, end) for s in of.stretches if s.start < end and s.end > start] for of in hours]
        waits = blocked_and_starved(flow, self._ideal_us)
        periods = self._from(hour, hour)
        first = offset = NO_OFFSET
        cells = []
        for n, stretches in enumerate(flow):
            first, offset = hull(first, offset, hours[n].first_offset, hours[n].last_offset)
            active = sum(s.end - s.start for s in stretches if s.activity.active)
            own = [p for p in periods if p.machine == n and p.start < until and p.end > start]
            ended = [p.length for p in own if p.end <= until and not self._lasts(p)]
            age = next((until - p.start for p in own if p.end > until or (p.end == until and self._lasts(p))), 0)
            other = until - start - active - sum(waits[n])
            cells.append(CellShare(*held[n], active, *waits[n], other, len(ended), sum(ended), age))
        certain = self._capped(hour) or (
            over <= self.watermark
            and bottlenecks.certain
            and self.edge(hour).certain
            and not any(p.end == over and self._lasts(p) for p in periods)  # it may end there, and count as ended
        )
        return HourShares(cells, certain, min(bottlenecks.looked, self.watermark), first, offset)

    def edge(self, hour: int) -> Edge:
        """What reaches up to the begin of an hour; nothing at the first that is known, unless it is remembered."""
        first = hour
        while first not in self._edges and first > self.lowest:
            first -= 1
        if first not in self._edges:
            self._edges[first] = self.fresh
        for number in range(first, hour):
            bottlenecks = self._chain(number)
            over = (number + 1) * HOUR
            certain = self._capped(number) or (
                over <= self.watermark and self._edges[number].certain and bottlenecks.holder_certain
            )
            self._edges[number + 1] = Edge(self._begun(number), bottlenecks.holder, certain)
        return self._edges[hour]

    def hour(self, n: int, number: int) -> Hour:
        """What a cell does in an hour, up to now."""
        key = n, number
        known = self._hours.get(key) or self._past.get(key)
        if known is None:
            known = self._read(self._flow[n], number)
            self._hours[key] = known
            if (number + 1) * HOUR <= self.watermark and len(known.stretches) <= KEPT_STRETCHES:
                self._past[key] = known
        return known

    def _capped(self, hour: int) -> bool:
        """Whether what lasts still counts as it is."""
        return (hour + 1 + LOOK) * HOUR <= self.watermark

    def _lasts(self, period: ActivePeriod) -> bool:
        """Whether a period may go on after now, so that nobody knows yet whether it has ended."""
        return period.end == self.now and not self._ends

    def _chain(self, hour: int) -> Chain:
        """Bottlenecks of an hour."""
        if hour in self._chains:
            return self._chains[hour]
        holder = self.edge(hour).holder

        def active_at(at: int) -> list[ActivePeriod]:
            return [p for p in self._from(hour, at // HOUR) if p.start <= at < p.end]

        def next_start(at: int) -> list[ActivePeriod]:
            return sorted(p for p in self._from(hour, hour) if p.start > at)

        known = self._chains[hour] = chain(
            hour * HOUR, (hour + 1) * HOUR, holder, self.watermark, active_at, next_start
        )
        return known

    def _begun(self, hour: int) -> tuple[int | None, ...]:
        """Since when each cell has been active as an hour ends."""
        begun: list[int | None] = [None] * len(self._flow)
        for period in self._from(hour, hour):
            if period.end >= (hour + 1) * HOUR:
                begun[period.machine] = period.start
        return tuple(begun)

    def _from(self, hour: int, last: int) -> list[ActivePeriod]:
        """The active periods of all cells that begin before the end of the hour `last` and reach into what follows the
        begin of `hour`: whole, but for what of them comes later than LOOK hours after it."""
        highest = min(hour + LOOK, self.now // HOUR)
        last = min(last, highest)
        known = self._periods.get((hour, last))
        if known is None:
            begun = self.edge(hour).begun
            known = [p for n in range(len(self._flow)) for p in self._of(n, hour, last, highest, begun[n])]
            self._periods[hour, last] = known
        return known

    def _of(self, n: int, hour: int, last: int, highest: int, begun: int | None) -> list[ActivePeriod]:
        periods: list[list[int]] = []
        for number in range(hour, highest + 1):
            if number > last and not (periods and periods[-1][1] == number * HOUR):
                break
            for stretch in self.hour(n, number).stretches:
                if not stretch.activity.active:
                    continue
                if periods and periods[-1][1] == stretch.start:
                    periods[-1][1] = stretch.end
                elif number > last:
                    break
                else:
                    periods.append([stretch.start, stretch.end])
        if begun is not None and periods and periods[0][0] == hour * HOUR:
            periods[0][0] = begun
        # What reaches up to now lasts, also where nothing is waited for.
        return [ActivePeriod(start, end, n, end > self.watermark or end == self.now) for start, end in periods]

    def _read(self, cell: Cell | None, number: int) -> Hour:
        start, end = number * HOUR, min((number + 1) * HOUR, self.now)
        if cell is None or start >= end or number < self._readable:
            return NOTHING
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
