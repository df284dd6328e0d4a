"""The state timeline of one work unit: which state and mode it was in, as a function of the set of its samples.

State at t = the latest state sample at or before t; likewise mode. Where nothing was heard for longer than
`silent_after` (from the last sign of life on), and where the state sample is bad, both are `unknown`: never running,
never stopped.

Time that nobody saw is `unknown` in mode `not_observed`: all before the first known state, and a gap (a stretch in which
nobody listened, `inputs.gaps`) but for what samples of its own say: from a state sample inside it on, as long as signs of
life follow. A gap cuts a silence in two, and each part is one only if it is long enough by itself.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from processors.inputs.liveness import Life
from processors.inputs.series import Series
from processors.timeline.elements import NOT_OBSERVED, PRODUCTION, UNKNOWN
from processors.units import INF

NO_OFFSET = INF
NOBODY = UNKNOWN, NOT_OBSERVED
"""State and mode of time that nobody saw."""


class Interval(NamedTuple):
    """[start, end) in one state and mode; the raw offsets of the samples that say so (NO_OFFSET: none)."""

    start: int
    end: int
    state: str
    mode: str
    first_offset: int
    last_offset: int


class Names:
    """Numbers for state and mode names, given in order of first use and never changed; 0 is unknown."""

    def __init__(self) -> None:
        self.texts: list[str] = [UNKNOWN]
        self._numbers: dict[str, int] = {UNKNOWN: 0}
        self._codes: dict[tuple[tuple[int | str, str], ...], dict[int | str, int]] = {}

    def number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return number

    def codes(self, texts: Mapping[int | str, str]) -> Mapping[int | str, int]:
        """The numbers of a tag's map of codes; one for all cells of a type."""
        key = tuple(texts.items())
        numbers = self._codes.get(key)
        if numbers is None:
            numbers = self._codes[key] = {code: self.number(text) for code, text in texts.items()}
        return numbers

    def restore(self, texts: list[str]) -> None:
        self._codes = {}
        self.texts = texts
        self._numbers = {text: n for n, text in enumerate(texts)}


