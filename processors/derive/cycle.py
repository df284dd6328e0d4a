"""Cycle records: how long a cycle took, per work unit, product and hour (UTC), from what the counters add.

Between two times at which pieces were counted, good or not, n pieces are n cycles of a n-th of that time. Left out, and
counted apart, are pieces whose cycle is not known: the machine did not run all through it, a counter began again, the
product changed, or nothing was counted within LOOK before it. A cycle is of the product, and of the hour, in which it
ends. Percentiles are nearest ranks: values that were measured, exact.

An ideal cycle is suspect once MEASURED cycles speak: too_long when they beat it as a whole (performance above 1) or when
the fastest tenth takes less than BEATEN of it, too_short when even the fastest tenth takes more than OUT_OF_REACH times
as long. Counters read seldom blur single cycles, which is why BEATEN leaves room.

Provisional each half hour while the hour is open, final when the watermark passes its end, corrected after that.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.derive.oee import ideal_cycle_us
from processors.inputs import pieces
from processors.inputs.counters import MADE_BEFORE, increments
from processors.inputs.pieces import MADE, Count
from processors.output.withdrawal import emptied
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Cycle, Derived

KIND = "cycle"
LOOK = HOUR
"""How far before it (µs) a piece's predecessor is looked for."""
SHOWN = 1_800_000_000
"""How often (µs) an open hour is published."""
MEASURED, BEATEN, OUT_OF_REACH = 20, Fraction(4, 5), Fraction(3, 2)
PERCENTILES = {"min_us": 0, "p5_us": 5, "p10_us": 10, "median_us": 50, "p95_us": 95, "max_us": 100}


Before = Callable[[Cell, View, int], Count | None]
"""(cell, view, begin of an hour) → the last piece before it."""


class ProductCycles:
    """The cycles of one product."""

    def __init__(self) -> None:
        self.lengths: list[tuple[int, int]] = []
        """(µs, how many)."""
        self.total_us = self.ideal_us = self.count = self.slow = self.interrupted = 0
        self.first_offset = self.last_offset = NO_OFFSET

    def content(self) -> dict[str, Any]:
        """What a record says."""
        lengths: dict[str, Any] = dict(
            zip(PERCENTILES, percentiles(self.lengths, tuple(PERCENTILES.values())), strict=True)
        )
        ideal = rounded(self.ideal_us, self.count)
        suspicion = suspect(self.count, self.total_us, self.ideal_us, lengths["p10_us"])
        return lengths | {
            "cycles": self.count,
            "interrupted": self.interrupted,
            "cycles_us": self.total_us,
            "mean_us": rounded(self.total_us, self.count),
            "slow": self.slow,
            "ideal_cycle_us": ideal,
            "suspicion": suspicion,
            "suggested_ideal_us": lengths["p10_us"] if suspicion is not None else None,
        }


