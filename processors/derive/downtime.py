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
from processors.derive import alert
from processors.derive.derivation import Derivation
from processors.timeline.stops import KIND
from processors.timeline.timeline import hull
from processors.timeline.view import View
from schemas.records import Alert, Derived, Downtime, Reason
from topology.model.plant import Reason as ReasonCode

BREAKDOWN = "breakdown"
CATEGORY_BY_STATE = {
    "aborting": BREAKDOWN,
    "aborted": BREAKDOWN,
    "clearing": BREAKDOWN,
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


class StopPart(NamedTuple):
    """A stretch of a stop with one reason."""

    start: int
    end: int
    code: int | None
    by: str | None
    first_offset: int
    last_offset: int


def stops(cell: Cell, start: int, end: int, now: int) -> list[Stop]:
    """The stops of [start, end), as known at `now`."""
    stops: list[Stop] = []
    for interval in cell.intervals(start, end, now):
        if not cell.elements.halts(interval.state, interval.mode):
            continue
        for planned in cell.schedule.slices(interval.start, interval.end):
            order = planned.order is not None or not cell.schedule.orders_told
            if not cell.elements.stops(interval.state, interval.mode, order, planned.status):
                continue
            if stops and stops[-1].end == planned.start:
                begun = stops[-1]
                first, last = hull(begun.first_offset, begun.last_offset, interval.first_offset, interval.last_offset)
                stops[-1] = begun._replace(end=planned.end, first_offset=first, last_offset=last)
            else:
                stops.append(
                    Stop(
                        planned.start,
                        planned.end,
                        interval.state,
                        planned.order,
                        interval.first_offset,
                        interval.last_offset,
                    )
                )
    return stops


class DowntimeRecords(Derivation):
    """Stops, parted by reason, and the breakdown alerts that follow them."""

    __slots__ = ()

    name = KIND
    kinds = (KIND, "alert")
    records = (Downtime, Alert)
    closes = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """The differences between the stops now and what was published.

        The time of stops that changed may count as another element, and their number has changed: it is looked at again.
        """
        out: list[Derived] = []
        operator_reasons = cell.operator_reasons()
        for lo, hi in view.spans:
            begun = _begun(cell, lo)
            end = view.now if hi >= view.now else _following(cell, hi, view.now)
            stops_now = stops(cell, lo, end, view.now)
            if begun is not None:
                stops_now = _extended(begun, lo, stops_now)
            gone = set(cell.ledger.starts(KIND, lo if begun is None else begun.started_at, end))
            for stop in stops_now:
                for part in parts(cell, stop, operator_reasons):
                    gone.discard(part.start)
                    out += _publish(cell, view, stop, part)
            for started_at in sorted(gone):
                out += cell.ledger.withdraw(KIND, started_at)
                out += alert.withdraw(cell, alert.BREAKDOWN, started_at)
        if out:
            changed = [
                (record.started_at, view.now if record.ended_at is None else record.ended_at)
                for record in out
                if isinstance(record, Downtime)
            ]
            if cell.elements.contextual:
                for start, end in changed:
                    cell.windows.invalidate(start, end)
            view.look_again(changed)
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


def _extended(known: Downtime, until: int, after: list[Stop]) -> list[Stop]:
    """The stops from `until` on, after the known one that leads up to it: they may be one."""
    first, last = known.inputs.first_offset, known.inputs.last_offset
    begun = Stop(known.started_at, until, known.state, known.order, first, last)
    if not after or after[0].start != until:
        return [begun, *after]
    following = after[0]
    first, last = hull(first, last, following.first_offset, following.last_offset)
    return [begun._replace(end=following.end, first_offset=first, last_offset=last), *after[1:]]


def parts(cell: Cell, stop: Stop, operator_reasons: list[tuple[Reason, int]]) -> list[StopPart]:
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
    cut: list[StopPart] = []
    for start, end in pairwise(sorted(edges)):
        part = whole._replace(start=start, end=end)
        for reason, offset in said:
            if reason.started_at <= start and end <= (reason.ended_at or end):
                part = _said(part, reason, offset)
        if cut and (cut[-1].code, cut[-1].by) == (part.code, part.by):
            before = cut[-1]
            first, last = hull(before.first_offset, before.last_offset, part.first_offset, part.last_offset)
            cut[-1] = before._replace(end=end, first_offset=first, last_offset=last)
        else:
            cut.append(part)
    return cut


def _machine_reason(cell: Cell, stop: Stop) -> StopPart:
    """The whole stop with what the machine says of it."""
    code, first, last = None, stop.first_offset, stop.last_offset
    in_force = cell.reasons.in_force(stop.start)
    given = [in_force] if in_force is not None else []
    for _, value, offset in [*given, *cell.reasons.between(stop.start + 1, stop.end)]:
        if value:
            code, (first, last) = value, hull(first, last, offset, offset)
    return StopPart(stop.start, stop.end, code, None, first, last)


def _said(part: StopPart, reason: Reason, offset: int) -> StopPart:
    """A part under an operator's reason."""
    first, last = hull(part.first_offset, part.last_offset, offset, offset)
    by = reason.by if reason.code else None
    return StopPart(part.start, part.end, reason.code or None, by, first, last)


def category_of(stop: Stop, reason: ReasonCode | None) -> str | None:
    """What a stop counts as: by the reason given, else by the state that began it. `BREAKDOWN` makes it a breakdown."""
    return reason.category if reason is not None else CATEGORY_BY_STATE.get(stop.state)


def _publish(cell: Cell, view: View, stop: Stop, part: StopPart) -> list[Derived]:
    over = stop.end < view.now or view.moment.last
    ended_at = None if part.end >= view.now else part.end
    closed = ended_at is not None and ended_at <= view.watermark
    long = not cell.elements.short(stop.end - stop.start, cell.type.micro_stop_s)
    kind = "stop" if long else "micro_stop" if over else "open"
    reason = cell.type.reasons.get(part.code) if part.code is not None else None
    category = category_of(stop, reason)
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
    if category == BREAKDOWN:
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
