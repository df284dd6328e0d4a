"""OEE records: the elements of a window, its pieces, and availability, performance, quality and OEE from them.

By the plant's KPI definition. Those of ISO 22400-2, as published in secondary sources: PBT = window − unplanned − PDOT;
availability = APT/PBT; performance = Σ PRI·PQ / APT; quality = GQ/PQ; OEE = Σ PRI·GQ / PBT. A zero denominator gives
null. PRI is the order's ideal cycle, else the equipment type's.

Windows: hours (UTC), shifts and orders. Provisional every provisional_s while open, with the elements up to the tick and
`ended_at` null until the end is reached; final when the watermark passes the end; corrected after that.
"""

from typing import Any, NamedTuple

from processors.cell.cell import Cell
from processors.derive.derivation import Derivation
from processors.inputs.schedule import Schedule
from processors.output.withdrawal import emptied
from processors.timeline.elements import Elements
from processors.timeline.sums import LONG_MAX, ORDERS, Running
from processors.timeline.view import View
from processors.timeline.windows import Groups, Totals
from processors.units import HOUR, INF
from schemas.records import Derived, Oee
from topology.kpi.values import Facts, Pieces, values

HOURLY, SHIFT, ORDER = "oee.hour", "oee.shift", "oee.order"
RATIOS = ("availability", "performance", "quality", "oee")


class Measures(NamedTuple):
    """What follows from a window's sums. Ratios are None where their denominator is zero, or not defined."""

    totals: Totals
    ideal_us: int
    ideal_good_us: int
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None


def measures(groups: Groups, schedule: Schedule, ideal_cycle_s: float, elements: Elements) -> Measures:
    """Σ over the groups (order, shift, day) of a window; ratios are ratios of sums."""
    totals = Totals([0] * len(elements.names))
    ideal_us = ideal_good_us = 0
    for group, part in groups.items():
        totals.add(part)
        cycle_us = ideal_cycle_us(schedule, group.order, ideal_cycle_s)
        ideal_us += cycle_us * part.made
        ideal_good_us += cycle_us * part.good
    if elements.iso22400:  # the same as the formulas say, many times faster
        apt = totals.element_us[elements.apt]
        busy = sum(totals.element_us) - sum(totals.element_us[n] for n in elements.outside)
        ratios = (
            ratio(apt, busy),
            ratio(ideal_us, apt),
            ratio(totals.good, totals.made),
            ratio(ideal_good_us, busy),
        )
    else:
        facts = Facts(
            dict(zip(elements.names, totals.element_us, strict=True)), pieces(groups, schedule, ideal_cycle_s)
        )
        by_formula = values(elements.definition, facts, only=RATIOS)
        availability, performance, quality, oee = (by_formula.get(name) for name in RATIOS)
        ratios = (availability, performance, quality, oee)
    return Measures(totals, min(ideal_us, LONG_MAX), min(ideal_good_us, LONG_MAX), *ratios)


def ideal_cycle_us(schedule: Schedule, order: str | None, ideal_cycle_s: float) -> int:
    """PRI: the order's, else the equipment type's."""
    span = schedule.orders.get(order) if order is not None else None
    cycle_s = span.order.ideal_cycle_s if span is not None else None
    return round((ideal_cycle_s if cycle_s is None else cycle_s) * 1_000_000)


def pieces(groups: Groups, schedule: Schedule, ideal_cycle_s: float) -> tuple[Pieces, ...]:
    """What was made, by product and ideal cycle."""
    made: dict[tuple[str | None, int], list[int]] = {}
    for group, part in groups.items():
        if part.made:
            span = schedule.orders.get(group.order) if group.order is not None else None
            key = None if span is None else span.order.product, ideal_cycle_us(schedule, group.order, ideal_cycle_s)
            counts = made.setdefault(key, [0, 0, 0, 0])
            counts[0] += part.good
            counts[1] += part.scrap
            counts[2] += part.rework
            counts[3] += part.start_up
    return tuple(
        Pieces(cycle_us, good, scrap, rework, product, start_up)
        for (product, cycle_us), (good, scrap, rework, start_up) in sorted(made.items(), key=lambda item: str(item[0]))
    )


def ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


class OeeRecords(Derivation):
    """OEE of hours, shifts and orders."""

    __slots__ = ()

    name = "oee"
    kinds = ("oee",)
    records = (Oee,)

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Windows that are due."""
        out: list[Derived] = []
        schedule, sums, flush = cell.schedule, cell.sums, view.moment.flush
        first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
        for hour in range(first // HOUR, view.now // HOUR + 1):
            start, end = hour * HOUR, (hour + 1) * HOUR
            if view.due(start, end, flush):
                groups = sums.hour(schedule, hour, view)
                out += _publish(cell, view, HOURLY, start, end, groups, window="hour")
        for name, shift in schedule.shifts.items():
            if shift.end > view.begin and shift.start < view.now and view.due(shift.start, shift.end, flush):
                groups = sums.shift(schedule, name, view)
                out += _publish(cell, view, SHIFT, shift.start, shift.end, groups, window="shift", window_name=name)
        for name, order in schedule.orders.items():
            if order.end > view.begin and order.start < view.now and view.due(order.start, order.end, flush):
                groups = sums.of(schedule, Running(ORDERS, name, order.start, order.end), view)
                out += _publish(
                    cell,
                    view,
                    ORDER,
                    order.start,
                    order.end,
                    groups,
                    window="order",
                    window_name=name,
                    order=name,
                    product=order.order.product,
                )
        return out

    def withdraw(self, cell: Cell, view: View) -> list[Derived]:
        """Takes back windows of orders and shifts that a later fact has moved or removed."""
        out: list[Derived] = []
        for kind, spans in ((ORDER, cell.schedule.orders.values()), (SHIFT, cell.schedule.shifts.values())):
            there = {span.start for span in spans}
            for started_at in cell.ledger.starts(kind, view.floor, INF):
                if started_at not in there:
                    out += cell.ledger.withdraw(kind, started_at, **emptied(cell.ledger.get(kind, started_at)))
        return out


def _publish(
    cell: Cell, view: View, kind: str, start: int, end: int, groups: Groups, **names: str | None
) -> list[Derived]:
    measured = measures(groups, cell.schedule, cell.type.ideal_cycle_s, cell.elements)
    totals = measured.totals
    content: dict[str, Any] = {"window_name": None, "order": None, "product": None} | names
    return cell.ledger.put(
        Oee,
        kind,
        start,
        end if end != INF and end <= view.now else None,
        end <= view.watermark,
        view.inputs(totals.first_offset, totals.last_offset),
        element_us=dict(zip(cell.elements.names, totals.element_us, strict=True)),
        good=totals.good,
        scrap=totals.scrap,
        rework=totals.rework,
        ideal_us=measured.ideal_us,
        ideal_good_us=measured.ideal_good_us,
        availability=measured.availability,
        performance=measured.performance,
        quality=measured.quality,
        oee=measured.oee,
        **content,
    )
