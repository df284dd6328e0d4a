"""State records: one for each interval of equal state and mode.

Provisional from the tick after it begins (`ended_at` null while it lasts), final once the watermark has passed its end.
A late sample corrects the intervals it touches; one that should never have been is withdrawn (`ended_at == started_at`).
"""

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.timeline.timeline import Interval, extended
from schemas.records import Derived, State

KIND = "state"


def derive(cell: Cell, view: View) -> list[Derived]:
    """The differences between the state timeline now and what was published, over what changed."""
    out: list[Derived] = []
    ledger = cell.ledger
    for lo, hi in view.spans:
        end = view.now
        if hi < view.now and (following := ledger.start_after(KIND, hi)) is not None:
            end = min(following, end)
        intervals = cell.timeline.intervals(lo, end, view.now)
        start = ledger.start_before(KIND, lo)
        known = ledger.get(KIND, start) if start is not None else None
        if isinstance(known, State):  # what changed may end it or extend it
            inputs = known.inputs
            before = Interval(known.started_at, lo, known.state, known.mode, inputs.first_offset, inputs.last_offset)
            intervals = extended(before, intervals)
        gone = set(ledger.starts(KIND, lo, end))
        for interval in intervals:
            gone.discard(interval.start)
            ended_at = None if interval.end >= view.now else interval.end
            order = cell.plan.piece(interval.start).order
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
