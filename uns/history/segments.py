"""A window cut where anything changes that decides what time counts as, and what each piece counts as. Pure.

From published state and downtime records and the plan: the same rules as the fold's, told piece by piece, so that the sum
of the pieces is the record's elements, and a difference shows that something is not known here.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from processors.inputs.schedule import Schedule
from processors.timeline import noise
from processors.timeline.elements import PLAIN, Context, Elements
from processors.timeline.timeline import NO_OFFSET, NOBODY, Interval
from schemas.records import Derived, Downtime, State
from topology.kpi.definition import Planned
from uns.model.kpi import decided_by

RecordT = TypeVar("RecordT", bound=Derived)


@dataclass(frozen=True, slots=True)
class TimeSegment:
    """[start, end) µs in which nothing changes."""

    start: int
    end: int
    state: str
    mode: str
    planned: Planned
    order: str | None
    shift: str | None
    element: str
    because: str
    """The rule of the time model that decided, in words."""
    interval: State | None
    """None: no state record is known there."""
    stop: Downtime | None

    @property
    def length_us(self) -> int:
        return self.end - self.start


def segments(
    elements: Elements, states: Iterable[State], stops: Iterable[Downtime], plan: Schedule, start: int, end: int
) -> list[TimeSegment]:
    """All of [start, end), in order, without a gap. `states` and `stops`: newest revisions of one machine.

    A noise floor looks around each instant by `elements.margin_us`: give states so far around.
    """
    margin = elements.margin_us
    timeline, stopped = _Track(states), _Track(stops)
    believed = noise.above(list(_intervals(timeline, start - margin, end + margin)), elements)
    begins = [interval.start for interval in believed]
    edges = {start, end, *(at for at in begins if start < at < end)}
    edges |= {*timeline.edges(start, end), *stopped.edges(start, end)}
    pieces = []
    for since, until in pairwise(sorted(edges)):
        interval = believed[bisect_right(begins, since) - 1]
        stop = stopped.at(since)
        for piece in plan.slices(since, until):
            context = PLAIN if stop is None else _context(elements, stop)
            decision = elements.decision(interval.state, interval.mode, piece.order is not None, piece.status, context)
            pieces.append(
                TimeSegment(
                    piece.start,
                    piece.end,
                    interval.state,
                    interval.mode,
                    piece.status,
                    piece.order,
                    piece.shift,
                    decision.element,
                    decided_by(decision),
                    timeline.at(since),
                    stop,
                )
            )
    return pieces


def _intervals(timeline: "_Track[State]", start: int, end: int) -> Iterator[Interval]:
    """[start, end) as the records tell it; what none tells of, nobody saw: there is one from the first known state on."""
    for since, until in pairwise(sorted({start, end, *timeline.edges(start, end)})):
        known = timeline.at(since)
        state, mode = NOBODY if known is None else (known.state, known.mode)
        yield Interval(since, until, state, mode, NO_OFFSET, NO_OFFSET)


def _context(elements: Elements, stop: Downtime) -> Context:
    """What the stop says of the time in it. What the state alone says is no reason that somebody gave."""
    micro = stop.kind == "micro_stop" and elements.micro(stop.reason_code is not None)
    return Context(stop.category if stop.reason is not None else None, micro)


def element_us(pieces: Iterable[TimeSegment]) -> dict[str, int]:
    """Element → µs; elements without time are left out."""
    sums: dict[str, int] = {}
    for segment in pieces:
        sums[segment.element] = sums.get(segment.element, 0) + segment.length_us
    return sums


def span(record: Derived, end: int) -> tuple[int, int]:
    """The event time of a record; one that is open ends at `end`."""
    return record.started_at, end if record.ended_at is None else record.ended_at


class _Track(Generic[RecordT]):
    """Records of one kind of one machine that do not overlap; where they do, the later one counts."""

    def __init__(self, records: Iterable[RecordT]) -> None:
        self._records = sorted(
            (record for record in records if record.ended_at != record.started_at), key=lambda record: record.started_at
        )
        self._starts = [record.started_at for record in self._records]

    def at(self, instant: int) -> RecordT | None:
        n = bisect_right(self._starts, instant) - 1
        if n < 0:
            return None
        record = self._records[n]
        return record if record.ended_at is None or instant < record.ended_at else None

    def edges(self, start: int, end: int) -> Iterator[int]:
        for record in self._records:
            yield from (at for at in span(record, end) if start < at < end)
