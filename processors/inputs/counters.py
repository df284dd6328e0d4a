"""Counters → pieces made.

Cumulative: differences in order of source time, through roll-over and reset. The first sample of a counter is a
baseline. A rise counts. A fall is a roll-over (d = cur + M − prev) where the counter has a modulus, was in its last
quarter, is now in its first, and the machine can have made so many pieces in the time between: RATE_MAX times as fast as
its ideal cycle at most. Any other fall is a reset: the counter began again from 0 (d = cur). The pieces were made before
the sample that counts them, and are dated so: what a counter shows as a shift ends was made in that shift.

Increments: each sample adds its value, at its time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from processors.inputs.series import Series

Counted = Literal["good", "scrap", "rework", "energy"]
RATE_MAX = 10
"""How much faster than the type's ideal cycle a product may be before a roll-over is taken for a reset."""

MADE_BEFORE = 1
"""µs by which the pieces of a cumulative counter are dated before the sample: a window that ends with it holds them."""


@dataclass(slots=True)
class Counter:
    """Counts pieces, or what a meter measures."""

    series: Series
    what: Counted
    modulus: int | None
    cycle_us: int
    """The type's ideal cycle."""
    increments: bool = False
    """Each sample says what was added, not the sum so far."""


class Increment(NamedTuple):
    """Pieces that a sample adds, and when."""

    at: int
    pieces: int
    reset: int
    """1 when the counter began again."""
    offset: int


def roll_over_or_reset(
    previous: int, current: int, modulus: int | None, elapsed_us: int, cycle_us: int
) -> tuple[int, int]:
    """(pieces made, 1 if the counter was reset). Here is decided whether a fall is a roll-over or a reset."""
    if current >= previous:
        return current - previous, 0
    if modulus is not None and 4 * previous >= 3 * modulus and 4 * current < modulus:
        pieces = current + modulus - previous
        if pieces <= RATE_MAX * elapsed_us // cycle_us + 1:
            return pieces, 0
    return current, 1


def increments(counter: Counter, start: int, end: int) -> Iterator[Increment]:
    """What the samples dated start ≤ at < end add, in order of time. Samples that add nothing are left out."""
    if counter.increments:
        for at, value, offset in counter.series.between(start, end):
            if value:
                yield Increment(at, value, 0, offset)
        return
    before = counter.series.in_force(start - 1)
    previous_at, previous = (0, None) if before is None else (before.at, before.value)
    for at, value, offset in counter.series.between(start, end):
        if previous is not None and value != previous:
            pieces, reset = roll_over_or_reset(previous, value, counter.modulus, at - previous_at, counter.cycle_us)
            yield Increment(at, pieces, reset, offset)
        previous_at, previous = at, value
