"""Cycle records: how long a cycle took, per work unit, product and hour (UTC), from what the counters add.

Between two times at which pieces were counted, good or not, n pieces are n cycles of a n-th of that time. Left out, and
counted apart, are pieces whose cycle is not known: the machine did not run all through it, a counter began again, the
product changed, or nothing was counted within LOOK before it. A cycle is of the product, and of the hour, in which it
ends. Percentiles are nearest ranks: values that were measured, exact.

An ideal cycle is suspect once MEASURED cycles speak: too_long when they beat it as a whole (performance above 1) or when
the fastest tenth takes less than BEATEN of it, too_short when even the fastest tenth takes more than OUT_OF_REACH times
as long. Counters read seldom blur single cycles, which is why BEATEN leaves room.

Provisional every kpi_s while the hour is open, final when the watermark passes its end, corrected after that.
"""

from fractions import Fraction
from typing import Any
from urllib.parse import quote

from processors import pieces
from processors.cell import Cell
from processors.oee import ideal_cycle_us
from processors.pieces import MADE
from processors.series import HOUR
from processors.timeline import NO_OFFSET, hull
from processors.view import View
from processors.withdrawal import emptied
from schemas.records import Cycle, Derived

KIND = "cycle"
LOOK = HOUR
"""How far before it (µs) a piece's predecessor is looked for."""
MEASURED, BEATEN, OUT_OF_REACH = 20, Fraction(4, 5), Fraction(3, 2)
PERCENTILES = {"min_us": 0, "p5_us": 5, "p10_us": 10, "median_us": 50, "p95_us": 95, "max_us": 100}


