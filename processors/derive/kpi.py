"""Kpi records: every KPI of the plant's definition for a window, with the sums that roll-ups and audits need.

Windows: hours (UTC), shifts, orders, days of the line's time zone, and products: the part of a day in which a product's
orders ran. Provisional every kpi_s while open, final when the watermark passes the end, corrected after that.

Beside time and pieces a record knows: FE, stops in which the machine broke down in the window, each once; TTR, time broken down in it; TBF = running
+ setup + TTR (ISO 22400's time between failures leaves out delays); CMT = TTR; PMT, time in mode maintenance or in stops
of category maintenance; IP and GP, pieces counted and good at first pass; E, energy; AOET, from begin to end of an order.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from processors.cell.cell import Cell
from processors.derive import oee
from processors.derive.derivation import Derivation
from processors.output.withdrawal import emptied
from processors.timeline import stops
from processors.timeline.elements import MAINTENANCE, SETUP
from processors.timeline.stops import Stops
from processors.timeline.sums import DAY, LONG_MAX, ORDERS, Running
from processors.timeline.totals import Groups, Totals
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Derived, Kpi, KpiPieces, KpiStops
from topology.kpi.values import Facts, losses, values

KIND = "kpi"
PRODUCT = "kpi.product."
BREAKDOWN = "breakdown"
Span = tuple[int, int]


class KpiWindow(NamedTuple):
    """What a record is about. `parts`: the stretches of it that count, in order: an order or shift
    may be interrupted, a product's orders ran now and then."""

    window: str
    start: int
    end: int
    parts: list[Span]
    name: str | None = None
    order: str | None = None
    product: str | None = None

    @property
    def kind(self) -> str:
        """Kind of the record; a product's name is quoted: an id has separators of its own."""
        return f"{PRODUCT}{quote(self.product or '', safe='')}" if self.window == "product" else f"kpi.{self.window}"


class KpiRecords(Derivation):
    """Every KPI of the definition, for every window."""

    __slots__ = ()

    name = "kpi"
    kinds = ("kpi",)
    records = (Kpi,)
    rests = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Windows that are due."""
        out: list[Derived] = []
        for window, groups in _due(cell, view):
            if window.parts[0][0] < view.now or groups:  # else nothing is counted in the last moment of a history
                out += _publish(cell, view, window, groups)
        return out

    def withdraw(self, cell: Cell, view: View) -> list[Derived]:
        """Takes back windows of orders, shifts and products that a later fact has moved or removed."""
        out: list[Derived] = []
        schedule, ledger = cell.schedule, cell.ledger
        there = {  # one that now ends before the first sign of life has no record
            "kpi.order": {order.start for order in schedule.orders.values() if order.end > view.begin},
            "kpi.shift": {shift.start for shift in schedule.shifts.values() if shift.end > view.begin},
        }
        for kind in ledger.kinds():
            if kind.startswith(PRODUCT):
                there[kind] = set()
                for started_at in ledger.starts(kind, view.floor, INF):
                    known = ledger.get(kind, started_at)
                    day = schedule.days.at(started_at)
                    if isinstance(known, Kpi) and known.product in _products(cell, view, day.start, day.end):
                        there[kind].add(started_at)
        for kind, starts in there.items():
            for started_at in ledger.starts(kind, view.floor, INF):
                if started_at not in starts:
                    out += ledger.withdraw(kind, started_at, **emptied(ledger.get(kind, started_at)))
        return out


def _due(cell: Cell, view: View) -> Iterator[tuple[KpiWindow, Groups]]:
    first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
    schedule, sums, flush = cell.schedule, cell.sums, view.moment.flush_kpi
    for hour in range(first // HOUR, view.now // HOUR + 1):
        start, end = hour * HOUR, (hour + 1) * HOUR
        if view.due(start, end, flush):
            groups = sums.hour(schedule, hour, view)
            yield KpiWindow("hour", start, end, [(start, end)]), groups
    for name, shift in schedule.shifts.items():
        if shift.end > view.begin and view.begun(shift.start) and view.due(shift.start, shift.end, flush):
            window = KpiWindow("shift", shift.start, shift.end, [*shift.parts], name)
            yield window, sums.shift(schedule, name, view)
    for name, order in schedule.orders.items():
        if order.end > view.begin and view.begun(order.start) and view.due(order.start, order.end, flush):
            groups = sums.of(schedule, Running(ORDERS, name, order.start, order.end, order.parts), view)
            product = order.order.product
            yield KpiWindow("order", order.start, order.end, [*order.parts], name, name, product), groups
    for day in schedule.days.between(first, view.now + 1):
        if view.due(day.start, day.end, flush):
            groups = sums.of(schedule, Running(DAY, day.name, day.start, day.end), view)
            yield KpiWindow("day", day.start, day.end, [(day.start, day.end)], day.name), groups
            for product, parts in _products(cell, view, day.start, day.end).items():
                orders = {name for name, order in schedule.orders.items() if order.order.product == product}
                own = {group: totals for group, totals in groups.items() if group.order in orders}
                yield KpiWindow("product", day.start, day.end, parts, product, product=product), own


def _products(cell: Cell, view: View, start: int, end: int) -> dict[str, list[Span]]:
    """Product → when its orders ran in [start, end)."""
    ran: dict[str, list[Span]] = {}
    for turn in cell.schedule.turns:
        since, until = max(turn.start, start, cell.born or 0), min(turn.end, end)
        if since < until and view.begun(since):
            ran.setdefault(turn.order.product, []).append((since, until))
    return ran


def _publish(cell: Cell, view: View, window: KpiWindow, groups: Groups) -> list[Derived]:
    elements, schedule = cell.elements, cell.schedule
    totals = Totals([0] * len(elements.names))
    for part in groups.values():
        totals.add(part)
    made = oee.pieces(groups, schedule, cell.type.ideal_cycle_s)
    stopped = _stops(cell, view, window, totals)
    element_us = dict(zip(elements.names, totals.element_us, strict=True))
    quantities = _quantities(cell, view, window, totals, _by_category(stopped))
    facts = Facts(element_us, made, quantities, totals.observed_us)
    return cell.ledger.put(
        Kpi,
        window.kind,
        window.start,
        window.end if window.end != INF and window.end <= view.now else None,
        window.end <= view.watermark,
        view.inputs(totals.first_offset, totals.last_offset),
        window=window.window,
        window_name=window.name,
        order=window.order,
        product=window.product,
        element_us=element_us,
        pieces=tuple(
            KpiPieces(
                product=pieces.product,
                ideal_cycle_us=pieces.ideal_cycle_us,
                good=pieces.good,
                scrap=pieces.scrap,
                rework=pieces.rework,
                start_up=pieces.start_up,
                unseen=pieces.unseen,
            )
            for pieces in made
        ),
        quantities=quantities,
        loss_us={name: max(-LONG_MAX, min(us, LONG_MAX)) for name, us in losses(elements.definition, facts).items()},
        stops=_longest_first(stopped),
        values=values(elements.definition, facts, cell.line.site_kpis),
        parts=(),
        rule=None,
        **oee.observation(facts.observed_us, sum(element_us.values()), facts.stateless)._asdict(),
    )


def _stops(cell: Cell, view: View, window: KpiWindow, totals: Totals) -> Stops:
    """The window's stops; those before the floor are among the sums that were carried over."""
    stopped: Stops = {}
    stops.merge(stopped, totals.stops or {})
    for start, end in window.parts:
        stops.merge(stopped, stops.within(cell.ledger, max(start, view.floor), min(end, view.now)))
    return stopped


