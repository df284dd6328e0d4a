"""Production records: pieces made in each bucket of production_s (aligned to the epoch), per order.

A bucket in which the order changes gives one record per order, beginning where its part begins. Each increment of a
counter counts for the order that runs at the increment's time, so the sum over all buckets is exactly what the counters
made. Published when the watermark passes the bucket's end; buckets without pieces are not published.
"""

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.output.withdrawal import emptied
from processors.timeline.view import View
from schemas.records import Derived, Production

KIND = "production"


class ProductionRecords(Derivation):
    """Pieces by bucket and order."""

    __slots__ = ()

    name = KIND
    kinds = (KIND,)
    records = (Production,)
    rests = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Buckets that close now, and closed ones that changed."""
        out: list[Derived] = []
        bucket_us = view.moment.bucket_us
        last = view.watermark // bucket_us  # the first bucket still open
        closing = max(view.previous_watermark, view.begin) // bucket_us
        wanted = set(range(closing, last))
        for lo, hi in view.spans:
            wanted.update(range(lo // bucket_us, min(hi // bucket_us + 1, last)))
        for bucket in sorted(wanted):
            out += _bucket(cell, view, bucket * bucket_us, (bucket + 1) * bucket_us)
        return out


def _bucket(cell: Cell, view: View, start: int, end: int) -> list[Derived]:
    gone = set(cell.ledger.starts(KIND, start, end))
    out: list[Derived] = []
    for begin, until, order in _runs(cell, start, end):
        made = cell.windows.nothing()
        for totals in cell.windows.pieces(cell.schedule, begin, until).values():
            made.add(totals)
        if begin not in gone and not (made.made or made.resets):
            continue
        gone.discard(begin)
        known = cell.schedule.orders.get(order) if order is not None else None
        out += cell.ledger.put(
            Production,
            KIND,
            begin,
            until,
            True,
            view.inputs(made.first_offset, made.last_offset),
            good=made.good,
            scrap=made.scrap,
            rework=made.rework,
            resets=made.resets,
            order=order,
            product=known.order.product if known is not None else None,
        )
    for started_at in sorted(gone):
        out += cell.ledger.withdraw(KIND, started_at, **emptied(cell.ledger.get(KIND, started_at)))
    return out


def _runs(cell: Cell, start: int, end: int) -> list[tuple[int, int, str | None]]:
    """[start, end) cut where the order changes."""
    runs: list[tuple[int, int, str | None]] = []
    for piece in cell.schedule.slices(start, end):
        if runs and runs[-1][2] == piece.order:
            runs[-1] = (runs[-1][0], piece.end, piece.order)
        else:
            runs.append((piece.start, piece.end, piece.order))
    return runs
