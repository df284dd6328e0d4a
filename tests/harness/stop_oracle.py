"""Stops and plan judged again, from the whole history at once: a second reading of docs/kpi.md, without memory or hurry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from schemas.records import Order, Raw, Reason, Samples, Shift
from tests.harness.line_logs import CELL, LINE
from topology.kpi.definition import Planned

FAR = 1 << 62
BROKEN = ("aborting", "aborted", "clearing")
READY = ("idle", "completing", "complete")
Past = tuple[int, int, str, str]
"""start, end, state, mode."""


class Moment(NamedTuple):
    """[start, end) in which nothing changes."""

    start: int
    end: int
    state: str
    mode: str
    order: str | None
    shift: str | None
    planned: Planned


@dataclass
class WholeStop:
    """A stop: its time in planned busy time, and (start, end, code, by) of each of its parts."""

    start: int
    end: int
    state: str
    order: str | None
    pieces: list[Moment] = field(default_factory=list)
    parts: list[tuple[int, int, int | None, str | None]] = field(default_factory=list)


class Plan:
    """Who has which instant, asked one by one."""

    def __init__(self, told: Sequence[tuple[str, Raw]]) -> None:
        facts = [record for path, record in told if path in (CELL, LINE)]
        self.shifts = sorted((r for r in facts if isinstance(r, Shift)), key=lambda r: r.id)
        self.reasons = sorted((r for r in facts if isinstance(r, Reason)), key=lambda r: (r.started_at, r.id))
        orders = sorted((r for r in facts if isinstance(r, Order)), key=lambda r: r.id)
        self.orders: list[tuple[int, int, Order]] = []
        for order in orders:
            later = [other.started_at for other in orders if other.started_at > order.started_at]
            end = min(later, default=FAR) if order.ended_at is None else order.ended_at
            self.orders.append((order.started_at, end, order))

    @property
    def edges(self) -> set[int]:
        edges = {at for start, end, _ in self.orders for at in (start, end)}
        edges |= {at for shift in self.shifts for at in (shift.started_at, shift.ended_at)}
        edges |= {at for shift in self.shifts for of in shift.breaks for at in (of.started_at, of.ended_at)}
        return edges | {
            at for reason in self.reasons for at in (reason.started_at, reason.ended_at or reason.started_at)
        }

    def order_at(self, at: int) -> str | None:
        here = [(start, -end, order.id) for start, end, order in self.orders if start <= at < end]
        return max(here)[2] if here else None

    def shift_at(self, at: int) -> tuple[str | None, Planned]:
        here = [(s.started_at, -s.ended_at, s.id, s) for s in self.shifts if s.started_at <= at < s.ended_at]
        if not here:
            return None, "unplanned" if self.shifts else "busy"
        shift = max(here, key=lambda one: one[:3])[3]
        pause = any(of.started_at <= at < of.ended_at for of in shift.breaks)
        return shift.id, "break" if pause else "busy"

    def moments(self, history: Sequence[Past]) -> list[Moment]:
        """The history cut wherever anything changes."""
        first, last = history[0][0], history[-1][1]
        edges = self.edges | {at for start, end, _, _ in history for at in (start, end)}
        told = []
        for start, end in pairwise(sorted(at for at in edges if first <= at <= last)):
            state, mode = next((state, mode) for since, until, state, mode in history if since <= start < until)
            told.append(Moment(start, end, state, mode, self.order_at(start), *self.shift_at(start)))
        return told


def whole_stops(
    moments: Sequence[Moment],
    plan: Plan,
    halts: Callable[[str, str], bool],
    codes: dict[int, int],
    machine_reason: str = "own_time",
) -> list[WholeStop]:
    """Every stop of a history. `codes`: the machine's, by time."""
    stops: list[WholeStop] = []
    on: WholeStop | None = None
    for moment in moments:
        if not halts(moment.state, moment.mode):
            on = None
            continue
        order = moment.order is not None or not plan.orders
        broken = moment.state in BROKEN
        if on is not None and not (order or broken or (on.order is not None and moment.state not in READY)):
            on = None
        if on is None and moment.planned == "busy" and (order or broken):
            on = WholeStop(moment.start, moment.end, moment.state, moment.order)
            stops.append(on)
        if on is not None:
            on.end, on.order = moment.end, on.order or moment.order
            if moment.planned == "busy":
                on.pieces.append(moment)
    previous_end = -FAR
    for stop in stops:
        _part(stop, plan, codes, previous_end, machine_reason)
        previous_end = stop.parts[-1][1]
    return stops


def _part(stop: WholeStop, plan: Plan, codes: dict[int, int], previous_end: int, machine_reason: str) -> None:
    said = _machine(stop, codes, previous_end, machine_reason)
    whole = [
        reason for reason in plan.reasons if reason.ended_at is None and stop.start <= reason.started_at < stop.end
    ]
    for piece in stop.pieces:
        for start, end in pairwise(
            sorted({piece.start, piece.end, *(at for at in said if piece.start < at < piece.end)})
        ):
            code, by = next((said[at] for at in sorted(said, reverse=True) if at <= start), None), None
            here = [r for r in plan.reasons if r.ended_at is not None and r.started_at <= start < r.ended_at]
            for reason in [*whole, *here]:
                code, by = reason.code or None, reason.by if reason.code else None
            if stop.parts and stop.parts[-1][1:] == (start, code, by):
                start = stop.parts.pop()[0]
            stop.parts.append((start, end, code, by))


def _machine(stop: WholeStop, codes: dict[int, int], previous_end: int, machine_reason: str) -> dict[int, int]:
    """From when on the machine says which code."""
    own = {at: code for at, code in sorted(codes.items()) if stop.start < at < stop.end and code}
    begin = max((at for at in codes if at <= stop.start), default=None)
    before = 0 if begin is None else codes[begin]
    if machine_reason == "whole_stop":
        last = own[max(own)] if own else before
        return {stop.start: last} if last else {}
    if before and begin is not None and (begin > previous_end or not own):
        return {stop.start: before} | own
    return own | {stop.start: own[min(own)]} if own else {}


def codes_of(told: Sequence[tuple[str, Raw]], tag: str = "StopReason") -> dict[int, int]:
    """The machine's codes by time; of two at one time the greater."""
    codes: dict[int, int] = {}
    for path, record in told:
        if path == CELL and isinstance(record, Samples):
            for sample in record.samples:
                if sample.tag == tag and sample.quality == 0 and isinstance(sample.value, int):
                    codes[sample.at] = max(codes.get(sample.at, 0), sample.value)
    return codes
