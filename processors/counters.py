"""Cumulative counters → pieces made: differences in order of source time, through roll-over and reset.

The first sample of a counter is a baseline. A rise counts. A fall is a roll-over where the counter has a modulus, was
in its last quarter and is now in its first (d = cur + M − prev); any other fall is a reset (d = cur: the counter
began again from 0).
"""

from collections.abc import Iterator
from typing import NamedTuple

from processors.series import Series


class Increment(NamedTuple):
    """Pieces that a sample adds to the one before it, dated at the sample."""

    at: int
    pieces: int
    reset: int
    """1 when the counter began again."""
    offset: int


def difference(previous: int, current: int, modulus: int | None) -> tuple[int, int]:
    """(pieces made, 1 if the counter was reset)."""
    if current >= previous:
        return current - previous, 0
    if modulus is not None and 4 * previous >= 3 * modulus and 4 * current < modulus:
        return current + modulus - previous, 0
    return current, 1


def increments(counter: Series, modulus: int | None, start: int, end: int) -> Iterator[Increment]:
    """What the samples with start ≤ at < end add, in order of time. Samples that add nothing are left out."""
    before = counter.in_force(start - 1)
    previous = None if before is None else before.value
    for at, value, offset in counter.between(start, end):
        if previous is not None and value != previous:
            pieces, reset = difference(previous, value, modulus)
            yield Increment(at, pieces, reset, offset)
        previous = value