class Cycles:
    """The cycles of one product."""

    def __init__(self) -> None:
        self.lengths: list[tuple[int, int]] = []
        """(µs, how many)."""
        self.total_us = self.ideal_us = self.count = self.slow = self.interrupted = 0
        self.first_offset = self.last_offset = NO_OFFSET

    def measured(self, elapsed_us: int, count: int, ideal_us: int, slow_factor: float) -> None:
        self.lengths.append((elapsed_us // count, count))
        self.total_us += elapsed_us
        self.ideal_us += ideal_us * count
        self.count += count
        if elapsed_us > slow_factor * ideal_us * count:
            self.slow += count

    def content(self) -> dict[str, Any]:
        """What a record says."""
        found: dict[str, Any] = dict(
            zip(PERCENTILES, percentiles(self.lengths, tuple(PERCENTILES.values())), strict=True)
        )
        ideal = rounded(self.ideal_us, self.count)
        suspicion = suspect(self.count, self.total_us, self.ideal_us, found["p10_us"])
        return found | {
            "cycles": self.count,
            "interrupted": self.interrupted,
            "cycles_us": self.total_us,
            "mean_us": rounded(self.total_us, self.count),
            "slow": self.slow,
            "ideal_cycle_us": ideal,
            "suspicion": suspicion,
            "suggested_ideal_us": found["p10_us"] if suspicion is not None else None,
        }


def percentiles(lengths: list[tuple[int, int]], wanted: tuple[int, ...]) -> list[int | None]:
    """Nearest ranks, for rising `wanted`: the smallest value that so many in a hundred do not exceed."""
    total = sum(count for _, count in lengths)
    found: list[int | None] = []
    passed, ranked = 0, iter(sorted(lengths))
    value: int | None = None
    for percent in wanted:
        rank = max(1, -(-percent * total // 100)) if total else 0
        while passed < rank:
            value, count = next(ranked)
            passed += count
        found.append(value)
    return found


def suspect(count: int, total_us: int, ideal_us: int, fast_us: int | None) -> str | None:
    """What the cycles say about their ideal (its sum over them): too_long, too_short or None."""
    if fast_us is None or count < MEASURED:
        return None
    if ideal_us > total_us or fast_us * count < BEATEN * ideal_us:
        return "too_long"
    return "too_short" if fast_us * count > OUT_OF_REACH * ideal_us else None


def rounded(total: int, count: int) -> int | None:
    return (2 * total + count) // (2 * count) if count else None


def derive(cell: Cell, view: View) -> list[Derived]:
    """Hours that are due."""
    if not any(counter.what in MADE for counter in cell.counters):
        return []
    out: list[Derived] = []
    first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
    for hour in range(first // HOUR, view.now // HOUR + 1):
        start, end = hour * HOUR, (hour + 1) * HOUR
        if view.due(start, end, view.flush_kpi) or (
            end <= view.watermark and any(lo <= end and hi >= start - LOOK for lo, hi in cell.touched)
        ):
            out += _hour(cell, view, start, end)
    return out


def _hour(cell: Cell, view: View, start: int, end: int) -> list[Derived]:
    out: list[Derived] = []
    ledger = cell.ledger
    found = {_kind(product): (product, cycles) for product, cycles in _cycles(cell, view, start, end).items()}
    for kind, (product, cycles) in sorted(found.items()):
        out += ledger.put(
            Cycle,
            kind,
            start,
            end if end <= view.now else None,
            end <= view.watermark,
            view.inputs(cycles.first_offset, cycles.last_offset),
            product=product,
            **cycles.content(),
        )
    for kind in ledger.kinds():
        if kind.partition(".")[0] == KIND and kind not in found and ledger.starts(kind, start, start + 1):
            out += ledger.withdraw(kind, start, **emptied(ledger.get(kind, start)))
    return out


def _kind(product: str | None) -> str:
    """A product's name is quoted: an id has separators of its own."""
    return KIND if product is None else f"{KIND}.{quote(product, safe='')}"


def _cycles(cell: Cell, view: View, start: int, end: int) -> dict[str | None, Cycles]:
    """Product → the cycles that end in [start, end), as far as it is over."""
    until = min(end, view.now)
    plan = cell.plan
    counted = pieces.made(cell.counters, MADE, start, until)
    if not counted:
        return {}
    earliest = max(counted[0].at - LOOK, view.begin)
    before = pieces.last(cell.counters, MADE, earliest, start)
    running = _running(cell, start if before is None else before.at, until, view.now)
    found: dict[str | None, Cycles] = {}
    piece = plan.piece(start if before is None else before.at)
    product = _product(cell, piece.order)
    n = 0
    for one in counted:
        known_product = product
        if not piece.start <= one.at < piece.end:
            piece = plan.piece(one.at)
            product = _product(cell, piece.order)
        cycles = found.get(product)
        if cycles is None:
            cycles = found[product] = Cycles()
        since = None if before is None else before.at
        while n < len(running) and running[n][1] < one.at:
            n += 1
        if (
            since is None
            or one.at - since > LOOK
            or one.reset
            or product != known_product
            or not (n < len(running) and running[n][0] <= since)
        ):
            cycles.interrupted += one.number
        else:
            ideal_us = ideal_cycle_us(plan, piece.order, cell.type.ideal_cycle_s)
            cycles.measured(one.at - since, one.number, ideal_us, cell.type.slow_cycle_factor)
        cycles.first_offset, cycles.last_offset = hull(cycles.first_offset, cycles.last_offset, one.offset, one.offset)
        before = one
    return found


def _running(cell: Cell, start: int, end: int, now: int) -> list[tuple[int, int]]:
    """The stretches of [start, end) in which the machine runs, apart from each other."""
    found: list[tuple[int, int]] = []
    for interval in cell.intervals(start, end, now):
        if cell.elements.runs(interval.state, interval.mode):
            if found and found[-1][1] == interval.start:
                found[-1] = (found[-1][0], interval.end)
            else:
                found.append((interval.start, interval.end))
    return found


def _product(cell: Cell, order: str | None) -> str | None:
    return None if order is None else cell.plan.orders[order].order.product
