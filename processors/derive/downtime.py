"""Downtime records: a stop is a maximal stretch of planned busy time in which the machine was known not to produce.

Not part of a stop: unknown time, setup and maintenance, breaks, time outside every shift, and time without an order
where orders are told at all (except a breakdown, which is one anywhere). `kind` is open while it lasts and is shorter
than a micro stop, then stop; once over, micro_stop or stop: by the KPI definition's option micro_stop, without it by the
type's micro_stop_s. The kind is that of the whole stop, also where operators' reasons part it.

The reason is the machine's latest non-zero code inside the stop (else the one in force as it begins). An operator's
`Reason` without an end overrides it for the whole stop that contains its begin, one with an end from its begin to its
end: then each part is a record of its own. Where operators' reasons overlap, one with an end goes before one without,
then the one that begins later, then the greater id. Code 0 takes a reason away.
"""

from itertools import pairwise
from typing import NamedTuple

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.derive import alert
from processors.timeline.stops import KIND
from processors.timeline.timeline import hull
from schemas.records import Derived, Downtime, Reason

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


class Part(NamedTuple):
    """A stretch of a stop with one reason."""

    start: int
    end: int
    code: int | None
    by: str | None
    first_offset: int
    last_offset: int


def stops(cell: Cell, start: int, end: int, now: int) -> list[Stop]:
    """The stops of [start, end), as known at `now`."""
    found: list[Stop] = []
    for interval in cell.intervals(start, end, now):
        if not cell.elements.halts(interval.state, interval.mode):
            continue
        for piece in cell.plan.pieces(interval.start, interval.end):
            order = piece.order is not None or not cell.plan.orders_told
            if not cell.elements.stops(interval.state, interval.mode, order, piece.status):
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
    for lo, hi in view.spans:
        begun = _begun(cell, lo)
        end = view.now if hi >= view.now else _following(cell, hi, view.now)
        found = stops(cell, lo, end, view.now)
        if begun is not None:
            found = _extended(begun, lo, found)
        gone = set(cell.ledger.starts(KIND, lo if begun is None else begun.started_at, end))
        for stop in found:
            for part in parts(cell, stop, operator_reasons):
                gone.discard(part.start)
                out += _publish(cell, view, stop, part)
        for started_at in sorted(gone):
            out += cell.ledger.withdraw(KIND, started_at)
            out += alert.withdraw(cell, alert.BREAKDOWN, started_at)
    return out


def _begun(cell: Cell, at: int) -> Downtime | None:
    """The record of the first part of the published stop that leads up to `at`."""
    before = cell.ledger.start_before(KIND, at)
    known = cell.ledger.get(KIND, before) if before is not None else None
    if not isinstance(known, Downtime) or (known.ended_at is not None and known.ended_at < at):
        return None
    first = cell.ledger.get(KIND, known.stop_started_at) if known.stop_started_at is not None else known
    return first if isinstance(first, Downtime) else known


def _following(cell: Cell, at: int, now: int) -> int:
    """The begin of the first published stop after `at`; `now` where there is none."""
    following = cell.ledger.start_after(KIND, at)
    while following is not None:
        known = cell.ledger.get(KIND, following)
        if not isinstance(known, Downtime) or known.stop_started_at in (None, following):
            return min(following, now)
        following = cell.ledger.start_after(KIND, following)
    return now


def _extended(known: Downtime, until: int, found: list[Stop]) -> list[Stop]:
    """The stops found from `until` on, after the known one that leads up to it: they may be one."""
    first, last = known.inputs.first_offset, known.inputs.last_offset
    begun = Stop(known.started_at, until, known.state, known.order, first, last)
    if not found or found[0].start != until:
        return [begun, *found]
    following = found[0]
    first, last = hull(first, last, following.first_offset, following.last_offset)
    return [begun._replace(end=following.end, first_offset=first, last_offset=last), *found[1:]]


def parts(cell: Cell, stop: Stop, operator_reasons: list[tuple[Reason, int]]) -> list[Part]:
    """The stop cut where its reason changes; operators' reasons come sorted by begin and id."""
    whole = _machine_reason(cell, stop)
    said = []
    for reason, offset in operator_reasons:
        if reason.ended_at is None:
            if stop.start <= reason.started_at < stop.end:
                whole = _said(whole, reason, offset)
        elif reason.started_at < stop.end and reason.ended_at > stop.start and reason.started_at < reason.ended_at:
            said.append((reason, offset))
    if not said:
        return [whole]
    edges = {stop.start, stop.end}
    for reason, _ in said:
        edges |= {max(reason.started_at, stop.start), min(reason.ended_at or stop.end, stop.end)}
    found: list[Part] = []
    for start, end in pairwise(sorted(edges)):
        part = whole._replace(start=start, end=end)
        for reason, offset in said:
            if reason.started_at <= start and end <= (reason.ended_at or end):
                part = _said(part, reason, offset)
        if found and (found[-1].code, found[-1].by) == (part.code, part.by):
            before = found[-1]
            first, last = hull(before.first_offset, before.last_offset, part.first_offset, part.last_offset)
            found[-1] = before._replace(end=end, first_offset=first, last_offset=last)
        else:
            found.append(part)
    return found


def _machine_reason(cell: Cell, stop: Stop) -> Part:
    """The whole stop with what the machine says of it."""
    code, first, last = None, stop.first_offset, stop.last_offset
    in_force = cell.reasons.in_force(stop.start)
    given = [in_force] if in_force is not None else []
    for _, value, offset in [*given, *cell.reasons.between(stop.start + 1, stop.end)]:
        if value:
            code, (first, last) = value, hull(first, last, offset, offset)
    return Part(stop.start, stop.end, code, None, first, last)


def _said(part: Part, reason: Reason, offset: int) -> Part:
    """A part under an operator's reason."""
    first, last = hull(part.first_offset, part.last_offset, offset, offset)
    by = reason.by if reason.code else None
    return Part(part.start, part.end, reason.code or None, by, first, last)


def _publish(cell: Cell, view: View, stop: Stop, part: Part) -> list[Derived]:
    over = stop.end < view.now or view.last
    ended_at = None if part.end >= view.now else part.end
    closed = ended_at is not None and ended_at <= view.watermark
    long = not cell.elements.short(stop.end - stop.start, cell.type.micro_stop_s)
    kind = "stop" if long else "micro_stop" if over else "open"
    reason = cell.type.reasons.get(part.code) if part.code is not None else None
    category = reason.category if reason is not None else CATEGORY_BY_STATE.get(stop.state)
    inputs = view.inputs(part.first_offset, part.last_offset)
    out = cell.ledger.put(
        Downtime,
        KIND,
        part.start,
        ended_at,
        closed,
        inputs,
        kind=kind,
        state=stop.state,
        reason_code=part.code,
        reason=reason.name if reason is not None else None,
        category=category,
        order=stop.order,
        stop_started_at=stop.start,
        reason_by=part.by,
    )
    if category == "breakdown":
        said = reason.name if reason is not None else f"no reason given, state {stop.state}"
        out += alert.publish(
            cell,
            alert.BREAKDOWN,
            part.start,
            ended_at,
            closed,
            inputs,
            severity="high",
            subject=cell.path,
            message=f"{cell.path} has broken down: {said}",
            cause=cell.ledger.natural_id(KIND, part.start),
        )
    else:
        out += alert.withdraw(cell, alert.BREAKDOWN, part.start)
    return out
