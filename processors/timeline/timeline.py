"""The state timeline of one work unit: which state and mode it was in, as a function of the set of its samples.

State at t = the latest state sample at or before t; likewise mode. Where nothing was heard for longer than
`silent_after` (from the last sign of life on), before the first sign, and where the state sample is bad, both are
`unknown`: never running, never stopped.
"""

from collections.abc import Mapping
from typing import NamedTuple

from processors.inputs.liveness import Life
from processors.inputs.series import Series
from processors.units import INF

UNKNOWN = "unknown"
PRODUCTION = "production"
NO_OFFSET = INF


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

    __slots__ = ("_asked", "life", "mode", "names", "state")

    def __init__(self, names: Names, silent_after: int) -> None:
        self.names = names
        self.state = Series()
        self.mode = Series()
        self.life = Life(silent_after)
        self._asked: tuple[tuple[int, int, int], list[Interval]] = ((0, 0, 0), [])

    def intervals(self, start: int, end: int, now: int) -> list[Interval]:
        """The maximal intervals of equal state and mode that make up [start, end), as known at `now`.

        `now` only ever rises, and no sample comes between two questions at the same `now`.
        """
        if start >= end:
            return []
        if self._asked[0] != (start, end, now):  # several derivations ask for the same stretch
            self._asked = ((start, end, now), self._intervals(start, end, now))
        return self._asked[1]

    def in_mode_us(self, mode: str, start: int, end: int, now: int) -> int:
        """How much of [start, end) the machine was in a mode."""
        if mode != PRODUCTION and self.mode.newest == -INF:
            return 0
        return sum(of.end - of.start for of in self.intervals(start, end, now) if of.mode == mode)

    def _intervals(self, start: int, end: int, now: int) -> list[Interval]:
        state, mode = self.state.in_force(start), self.mode.in_force(start)
        # (at, what changes, to which number, offset); what: 0 state, 1 mode, 2 silence
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
        events.sort()

        texts = self.names.texts
        state_now, state_offset = (texts[state.value], state.offset) if state else (UNKNOWN, NO_OFFSET)
        mode_now, mode_offset = (texts[mode.value], mode.offset) if mode else (PRODUCTION, NO_OFFSET)
        key = (UNKNOWN, UNKNOWN) if silent or state_now == UNKNOWN else (state_now, mode_now)
        first, last = hull(state_offset, state_offset, mode_offset, mode_offset)
        intervals: list[Interval] = []
        begin = start
        for at, what, number, offset in events:
            if what == 0:
                state_now, state_offset = texts[number], offset
            elif what == 1:
                mode_now, mode_offset = texts[number], offset
            else:
                silent = bool(number)
            new = (UNKNOWN, UNKNOWN) if silent or state_now == UNKNOWN else (state_now, mode_now)
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
