"""What a tick asks: up to when to derive, what is due, and which stretches of a cell's event time have changed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from processors.spans import merged
from processors.timeline.timeline import NO_OFFSET
from schemas.records import Derived, Inputs


class Moment(NamedTuple):
    """One tick, the same for all cells. All times µs."""

    now: int
    """The newest tick."""
    watermark: int
    floor: int
    """Samples before this full hour are evicted."""
    flush: bool
    """Whether provisional windows are due."""
    flush_kpi: bool
    """Whether provisional `Kpi` and line-level records are due."""
    last: bool
    """Whether the history ends here: everything is due."""
    bucket_us: int
    """Length of a production bucket."""
    inputs: Inputs
    """The tick's place in the log: what a record rests on that no sample speaks for."""
    current_us: int = 0
    """How long after a cell's snapshot the next may follow at the earliest."""


@dataclass(slots=True)
class View:
    """One refresh of one cell. All times µs. `spans` and `said` grow while the derivations run, one after another."""

    now: int
    watermark: int
    previous_watermark: int
    """The watermark of the refresh before; −INF at the first."""
    begin: int
    """Nothing is derived before: the first sign of life, or the floor. INF before the first sign."""
    floor: int
    spans: list[tuple[int, int]]
    """Changed stretches in order, apart from each other: late samples and facts, then the time since the refresh before."""
    moment: Moment
    steady: bool = False
    """Whether nothing but time has passed since the refresh before: no late sample, no fact, and the same state and mode."""
    quiet: bool = False
    """Whether it is steady besides, nothing is due, and no border of a window, an order, a shift or a day lies in the time
    since the refresh before, nor in what the watermark has passed since."""
    said: list[Derived] = field(default_factory=list)
    """What has been derived at this refresh so far."""

    def look_again(self, spans: list[tuple[int, int]]) -> None:
        """Counts more stretches as changed, for the derivations that follow."""
        self.spans = merged([*self.spans, *spans], self.begin, self.now)

    def inputs(self, first: int, last: int) -> tuple[int, int]:
        """The raw offsets (first, last) that a record rests on: those of samples, else the tick's."""
        offset = self.moment.inputs.first_offset
        return (offset, offset) if first == NO_OFFSET else (first, last)

    def begun(self, start: int) -> bool:
        """Whether there is anything to say of what begins then; as a history ends, also of its last moment."""
        return start < self.now or (start == self.now and self.moment.last)

    def due(self, start: int, end: int, flush: bool) -> bool:
        """Whether a window must be computed: it closes now, or changed after it had closed, or is open and due."""
        if end > self.watermark:
            return flush and self.begun(start)
        if end > self.previous_watermark:
            return True
        return any(lo <= end and hi >= start for lo, hi in self.spans)
