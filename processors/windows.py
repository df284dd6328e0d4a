"""Sums over event time: elements and pieces per order and shift, hour by hour, so that any window is a sum of hours.

Each instant belongs to one element, at most one order and one shift, so the elements of a window always sum to its
length, exactly, in integer µs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from processors.counters import Counter, increments
from processors.elements import ELEMENTS
from processors.plan import Plan
from processors.series import HOUR
from processors.timeline import NO_OFFSET, Timeline, hull

STRETCH = 30_000_000
"""Event time (µs) by which the sums behind the watermark go forward; computing them in smaller steps costs more."""

Group = tuple[str | None, str | None]
"""(order, shift) an instant belongs to."""


@dataclass(slots=True)
class Totals:
    """Time by element (µs, in the order of ELEMENTS), pieces, and the raw offsets they rest on (NO_OFFSET: none)."""

    element_us: list[int] = field(default_factory=lambda: [0] * len(ELEMENTS))
    good: int = 0
    scrap: int = 0
    resets: int = 0
    first_offset: int = NO_OFFSET
    last_offset: int = NO_OFFSET

    def add(self, other: "Totals") -> None:
        mine, theirs = self.element_us, other.element_us
        for n in range(len(mine)):
            mine[n] += theirs[n]
        self.good += other.good
        self.scrap += other.scrap
        self.resets += other.resets
        self.saw(other.first_offset, other.last_offset)

    def saw(self, first: int, last: int) -> None:
        self.first_offset, self.last_offset = hull(self.first_offset, self.last_offset, first, last)


Groups = dict[Group, Totals]


class Windows:
    """Sums of one cell. Closed stretches of an hour are kept; `invalidate` drops what a late sample or fact touches."""

    def __init__(
        self, timeline: Timeline, counters: list[Counter], element: Callable[[str, str, bool, str], int]
    ) -> None:
        """`element(state, mode, order on the machine, planned status)` → index into ELEMENTS."""
        self._timeline = timeline
        self._counters = counters
        self._element = element
        self._closed: dict[int, tuple[int, Groups]] = {}
        self._live: dict[int, tuple[int, Groups]] = {}

    def sums(self, plan: Plan, start: int, end: int, now: int) -> Groups:
        """Time and pieces of [start, end) by order and shift."""
        groups: Groups = {}
        for start_us, end_us, state, mode, first, last in self._timeline.intervals(start, end, now):
            for piece in plan.pieces(start_us, end_us):
                group = (piece.order, piece.shift)
                totals = groups.get(group)
                if totals is None:
                    totals = groups[group] = Totals()
                n = self._element(state, mode, piece.order is not None, piece.status)
                totals.element_us[n] += piece.end - piece.start
                totals.saw(first, last)
        for group, pieces in self.pieces(plan, start, end).items():
            totals = groups.get(group)
            if totals is None:
                totals = groups[group] = Totals()
            totals.add(pieces)
        return groups

    def pieces(self, plan: Plan, start: int, end: int) -> Groups:
        """Pieces alone."""
        groups: Groups = {}
        piece = plan.piece(start)
        for counter in self._counters:
            for at, made, reset, offset in increments(counter, start, end):
                if not piece.start <= at < piece.end:
                    piece = plan.piece(at)
                group = (piece.order, piece.shift)
                totals = groups.get(group)
                if totals is None:
                    totals = groups[group] = Totals()
                if counter.scrap:
                    totals.scrap += made
                else:
                    totals.good += made
                totals.resets += reset
                totals.saw(offset, offset)
        return groups

    def hour(self, plan: Plan, hour: int, now: int, watermark: int) -> Groups:
        """One hour up to `now`. To be read, not changed.

        Kept are the sums up to the watermark, behind which little changes, and those up to the last `now`.
        """
        start, end = hour * HOUR, (hour + 1) * HOUR
        done, closed = self._closed.get(hour, (start, {}))
        passed = min(end, watermark)
        if passed - done >= STRETCH or passed == end > done:
            merge(closed, self.sums(plan, done, passed, now))
            self._closed[hour] = done, closed = passed, closed
        if done == end:
            self._live.pop(hour, None)
            return closed
        live_to, live = self._live.get(hour, (0, {}))
        if live_to < done:
            live_to, live = done, {}
            merge(live, closed)
        until = min(end, now)
        if until > live_to:
            merge(live, self.sums(plan, live_to, until, now))
            live_to = until
        self._live[hour] = live_to, live
        return live

    @property
    def newest(self) -> tuple[int, int, Groups] | None:
        """(hour, up to when, sums) of the newest kept hour behind the watermark, so that a restart need not sum it again."""
        hour = max(self._closed, default=None)
        return None if hour is None else (hour, *self._closed[hour])

    def restore(self, hour: int, done: int, groups: Groups) -> None:
        self._closed[hour] = done, groups

    def invalidate(self, start: int, end: int) -> None:
        """Forgets kept sums that [start, end) may have changed."""
        for kept in (self._closed, self._live):
            for hour in [hour for hour, (done, _) in kept.items() if start < done and end >= hour * HOUR]:
                del kept[hour]

    def forget(self, before: int) -> None:
        """Lets go of kept sums of hours below the hour number `before`; they can be computed again from samples."""
        for kept in (self._closed, self._live):
            for hour in [hour for hour in kept if hour < before]:
                del kept[hour]


def merge(into: Groups, other: Groups) -> None:
    for group, totals in other.items():
        mine = into.get(group)
        if mine is None:
            mine = into[group] = Totals()
        mine.add(totals)
