"""Downtime records: a stop (halts.py) in planned time, parted where its reason changes (reasons.py).

One stop, whatever cuts it: a break, the end of planned time and a new reason part it into records of their own, with one
`stop_started_at`; an order's end does not even that. `kind` is that of the whole stop, by how long the machine halted,
from the stop's begin until it produced again, breaks and unplanned time in between included: open while it lasts and is
shorter than a micro stop, then stop; once over, micro_stop or stop: by the KPI definition's option micro_stop, without it
by the type's micro_stop_s. A record is open until that is known. `new_reason`, `new_category`: no earlier part of the
stop has the same; who counts stops or failures counts these.

A stop with a part of category breakdown raises one alert, from the first such part on; while the last part is one, as long
as the machine halts.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from processors.cell.cell import Cell
from processors.derive import alert
from processors.derive.derivation import Derivation, Saved
from processors.derive.halts import Stop, begin_of, following, newest_before, on_at, published, stops
from processors.derive.reasons import Past, StopPart, parts, told
from processors.output.columns import content_of
from processors.timeline.stops import KIND
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Alert, Derived, Downtime, Reason
from topology.model.equipment import StopReason

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
Reasons = Sequence[tuple[Reason, int]]
"""Operators' reasons with their raw offsets, in order of begin and id."""


