"""A stop cut where its reason changes: what the machine's codes say of it, and what operators say instead.

The machine's code, by the KPI definition's option machine_reason. own_time: each code from its sample to the next; code 0
ends none, for a fault that is reset explains the time until the machine runs again; the first reaches back to the stop's
begin, for a PLC tells its state before its fault, and people choose a reason when they have found it. A code from before
the stop is its first, if it was said after the stop before (else it may be that one's, never reset, and counts only
where this one has no code of its own). whole_stop: the last code of the stop is that of all of it, without one the code in
force as it begins.

An operator's `Reason` without an end overrides that for the whole stop that contains its begin, one with an end from its
begin to its end. Where operators' reasons overlap, one with an end goes before one without, then the one that begins
later, then the greater id. Code 0 of an operator takes a reason away.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from processors.cell.cell import Cell
from processors.derive.halts import Stop
from processors.timeline.timeline import NO_OFFSET, hull
from processors.units import INF
from schemas.records import Reason

CODES_MAX = 100
"""Changes of code that part one stop; the last goes on. A register that shows its alarms in turn is no reason."""


class StopPart(NamedTuple):
    """A stretch of a stop with one reason."""

    start: int
    end: int
    code: int | None
    by: str | None
    first_offset: int
    last_offset: int


class Said(msgspec.Struct, omit_defaults=True, gc=False, frozen=True):
    """A reason as it was told. It is saved as it is."""

    code: int = 0
    offset: int = NO_OFFSET
    by: str | None = None


class Past(msgspec.Struct, omit_defaults=True, gc=False):
    """What must be known of the last stop that began before the floor. It is saved as it is; times µs."""

    ended_at: int = -INF
    """The end of its last part, before the floor."""
    stop: tuple[int, str, str | None, int, int] | None = None
    """While it is on at the floor: begin, state, order, first and last offset."""
    code: Said | None = None
    """The machine's last code in it."""
    stale: bool = False
    """Whether that may be of the stop before."""
    operator: Said | None = None
    """What an operator said of all of it."""
    seen: list[tuple[int | None, str | None]] = []
    """Reason codes and categories of its parts that ended before the floor."""


class Told(NamedTuple):
    """What codes and operators say of one stop."""

    codes: list[tuple[int, Said]]
    """By time: from when on, what. The first is from the stop's begin on."""
    stale: bool
    """Whether the first may be of the stop before."""
    operator: Said | None
    """For all of the stop."""
    spans: list[tuple[int, int, Said]]
    """For [start, end); a later one goes before an earlier one."""


def told(
    cell: Cell,
    stop: Stop,
    reasons: Sequence[tuple[Reason, int]],
    previous_end: Callable[[], int],
    past: Past | None = None,
) -> Told:
    """What is said of a stop. `reasons`: operators', by begin and id; `previous_end`: of the stop before, rarely asked; `past`: where
    the stop was on at the floor, what was said before it."""
    codes, stale = _codes(cell, stop, previous_end, past)
    operator = None if past is None else past.operator
    spans = []
    for reason, offset in reasons:
        said = Said(reason.code, offset, reason.by if reason.code else None)
        if reason.ended_at is None:
            if stop.start <= reason.started_at < cell.until(stop.end):
                operator = said
        elif max(reason.started_at, stop.start) < min(reason.ended_at, stop.end):
            spans.append((reason.started_at, reason.ended_at, said))
    return Told(codes, stale, operator, spans)


def parts(stop: Stop, said: Told) -> list[StopPart]:
    """The stop's pieces cut where the reason changes."""
    marks = {at for at, _ in said.codes} | {at for start, end, _ in said.spans for at in (start, end)}
    starts = [at for at, _ in said.codes]
    cut: list[StopPart] = []
    for begin, over in stop.pieces:
        for start, end in pairwise(sorted({begin, over, *(at for at in marks if begin < at < over)})):
            speaks = said.operator
            if speaks is None and said.codes:
                speaks = said.codes[max(bisect_right(starts, start) - 1, 0)][1]
            for since, until, reason in said.spans:
                if since <= start and end <= until:
                    speaks = reason
            part = _part(stop, start, end, speaks)
            if cut and cut[-1].end == start and (cut[-1].code, cut[-1].by) == (part.code, part.by):
                before = cut[-1]
                first, last = hull(before.first_offset, before.last_offset, part.first_offset, part.last_offset)
                cut[-1] = before._replace(end=end, first_offset=first, last_offset=last)
            else:
                cut.append(part)
    return cut


def _part(stop: Stop, start: int, end: int, said: Said | None) -> StopPart:
    if said is None:
        return StopPart(start, end, None, None, stop.first_offset, stop.last_offset)
    first, last = hull(stop.first_offset, stop.last_offset, said.offset, said.offset)
    return StopPart(start, end, said.code or None, said.by, first, last)


def _codes(
    cell: Cell, stop: Stop, previous_end: Callable[[], int], past: Past | None
) -> tuple[list[tuple[int, Said]], bool]:
    """The machine's codes in the stop, and whether the only one may be of the stop before."""
    own: list[tuple[int, Said]] = []
    before: Said | None = None
    if past is not None:
        before, stale = past.code, past.stale
    else:
        entry = cell.reasons.in_force(stop.start)
        if entry is not None and entry.value:
            before = Said(entry.value, entry.offset)
        stale = before is not None and entry is not None and entry.at < stop.start and entry.at <= previous_end()
    for at, code, offset in cell.reasons.between(stop.start + 1, cell.until(stop.end)):
        if code and (not own or own[-1][1].code != code):
            own.append((at, Said(code, offset)))
    if cell.elements.definition.options.machine_reason == "whole_stop":
        last = own[-1][1] if own else before
        return ([] if last is None else [(stop.start, last)]), bool(stale and not own)
    if before is not None and (not stale or not own):
        return [(stop.start, before), *own][:CODES_MAX], stale
    return [(stop.start, said) if n == 0 else (at, said) for n, (at, said) in enumerate(own)][:CODES_MAX], False
