"""The readings of a cumulative counter: its samples, and which of them are glitches (glitches.py).

What is known of glitches is a function of the set of samples. In order of time it is found as samples come; what comes
late, or with the time of another, is noted and found by `settle`, which reads the neighbourhood again.
"""

from bisect import bisect_left, bisect_right
from collections import deque

import msgspec

from processors.inputs.block import Entry
from processors.inputs.glitches import BURST, STREAK, WITHIN, Fall, Jump, Rate, Run, Scanner
from processors.inputs.series import Series
from processors.units import HOUR, INF
from topology.model.tags import Falls

KEPT_MAX = 10_000
"""Runs and odd steps kept of one counter; a source that shows more is no counter, and its oldest are forgotten."""
KEPT_H = WITHIN // HOUR + 1
"""Hours of readings kept below the floor: a run that ends above it may begin so far before, and is found from there on."""
LOOK = 600_000_000
"""How far a search first looks back (µs); each further step is four times as long."""


class SavedFall(msgspec.Struct, gc=False):
    before: int
    before_at: int
    at: int
    to: int
    small: bool


class SavedJump(msgspec.Struct, gc=False):
    before: int
    before_at: int
    at: int
    to: int = 0


class SavedReadings(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of a counter's glitches, as it is saved. Names as in `Readings` and `Scanner`."""

    runs: list[tuple[int, int]] = []
    odd: list[int] = []
    retold: list[tuple[int, int]] = []
    late: tuple[int, int] | None = None
    carried_since: int | None = None
    at: int | None = None
    value: int = 0
    changed_at: int = 0
    falls: list[SavedFall] = []
    jumps: list[SavedJump] = []


class Readings(Series):
    """A series whose samples are readings of one counter that only rises, but for what `glitches` lists."""

    __slots__ = ("carried_since", "late", "odd", "retold", "runs", "scanner", "sure")

    def __init__(self, rate: Rate, falls: Falls | None = None) -> None:
        super().__init__(KEPT_H)
        self.scanner = Scanner(rate, falls)
        self.sure = rate.possible(BURST, 0) or 0
        """A rise by so much is never odd; 0: no limit is known, and none to the double is."""
        self.runs: list[Run] = []
        """By their ends; they may overlap."""
        self.odd: list[int] = []
        """Times of samples to which the step is a fall, or a rise no machine can make."""
        self.retold: list[tuple[int, int]] = []
        """Spans [start, end) that count otherwise than before; whoever reads them clears them."""
        self.late: tuple[int, int] | None = None
        """What came late and is still to be judged: the first and the last time."""
        self.carried_since: int | None = None
        """Since when the counter had shown the reading that is carried."""

    def add(self, at: int, value: int, offset: int, rank: int = 0) -> int | None:
        newest = self.newest
        told = at < newest and self.at(at) is not None
        following = super().add(at, value, offset, rank)
        scanner = self.scanner
        if at > newest:
            if scanner.falls or not 0 <= value - scanner.value <= (self.sure or scanner.value) or scanner.at is None:
                self._see(at, value)
            else:  # the usual case
                if value != scanner.value:
                    scanner.value, scanner.changed_at = value, at
                scanner.at = at
        elif following is not None and following != at:
            counts = self.at(at)
            if told or counts is None or not self._plain(at, counts.value, newest):
                self._note_late(at, at)
        return following

    def _plain(self, at: int, value: int, newest: int) -> bool:
        """Whether a sample that is not newer than all fits between its neighbours, with nothing odd near it."""
        scanner = self.scanner
        before = self.in_force(at - 1)
        if before is None or not 0 <= value - before.value <= self.sure or scanner.falls or scanner.jumps:
            return False
        if self.odd and bisect_left(self.odd, at - WITHIN) < bisect_right(self.odd, at + WITHIN):
            return False
        if at == newest:
            if value == before.value:  # it has stood for longer than was known
                return False
            scanner.value, scanner.changed_at = value, at
            return True
        after = self.first_after(at)
        if after is None or not 0 <= after.value - value <= self.sure or after.at > scanner.changed_at:
            return False
        return value != after.value or value == before.value  # else the next value has stood longer than was known

    def _see(self, at: int, value: int) -> None:
        before_at = self.scanner.at
        runs, odd = self.scanner.see(at, value)
        self.runs += runs
        self.retold += [(run.start, at) for run in runs if before_at is not None]
        if odd:
            self.odd.append(at)
        if len(self.runs) > KEPT_MAX or len(self.odd) > KEPT_MAX:
            del self.runs[:-KEPT_MAX], self.odd[:-KEPT_MAX]

    def settle(self) -> None:
        """Finds what late samples have changed."""
        if self.late is None:
            return
        (first, last), self.late = self.late, None
        begin = self.in_force(self._quiet_before(first - WITHIN - 1)) or self.first_after(-INF)
        if begin is None:
            return
        known = self.scanner
        scanner = Scanner(known.rate, known.falls_are, begin.at, begin.value, self._since(begin, apart=False))
        runs: list[Run] = []
        odd: list[int] = []
        reach, settled = self.newest, None
        for at, value, _ in self.between(begin.at + 1, self.newest + 1):
            before, changes = scanner.at, value != scanner.value
            ended, strange = scanner.see(at, value)
            runs += ended
            if strange:
                odd.append(at)
            if settled is None and changes and before is not None and before > last:
                settled = at  # it was a change before, so from here on the counter has stood as long as was known
            if settled is not None and settled + WITHIN < at < self.newest and self._quiet(at, odd):
                reach = at
                break
        else:
            self.scanner = scanner
        low, high = bisect_left(self.runs, first, key=_end), bisect_right(self.runs, reach, key=_end)
        runs = [run for run in runs if run.end >= first]
        self.retold += sorted(set(runs) ^ set(self.runs[low:high]))
        self.runs[low:high] = runs
        low, high = bisect_left(self.odd, first), bisect_right(self.odd, reach)
        odd = [at for at in odd if at >= first]
        self.retold += [(at, at + 1) for at in sorted(set(odd) ^ set(self.odd[low:high]))]
        self.odd[low:high] = odd
        later = self.odd_between(first, last + WITHIN)
        if later:  # what a fall is follows from those before it, too
            self.retold.append((later[0], later[-1] + 1))

    def _quiet(self, at: int, odd: list[int]) -> bool:
        """Whether nothing odd waits to be undone at a time, neither as it was nor with the odd steps found anew up to it: then
        all that follows is as it was."""
        return not self.odd_between(at - WITHIN, at + 1) and not (odd and odd[-1] >= at - WITHIN)

    def _quiet_before(self, at: int) -> int:
        """The last time up to `at` at which no odd step waits to be undone: from there on it can be read without what was
        before."""
        n = bisect_right(self.odd, at)
        while n and self.odd[n - 1] >= at - WITHIN:
            n -= 1
            at = self.odd[n] - 1
        return at

    def glitches(self, start: int, end: int) -> list[Run]:
        """The runs that meet [start, end), joined where they overlap, in order."""
        if not self.runs:
            return []
        low = bisect_right(self.runs, start, key=_end)
        joined: list[Run] = []
        for run in sorted(self.runs[low : bisect_right(self.runs, end + WITHIN, key=_end)]):
            if run.start >= end:
                break
            if joined and run.start <= joined[-1].end:
                joined[-1] = Run(joined[-1].start, max(joined[-1].end, run.end))
            else:
                joined.append(run)
        return joined

    def believed(self, before: int) -> Entry | None:
        """The newest reading before this time that is no glitch."""
        reading = self.in_force(before - 1)
        while reading is not None and reading is not self.carry and self.runs:  # the carry was believed
            runs = self.glitches(reading.at, reading.at + 1)
            if not runs:
                break
            reading = self.in_force(runs[0].start - 1)
        return reading

    def standing_since(self, at: int) -> int:
        """Since when, before `at`, the counter had shown the reading it showed, glitches apart."""
        reading = self.believed(at)
        return at if reading is None else self._since(reading, apart=True)

    def moved(self, since: int, at: int) -> int:
        """When the counter last moved before `at`, where it has stood since `since`, glitches apart: with the end of one."""
        n = bisect_left(self.runs, at, key=_end) - 1
        return since if n < 0 else max(since, self.runs[n].end)

    def falls_before(self, at: int) -> deque[int]:
        """The times of the falls in a row that the last changes before `at` were, in order: those of the last WITHIN, or
        the newest that are enough to see that the counter counts down."""
        falls: deque[int] = deque()
        reading = self.believed(at)
        if reading is None:
            return falls
        value, changed, end, step = reading.value, reading.at, reading.at + 1, BURST
        while end > at - WITHIN:
            start = max(end - step, at - WITHIN)
            runs = self.glitches(start, end)
            for time, shown, _ in reversed(list(self.between(start, end))):
                while runs and time < runs[-1].start:
                    runs.pop()
                if runs and time < runs[-1].end:
                    continue
                if shown < value:
                    return falls
                if shown > value:
                    falls.appendleft(changed)
                    if counts_down(falls, at):
                        return falls
                value, changed = shown, time
            end, step = start, 4 * step
        return falls

    def odd_between(self, start: int, end: int) -> list[int]:
        """Times of odd steps with start ≤ at < end."""
        return self.odd[bisect_left(self.odd, start) : bisect_left(self.odd, end)]

    def _since(self, reading: Entry, *, apart: bool) -> int:
        """Since when the counter has shown what it shows at a reading; `apart`: whatever glitches showed meanwhile."""
        before = self.in_force(reading.at - 1)
        if before is None or (before.value != reading.value and not (apart and self.runs)):  # the usual case
            return reading.at
        changed, end, step = reading.at, reading.at, LOOK
        while True:
            start = end - step
            runs = self.glitches(start, end) if apart else []
            for at, value, _ in reversed(list(self.between(start, end))):
                while runs and at < runs[-1].start:
                    runs.pop()
                if runs and at < runs[-1].end:
                    continue
                if value != reading.value:
                    return changed
                changed = at
            before = self.believed(start) if apart else self.in_force(start - 1)
            if before is None or before.value != reading.value:
                return changed
            if before is self.carry:  # it has none before it
                return min(changed, before.at if self.carried_since is None else self.carried_since)
            end, step = before.at + 1, 4 * step

    def evict(self, before: int) -> list[int]:
        """Of what is evicted stays the newest reading that is no glitch, and since when the counter had shown it."""
        edge = (before - self.kept_h) * HOUR
        self.settle()
        kept = self.believed(edge)
        since = self.standing_since(edge)
        gone = super().evict(before)
        if gone and kept is not None:
            self.carry, self.carried_since = kept, since
        del self.runs[: bisect_right(self.runs, edge, key=_end)], self.odd[: bisect_left(self.odd, edge)]
        return gone

    def doubt(self, start: int, end: int) -> None:
        """Has `settle` read [start, end) again: what is possible there has changed."""
        first = self.first_after(start - 1)
        last = self.in_force(min(end, self.newest + 1) - 1)
        if first is not None and last is not None and first.at <= last.at:
            self._note_late(first.at, last.at)

    def _note_late(self, start: int, end: int) -> None:
        late = self.late
        self.late = (start, end) if late is None else (min(late[0], start), max(late[1], end))

    def dump(self) -> SavedReadings:
        """What is known of glitches, for `load`."""
        scanner = self.scanner
        return SavedReadings(
            runs=list(self.runs),
            odd=self.odd,
            retold=self.retold,
            late=self.late,
            carried_since=self.carried_since,
            at=scanner.at,
            value=scanner.value,
            changed_at=scanner.changed_at,
            falls=[SavedFall(*fall) for fall in scanner.falls],
            jumps=[SavedJump(*jump) for jump in scanner.jumps],
        )

    def load(self, saved: SavedReadings) -> None:
        """Puts back what `dump` gave, once the samples are there."""
        self.runs = [Run(start, end) for start, end in saved.runs]
        self.odd, self.retold, self.late = saved.odd, saved.retold, saved.late
        self.carried_since = saved.carried_since
        scanner = self.scanner
        scanner.at, scanner.value, scanner.changed_at = saved.at, saved.value, saved.changed_at
        scanner.falls = [Fall(fall.before, fall.before_at, fall.at, fall.to, fall.small) for fall in saved.falls]
        scanner.jumps = [Jump(jump.before, jump.before_at, jump.at, jump.to) for jump in saved.jumps]


def counts_down(falls: deque[int], at: int) -> bool:
    """Whether a fall at `at` goes on with counting down, by the times of the falls in a row before it."""
    while falls and falls[0] <= at - WITHIN:
        falls.popleft()
    return len(falls) >= STREAK and falls[0] <= at - BURST


def _end(run: Run) -> int:
    return run.end