class DowntimeRecords(Derivation):
    """Stops, parted by reason, and the breakdown alerts that follow them."""

    __slots__ = ("_changed", "_on", "past")

    name = KIND
    kinds = (KIND, "alert")
    records = (Downtime, Alert)

    def __init__(self, cell: Cell) -> None:
        self.past = Past()
        self._changed = False
        self._on: tuple[int, int | None] = (-INF, None)
        """At that instant the stop with that begin is on; None: none is. It saves a look back at each tick."""

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """The differences between the stops now and what was published.

        The time of stops that changed may count as another element, and their number has changed: it is looked at again.
        """
        out: list[Derived] = []
        if view.steady and self._on[0] == view.spans[0][0] and self._rests(cell, view):
            self._on = view.now, self._on[1]
            return out
        reasons = cell.operator_reasons()
        for lo, hi in view.spans:
            out += self._span(cell, view, lo, hi, reasons, len(view.spans) == 1)
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

    def _rests(self, cell: Cell, view: View) -> bool:
        """Whether for certain there is nothing new in steady time: no stop is on, nor can one begin; or one goes on, with
        nothing that may part it."""
        lo, begun = view.spans[0][0], self._on[1]
        (interval,) = cell.intervals(lo, view.now, view.now)
        if not cell.elements.halts(interval.state, interval.mode):
            return begun is None
        planned = cell.schedule.slice_at(lo)
        if not planned.start < lo <= view.now < planned.end or view.moment.last:
            return False
        if not cell.timeline.steady(lo - 1, view.now):
            return False  # it has begun to halt at that very instant
        if begun is None:
            return True  # else it had begun before: state and plan are the same
        known = newest_before(cell, lo)
        return (
            cell.reasons.newest < lo
            and not cell.operator_reasons()
            and known is not None
            and known.ended_at is None
            and begin_of(known) == begun
            and (known.kind != "open" or cell.elements.short(view.now - begun, cell.type.micro_stop_s))
        )

    def _span(self, cell: Cell, view: View, lo: int, hi: int, reasons: Reasons, alone: bool) -> list[Derived]:
        """What has changed in [lo, hi]. `alone`: nothing else has changed."""
        floor, now = cell.floor, view.now
        begun = self._begun(cell, lo, floor, now, alone)
        # The stop after it is looked at again: whether a code from before it is its own rests on where the last one ended.
        end = now if hi >= now else following(cell, following(cell, hi, now), now)
        known = stops(cell, lo, end, now, begun)
        while end < now and known and known[-1].end == end:  # it goes on into what was published as another
            until = following(cell, end, now)
            known += stops(cell, end, until, now, known.pop())
            end = until
        first = begun.pieces[0][0] if begun is not None and begun.pieces else lo
        gone = set(cell.ledger.starts(KIND, first, end))
        alerts = set(cell.ledger.starts(alert.BREAKDOWN, first, end))
        out: list[Derived] = []
        before = lo if begun is None else begun.start
        previous: Stop | None = None
        for stop in known:
            past = self.past if self.past.stop is not None and self.past.stop[0] == stop.start else None
            ended = partial(self._previous_end, cell, before) if previous is None else partial(_last_end, previous)
            cut = parts(stop, told(cell, stop, reasons, ended, past))
            gone.difference_update(part.start for part in cut)
            out += _publish(cell, view, stop, cut, alerts, past)
            previous = stop if stop.pieces else previous
        for started_at in sorted(gone):
            out += cell.ledger.withdraw(KIND, started_at)
        for started_at in sorted(alerts):
            out += alert.withdraw(cell, alert.BREAKDOWN, started_at)
        if end == now:
            upto = now - cell.elements.margin_us
            self._on = upto, next((stop.start for stop in known if stop.start < upto <= stop.end), None)
        return out

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        """Closes records whose end the watermark has passed, once the kind of their stop is known."""
        out: list[Derived] = []
        ledger = cell.ledger
        for started_at in [at for kind, at in ledger.open.overdue(view.watermark) if kind == KIND]:
            known = ledger.get(KIND, started_at)
            if isinstance(known, Downtime) and known.kind != "open":
                inputs = (known.inputs.first_offset, known.inputs.last_offset)
                out += ledger.put(Downtime, KIND, started_at, known.ended_at, True, inputs, **content_of(known))
        return out

    # --- what was before

    def _begun(self, cell: Cell, at: int, floor: int, now: int, cached: bool) -> Stop | None:
        """The stop that is on at an instant, up to there. `cached`: nothing before it has changed since the last tick."""
        if cached and self._on == (at, None):
            return None  # the usual case
        newest, whole = newest_before(cell, at), self.past.stop
        stop = None
        if newest is not None:
            past_order = whole[2] if whole is not None and whole[0] == begin_of(newest) else None
            stop = published(cell, newest, at, floor, past_order)
        if whole is not None and (stop is None or stop.start <= whole[0]) and (stop is None or stop.end < floor):
            start, state, order, first, last = whole
            stop = Stop(start, floor, state, order, first, last, ())
        if stop is None or stop.end == at:
            return stop
        if stop.end < floor:
            return None  # what was between is not known any more, but that it was over
        if cached and self._on[0] == at:
            return stop._replace(end=at) if self._on[1] == stop.start else None
        return on_at(cell, stop, at, now)

    def _previous_end(self, cell: Cell, at: int) -> int:
        """The end of the last part of a stop before `at`."""
        known = newest_before(cell, at)
        if known is None or known.ended_at is None:
            return self.past.ended_at
        return max(known.ended_at, self.past.ended_at)

    def expire(self, cell: Cell, floor: int) -> None:
        """Notes what must be known of the last stop that began before `floor`."""
        past, now = self.past, cell.settled + 1  # no one has asked for that instant yet
        stop = self._begun(cell, floor, cell.floor, now, False) if floor <= now else None
        ended_at = min(self._previous_end(cell, floor), floor)
        if stop is None:
            self.past = Past(ended_at)
        else:
            same = past.stop is not None and past.stop[0] == stop.start
            known = past if same else None
            said = told(cell, stop, cell.operator_reasons(), partial(self._previous_end, cell, stop.start), known)
            code = said.codes[-1][1] if said.codes else None
            seen = list(known.seen) if known is not None else []
            for started_at in cell.ledger.starts(KIND, stop.start, floor):
                part = cell.ledger.get(KIND, started_at)
                if isinstance(part, Downtime) and part.ended_at is not None and part.ended_at <= floor:
                    key = (part.reason_code, part.category)
                    if key not in seen:
                        seen.append(key)
            whole = (stop.start, stop.state, stop.order, stop.first_offset, stop.last_offset)
            self.past = Past(ended_at, whole, code, said.stale, said.operator, seen)
        self._changed = self._changed or self.past != past

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed:
            self._changed = False
            yield "", self.past

    def load(self, saved: Saved, redefined: bool) -> None:
        if not redefined:
            self.past = msgspec.msgpack.decode(saved[""].state, type=Past)