def _by_category(stopped: Stops) -> dict[str | None, tuple[int, int]]:
    """Category → (stops in which it began here, µs)."""
    summed: dict[str | None, tuple[int, int]] = {}
    for (_, _, category), (_, us, count) in stopped.items():
        count_before, us_before = summed.get(category, (0, 0))
        summed[category] = count_before + count, us_before + us
    return summed


def _longest_first(stopped: Stops) -> tuple[KpiStops, ...]:
    longest = sorted(stopped.items(), key=lambda item: (-item[1][1], -item[1][0], str(item[0])))
    return tuple(
        KpiStops(reason_code=code, reason=reason, category=category, count=count, stopped_us=us)
        for (code, reason, category), (count, us, _) in longest
    )


def _quantities(
    cell: Cell, view: View, window: KpiWindow, totals: Totals, stopped: dict[str | None, tuple[int, int]]
) -> dict[str, float]:
    definition = cell.elements.definition
    failures, repair_us = stopped.get(BREAKDOWN, (0, 0))
    setup = definition.element("stopped", SETUP, True)
    between_us = repair_us + sum(
        us
        for name, us in zip(cell.elements.names, totals.element_us, strict=True)
        if definition.elements[name].loss == "none" or (name == setup and definition.elements[name].loss != "outside")
    )
    maintained_us = stopped.get(MAINTENANCE, (0, 0))[1]
    maintained_us += totals.maintained_us
    for start, end in window.parts:
        maintained_us += cell.timeline.in_mode_us(MAINTENANCE, max(start, view.begin), min(end, view.now), view.now)
    quantities: dict[str, float] = {
        "FE": failures,
        "TTR": repair_us,
        "TBF": between_us,
        "CMT": repair_us,
        "PMT": maintained_us,
        "IP": totals.made,
        "GP": totals.good,
    }
    if any(counter.what == "energy" for counter in cell.counters):
        quantities["E"] = totals.energy / 1000
    if window.window == "order" and window.end <= view.now:
        quantities["AOET"] = window.end - window.start
    return {name: float(quantity) for name, quantity in quantities.items()}
