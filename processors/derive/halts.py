"""Stops as the machine makes them: from the instant in which it should produce and does not, until it produces again.

A stop begins in planned busy time in which the machine is known not to produce, with an order (or where no orders are
told at all) or broken down. It is over when the machine produces, is set up or maintained, or when nothing is known of
it. Neither a break, nor the end of a shift or of its order ends it: only a machine that has no order any more and says
itself that it has nothing to do (`READY`) has come out of the stop; one that was never interrupted in an order, as long
as it is broken down. What of its time is planned busy time are its pieces.
"""

from typing import NamedTuple

from processors.cell.cell import Cell
from processors.inputs.schedule import BUSY, Slice
from processors.timeline.elements import BREAKDOWN_STATES
from processors.timeline.stops import KIND
from processors.timeline.timeline import Interval, hull
from processors.units import HOUR
from schemas.records import Downtime

READY = frozenset({"idle", "completing", "complete"})
"""States in which a machine without an order is not stopped: it has finished, or waits for work."""
Pieces = tuple[tuple[int, int], ...]
"""Stretches [start, end), in order, apart from each other."""


class Stop(NamedTuple):
    start: int
    end: int
    """Until when the machine halted, whatever was planned."""
    state: str
    """The state that began it."""
    order: str | None
    """The first order that it interrupted."""
    first_offset: int
    last_offset: int
    pieces: Pieces


def stops(cell: Cell, start: int, end: int, now: int, begun: Stop | None = None) -> list[Stop]:
    """The stops of [start, end), as known at `now`. `begun`: the one that is on at `start`; it comes first, whole."""
    told: list[Stop] = []
    current = begun
    for interval in cell.intervals(start, end, now):
        if not cell.elements.halts(interval.state, interval.mode):
            if current is not None:
                told.append(current)
                current = None
            continue
        for planned in cell.schedule.slices(interval.start, interval.end):
            order = planned.order is not None or not cell.schedule.orders_told
            if current is not None and _goes_on(current, interval.state, order):
                current = _longer(current, interval, planned)
                continue
            if current is not None:
                told.append(current)
                current = None
            if cell.elements.stops(interval.state, interval.mode, order, planned.status):
                first, last = interval.first_offset, interval.last_offset
                piece = (planned.start, planned.end)
                current = Stop(*piece, interval.state, planned.order, first, last, (piece,))
    return told if current is None else [*told, current]


def _goes_on(stop: Stop, state: str, order: bool) -> bool:
    return order or state in BREAKDOWN_STATES or (stop.order is not None and state not in READY)


def _longer(stop: Stop, interval: Interval, planned: Slice) -> Stop:
    first, last = hull(stop.first_offset, stop.last_offset, interval.first_offset, interval.last_offset)
    pieces = _with(stop.pieces, planned.start, planned.end) if planned.status == BUSY else stop.pieces
    return stop._replace(
        end=planned.end,
        order=planned.order if stop.order is None else stop.order,
        first_offset=first,
        last_offset=last,
        pieces=pieces,
    )


def _with(pieces: Pieces, start: int, end: int) -> Pieces:
    if pieces and pieces[-1][1] == start:
        return (*pieces[:-1], (pieces[-1][0], end))
    return (*pieces, (start, end))


def newest_before(cell: Cell, at: int) -> Downtime | None:
    """The last published part of a stop that begins before `at`."""
    before = cell.ledger.start_before(KIND, at)
    newest = cell.ledger.get(KIND, before) if before is not None else None
    return newest if isinstance(newest, Downtime) else None


def published(cell: Cell, newest: Downtime, at: int, floor: int, past_order: str | None) -> Stop:
    """The published stop of which `newest` is the last part before `at`, up to that part's end or to `at`.

    Its pieces are those that do not end before `floor`: what is older is not looked back on. `past_order`: the order that
    it had interrupted by then.
    """
    ledger, start = cell.ledger, begin_of(newest)
    first, last = newest.inputs.first_offset, newest.inputs.last_offset
    pieces: Pieces = ()
    for started_at in ledger.starts(KIND, start, at):
        part = ledger.get(KIND, started_at)
        if isinstance(part, Downtime) and begin_of(part) == start:
            first, last = hull(first, last, part.inputs.first_offset, part.inputs.last_offset)
            if part.ended_at is None or part.ended_at > floor:
                pieces = _with(pieces, started_at, at if part.ended_at is None else min(part.ended_at, at))
    end = at if newest.ended_at is None else min(newest.ended_at, at)
    # The published order may be one that began after `at`, or that was moved since.
    order = past_order
    if order is None and newest.order is not None:
        planned = cell.schedule.slices(max(start, floor), end)
        order = next((slice_.order for slice_ in planned if slice_.order is not None), None)
    return Stop(start, end, newest.state, order, first, last, pieces)


def begin_of(part: Downtime) -> int:
    """When the stop began that a record is a part of."""
    return part.started_at if part.stop_started_at is None else part.stop_started_at


def on_at(cell: Cell, stop: Stop, at: int, now: int) -> Stop | None:
    """A stop known up to its `end`, gone on with to `at`; None where it is over before."""
    while stop.end < at:
        until = min((stop.end // HOUR + 1) * HOUR, at)
        first, *others = stops(cell, stop.end, until, now, stop)
        if others or first.end < until:
            return None
        stop = first
    return stop


def following(cell: Cell, at: int, now: int) -> int:
    """The begin of the first published stop after `at`; `now` where there is none."""
    start = cell.ledger.start_after(KIND, at)
    while start is not None:
        known = cell.ledger.get(KIND, start)
        if isinstance(known, Downtime) and begin_of(known) == start:
            return min(start, now)
        start = cell.ledger.start_after(KIND, start)
    return now