def _last_end(stop: Stop) -> int:
    return stop.pieces[-1][1]


def category_of(stop: Stop, reason: StopReason | None) -> str | None:
    """What a stop counts as: by the reason given, else by the state that began it. `BREAKDOWN` makes it a breakdown."""
    return reason.category if reason is not None else CATEGORY_BY_STATE.get(stop.state)


def _publish(
    cell: Cell, view: View, stop: Stop, cut: list[StopPart], alerts: set[int], past: Past | None
) -> list[Derived]:
    """The records of a stop, and its alert, which is taken out of `alerts`."""
    over = stop.end < view.now or view.moment.last
    long = not cell.elements.short(stop.end - stop.start, cell.type.micro_stop_s)
    kind = "stop" if long else "micro_stop" if over else "open"
    seen: list[tuple[int | None, str | None]] = [] if past is None else list(past.seen)
    out: list[Derived] = []
    broken: list[StopPart] = []
    for part in cut:
        reason = cell.type.reasons.get(part.code) if part.code is not None else None
        category = category_of(stop, reason)
        ended_at = None if part.end >= view.now else part.end
        out += cell.ledger.put(
            Downtime,
            KIND,
            part.start,
            ended_at,
            ended_at is not None and ended_at <= view.watermark and kind != "open",
            view.inputs(part.first_offset, part.last_offset),
            kind=kind,
            state=stop.state,
            reason_code=part.code,
            reason=reason.name if reason is not None else None,
            category=category,
            order=stop.order,
            stop_started_at=stop.start,
            reason_by=part.by,
            new_reason=part.code not in {code for code, _ in seen},
            new_category=category not in {known for _, known in seen},
        )
        seen.append((part.code, category))
        if category == BREAKDOWN:
            broken.append(part)
    return out + _alarm(cell, view, stop, cut, broken, alerts)


def _alarm(
    cell: Cell, view: View, stop: Stop, cut: list[StopPart], broken: list[StopPart], alerts: set[int]
) -> list[Derived]:
    """The one breakdown alert of a stop. `broken`: the parts that are one."""
    lasts = broken[-1:] == cut[-1:]  # also where all parts lie before the floor
    end = stop.end if lasts else broken[-1].end if broken else cut[0].start
    ended_at = None if end >= view.now else end
    closed = ended_at is not None and ended_at <= view.watermark
    standing = _standing(cell, stop, broken) if stop.start < cell.floor else None
    if standing is not None:
        alerts.discard(standing)
        return alert.end(cell, alert.BREAKDOWN, standing, ended_at, closed)
    if not broken:
        return []
    first = broken[0]
    alerts.discard(first.start)
    reason = cell.type.reasons.get(first.code) if first.code is not None else None
    said = reason.name if reason is not None else f"no reason given, state {stop.state}"
    return alert.publish(
        cell,
        alert.BREAKDOWN,
        first.start,
        ended_at,
        closed,
        view.inputs(first.first_offset, first.last_offset),
        severity="high",
        subject=cell.path,
        message=f"{cell.path} has broken down: {said}",
        cause=cell.ledger.natural_id(KIND, first.start),
    )


def _standing(cell: Cell, stop: Stop, broken: list[StopPart]) -> int | None:
    """The alert that a part before the floor has raised: such parts are not looked back on, but it still stands."""
    standing = cell.ledger.start_before(alert.BREAKDOWN, broken[0].start if broken else stop.end)
    if standing is None or standing < stop.start:
        return None
    known = cell.ledger.get(alert.BREAKDOWN, standing)
    return standing if broken or (known is not None and known.ended_at is None) else None