class Timeline:
    """State and mode samples and signs of life of one work unit. Before the first mode sample the mode is production."""

    __slots__ = ("_asked", "floor", "life", "mode", "names", "state", "stated", "unseen_before")

    def __init__(self, names: Names, silent_after: int, kept_h: int = 0) -> None:
        """`kept_h`: hours kept below the floor, as the noise floor looks so far back."""
        self.names = names
        self.state = Series(kept_h)
        self.mode = Series(kept_h)
        self.life = Life(silent_after)
        self.stated = INF
        """Time of the earliest sample that ever made a state known; INF: none has yet."""
        self.floor = 0
        """Samples before it were evicted."""
        self.unseen_before: dict[int, int] = {}
        """Time of a reading before the floor → how much nobody saw (µs) from there to the floor."""
        self._asked: tuple[tuple[int, int, int], list[Interval]] = ((0, 0, 0), [])

    def restate(self, at: int) -> tuple[int, int] | None:
        """Finds when a state was first known, after a state sample of a time up to which none was; returns the stretch
        that this changes."""
        sample, before = self.state.at(at), self.stated
        if sample is not None and sample.value:
            self.stated = at
        elif at == before:  # another sample of the same time outranks the one that said it
            self.stated = next((later for later, value, _ in self.state.between(at, INF) if value), INF)
        return None if self.stated == before else (min(before, self.stated), max(before, self.stated))

    def intervals(self, start: int, end: int, now: int) -> list[Interval]:
        """The maximal intervals of equal state and mode that make up [start, end), as known at `now`.

        `now` only ever rises, and no sample comes between two questions at the same `now`.
        """
        if start >= end:
            return []
        if self._asked[0] != (start, end, now):  # several derivations ask for the same stretch
            steady = self.steady(start, now)
            self._asked = (start, end, now), self._steadily(start, end) if steady else self._intervals(start, end, now)
        return self._asked[1]

    def all_seen(self, start: int) -> bool:
        """Whether for certain nothing from `start` on went unseen."""
        return start >= self.stated and not self.life.unheard.edges and not self.unseen_before.get(start)

    def evict(self, floor: int, since: Iterable[int], now: int) -> None:
        """Notes how much nobody saw from these instants to `floor` (µs), before samples from there are evicted."""
        self.unseen_before = {at: self.unseen_us(at, floor, now) for at in since}
        self.floor = floor

    def unseen_us(self, start: int, end: int, now: int) -> int:
        """How much of [start, end) nobody saw."""
        if end <= self.stated:
            return end - start
        if start < self.floor:
            return self.unseen_before.get(start, 0) + self.unseen_us(self.floor, end, now)
        if start >= self.stated and not any(self.life.unheard.between(start, end)):
            return 0
        return sum(of.end - of.start for of in self.intervals(start, end, now) if (of.state, of.mode) == NOBODY)

    def in_mode_us(self, mode: str, start: int, end: int, now: int) -> int:
        """How much of [start, end) the machine was in a mode."""
        if mode != PRODUCTION and self.mode.newest == -INF:
            return 0
        return sum(of.end - of.start for of in self.intervals(start, end, now) if of.mode == mode)

    def steady(self, start: int, now: int) -> bool:
        """Whether for certain state and mode are the same from `start` to `now`, and somebody listened: the usual
        case."""
        return (
            self.state.turned <= start
            and self.mode.turned <= start
            and self.stated <= start
            and not self.life.unheard.edges
            and self.life.unbroken(start, now)
        )

    def _steadily(self, start: int, end: int) -> list[Interval]:
        """The one interval of steady time."""
        texts, state, mode = self.names.texts, self.state.in_force(start), self.mode.in_force(start)
        first, last = (NO_OFFSET, NO_OFFSET) if state is None else (state.offset, state.offset)
        if mode is not None:
            first, last = hull(first, last, mode.offset, mode.offset)
        for series in (self.state, self.mode):
            if series.newest > start:
                for _, _, offset in series.between(start + 1, end):
                    first, last = hull(first, last, offset, offset)
        if state is None or not state.value:
            return [Interval(start, end, UNKNOWN, UNKNOWN, first, last)]
        mode_now = PRODUCTION if mode is None else texts[mode.value]
        return [Interval(start, end, texts[state.value], mode_now, first, last)]

    def _intervals(self, start: int, end: int, now: int) -> list[Interval]:
        state, mode = self.state.in_force(start), self.mode.in_force(start)
        # (at, what changes, to which number, offset); what: 0 state, 1 mode, 2 silence, 3 a gap, 4 a first known state
        events = [(at, 0, value, offset) for at, value, offset in self.state.between(start + 1, end)]
        if self.mode.newest > start:
            events += [(at, 1, value, offset) for at, value, offset in self.mode.between(start + 1, end)]
        silent = False
        for quiet_from, quiet_to in self.life.silences(start, end, now):
            if quiet_from == start:
                silent = True
            else:
                events.append((quiet_from, 2, 1, NO_OFFSET))
            if quiet_to < end:
                events.append((quiet_to, 2, 0, NO_OFFSET))
        unheard_from = INF
        for gap_from, gap_to in self.life.unheard.between(start, end) if self.life.unheard.edges else ():
            if gap_from <= start:
                unheard_from = gap_from
            else:
                events.append((gap_from, 3, 1, NO_OFFSET))
            if gap_to < end:
                events.append((gap_to, 3, 0, NO_OFFSET))
        if start < self.stated < end:
            events.append((self.stated, 4, 0, NO_OFFSET))
        events.sort()

        texts = self.names.texts
        state_now, state_offset = (texts[state.value], state.offset) if state else (UNKNOWN, NO_OFFSET)
        mode_now, mode_offset = (texts[mode.value], mode.offset) if mode else (PRODUCTION, NO_OFFSET)
        state_at = state.at if state else -INF

        def counts(at: int) -> tuple[str, str]:
            known = not silent and state_now != UNKNOWN
            if at < self.stated or (unheard_from != INF and not (known and state_at >= unheard_from)):
                return NOBODY
            return (state_now, mode_now) if known else (UNKNOWN, UNKNOWN)

        key = counts(start)
        first, last = hull(state_offset, state_offset, mode_offset, mode_offset)
        intervals: list[Interval] = []
        begin = start
        for at, what, number, offset in events:
            if what == 0:
                state_now, state_offset, state_at = texts[number], offset, at
            elif what == 1:
                mode_now, mode_offset = texts[number], offset
            elif what == 2:
                silent = bool(number)
            elif what == 3:
                unheard_from = at if number else INF
            new = counts(at)
            if new == key:  # said again
                first, last = hull(first, last, offset, offset)
                continue
            if at > begin:
                _append(intervals, Interval(begin, at, *key, first, last))
            begin, key = at, new
            first, last = hull(state_offset, state_offset, mode_offset, mode_offset)
        _append(intervals, Interval(begin, end, *key, first, last))
        return intervals


def _append(intervals: list[Interval], interval: Interval) -> None:
    """Adds an interval, as part of the one before where nothing but the time differs."""
    if intervals and intervals[-1].state == interval.state and intervals[-1].mode == interval.mode:
        before = intervals[-1]
        first, last = hull(before.first_offset, before.last_offset, interval.first_offset, interval.last_offset)
        intervals[-1] = before._replace(end=interval.end, first_offset=first, last_offset=last)
    else:
        intervals.append(interval)


def extended(before: Interval, after: list[Interval]) -> list[Interval]:
    """`after` with the interval that leads up to it."""
    intervals = [before]
    for interval in after:
        _append(intervals, interval)
    return intervals


def hull(first: int, last: int, other_first: int, other_last: int) -> tuple[int, int]:
    """The range of offsets that holds both; NO_OFFSET stands for an empty range."""
    if other_first == NO_OFFSET:
        return first, last
    if first == NO_OFFSET:
        return other_first, other_last
    return other_first if other_first < first else first, other_last if other_last > last else last
