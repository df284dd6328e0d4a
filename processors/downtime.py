"""Downtime records: a stop is a maximal stretch of planned busy time in which the machine was known not to produce.

Not part of a stop: unknown time, setup and maintenance, breaks, time outside every shift, and time without an order
where orders are told at all (except a breakdown, which is one anywhere). `kind` is open while it lasts and is shorter
than the type's micro_stop_s, then stop; once over, micro_stop or stop. The reason is the machine's latest non-zero code
inside the stop (else the one in force as it begins), overridden by the operator's latest `Reason` that meets it.
"""

from typing import NamedTuple

from processors import alert
from processors.cell import Cell
from processors.timeline import hull
from processors.view import View
from schemas.records import Derived, Downtime, Reason

KIND = "downtime"

CATEGORY_BY_STATE = {
    "aborting": "breakdown",
    "aborted": "breakdown",
    "clearing": "breakdown",
    "suspending": "material_flow",
    "suspended": "material_flow",
    "unsuspending": "material_flow",
    "holding": "internal",
    "held": "internal",
    "unholding": "internal",
    "stopping": "stop",
    "stopped": "stop",
}
"""What a stop counts as when nobody and nothing gave a reason, from the state that began it."""


class Stop(NamedTuple):
    start: int
    end: int
    state: str
    """The state that began it."""
    order: str | None
    first_offset: int
    last_offset: int


def stops(cell: Cell, start: int, end: int, now: int) -> list[Stop]:
    """The stops of [start, end), as known at `now`."""
    found: list[Stop] = []
    for interval in cell.timeline.intervals(start, end, now):
        for piece in cell.plan.pieces(interval.start, interval.end):
            if not cell.elements.stops(
                interval.state, interval.mode, piece.order is not None or not cell.plan.orders_told, piece.status
            ):
                continue
            if found and found[-1].end == piece.start:
                begun = found[-1]
                first, last = hull(begun.first_offset, begun.last_offset, interval.first_offset, interval.last_offset)
                found[-1] = begun._replace(end=piece.end, first_offset=first, last_offset=last)
            else:
                found.append(
                    Stop(
                        piece.start, piece.end, interval.state, piece.order, interval.first_offset, interval.last_offset
                    )
                )
    return found


def derive(cell: Cell, view: View, operator_reasons: list[tuple[Reason, int]]) -> list[Derived]:
    """The differences between the stops now and what was published, and the breakdown alerts that follow them."""
    out: list[Derived] = []
    ledger = cell.ledger
    for lo, hi in view.spans:
        end = view.now
        if hi < view.now and (following := ledger.start_after(KIND, hi)) is not None:
            end = min(following, end)
        found = stops(cell, lo, end, view.now)
        before = ledger.start_before(KIND, lo)
        known = ledger.get(KIND, before) if before is not None else None
        if isinstance(known, Downtime) and (known.ended_at is None or known.ended_at >= lo):
            found = _extended(known, lo, found)
        gone = set(ledger.starts(KIND, lo, end))
        for stop in found:
            gone.discard(stop.start)
            out += _publish(cell, view, stop, operator_reasons)
        for started_at in sorted(gone):
            out += ledger.withdraw(KIND, started_at)
            out += alert.withdraw(cell, alert.BREAKDOWN, started_at)
    return out


def _extended(known: Downtime, until: int, found: list[Stop]) -> list[Stop]:
    """The stops found from `until` on, after the known one that leads up to it: they may be one."""
    first, last = known.inputs.first_offset, known.inputs.last_offset
    begun = Stop(known.started_at, until, known.state, known.order, first, last)
    if not found or found[0].start != until:
        return [begun, *found]
    following = found[0]
    first, last = hull(first, last, following.first_offset, following.last_offset)
    return [begun._replace(end=following.end, first_offset=first, last_offset=last), *found[1:]]


def _publish(cell: Cell, view: View, stop: Stop, operator_reasons: list[tuple[Reason, int]]) -> list[Derived]:
    ended_at = None if stop.end >= view.now else stop.end
    closed = ended_at is not None and ended_at <= view.watermark
    long = stop.end - stop.start >= cell.type.micro_stop_s * 1_000_000
    kind = "stop" if long else "open" if ended_at is None else "micro_stop"
    code, first, last = _reason(cell, stop, operator_reasons)
    reason = cell.type.reasons.get(code) if code is not None else None
    category = reason.category if reason is not None else CATEGORY_BY_STATE.get(stop.state)
    inputs = view.inputs(first, last)
    out = cell.ledger.put(
        Downtime,
        KIND,
        stop.start,
        ended_at,
        closed,
        inputs,
        kind=kind,
        state=stop.state,
        reason_code=code,
        reason=reason.name if reason is not None else None,
        category=category,
        order=stop.order,
    )
    if category == "breakdown":
        said = reason.name if reason is not None else f"no reason given, state {stop.state}"
        out += alert.publish(
            cell,
            alert.BREAKDOWN,
            stop.start,
            ended_at,
            closed,
            inputs,
            severity="high",
            subject=cell.path,
            message=f"{cell.path} has broken down: {said}",
            cause=cell.ledger.natural_id(KIND, stop.start),
        )
    else:
        out += alert.withdraw(cell, alert.BREAKDOWN, stop.start)
    return out


def _reason(cell: Cell, stop: Stop, operator_reasons: list[tuple[Reason, int]]) -> tuple[int | None, int, int]:
    """(code or None, first and last offset the stop and its reason rest on)."""
    code, first, last = None, stop.first_offset, stop.last_offset
    in_force = cell.reasons.in_force(stop.start)
    given = [in_force] if in_force is not None else []
    for _, value, offset in [*given, *cell.reasons.between(stop.start + 1, stop.end)]:
        if value:
            code, (first, last) = value, hull(first, last, offset, offset)
    for reason, offset in operator_reasons:  # in order of begin: the latest that meets the stop counts
        until = reason.started_at + 1 if reason.ended_at is None else reason.ended_at
        if reason.started_at < stop.end and until > stop.start:
            code, (first, last) = reason.code or None, hull(first, last, offset, offset)
    return code, first, last
