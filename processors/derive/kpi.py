"""Kpi records: every KPI of the plant's definition for a window, with the sums that roll-ups and audits need.

Windows: hours (UTC), shifts, orders, days of the line's time zone, and products: the part of a day in which a product's
orders ran. Provisional every kpi_s while open, final when the watermark passes the end, corrected after that.

Beside time and pieces a record knows: FE, breakdowns that began in the window; TTR, time broken down in it; TBF = running
+ setup + TTR (ISO 22400's time between failures leaves out delays); CMT = TTR; PMT, time in mode maintenance or in stops
of category maintenance; IP and GP, pieces counted and good at first pass; E, energy; AOET, from begin to end of an order.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from processors.cell.cell import Cell
from processors.cell.view import View
from processors.derive import oee
from processors.output.withdrawal import emptied
from processors.timeline import stops, sums
from processors.timeline.elements import MAINTENANCE, SETUP
from processors.timeline.stops import Stops
from processors.timeline.sums import LONG_MAX
from processors.timeline.windows import Groups, Totals
from processors.units import HOUR, INF
from schemas.records import Derived, Kpi, KpiPieces, KpiStops
from topology.kpi.values import Facts, losses, values

KIND = "kpi"
PRODUCT = "kpi.product."
BREAKDOWN = "breakdown"
Span = tuple[int, int]


class Window(NamedTuple):
    """What a record is about. `parts`: the stretches of it that count, in order; [start, end) for all but products."""

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


def derive(cell: Cell, view: View) -> list[Derived]:
    """Windows that are due."""
    out: list[Derived] = []
    for window, groups in _due(cell, view):
        out += _publish(cell, view, window, groups)
    return out


def _due(cell: Cell, view: View) -> Iterator[tuple[Window, Groups]]:
    first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
    plan, flush = cell.plan, view.flush_kpi
    for hour in range(first // HOUR, view.now // HOUR + 1):
        start, end = hour * HOUR, (hour + 1) * HOUR
        if view.due(start, end, flush):
            groups = cell.windows.hour(plan, hour, view.now, view.watermark)
            yield Window("hour", start, end, [(start, end)]), groups
    for name, shift in plan.shifts.items():
        if shift.end > view.begin and shift.start < view.now and view.due(shift.start, shift.end, flush):
            window = Window("shift", shift.start, shift.end, [(shift.start, shift.end)], name)
            yield window, sums.shift_sums(cell, name, view)
    for name, order in plan.orders.items():
        if order.end > view.begin and order.start < view.now and view.due(order.start, order.end, flush):
            groups = sums.window_sums(cell, sums.ORDERS, name, order.start, order.end, view)
            product = order.order.product
            yield Window("order", order.start, order.end, [(order.start, order.end)], name, name, product), groups
    for day in plan.days.between(first, view.now + 1):
        if view.due(day.start, day.end, flush):
            groups = sums.window_sums(cell, sums.DAY, day.name, day.start, day.end, view)
            yield Window("day", day.start, day.end, [(day.start, day.end)], day.name), groups
            for product, parts in _products(cell, view, day.start, day.end).items():
                orders = {name for name, order in plan.orders.items() if order.order.product == product}
                own = {group: totals for group, totals in groups.items() if group.order in orders}
                yield Window("product", day.start, day.end, parts, product, product=product), own


def _products(cell: Cell, view: View, start: int, end: int) -> dict[str, list[Span]]:
    """Product → when its orders ran in [start, end)."""
    found: dict[str, list[Span]] = {}
    for order in cell.plan.orders.values():
        since, until = max(order.start, start, cell.born or 0), min(order.end, end)
        if since < until and since < view.now:
            found.setdefault(order.order.product, []).append((since, until))
    return found


def _publish(cell: Cell, view: View, window: Window, groups: Groups) -> list[Derived]:
    elements, plan = cell.elements, cell.plan
    totals = Totals([0] * len(elements.names))
    for part in groups.values():
        totals.add(part)
    made = oee.pieces(groups, plan, cell.type.ideal_cycle_s)
    stopped = _stops(cell, view, window, totals)
    element_us = dict(zip(elements.names, totals.element_us, strict=True))
    quantities = _quantities(cell, view, window, totals, _by_category(stopped))
    facts = Facts(element_us, made, quantities)
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
                product=one.product,
                ideal_cycle_us=one.ideal_cycle_us,
                good=one.good,
                scrap=one.scrap,
                rework=one.rework,
                start_up=one.start_up,
            )
            for one in made
        ),
        quantities=quantities,
        loss_us={name: max(-LONG_MAX, min(us, LONG_MAX)) for name, us in losses(elements.definition, facts).items()},
        stops=_longest_first(stopped),
        values=values(elements.definition, facts, cell.site_kpis),
        parts=(),
        rule=None,
    )


def _stops(cell: Cell, view: View, window: Window, totals: Totals) -> Stops:
    """The window's stops; those before the floor are among the sums that were let go."""
    found: Stops = {}
    stops.merge(found, totals.stops or {})
    for start, end in window.parts:
        stops.merge(found, stops.within(cell.ledger, max(start, view.floor), min(end, view.now)))
    return found


def _by_category(stopped: Stops) -> dict[str | None, tuple[int, int]]:
    """Category → (how many began here, µs)."""
    found: dict[str | None, tuple[int, int]] = {}
    for (_, _, category), (count, us) in stopped.items():
        counted, summed = found.get(category, (0, 0))
        found[category] = counted + count, summed + us
    return found


def _longest_first(stopped: Stops) -> tuple[KpiStops, ...]:
    longest = sorted(stopped.items(), key=lambda item: (-item[1][1], -item[1][0], str(item[0])))
    return tuple(
        KpiStops(reason_code=code, reason=reason, category=category, count=count, stopped_us=us)
        for (code, reason, category), (count, us) in longest
    )


def _quantities(
    cell: Cell, view: View, window: Window, totals: Totals, stopped: dict[str | None, tuple[int, int]]
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
    found: dict[str, Any] = {
        "FE": failures,
        "TTR": repair_us,
        "TBF": between_us,
        "CMT": repair_us,
        "PMT": maintained_us,
        "IP": totals.made,
        "GP": totals.good,
    }
    if any(counter.what == "energy" for counter in cell.counters):
        found["E"] = totals.energy / 1000
    if window.window == "order" and window.end <= view.now:
        found["AOET"] = window.end - window.start
    return {name: float(quantity) for name, quantity in found.items()}


def withdraw_lost(cell: Cell, view: View) -> list[Derived]:
    """Takes back windows of orders, shifts and products that a later fact has moved or removed."""
    out: list[Derived] = []
    plan, ledger = cell.plan, cell.ledger
    there = {
        "kpi.order": {order.start for order in plan.orders.values()},
        "kpi.shift": {shift.start for shift in plan.shifts.values()},
    }
    for kind in ledger.kinds():
        if kind.startswith(PRODUCT):
            there[kind] = set()
            for started_at in ledger.starts(kind, view.floor, INF):
                known = ledger.get(kind, started_at)
                day = plan.days.at(started_at)
                if isinstance(known, Kpi) and known.product in _products(cell, view, day.start, day.end):
                    there[kind].add(started_at)
    for kind, starts in there.items():
        for started_at in ledger.starts(kind, view.floor, INF):
            if started_at not in starts:
                out += ledger.withdraw(kind, started_at, **emptied(ledger.get(kind, started_at)))
    return out
