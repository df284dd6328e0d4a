"""Sums over event time: elements and pieces per order, shift and day, hour by hour, so that any window is a sum of hours.

Each instant belongs to one element, one day, at most one order and one shift, so the elements of a window always sum to
its length, exactly, in integer µs.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from processors.inputs.counters import Counter, increments
from processors.inputs.schedule import Schedule, Slice
from processors.timeline import stops
from processors.timeline.elements import PLAIN, Context, Elements
from processors.timeline.stops import Stops
from processors.timeline.timeline import NO_OFFSET, Interval, hull
from processors.units import HOUR

ENERGY_MAX = (1 << 63) - 1
"""What a sum of energy can be saved as; a meter that jumps between nothing and the most possible gets there in hours."""
STRETCH = 30_000_000
"""Event time (µs) by which the sums behind the watermark go forward; computing them in smaller steps costs more."""


class Group(NamedTuple):
    """What an instant belongs to."""

    order: str | None
    shift: str | None
    day: str


class Totals:
    """Time by element (µs, in the order of `Elements.names`), pieces, and the raw offsets they rest on (NO_OFFSET: none).

    Sums carried over from evicted hours also hold what else is known only inside the horizon: `stops`, and µs in mode maintenance.
    """

    __slots__ = (
        "element_us",
        "energy",
        "first_offset",
        "good",
        "last_offset",
        "maintained_us",
        "resets",
        "rework",
        "scrap",
        "start_up",
        "stops",
    )

    def __init__(
        self,
        element_us: list[int],
        good: int = 0,
        scrap: int = 0,
        rework: int = 0,
        energy: int = 0,
        resets: int = 0,
        first_offset: int = NO_OFFSET,
        last_offset: int = NO_OFFSET,
        start_up: int = 0,
        maintained_us: int = 0,
        stopped: Stops | None = None,
    ) -> None:
        self.element_us = element_us
        self.good = good
        self.scrap = scrap
        self.rework = rework
        self.energy = energy
        """In thousandths of the meter's unit."""
        self.resets = resets
        self.first_offset = first_offset
        self.last_offset = last_offset
        self.start_up = start_up
        """Scrap of a start-up, a part of `scrap`."""
        self.maintained_us = maintained_us
        self.stops = stopped

    def add(self, other: "Totals") -> None:
        mine, theirs = self.element_us, other.element_us
        for n in range(len(mine)):
            mine[n] += theirs[n]
        self.good += other.good
        self.scrap += other.scrap
        self.rework += other.rework
        self.energy = min(self.energy + other.energy, ENERGY_MAX)
        self.resets += other.resets
        self.start_up += other.start_up
        self.maintained_us += other.maintained_us
        if other.stops:
            self.stops = self.stops or {}
            stops.merge(self.stops, other.stops)
        self.saw(other.first_offset, other.last_offset)

    def saw(self, first: int, last: int) -> None:
        self.first_offset, self.last_offset = hull(self.first_offset, self.last_offset, first, last)

    @property
    def made(self) -> int:
        """PQ."""
        return self.good + self.scrap + self.rework


Groups = dict[Group, Totals]
Intervals = Callable[[int, int, int], list[Interval]]
"""(start, end, now) → the intervals of equal state and mode."""
Stopped = Callable[[int, int], Iterable[tuple[int, int, Context]]]
"""(start, end) of time in a stop → its parts, each with what it is to be judged by."""

StartingUp = Callable[[int, str | None], bool]
"""(time of a piece, its order) → whether it belongs to a start-up."""


class SavedStop(msgspec.Struct, omit_defaults=True, gc=False, rename={"count": "n"}):
    """Stops of one reason."""

    code: int | None = None
    reason: str | None = None
    category: str | None = None
    count: int = 0
    us: int = 0