def percentiles(lengths: list[tuple[int, int]], wanted: tuple[int, ...]) -> list[int | None]:
    """Nearest ranks, for rising `wanted`: the smallest value that so many in a hundred do not exceed."""
    total = sum(count for _, count in lengths)
    ranks: list[int | None] = []
    passed, ranked = 0, iter(sorted(lengths))
    value: int | None = None
    for percent in wanted:
        rank = max(1, -(-percent * total // 100)) if total else 0
        while passed < rank:
            value, count = next(ranked)
            passed += count
        ranks.append(value)
    return ranks


def suspect(count: int, total_us: int, ideal_us: int, fast_us: int | None) -> str | None:
    """What the cycles say about their ideal (its sum over them): too_long, too_short or None."""
    if fast_us is None or count < MEASURED:
        return None
    if ideal_us > total_us or fast_us * count < BEATEN * ideal_us:
        return "too_long"
    return "too_short" if fast_us * count > OUT_OF_REACH * ideal_us else None


def rounded(total: int, count: int) -> int | None:
    return (2 * total + count) // (2 * count) if count else None


class CycleRecords(Derivation):
    """Cycles by product and hour."""

    __slots__ = ("_piece_before",)

    name = KIND
    kinds = (KIND,)
    records = (Cycle,)
    rests = True

    def __init__(self, cell: Cell) -> None:
        self._piece_before: tuple[int, Count | None] | None = None
        """An hour's begin, and the last piece before it. Not saved: it can be looked for again."""

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Hours that are due."""
        if not any(counter.what in MADE for counter in cell.counters):
            return []
        out: list[Derived] = []
        show = view.moment.last or view.now // SHOWN != cell.settled // SHOWN
        first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
        for hour in range(first // HOUR, view.now // HOUR + 1):
            start, end = hour * HOUR, (hour + 1) * HOUR
            late = end <= view.watermark and any(lo <= end and hi >= start - LOOK for lo, hi in cell.touched)
            if late or view.due(start, end, show and end > view.now):
                out += self._hour(cell, view, start, end)
        return out

    def _hour(self, cell: Cell, view: View, start: int, end: int) -> list[Derived]:
        out: list[Derived] = []
        ledger = cell.ledger
        by_product = _cycles(cell, view, start, end, self._before)
        by_kind = {_kind(product): (product, cycles) for product, cycles in by_product.items()}
        for kind, (product, cycles) in sorted(by_kind.items()):
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
            if kind.partition(".")[0] == KIND and kind not in by_kind and ledger.starts(kind, start, start + 1):
                out += ledger.withdraw(kind, start, **emptied(ledger.get(kind, start)))
        return out

    def _before(self, cell: Cell, view: View, start: int) -> Count | None:
        """The last piece within LOOK before an hour; kept until something late comes before it ends."""
        known = self._piece_before
        stale = known is None or known[0] != start or any(lo <= start for lo, _ in cell.touched)
        if known is None or stale or (known[1] is not None and known[1].at < view.begin):
            known = self._piece_before = start, pieces.last(cell.counters, MADE, max(start - LOOK, view.begin), start)
        return known[1]


def _kind(product: str | None) -> str:
    """A product's name is quoted: an id has separators of its own."""
    return KIND if product is None else f"{KIND}.{quote(product, safe='')}"


def _cycles(cell: Cell, view: View, start: int, end: int, before_hour: Before) -> dict[str | None, ProductCycles]:
    """Product → the cycles that end in [start, end), as far as it is over."""
    until = min(end, cell.until(view.now))
    schedule, slow = cell.schedule, cell.type.slow_cycle_factor
    counted = _counted(cell, start, until)
    if not counted:
        return {}
    before = before_hour(cell, view, start)
    since = -INF if before is None else before.counted_at
    begin = start if before is None else before.at
    running = [*_running(cell, begin, until, view.now), (INF, INF)]
    run_from, run_to = running[0]
    n = 0
    by_product: dict[str | None, ProductCycles] = {}
    planned = schedule.slice_at(begin)
    product, ideal_us = _made_of(cell, planned.order)
    known_product, cycles = product, None
    for at, made_at, number, reset, offset in counted:
        if not planned.start <= made_at < planned.end:
            planned = schedule.slice_at(made_at)
            product, ideal_us = _made_of(cell, planned.order)
        if cycles is None or product != known_product:
            cycles = by_product.setdefault(product, ProductCycles())
        while run_to < at - MADE_BEFORE:
            n += 1
            run_from, run_to = running[n]
        elapsed_us = at - since
        if run_from <= since and elapsed_us <= LOOK and not reset and product == known_product:
            cycles.lengths.append((elapsed_us // number, number))
            cycles.count += number
            cycles.total_us += elapsed_us
            cycles.ideal_us += ideal_us * number
            if elapsed_us > slow * ideal_us * number:
                cycles.slow += number
        else:
            cycles.interrupted += number
        if cycles.first_offset > offset:
            cycles.first_offset = offset
        if cycles.last_offset < offset or cycles.last_offset == NO_OFFSET:
            cycles.last_offset = offset
        since, known_product = at, product
    return by_product


Counting = tuple[int, int, int, int, int]
"""(when the counter said so, when the pieces were made, how many, whether their cycle is unknown, offset)."""


def _counted(cell: Cell, start: int, end: int) -> list[Counting]:
    """The pieces made in [start, end). Of amounts that are spread no cycle is known, nor of what is counted among them."""
    counted: list[Counting] = []
    making = [counter for counter in cell.counters if counter.what in MADE]
    spread = int(any(counter.spread_us is not None for counter in making))
    for counter in making:
        for at, number, reset, offset in increments(counter, start, end):
            if number > 0 or reset:
                counted.append((at + counter.before, at, number, reset | spread, offset))
    counted.sort()
    merged: list[Counting] = []
    last = -INF
    for count in counted:
        if count[0] == last:
            _, made_at, number, reset, offset = merged[-1]
            merged[-1] = (last, made_at, number + count[2], reset | count[3], offset)
        else:
            merged.append(count)
            last = count[0]
    again = 0
    pieces: list[Counting] = []
    for at, made_at, number, reset, offset in merged:
        again |= reset
        if number > 0:  # a counter that began again at 0 says so with the next piece
            pieces.append((at, made_at, number, again, offset))
            again = 0
    return pieces


def _running(cell: Cell, start: int, end: int, now: int) -> list[tuple[int, int]]:
    """The stretches of [start, end) in which the machine runs, apart from each other."""
    stretches: list[tuple[int, int]] = []
    for interval in cell.intervals(start, end, now):
        if cell.elements.runs(interval.state, interval.mode):
            if stretches and stretches[-1][1] == interval.start:
                stretches[-1] = (stretches[-1][0], interval.end)
            else:
                stretches.append((interval.start, interval.end))
    return stretches


def _made_of(cell: Cell, order: str | None) -> tuple[str | None, int]:
    """(product, ideal cycle) of an order."""
    product = None if order is None else cell.schedule.orders[order].order.product
    return product, ideal_cycle_us(cell.schedule, order, cell.type.ideal_cycle_s)
