"""When nobody listened to a machine: the `Gap` facts that hold for it, as stretches of time apart from each other.

A gap that has no end lasts until the next sign of life. One that ends where it begins has been taken back.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from processors.spans import merged
from processors.units import INF
from schemas.records import Gap

Span = tuple[int, int]
Woken = Callable[[int], int]
"""Time (µs) → the first sign of life after it, INF while there is none."""


class Gaps:
    """Stretches [start, end) in order, all µs; the end is INF while one lasts."""

    __slots__ = ("edges", "lasting", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.edges: list[int] = []
        """Where they begin and end, in order."""
        self.lasting = False
        """Whether one has been told without an end, so that the next sign of life ends it."""

    def tell(self, gaps: Sequence[Gap], woken: Woken) -> Span | None:
        """Takes the facts as they are now; returns the stretch in which that changes anything."""
        before = self.spans
        self.lasting = any(gap.ended_at is None for gap in gaps)
        told = [(gap.started_at, _end(gap, woken)) for gap in gaps]
        self.put_back(merged([span for span in told if span[0] < span[1]], -INF, INF))
        changed = set(before) ^ set(self.spans)
        return (min(start for start, _ in changed), max(end for _, end in changed)) if changed else None

    def put_back(self, spans: Iterable[Span]) -> None:
        """Takes spans as they were told before."""
        self.spans = list(spans)
        self.edges = [edge for span in self.spans for edge in span]

    def between(self, start: int, end: int) -> Iterable[Span]:
        """Those that reach into [start, end), whole."""
        first = bisect_right(self.edges, start) // 2
        for span in self.spans[first:]:
            if span[0] >= end:
                break
            yield span

    def holds(self, at: int) -> bool:
        """Whether nobody listened then."""
        return bisect_right(self.edges, at) % 2 == 1

    def parts(self, start: int, end: int) -> Iterable[Span]:
        """[start, end) cut where a gap begins or ends."""
        inner = self.edges[bisect_right(self.edges, start) :]
        return pairwise([start, *(edge for edge in inner if edge < end), end])


def _end(gap: Gap, woken: Woken) -> int:
    return woken(gap.started_at) if gap.ended_at is None else gap.ended_at