class SavedTotals(
    msgspec.Struct,
    omit_defaults=True,
    gc=False,
    rename={"element_us": "us", "first_offset": "first", "last_offset": "last", "maintained_us": "maintained"},
):
    """A group and its `Totals` as they are saved. A name once used keeps its meaning; a missing one is its default."""

    day: str = ""
    order: str | None = None
    shift: str | None = None
    element_us: dict[str, int] = {}
    """By the element's name; what is zero is left out."""
    good: int = 0
    scrap: int = 0
    rework: int = 0
    energy: int = 0
    resets: int = 0
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET
    start_up: int = 0
    maintained_us: int = 0
    stops: list[SavedStop] = []


class SavedHour(msgspec.Struct, omit_defaults=True, gc=False):
    """The sums of an hour up to `done` (µs)."""

    hour: int
    done: int
    sums: list[SavedTotals] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SavedTotals]).decode


class Windows:
    """Sums of one cell. Closed stretches of an hour are kept; `invalidate` drops what a late sample or fact touches."""

    __slots__ = ("_closed", "_counters", "_elements", "_intervals", "_live", "_starting_up", "_stopped", "_whole")

    def __init__(
        self,
        intervals: Intervals,
        counters: list[Counter],
        elements: Elements,
        stopped: Stopped,
        starting_up: StartingUp,
    ) -> None:
        self._intervals = intervals
        self._counters = counters
        self._elements = elements
        self._stopped = stopped
        self._starting_up = starting_up if elements.definition.options.start_up is not None else None
        self._whole: dict[int, bytes] = {}
        """Hours behind the watermark, packed."""
        self._closed: dict[int, tuple[int, Groups]] = {}
        """Hours that the watermark is in: up to when, and the sums."""
        self._live: dict[int, tuple[int, Groups]] = {}
        """The same up to the last `now`."""

    @property
    def unknown(self) -> int:
        """Index of the element of time of which nothing is known."""
        return self._elements.unknown

    def nothing(self) -> Totals:
        """Totals of no time and no pieces."""
        return Totals([0] * len(self._elements.names))

    def sums(self, schedule: Schedule, start: int, end: int, now: int) -> Groups:
        """Time and pieces of [start, end) by order, shift and day."""
        groups: Groups = {}
        elements = self._elements
        for piece in schedule.slices(start, end):  # first: the offsets of an interval depend on where it is cut
            totals = self._of(groups, piece)
            order = piece.order is not None
            for start_us, end_us, state, mode, first, last in self._intervals(piece.start, piece.end, now):
                if elements.contextual and elements.stops(state, mode, order or not schedule.orders_told, piece.status):
                    for since, until, context in self._stopped(start_us, end_us):
                        n = elements.index(state, mode, order, piece.status, context)
                        totals.element_us[n] += until - since
                else:
                    n = elements.index(state, mode, order, piece.status, PLAIN)
                    totals.element_us[n] += end_us - start_us
                totals.saw(first, last)
        self._count(groups, schedule, start, end)
        return groups

    def pieces(self, schedule: Schedule, start: int, end: int) -> Groups:
        """Pieces alone."""
        groups: Groups = {}
        self._count(groups, schedule, start, end)
        return groups

    def _count(self, groups: Groups, schedule: Schedule, start: int, end: int) -> None:
        piece = schedule.slice_at(start)
        for counter in self._counters:
            what = counter.what
            for at, made, reset, offset in increments(counter, start, end):
                if not piece.start <= at < piece.end:
                    piece = schedule.slice_at(at)
                totals = self._of(groups, piece)
                if what == "good":
                    totals.good += made
                elif what == "scrap":
                    totals.scrap += made
                    if self._starting_up is not None and self._starting_up(at, piece.order):
                        totals.start_up += made
                elif what == "rework":
                    totals.rework += made
                else:
                    totals.energy = min(totals.energy + made, ENERGY_MAX)
                totals.resets += reset
                totals.saw(offset, offset)

    def _of(self, groups: Groups, piece: Slice) -> Totals:
        group = Group(piece.order, piece.shift, piece.day)
        totals = groups.get(group)
        if totals is None:
            totals = groups[group] = self.nothing()
        return totals

    def hour(self, schedule: Schedule, hour: int, now: int, watermark: int) -> Groups:
        """One hour up to `now`. To be read, not changed.

        Kept are the sums up to the watermark, behind which little changes, and those up to the last `now`.
        """
        whole = self._whole.get(hour)
        if whole is not None:
            return self.load(_decode(whole))
        start, end = hour * HOUR, (hour + 1) * HOUR
        done, closed = self._closed.get(hour, (start, {}))
        margin = self._elements.margin_us
        passed = min(end, watermark - margin)
        if passed - done >= STRETCH or passed == end > done:
            merge(closed, self.sums(schedule, done, passed, now))
            self.keep(hour, passed, closed)
            done = passed
        if done == end:
            self._live.pop(hour, None)
            return closed
        live_to, live = self._live.get(hour, (0, {}))
        if live_to < done or margin:  # what lies within the margin may still be judged otherwise
            live_to, live = done, {}
            merge(live, closed)
        until = min(end, now)
        if until > live_to:
            merge(live, self.sums(schedule, live_to, until, now))
            live_to = until
        self._live[hour] = live_to, live
        return live

    @property
    def newest(self) -> SavedHour | None:
        """The newest kept hour behind the watermark, so that a restart need not sum it again."""
        whole, part = max(self._whole, default=-1), max(self._closed, default=-1)
        if part > whole:
            done, groups = self._closed[part]
            return SavedHour(part, done, self.dump(groups))
        return None if whole < 0 else SavedHour(whole, (whole + 1) * HOUR, _decode(self._whole[whole]))

    def keep(self, hour: int, done: int, groups: Groups) -> None:
        """Keeps the sums of an hour up to `done`."""
        if done < (hour + 1) * HOUR:
            self._closed[hour] = done, groups
            return
        self._closed.pop(hour, None)
        packed, before = _encode(self.dump(groups)), self._whole.get(hour - 1)
        self._whole[hour] = before if before == packed else packed  # hours in which nothing was heard are all alike

    def invalidate(self, start: int, end: int) -> None:
        """Forgets kept sums that [start, end) may have changed."""
        for hour in [hour for hour in self._whole if start < (hour + 1) * HOUR and end >= hour * HOUR]:
            del self._whole[hour]
        for kept in (self._closed, self._live):
            for hour in [hour for hour, (done, _) in kept.items() if start < done and end >= hour * HOUR]:
                del kept[hour]

    def evict(self, before: int) -> None:
        """Forgets kept sums of hours below the hour number `before`; they can be computed again from samples."""
        for kept in (self._whole, self._closed, self._live):
            for hour in [hour for hour in kept if hour < before]:
                del kept[hour]

    def dump(self, groups: Groups) -> list[SavedTotals]:
        """Sums as they are saved."""
        names = self._elements.names
        return [
            SavedTotals(
                group.day,
                group.order,
                group.shift,
                {name: us for name, us in zip(names, of.element_us, strict=True) if us},
                of.good,
                of.scrap,
                of.rework,
                of.energy,
                of.resets,
                of.first_offset,
                of.last_offset,
                of.start_up,
                of.maintained_us,
                [SavedStop(*key, *counts) for key, counts in of.stops.items()] if of.stops else [],
            )
            for group, of in groups.items()
        ]

    def load(self, rows: Iterable[SavedTotals]) -> Groups:
        """The sums that `dump` gave."""
        names = self._elements.names
        groups: Groups = {}
        for row in rows:
            groups[Group(row.order, row.shift, row.day)] = Totals(
                [row.element_us.get(name, 0) for name in names],
                row.good,
                row.scrap,
                row.rework,
                row.energy,
                row.resets,
                row.first_offset,
                row.last_offset,
                row.start_up,
                row.maintained_us,
                {(of.code, of.reason, of.category): [of.count, of.us] for of in row.stops} or None,
            )
        return groups


def merge(into: Groups, other: Groups) -> None:
    for group, totals in other.items():
        mine = into.get(group)
        if mine is None:
            mine = into[group] = Totals([0] * len(totals.element_us))
        mine.add(totals)
