"""The state timeline of one work unit: which state and mode it was in, as a function of the set of its samples.

State at t = the latest state sample at or before t; likewise mode. Where nothing was heard for longer than
`silent_after` (from the last sign of life on), before the first sign, and where the state sample is bad, both are
`unknown`: never running, never stopped.
"""

from typing import NamedTuple

from processors.life import Life
from processors.series import INF, Series

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

    def number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found

    def restore(self, texts: list[str]) -> None:
        self.texts = texts
        self._numbers = {text: n for n, text in enumerate(texts)}


class Timeline:
    """State and mode samples and signs of life of one work unit. Before the first mode sample the mode is production."""

    __slots__ = ("life", "mode", "names", "state")

    def __init__(self, names: Names, silent_after: int) -> None:
        self.names = names
        self.state = Series()
        self.mode = Series()
        self.life = Life(silent_after)

    def intervals(self, start: int, end: int, now: int) -> list[Interval]:
        """The maximal intervals of equal state and mode that make up [start, end), as known at `now`."""
        if start >= end:
            return []
        state, mode = self.state.in_force(start), self.mode.in_force(start)
        # (at, what changes, to which number, offset); what: 0 state, 1 mode, 2 silence
        events = [(at, 0, value, offset) for at, value, offset in self.state.between(start + 1, end)]
        events += [(at, 1, value, offset) for at, value, offset in self.mode.between(start + 1, end)]
        for quiet_from, quiet_to in self.life.silences(start, end, now):
            events.append((quiet_from, 2, 1, 0))
            if quiet_to < end:
                events.append((quiet_to, 2, 0, 0))
        events.sort()

        texts = self.names.texts
        state_number, state_offset = (state.value, state.offset) if state else (0, NO_OFFSET)
        mode_text, mode_offset = (texts[mode.value], mode.offset) if mode else (PRODUCTION, NO_OFFSET)
        silent = 0
        found: list[Interval] = []
        at, n = start, 0
        while at < end:
            while n < len(events) and events[n][0] <= at:
                _, what, value, offset = events[n]
                if what == 0:
                    state_number, state_offset = value, offset
                elif what == 1:
                    mode_text, mode_offset = texts[value], offset
                else:
                    silent = value
                n += 1
            until = events[n][0] if n < len(events) else end
            state_text = UNKNOWN if silent else texts[state_number]
            mode_now = UNKNOWN if state_text == UNKNOWN else mode_text
            first = min(state_offset, mode_offset)
            last = (
                state_offset
                if mode_offset == NO_OFFSET
                else mode_offset
                if state_offset == NO_OFFSET
                else max(state_offset, mode_offset)
            )
            previous = found[-1] if found else None
            if previous is not None and previous.state == state_text and previous.mode == mode_now:
                found[-1] = Interval(
                    previous.start,
                    until,
                    state_text,
                    mode_now,
                    *hull(previous.first_offset, previous.last_offset, first, last),
                )
            else:
                found.append(Interval(at, until, state_text, mode_now, first, last))
            at = until
        return found


def hull(first: int, last: int, other_first: int, other_last: int) -> tuple[int, int]:
    """The range of offsets that holds both; NO_OFFSET stands for an empty range."""
    if other_first == NO_OFFSET:
        return first, last
    if first == NO_OFFSET:
        return other_first, other_last
    return min(first, other_first), max(last, other_last)
