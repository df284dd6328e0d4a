"""Sums over event time: elements and pieces per order, shift and day, hour by hour, so that any window is a sum of hours.

Each instant belongs to one element, one day, at most one order and one shift, so the elements of a window always sum to
its length, exactly, in integer µs.
"""

from collections.abc import Callable, Iterable

import msgspec

from processors.inputs.counters import Counter, increments
from processors.inputs.schedule import BUSY, Schedule, Slice
from processors.timeline.elements import PLAIN, UNKNOWN, Context, Elements
from processors.timeline.timeline import Interval, Timeline
from processors.timeline.totals import ENERGY_MAX, Group, Groups, SavedTotals, Totals, dump, load, merge
from processors.timeline.unseen import made_since, made_unseen
from processors.units import HOUR, INF

STRETCH = 30_000_000
"""Event time (µs) by which the sums behind the watermark go forward; computing them in smaller steps costs more."""


Intervals = Callable[[int, int, int], list[Interval]]
"""(start, end, now) → the intervals of equal state and mode."""
Stopped = Callable[[int, int], Iterable[tuple[int, int, Context]]]
"""(start, end) of time in a stop → its parts, each with what it is to be judged by."""

StartingUp = Callable[[int, str | None], bool]
"""(time of a piece, its order) → whether it belongs to a start-up."""


class SavedHour(msgspec.Struct, omit_defaults=True, gc=False):
    """The sums of an hour up to `done` (µs)."""

    hour: int
    done: int
    sums: list[SavedTotals] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SavedTotals]).decode


class Windows:
    """Sums of one cell. Closed stretches of an hour are kept; `invalidate` drops what a late sample or fact touches."""

    __slots__ = (
        "_closed",
        "_counters",
        "_elements",
        "_intervals",
        "_live",
        "_saved",
        "_starting_up",
        "_stopped",
        "_timeline",
        "_whole",
        "end",
    )

    def __init__(
        self,
        intervals: Intervals,
        counters: list[Counter],
        elements: Elements,
        stopped: Stopped,
        starting_up: StartingUp,
        timeline: Timeline,
        end: int = INF,
    ) -> None:
        self.end = end
        """The tick with which a history ends: what is counted at that very moment is part of the windows it is in."""
        self._intervals = intervals
        self._timeline = timeline
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
        self._saved: msgspec.Raw | None = None
        """`newest` as it is saved; None: it may have changed."""

    @property
    def not_observed(self) -> int:
        """Index of the element of time that nobody saw."""
        return self._elements.not_observed

    def nothing(self) -> Totals:
        """Totals of no time and no pieces."""
        return Totals([0] * len(self._elements.names))

    def sums(self, schedule: Schedule, start: int, end: int, now: int) -> Groups:
        """Time and pieces of [start, end) by order, shift and day."""
        groups: Groups = {}
        self._add(groups, schedule, start, end, now)
        return groups

    def _add(self, groups: Groups, schedule: Schedule, start: int, end: int, now: int) -> None:
        elements = self._elements
        for piece in schedule.slices(start, end):  # first: the offsets of an interval depend on where it is cut
            totals = self._of(groups, piece)
            order = piece.order is not None
            for start_us, end_us, state, mode, first, last in self._intervals(piece.start, piece.end, now):
                if elements.contextual and piece.status == BUSY and elements.halts(state, mode):
                    for since, until, context in self._stopped(start_us, end_us):
                        n = elements.index(state, mode, order, piece.status, context)
                        totals.element_us[n] += until - since
                else:
                    n = elements.index(state, mode, order, piece.status, PLAIN)
                    totals.element_us[n] += end_us - start_us
                if state != UNKNOWN:
                    totals.observed_us += end_us - start_us
                totals.saw(first, last)
        self._count(groups, schedule, start, end, now)

    def pieces(self, schedule: Schedule, start: int, end: int) -> Groups:
        """Pieces alone."""
        groups: Groups = {}
        self._count(groups, schedule, start, end, None)
        return groups

    def _count(self, groups: Groups, schedule: Schedule, start: int, end: int, now: int | None) -> None:
        """`now` None: it does not matter what was made while nobody saw the machine."""
        piece = schedule.slice_at(start)
        indifferent = now is None or not self._elements.observes
        for counter in self._counters:
            if counter.rests(start):
                continue
            what = counter.what
            seen = None if not indifferent and what != "energy" else True
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
                if seen is None:  # asked late: mostly nothing was made
                    seen = self._timeline.all_seen(made_since(counter, at))
                if not seen:
                    totals.unseen = totals.unseen.plus(what, made_unseen(counter, at, made, self._timeline, now or at))
                    seen = self._timeline.all_seen(at)  # then the next one, too: it rose since this sample

    def _of(self, groups: Groups, piece: Slice) -> Totals:
        group = Group(piece.order, piece.shift, piece.day)
        totals = groups.get(group)
        if totals is None:
            totals = groups[group] = self.nothing()
        return totals

    def hour(self, schedule: Schedule, hour: int, now: int, watermark: int) -> Groups:
        """One hour up to `now`; as a history ends, with its last moment. To be read, not changed."""
        groups = self._hour(schedule, hour, now, watermark)
        if now == self.end and now // HOUR == hour and (last := self.pieces(schedule, now, now + 1)):
            merge(last, groups)
            return last
        return groups

    def _hour(self, schedule: Schedule, hour: int, now: int, watermark: int) -> Groups:
        """One hour up to `now`.

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
            self._add(closed, schedule, done, passed, now)
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
            self._add(live, schedule, live_to, until, now)
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

    @property
    def saved(self) -> msgspec.Raw:
        """`newest` in bytes: nearly always what was saved the time before."""
        if self._saved is None:
            self._saved = msgspec.Raw(_encode(self.newest))
        return self._saved

    def keep(self, hour: int, done: int, groups: Groups) -> None:
        """Keeps the sums of an hour up to `done`."""
        self._saved = None
        if done < (hour + 1) * HOUR:
            self._closed[hour] = done, groups
            return
        self._closed.pop(hour, None)
        packed, before = _encode(self.dump(groups)), self._whole.get(hour - 1)
        self._whole[hour] = before if before == packed else packed  # hours in which nothing was heard are all alike

    def invalidate(self, start: int, end: int) -> None:
        """Forgets kept sums that [start, end) may have changed."""
        self._saved = None
        for hour in [hour for hour in self._whole if start < (hour + 1) * HOUR and end >= hour * HOUR]:
            del self._whole[hour]
        for kept in (self._closed, self._live):
            for hour in [hour for hour, (done, _) in kept.items() if start < done and end >= hour * HOUR]:
                del kept[hour]

    def evict(self, before: int) -> None:
        """Forgets kept sums of hours below the hour number `before`; they can be computed again from samples."""
        self._saved = None
        for kept in (self._whole, self._closed, self._live):
            for hour in [hour for hour in kept if hour < before]:
                del kept[hour]

    def dump(self, groups: Groups) -> list[SavedTotals]:
        """Sums as they are saved."""
        return dump(groups, self._elements.names)

    def load(self, rows: Iterable[SavedTotals]) -> Groups:
        """The sums that `dump` gave."""
        return load(rows, self._elements.names)
