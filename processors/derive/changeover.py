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
known, so that a changeover over a weekend is measured, too.
"""

from typing import NamedTuple

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.inputs import pieces
from processors.inputs.counters import Counted
from processors.inputs.pieces import MADE, NOT_GOOD
from processors.inputs.schedule import BUSY, Plan
from processors.output.withdrawal import emptied
from processors.timeline.elements import SETUP
from processors.timeline.timeline import NO_OFFSET, hull
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


class Origin(NamedTuple):
    """The last good piece of the product before."""

    at: int
    order: str
    product: str
    until: int
    """The end of its order."""
    planned_us: int
    """Planned busy time from the piece to the floor, where it lies before it."""
    offset: int


def runs(plan: Plan) -> list[Run]:
    found: list[Run] = []
    for span in plan.orders.values():
        product, name = span.order.product, span.order.id
        if found and found[-1].product == product:
            found[-1] = found[-1]._replace(end=span.end, orders=(*found[-1].orders, name))
        else:
            found.append(Run(product, span.start, span.end, (name,)))
    return found


def derive(cell: Cell, view: View) -> list[Derived]:
    """Changeovers that still go on, and those that something late has touched."""
    if not (view.flush or cell.touched) or not any(counter.what == "good" for counter in cell.counters):
        return []
    begun = [run for run in runs(cell.plan) if run.start <= view.now]
    reopened = _reopened(cell, view)
    stale = {record.started_at for record in reopened if record.started_at >= view.begin}
    orders = {record.to_order for record in reopened}
    claimed: set[int] = set()
    out: list[Derived] = []
    for n, run in enumerate(begun):
        if n == 0 and cell.last_good is None:
            continue  # nothing was made before it
        last = n + 1 == len(begun)
        since = begun[n - 1].start if n else view.begin
        # An hour: it may have come and gone since the last flush.
        going_on = view.flush and (last or run.end > view.previous_watermark - HOUR)
        if not going_on and orders.isdisjoint(run.orders) and not _touched(cell, since, run.end):
            continue
        known = _known(cell, run)
        if known is not None:
            if known.started_at < view.begin and (cell.last_good is None or known.started_at != cell.last_good[0]):
                continue  # its begin is kept no more
            if known.status != "provisional" and not _touched(cell, known.started_at, _end(known)):
                continue
            stale.add(known.started_at)
        found = _publish(cell, view, run, last)
        if found is not None:
            claimed.add(found[0])
            out += found[1]
    for start in sorted(stale - claimed):
        out += cell.ledger.withdraw(KIND, start, **emptied(cell.ledger.get(KIND, start)))
    return out


def _reopened(cell: Cell, view: View) -> list[Changeover]:
    """What is provisional, when it is due, and what was published of stretches that something late has touched.

    Changeovers of a machine never overlap.
    """
    ledger = cell.ledger
    starts = {start for kind, start in ledger.open if kind == KIND} if view.flush else set()
    for lo, hi in cell.touched:
        before = ledger.start_before(KIND, lo)
        known = ledger.get(KIND, before) if before is not None else None
        if known is not None and before is not None and _end(known) >= lo:
            starts.add(before)
        starts.update(ledger.starts(KIND, lo, hi + 1))
    found = (ledger.get(KIND, start) for start in sorted(starts))
    return [known for known in found if isinstance(known, Changeover)]


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


def _publish(cell: Cell, view: View, run: Run, last: bool) -> tuple[int, list[Derived]] | None:
    """(begin, what is new) of the changeover to a run; None where there is none."""
    plan, counters = cell.plan, cell.counters
    origin = _origin(cell, run.start, view.begin)
    if origin is None and cell.last_good is not None:
        origin = Origin(*cell.last_good)
    if origin is None or origin.product == run.product:
        return None
    until = min(run.end, view.now)
    begun = run.start
    first = _first_good(cell, run, begun, until)
    flying = first is not None and _unhalted(cell, origin.at, first.counted_at, view.now)
    if flying:
        setup = next(iter(_setups(cell, begun, min(begun + EARLY, until), view.now)), None)
        if setup is not None and (late := pieces.last(counters, GOOD, begun, setup[0] + 1)) is not None:
            origin, begun = origin._replace(at=late.counted_at, offset=late.offset), late.at + 1
            first = _first_good(cell, run, begun, until)
    if first is None and not last:
        return None
    end = view.now if first is None else first.counted_at
    setups = _setups(cell, max(origin.at, view.begin), end, view.now)
    setup_from = setups[0][0] if setups else min(max(origin.until, origin.at), end)
    since = max(begun, setup_from)
    trial = pieces.first(counters, MADE, since, end)
    tried = end if trial is None else trial.counted_at
    run_from = max((over for _, over in setups if over <= tried), default=tried)
    scrap = sum(piece.number for piece in pieces.made(counters, NOT_GOOD, setup_from, end + (first is not None)))
    on_machine = plan.piece(first.at if first is not None else end - 1).order
    offsets = hull(origin.offset, origin.offset, *((first.offset,) * 2 if first else (NO_OFFSET,) * 2))
    target_s = cell.type.changeover_target_s
    found = cell.ledger.put(
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
        teardown_us=setup_from - origin.at,
        setup_us=run_from - setup_from,
        run_in_us=end - run_from,
        planned_us=origin.planned_us + _planned(plan, max(origin.at, view.begin), end),
        target_us=None if target_s is None else round(target_s * 1_000_000),
        scrap=scrap,
    )
    return origin.at, found


def _origin(cell: Cell, before: int, begin: int) -> Origin | None:
    """The last good piece counted for any order before an instant."""
    while (found := pieces.last(cell.counters, GOOD, begin, before)) is not None:
        order = cell.plan.order_at(found.at)
        if order is not None:
            return Origin(found.counted_at, order.id, order.product, cell.plan.orders[order.id].end, 0, found.offset)
        before = max(cell.plan.piece(found.at).start, begin)
    return None


def remember(cell: Cell, floor: int) -> None:
    """Notes the last good piece before `floor`, before samples and facts from there are let go."""
    found = _origin(cell, floor, cell.floor)
    if found is not None:
        cell.last_good = found._replace(planned_us=_planned(cell.plan, found.at, floor))
    elif cell.last_good is not None:
        known = Origin(*cell.last_good)
        cell.last_good = known._replace(
            planned_us=known.planned_us + _planned(cell.plan, max(known.at, cell.floor), floor)
        )


def _planned(plan: Plan, start: int, end: int) -> int:
    return (
        sum(piece.end - piece.start for piece in plan.pieces(start, end) if piece.status == BUSY) if start < end else 0
    )


def _first_good(cell: Cell, run: Run, start: int, end: int) -> pieces.Pieces | None:
    """The first good piece counted for one of the run's orders from `start` on."""
    while (found := pieces.first(cell.counters, GOOD, start, end)) is not None:
        piece = cell.plan.piece(found.at)
        if piece.order in run.orders:
            return found
        start = piece.end
    return None


def _setups(cell: Cell, start: int, end: int, now: int) -> list[tuple[int, int]]:
    """When the machine was in mode setup in [start, end)."""
    found: list[tuple[int, int]] = []
    for interval in cell.intervals(start, end, now):
        if interval.mode == SETUP:
            if found and found[-1][1] == interval.start:
                found[-1] = (found[-1][0], interval.end)
            else:
                found.append((interval.start, interval.end))
    return found


def _unhalted(cell: Cell, start: int, end: int, now: int) -> bool:
    return all(cell.elements.runs(interval.state, interval.mode) for interval in cell.intervals(start, end, now))
