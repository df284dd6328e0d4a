"""OEE records: the elements of a window, its pieces, and availability, performance, quality and OEE from them.

By the plant's KPI definition. Those of ISO 22400-2, as published in secondary sources: PBT = window − unplanned − PDOT,
the window as far as it was observed; availability = APT/PBT; performance = Σ PRI·PQ / APT; quality = GQ/PQ; OEE = Σ PRI·GQ / PBT. A zero denominator gives
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
from processors.timeline.totals import Groups, Totals
from processors.timeline.unseen import SEEN
from processors.timeline.view import View
from processors.units import HOUR, INF
from schemas.records import Derived, Oee
from topology.kpi.values import Facts, Pieces, total, values

HOURLY, SHIFT, ORDER = "oee.hour", "oee.shift", "oee.order"
RATIOS = ("availability", "performance", "quality", "oee")


Ratios = tuple[float | None, float | None, float | None, float | None]
STATELESS = "no state known"


class Observation(NamedTuple):
    """How much of a window was observed, as records say it. All µs."""

    observed_us: int | None
    elapsed_us: int | None
    coverage: float | None
    why_null: str | None


def observation(observed_us: int | None, elapsed_us: int, stateless: bool) -> Observation:
    """`stateless`: no state was known at all, so that what rests on time has no value."""
    coverage = None if observed_us is None else ratio(observed_us, elapsed_us)
    observed_us = None if observed_us is None else min(observed_us, LONG_MAX)
    return Observation(observed_us, min(elapsed_us, LONG_MAX), coverage, STATELESS if stateless else None)


class Measures(NamedTuple):
    """What follows from a window's sums. Ratios are None where their denominator is zero, or not defined."""

    totals: Totals
    observed: "Observation"
    ideal_us: int
    ideal_good_us: int
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None


def measures(groups: Groups, schedule: Schedule, ideal_cycle_s: float, elements: Elements) -> Measures:
    """Σ over the groups (order, shift, day) of a window; ratios are ratios of sums."""
    alone = len(groups) == 1
    totals = next(iter(groups.values())) if alone else Totals([0] * len(elements.names))
    ideal_us = ideal_good_us = 0
    for group, part in groups.items():
        if not alone:
            totals.add(part)
        cycle_us = ideal_cycle_us(schedule, group.order, ideal_cycle_s)
        ideal_us += cycle_us * part.made
        ideal_good_us += cycle_us * part.good
        if part.unseen != SEEN:
            ideal_us -= cycle_us * sum(part.unseen)
            ideal_good_us -= cycle_us * part.unseen.good
    elapsed_us = sum(totals.element_us)
    stateless = elapsed_us > 0 and not totals.observed_us
    if stateless and elements.iso22400:
        ratios: Ratios = (None, None, ratio(totals.good, totals.made), None)
    elif elements.iso22400:  # the same as the formulas say, many times faster
        apt = totals.element_us[elements.apt]
        busy = elapsed_us - sum(totals.element_us[n] for n in elements.outside)
        ratios = (
            ratio(apt, busy),
            ratio(ideal_us, apt),
            ratio(totals.good, totals.made),
            ratio(ideal_good_us, busy),
        )
    else:
        element_us = dict(zip(elements.names, totals.element_us, strict=True))
        facts = Facts(element_us, pieces(groups, schedule, ideal_cycle_s), observed_us=totals.observed_us)
        by_formula = values(elements.definition, facts, only=RATIOS)
        availability, performance, quality, oee = (by_formula.get(name) for name in RATIOS)
        ratios = (availability, performance, quality, oee)
    observed = observation(totals.observed_us, elapsed_us, stateless)
    return Measures(totals, observed, min(ideal_us, LONG_MAX), min(ideal_good_us, LONG_MAX), *ratios)


def ideal_cycle_us(schedule: Schedule, order: str | None, ideal_cycle_s: float) -> int:
    """PRI: the order's, else the equipment type's."""
    span = schedule.orders.get(order) if order is not None else None
    cycle_s = span.order.ideal_cycle_s if span is not None else None
    return round((ideal_cycle_s if cycle_s is None else cycle_s) * 1_000_000)


def pieces(groups: Groups, schedule: Schedule, ideal_cycle_s: float) -> tuple[Pieces, ...]:
    """What was made, by product and ideal cycle, and apart what was made while nobody saw the machine."""
    made: list[Pieces] = []
    for group, part in groups.items():
        if part.made:
            span = schedule.orders.get(group.order) if group.order is not None else None
            product = None if span is None else span.order.product
            cycle_us = ideal_cycle_us(schedule, group.order, ideal_cycle_s)
            good, scrap, rework = part.unseen
            start_up = min(part.start_up, part.scrap - scrap)
            made.append(Pieces(cycle_us, part.good - good, part.scrap - scrap, part.rework - rework, product, start_up))
            if any(part.unseen):
                made.append(Pieces(cycle_us, good, scrap, rework, product, part.start_up - start_up, True))
    return total([Facts(pieces=tuple(made))]).pieces


def ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


class OeeRecords(Derivation):
    """OEE of hours, shifts and orders."""

    __slots__ = ()

    name = "oee"
    kinds = ("oee",)
    records = (Oee,)
    rests = True

    def derive(self, cell: Cell, view: View) -> list[Derived]:
        """Windows that are due."""
        out: list[Derived] = []
        schedule, sums, flush = cell.schedule, cell.sums, view.moment.flush
        first = max(min(view.spans[0][0], view.previous_watermark), view.begin)
        for hour in range(first // HOUR, view.now // HOUR + 1):
            start, end = hour * HOUR, (hour + 1) * HOUR
            if view.due(start, end, flush):
                groups = sums.hour(schedule, hour, view)
                if start == view.now and not groups:
                    continue
                out += _publish(cell, view, HOURLY, start, end, groups, window="hour")
        for name, shift in schedule.shifts.items():
            if shift.end > view.begin and view.begun(shift.start) and view.due(shift.start, shift.end, flush):
                groups = sums.shift(schedule, name, view)
                if shift.start == view.now and not groups:
                    continue
                out += _publish(cell, view, SHIFT, shift.start, shift.end, groups, window="shift", window_name=name)
        for name, order in schedule.orders.items():
            if order.end > view.begin and view.begun(order.start) and view.due(order.start, order.end, flush):
                groups = sums.of(schedule, Running(ORDERS, name, order.start, order.end, order.parts), view)
                if order.start == view.now and not groups:
                    continue
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
            there = {
                span.start for span in spans if span.end > view.begin
            }  # before the first sign of life there is none
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
        **measured.observed._asdict(),
        **content,
    )
