"""Changeover records: from the last good piece of one product to the first good piece of the next, per work unit.

SMED's external definition. What changes over is the product: orders of one product in a row are one run. An order of
which no good piece was made is no end of a changeover: A → B → C with nothing good of B is one from A to C, and no
changeover at all where C is A again. A piece is of the order that is on the machine when it is counted; but where an order
was told while the machine still ran, without a halt, and the setup follows within EARLY, pieces up to that setup are of
the product before.

Three parts sum exactly to the whole: teardown, to the first time in mode setup (without one: to the end of A's order);
setup, until the machine is first run for B: the end of the last setup before B's first piece of any kind (without one:
that piece); run-in, to the first good piece. Breaks and time outside shifts count; `planned_us` says how much was planned.

Provisional while B has no good piece yet, final once the watermark has passed it (and EARLY, where nothing halted),
corrected after that. Brought up to date every provisional_s. Of what lies before the horizon only the last good piece is
known, and what was between it and the horizon in a few numbers, so that a changeover over a weekend is measured, too.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation, Saved
from processors.inputs import pieces
from processors.inputs.counters import Counted
from processors.inputs.pieces import MADE, NOT_GOOD
from processors.inputs.schedule import BUSY, Schedule
from processors.output.withdrawal import emptied
from processors.timeline.elements import SETUP
from processors.timeline.timeline import NO_OFFSET, hull
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Changeover, Derived

KIND = "changeover"
GOOD: tuple[Counted, ...] = ("good",)
EARLY = 600_000_000
"""How much too early (µs) an order may be told."""


class Run(NamedTuple):
    """Orders of one product in a row; [start, end), gaps between them included."""

    product: str
    start: int
    end: int
    orders: tuple[str, ...]


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last good piece of the product before. It is saved as it is."""

    at: int
    order: str
    product: str
    until: int
    """The end of its order."""
    planned_us: int = 0
    """Planned busy time from the piece to the floor, where it lies before it. So are the following."""
    offset: int = 0
    setup_from: int | None = None
    """Begin of the first setup after the piece."""
    setup_over: int | None = None
    """End of the last setup."""
    tried: int | None = None
    """The first piece of any kind of the order that is on the machine since."""
    run_from: int | None = None
    """When the machine was first run for that piece."""
    scrap: int = 0
    """Since the first setup; without one, since the end of the order."""
    halted: bool = False
    """Whether the machine has halted since the piece."""


def runs(schedule: Schedule) -> list[Run]:
    in_a_row: list[Run] = []
    for turn in schedule.turns:
        product, name = turn.order.product, turn.order.id
        if in_a_row and in_a_row[-1].product == product:
            in_a_row[-1] = in_a_row[-1]._replace(end=turn.end, orders=(*in_a_row[-1].orders, name))
        else:
            in_a_row.append(Run(product, turn.start, turn.end, (name,)))
    return in_a_row


