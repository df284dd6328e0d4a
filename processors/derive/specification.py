"""Alerts for values out of specification: one for each time that a process is, whatever its control chart knows.

An instant is out of specification if any value measured then is beyond a limit; on the limit is within. The alert begins at
the first such instant and ends once CLEAR_AFTER instants in a row are within, late ones among them: it is a function of the
set of points. A new product, a chart that starts anew and an acknowledgement end nothing.
"""

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import attrgetter

import msgspec

from processors.cell.cell import Cell
from processors.derive import alert, quality
from processors.derive.derivation import Derivation, Saved
from processors.output.identity import parse
from processors.spc.ordinal import measure
from processors.spc.specification import NONE, Specification
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import INF
from schemas.records import Alert, Derived, Quality

KIND = "alert.out_of_specification"
SIDES = {"usl": "above the upper", "lsl": "below the lower"}
LOOK = 600_000_000
"""How far a search first looks back (µs); each further step is four times as long."""


class Point(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A measured value; the id of its inspection, empty for a sample."""

    at: int
    inspection: str
    value: float


Instant = tuple[int, Point | None]
"""A time at which was measured, and the first point beyond a limit then."""


class Excursion(msgspec.Struct, omit_defaults=True, gc=False):
    """Whether a process is out of specification after some instant."""

    opening: Point | None = None
    """The point with which it went there; None while it is within."""
    within: int = 0
    """Instants in a row within since it was last beyond."""

    def take(self, beyond: Point | None) -> bool:
        """One more instant, in order. True where an alert begins or ends with it."""
        before = self.opening
        if beyond is not None:
            self.opening, self.within = before or beyond, 0
        elif before is not None:
            self.within += 1
            if self.within == alert.CLEAR_AFTER:
                self.opening, self.within = None, 0
        return self.opening is not before


class Process(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of one characteristic."""

    now: Excursion = msgspec.field(default_factory=Excursion)
    """After the last instant that the watermark has passed."""
    floor: Excursion = msgspec.field(default_factory=Excursion)
    """After the last instant evicted."""


_decode = msgspec.msgpack.Decoder(Process).decode


class SpecificationAlerts(Derivation):
    """What lies beyond the specification limits of one cell's characteristics."""

    __slots__ = ("_changed", "_redefined", "_specifications", "processes")

    name = "specification"
    kinds = ("alert",)
    records = (Alert,)
    closes = True

    def __init__(self, cell: Cell) -> None:
        self._specifications = {
            tag: Specification(spec.lsl, spec.usl)
            for tag, spec in cell.type.tags.items()
            if spec.role == "characteristic"
        }
        self.processes: dict[str, Process] = {}
        """By characteristic: those that have ever been out of specification."""
        self._changed: dict[str, None] = {}
        self._redefined = False
        """Whether the ledger may have been emptied since the processes were saved."""

    def follow(self, cell: Cell, view: View) -> list[Derived]:
        out: list[Derived] = []
        anew = sorted(self.processes) if self._redefined else []
        for characteristic in anew:
            out += self._tell_again(cell, view, characteristic, [], -INF, INF)
        self._redefined = False
        for characteristic in self.processes:
            out += self._reword(cell, view, characteristic)
        points = [record for record in view.said if type(record) is Quality]
        if not points or (not self.processes and not self._heard_of(cell, points)):
            return out  # the usual case
        for characteristic, told in groupby(points, attrgetter("characteristic")):  # as they were derived: by name
            if characteristic not in anew:
                out += self._follow(cell, view, characteristic, list(told))
        return out

    @staticmethod
    def _heard_of(cell: Cell, points: list[Quality]) -> bool:
        """Whether any point is beyond a limit, or an alert stands that a fold has raised whose log reached further back."""
        return any(record.beyond is not None for record in points) or any(
            kind.startswith(KIND) for kind, _ in cell.ledger.lasting
        )

    def _follow(self, cell: Cell, view: View, characteristic: str, told: list[Quality]) -> list[Derived]:
        """Late points first, then those that the watermark has just passed, in order."""
        kind = f"{KIND}.{characteristic}"
        if characteristic not in self.processes:
            known = alert.standing(cell, kind)  # by a fold whose log reached further back
            if known is None and all(record.beyond is None for record in told):
                return []
            self.processes[characteristic] = Process(now=Excursion(None if known is None else _opening(known)))
        self._changed[characteristic] = None
        out: list[Derived] = []
        late = [record.started_at for record in told if record.started_at <= view.previous_watermark]
        if late:
            out += self._tell_again(cell, view, characteristic, told, min(late), max(late))
        now = self.processes[characteristic].now
        fresh = [record for record in told if record.started_at > view.previous_watermark]
        for at, records in groupby(fresh, attrgetter("started_at")):
            before = now.opening
            if not now.take(next((_point(record) for record in records if record.beyond is not None), None)):
                continue
            if before is not None:
                out += alert.end(cell, kind, before.at, at, True)
            elif now.opening is not None:
                out += self._publish(cell, characteristic, now.opening, None, _inputs(now.opening, told, view))
        return out

    def _tell_again(
        self, cell: Cell, view: View, characteristic: str, told: list[Quality], first: int, last: int
    ) -> list[Derived]:
        """The differences that points make which came late, between `first` and `last` (µs), there and after."""
        kind, ledger = f"{KIND}.{characteristic}", cell.ledger
        state = self._before(cell, characteristic, first)
        ends: dict[Point, int | None] = {} if state.opening is None else {state.opening: None}
        stop = INF if last == INF else view.previous_watermark + 1
        beyond_after = False
        for at, beyond in self._instants(cell, characteristic, first, stop):
            if at > last:
                known, own = _open_before(cell, kind, at), None if state.opening is None else state.opening.at
                if known == own and (own is None or beyond_after):
                    if state.opening is not None:
                        ends[state.opening] = getattr(ledger.get(kind, state.opening.at), "ended_at", None)
                    stop = at  # from here on all is as it was told
                    break
                beyond_after = beyond_after or beyond is not None
            before = state.opening
            if state.take(beyond):
                if before is not None:
                    ends[before] = at
                elif state.opening is not None:
                    ends[state.opening] = None
        else:
            self.processes[characteristic].now = state
        self._changed[characteristic] = None
        out: list[Derived] = []
        begins = {opening.at for opening in ends}
        for started_at in ledger.starts(kind, first, stop):
            if started_at not in begins:
                out += alert.withdraw(cell, kind, started_at)
        for opening, ended_at in ends.items():
            standing = ledger.get(kind, opening.at)
            if opening.at < first and isinstance(standing, Alert):
                out += alert.again(cell, kind, standing, ended_at, ended_at is not None)
            else:
                out += self._publish(cell, characteristic, opening, ended_at, _inputs(opening, told, view))
        return out

    def _reword(self, cell: Cell, view: View, characteristic: str) -> list[Derived]:
        """Alerts that begin where orders were told since: the message names product and order."""
        out: list[Derived] = []
        kind = f"{KIND}.{characteristic}"
        for start, end in view.spans:
            for started_at in cell.ledger.starts(kind, start, end + 1):
                known = cell.ledger.get(kind, started_at)
                if isinstance(known, Alert):
                    inputs = (known.inputs.first_offset, known.inputs.last_offset)
                    out += self._publish(cell, characteristic, _opening(known), known.ended_at, inputs)
        return out

    def _publish(
        self, cell: Cell, characteristic: str, opening: Point, ended_at: int | None, inputs: tuple[int, int]
    ) -> list[Derived]:
        specification = self._specifications.get(characteristic, NONE)
        side = specification.broken(opening.value)
        if side is None:
            return []  # the plant model has other limits since: what was said of it stays
        limit = specification.limit(side)
        spec = cell.type.tags.get(characteristic)
        unit = f" {spec.unit}" if spec is not None and spec.role == "characteristic" and spec.unit else ""
        order = cell.schedule.order_at(opening.at)
        made = "" if order is None else f" (product {order.product}, order {order.id})"
        return alert.publish(
            cell,
            f"{KIND}.{characteristic}",
            opening.at,
            ended_at,
            ended_at is not None,
            inputs,
            severity="high",
            subject=characteristic,
            message=f"{cell.path} {characteristic} is out of specification: {opening.value:.7g}{unit} is {SIDES[side]} limit "
            f"of {limit:.7g}{unit}{made}",
            cause=cell.ledger.natural_id(quality.kind_of(characteristic, opening.inspection), opening.at),
            point=alert.Point(
                opening.value,
                limit,
                None if order is None else order.id,
                None if order is None else order.product,
            ),
        )

    # --- the past

    def _before(self, cell: Cell, characteristic: str, at: int) -> Excursion:
        """What the process was just before a time (µs) that was derived already."""
        floor = self.processes[characteristic].floor
        if at <= cell.floor or self._redefined:
            state = msgspec.structs.replace(floor)
            for _, beyond in self._instants(cell, characteristic, -INF, at):
                state.take(beyond)
            return state
        begun = _open_before(cell, f"{KIND}.{characteristic}", at)
        known = None if begun is None else cell.ledger.get(f"{KIND}.{characteristic}", begun)
        if not isinstance(known, Alert):
            return Excursion()
        return Excursion(_opening(known), self._within(cell, characteristic, known.started_at, at))

    def _within(self, cell: Cell, characteristic: str, begun: int, at: int) -> int:
        """Instants in a row within, just before `at`, since the alert that began at `begun`."""
        step = LOOK
        while True:
            start = max(at - step, begun, cell.floor)
            within, met = 0, False
            for _, beyond in self._instants(cell, characteristic, start, at):
                within, met = (0, True) if beyond is not None else (within + 1, met)
            if met or start <= begun:
                return min(within, alert.CLEAR_AFTER - 1)
            if start == cell.floor:
                return min(within + self.processes[characteristic].floor.within, alert.CLEAR_AFTER - 1)
            step *= 4

    def _instants(self, cell: Cell, characteristic: str, start: int, end: int) -> Iterator[Instant]:
        """The instants with start ≤ at < end, in order."""
        specification = self._specifications.get(characteristic, NONE)
        points: Iterable[Point] = merge(
            (Point(at, "", measure(number)) for at, number in quality.sampled(cell, characteristic, start, end)),
            sorted(
                (Point(*inspected) for inspected in quality.inspected(cell, characteristic, start, end)),
                key=attrgetter("at", "inspection"),
            ),
            key=attrgetter("at"),
        )
        for at, of_instant in groupby(points, attrgetter("at")):
            yield at, next((p for p in of_instant if specification.broken(p.value) is not None), None)

    def expire(self, cell: Cell, floor: int) -> None:
        for characteristic, process in self.processes.items():
            before = self._before(cell, characteristic, floor)
            if before != process.floor:
                process.floor = before
                self._changed[characteristic] = None

    # --- state

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        for characteristic in self._changed:
            yield characteristic, self.processes[characteristic]
        self._changed.clear()

    def load(self, saved: Saved, redefined: bool) -> None:
        self._redefined = redefined
        self.processes = {characteristic: _decode(section.state) for characteristic, section in sorted(saved.items())}


def _open_before(cell: Cell, kind: str, at: int) -> int | None:
    """The begin of the published alert that was open just before a time (µs)."""
    begun = cell.ledger.start_before(kind, at)
    known = None if begun is None else cell.ledger.get(kind, begun)
    return None if known is None or (known.ended_at is not None and known.ended_at < at) else begun


def _point(record: Quality) -> Point:
    return Point(
        record.started_at, quality.inspection_of(record.characteristic, parse(record.natural_id)[0]), record.value
    )


def _opening(known: Alert) -> Point:
    """The point that a published alert names."""
    value = 0.0 if known.value is None else known.value
    return Point(known.started_at, quality.inspection_of(known.subject, parse(known.cause)[0]), value)


def _inputs(opening: Point, told: list[Quality], view: View) -> tuple[int, int]:
    """The raw offset of the point, where it has only now been told; else the tick's."""
    for record in told:
        if record.started_at == opening.at and _point(record) == opening:
            return record.inputs.first_offset, record.inputs.last_offset
    return view.inputs(NO_OFFSET, NO_OFFSET)
