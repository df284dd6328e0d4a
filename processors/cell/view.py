"""What a tick asks of a cell: up to when to derive, and which stretches of event time have changed."""

from typing import NamedTuple

from processors.timeline.timeline import NO_OFFSET


class View(NamedTuple):
    """One refresh of one cell. All times µs."""

    now: int
    """The newest tick."""
    watermark: int
    previous_watermark: int
    """The watermark of the refresh before; −INF at the first."""
    begin: int
    """Nothing is derived before: the first sign of life, or the floor."""
    floor: int
    """Samples before this full hour are let go."""
    spans: list[tuple[int, int]]
    """Changed stretches in order, apart from each other: late samples and facts, then the time since the refresh before."""
    flush: bool
    """Whether provisional windows are due."""
    flush_kpi: bool
    """Whether provisional `Kpi` records are due."""
    last: bool
    """Whether the history ends here: everything is due."""
    offset: int
    """Raw offset of the tick: what a record rests on that no sample speaks for."""

    def inputs(self, first: int, last: int) -> tuple[int, int]:
        return (self.offset, self.offset) if first == NO_OFFSET else (first, last)

    def due(self, start: int, end: int, flush: bool) -> bool:
        """Whether a window must be computed: it closes now, or changed after it had closed, or is open and due."""
        if end > self.watermark:
            return flush and start < self.now
        if end > self.previous_watermark:
            return True
        return any(lo <= end and hi >= start for lo, hi in self.spans)


def merged(spans: list[tuple[int, int]], lowest: int, highest: int) -> list[tuple[int, int]]:
    """The union of stretches, clipped to [lowest, highest], in order."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        lo, hi = max(start, lowest), min(end, highest)
        if lo > hi:
            continue
        if found and lo <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], hi))
        else:
            found.append((lo, hi))
    return found