class ChangeoverRecords(Derivation):
    """Changeovers of one cell."""

    __slots__ = ("_changed", "last_good")

    name = KIND
    kinds = (KIND,)
    records = (Changeover,)
    rests = True

    def __init__(self, cell: Cell) -> None:
        self.last_good: Origin | None = None
        """The last good piece before the floor."""
        self._changed = False

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Changeovers that still go on, and those that something late has touched."""
        if not (view.moment.flush or cell.touched) or not any(counter.what == "good" for counter in cell.counters):
            return []
        begun = [run for run in runs(cell.schedule) if run.start <= view.now]
        reopened = _reopened(cell, view)
        stale = {record.started_at for record in reopened if record.started_at >= view.begin}
        orders = {record.to_order for record in reopened}
        claimed: set[int] = set()
        out: list[Derived] = []
        for n, run in enumerate(begun):
            if n == 0 and self.last_good is None:
                continue  # nothing was made before it
            last = n + 1 == len(begun)
            since = begun[n - 1].start if n else view.begin
            # An hour: it may have come and gone since the last flush.
            going_on = view.moment.flush and (last or run.end > view.previous_watermark - HOUR)
            if not going_on and orders.isdisjoint(run.orders) and not _touched(cell, since, run.end):
                continue
            known = _known(cell, run)
            if known is not None:
                if known.started_at < view.begin and (self.last_good is None or known.started_at != self.last_good.at):
                    continue  # its begin is kept no more
                if known.status != "provisional" and not _touched(cell, known.started_at, _end(known)):
                    continue
                stale.add(known.started_at)
            published = _publish(cell, view, run, last, self.last_good)
            if published is not None:
                claimed.add(published[0])
                out += published[1]
        for start in sorted(stale - claimed):
            out += cell.ledger.withdraw(KIND, start, **emptied(cell.ledger.get(KIND, start)))
        return out

    def expire(self, cell: Cell, floor: int) -> None:
        """Notes the last good piece before `floor`, and what was since."""
        known = _origin(cell, floor, cell.floor) or self.last_good
        self.last_good = None if known is None else _carried(cell, known, floor)
        self._changed = self.last_good is not None

    def dump(self) -> Iterator[tuple[str, msgspec.Struct | None]]:
        if self._changed and self.last_good is not None:
            self._changed = False
            yield "", self.last_good

    def load(self, saved: Saved, redefined: bool) -> None:
        self.last_good = msgspec.msgpack.decode(saved[""].state, type=Origin)


def _reopened(cell: Cell, view: View) -> list[Changeover]:
    """What is provisional, when it is due, and what was published of stretches that something late has touched.

    Changeovers of a machine never overlap.
    """
    ledger = cell.ledger
    starts = {start for kind, start in ledger.open if kind == KIND} if view.moment.flush else set()
    for lo, hi in cell.touched:
        before = ledger.start_before(KIND, lo)
        known = ledger.get(KIND, before) if before is not None else None
        if known is not None and before is not None and _end(known) >= lo:
            starts.add(before)
        starts.update(ledger.starts(KIND, lo, hi + 1))
    records = (ledger.get(KIND, start) for start in sorted(starts))
    return [known for known in records if isinstance(known, Changeover)]


def _touched(cell: Cell, start: int, end: int) -> bool:
    return any(lo <= end and hi >= start for lo, hi in cell.touched)


def _end(known: Derived) -> int:
    return INF if known.ended_at is None else known.ended_at


def _known(cell: Cell, run: Run) -> Changeover | None:
    """What was published of the changeover to a run."""
    start = cell.ledger.start_before(KIND, run.start + EARLY + 1)
    while start is not None:
        known = cell.ledger.get(KIND, start)
        if isinstance(known, Changeover) and known.to_order in run.orders:
            return known
        if start < run.start:
            return None
        start = cell.ledger.start_before(KIND, start)
    return None


def _publish(
    cell: Cell, view: View, run: Run, last: bool, last_good: Origin | None
) -> tuple[int, list[Derived]] | None:
    """(begin, what is new) of the changeover to a run; None where there is none."""
    schedule, counters = cell.schedule, cell.counters
    origin = _origin(cell, run.start, view.begin) or last_good
    if origin is None or origin.product == run.product:
        return None
    until = min(run.end, cell.until(view.now))
    begun = run.start
    first = _first_good(cell, run, begun, until)
    flying = (
        first is not None
        and not origin.halted
        and _unhalted(cell, max(origin.at, view.begin), first.counted_at, view.now)
    )
    if flying:
        setup = next(iter(_setups(cell, begun, min(begun + EARLY, until), view.now)), None)
        if setup is not None and (late := pieces.last(counters, GOOD, begun, setup[0] + 1)) is not None:
            origin, begun = replace(origin, at=late.counted_at, offset=late.offset), late.at + 1
            first = _first_good(cell, run, begun, until)
    if first is None and not last:
        return None
    end = view.now if first is None else first.counted_at
    parts = _parted(cell, origin, (max(origin.at, view.begin), end), begun, view.now, first is not None)
    on_machine = schedule.slice_at(first.at if first is not None else end - 1).order
    offsets = hull(origin.offset, origin.offset, *((first.offset,) * 2 if first else (NO_OFFSET,) * 2))
    target_s = cell.type.changeover_target_s
    new = cell.ledger.put(
        Changeover,
        KIND,
        origin.at,
        None if first is None else end,
        first is not None and (max(end, run.start + EARLY) if flying else end) <= view.watermark,
        (min(offsets), max(offsets)),
        from_product=origin.product,
        to_product=run.product,
        from_order=origin.order,
        to_order=on_machine if on_machine in run.orders else run.orders[0],
        teardown_us=parts.setup_from - origin.at,
        setup_us=parts.run_from - parts.setup_from,
        run_in_us=end - parts.run_from,
        planned_us=origin.planned_us + _planned(schedule, max(origin.at, view.begin), end),
        target_us=None if target_s is None else round(target_s * 1_000_000),
        scrap=parts.scrap,
    )
    return origin.at, new


class Parts(NamedTuple):
    """Where a changeover is parted, and what was scrapped in it."""

    setup_from: int
    tried: int | None
    """The first piece of any kind; None: there is none."""
    run_from: int
    scrap: int


def _parted(cell: Cell, origin: Origin, stretch: tuple[int, int], begun: int, now: int, whole: bool) -> Parts:
    """The parts, from what is known of the time before the stretch [start, end) and from what was in it. `begun`: since when
    it is the next product's turn. `whole`: a piece at the very end belongs to it."""
    start, end = stretch
    counters, setups = cell.counters, _setups(cell, start, end, now)
    setup_from = origin.setup_from
    scrap = origin.scrap if setup_from is not None or not setups else 0
    if setup_from is None:
        setup_from = setups[0][0] if setups else min(max(origin.until, origin.at), end)
    since = max(begun, setup_from)
    scrap += sum(piece.number for piece in pieces.made(counters, NOT_GOOD, max(setup_from, start), end + whole))
    if origin.tried is not None and origin.run_from is not None and origin.tried >= since:
        return Parts(setup_from, origin.tried, origin.run_from, scrap)
    trial = pieces.first(counters, MADE, max(since, start), end)
    tried = end if trial is None else trial.counted_at
    over = [over for _, over in setups if over <= tried]
    if origin.setup_over is not None:
        over.append(origin.setup_over)
    return Parts(setup_from, None if trial is None else tried, max(over, default=tried), scrap)


