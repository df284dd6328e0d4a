"""Pieces of a work unit in order of time, whichever of its counters counted them, and the nearest before or after.

Amounts that are spread are left out: when one of their pieces was made nobody knows.
"""

from collections.abc import Sequence
from typing import NamedTuple

from processors.inputs.counters import Counted, Counter, increments

MADE: tuple[Counted, ...] = ("good", "scrap", "rework")
NOT_GOOD: tuple[Counted, ...] = ("scrap", "rework")
FIRST_STEP = 600_000_000
"""How far a search first looks (µs); each further step is four times as long."""


class Count(NamedTuple):
    """Pieces counted at one time."""

    at: int
    """When they count as made."""
    counted_at: int
    """When the counter said so."""
    number: int
    reset: bool
    """Whether a counter began again."""
    offset: int


def made(counters: Sequence[Counter], what: Sequence[Counted], start: int, end: int) -> list[Count]:
    """The pieces counted in [start, end)."""
    by_time: dict[int, Count] = {}
    for counter in counters:
        if counter.what in what and counter.spread_us is None:
            for at, number, reset, offset in increments(counter, start, end):
                if number > 0:
                    known = by_time.get(at)
                    if known is None:
                        by_time[at] = Count(at, at + counter.before, number, bool(reset), offset)
                    else:
                        by_time[at] = known._replace(number=known.number + number, reset=known.reset or bool(reset))
    return [by_time[at] for at in sorted(by_time)]


def last(counters: Sequence[Counter], what: Sequence[Counted], start: int, end: int) -> Count | None:
    """The last of [start, end)."""
    step = FIRST_STEP
    while end > start:
        since = max(end - step, start)
        if counts := made(counters, what, since, end):
            return counts[-1]
        end, step = since, 4 * step
    return None


def first(counters: Sequence[Counter], what: Sequence[Counted], start: int, end: int) -> Count | None:
    """The first of [start, end)."""
    step = FIRST_STEP
    while start < end:
        until = min(start + step, end)
        if counts := made(counters, what, start, until):
            return counts[0]
        start, step = until, 4 * step
    return None
