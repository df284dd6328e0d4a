"""State records: one for each interval of equal state and mode.

Provisional from the tick after it begins (`ended_at` null while it lasts), final once the watermark has passed its end.
A late sample corrects the intervals it touches; one that should never have been is withdrawn (`ended_at == started_at`).
"""

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.timeline.timeline import Interval, extended
from processors.timeline.view import View
from schemas.records import Derived, State

KIND = "state"


class StateRecords(Derivation):
    """The state timeline, as records."""

    __slots__ = ()

    name = KIND
    kinds = (KIND,)
    records = (State,)
    closes = True
    rests = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """The differences between the state timeline now and what was published, over what changed."""
        out: list[Derived] = []
        if view.steady:
            return out  # the record that was on goes on
        ledger = cell.ledger
        for lo, hi in view.spans:
            end = view.now
            if hi < view.now and (following := ledger.start_after(KIND, hi)) is not None:
                end = min(following, end)
            gone = set(ledger.starts(KIND, lo, end))
            for interval in _intervals(cell, view, lo, end):
                gone.discard(interval.start)
                ended_at = None if interval.end >= view.now else interval.end
                order = cell.schedule.slice_at(interval.start).order
                out += ledger.put(
                    State,
                    KIND,
                    interval.start,
                    ended_at,
                    ended_at is not None and ended_at <= view.watermark,
                    view.inputs(interval.first_offset, interval.last_offset),
                    state=interval.state,
                    mode=interval.mode,
                    element=cell.elements.name(interval.state, interval.mode, order is not None),
                )
            for started_at in sorted(gone):
                out += ledger.withdraw(KIND, started_at)
        return out


def _intervals(cell: Cell, view: View, start: int, end: int) -> list[Interval]:
    """The intervals of [start, end), with the published one that leads up to it: what changed may end it or extend it."""
    intervals = cell.timeline.intervals(start, end, view.now)
    begun = cell.ledger.start_before(KIND, start)
    known = cell.ledger.get(KIND, begun) if begun is not None else None
    if not isinstance(known, State):
        return intervals
    inputs = known.inputs
    before = Interval(known.started_at, start, known.state, known.mode, inputs.first_offset, inputs.last_offset)
    return extended(before, intervals)