def _carried(cell: Cell, known: Origin, floor: int) -> Origin:
    """What must be known of the time from a piece to `floor`, once what lies before it is forgotten."""
    start, now = max(known.at, cell.floor), cell.settled + 1
    if start >= floor:
        return known
    begun = next((run.start for run in reversed(runs(cell.schedule)) if run.start < floor), known.at)
    setups = _setups(cell, start, floor, now)
    parts = _parted(cell, known, (start, floor), begun, now, False)
    return replace(
        known,
        planned_us=known.planned_us + _planned(cell.schedule, start, floor),
        setup_from=parts.setup_from if setups or known.setup_from is not None else None,
        setup_over=setups[-1][1] if setups else known.setup_over,
        tried=parts.tried,
        run_from=None if parts.tried is None else parts.run_from,
        scrap=parts.scrap,
        halted=known.halted or not _unhalted(cell, start, floor, now),
    )


def _origin(cell: Cell, before: int, begin: int) -> Origin | None:
    """The last good piece counted for any order before an instant."""
    while (piece := pieces.last(cell.counters, GOOD, begin, before)) is not None:
        order = cell.schedule.order_at(piece.at)
        if order is not None:
            return Origin(piece.counted_at, order.id, order.product, cell.schedule.turn_end(piece.at), 0, piece.offset)
        before = max(cell.schedule.slice_at(piece.at).start, begin)
    return None


def _planned(schedule: Schedule, start: int, end: int) -> int:
    return (
        sum(piece.end - piece.start for piece in schedule.slices(start, end) if piece.status == BUSY)
        if start < end
        else 0
    )


def _first_good(cell: Cell, run: Run, start: int, end: int) -> pieces.Count | None:
    """The first good piece counted for one of the run's orders from `start` on."""
    while (counted := pieces.first(cell.counters, GOOD, start, end)) is not None:
        planned = cell.schedule.slice_at(counted.at)
        if planned.order in run.orders:
            return counted
        start = planned.end
    return None


def _setups(cell: Cell, start: int, end: int, now: int) -> list[tuple[int, int]]:
    """When the machine was in mode setup in [start, end)."""
    setups: list[tuple[int, int]] = []
    for interval in cell.intervals(start, end, now):
        if interval.mode == SETUP:
            if setups and setups[-1][1] == interval.start:
                setups[-1] = (setups[-1][0], interval.end)
            else:
                setups.append((interval.start, interval.end))
    return setups


def _unhalted(cell: Cell, start: int, end: int, now: int) -> bool:
    return all(cell.elements.runs(interval.state, interval.mode) for interval in cell.intervals(start, end, now))
