"""What is told about a whole line: facts that hold for all its cells, its calendar, its site's KPIs."""

from collections.abc import Mapping

from processors.inputs.facts import Fact, ToldFacts
from processors.inputs.schedule import Schedule
from schemas.records import Order, Shift
from topology.kpi.definition import KpiFormula
from topology.model.plant import Plant
from topology.model.shifts import Days
from topology.namespace.path import Path


class LineFacts:
    """Facts told at one line. Once any shift or order has been told, time outside of them means something else."""

    __slots__ = ("days", "facts", "orders_told", "path", "shifts_told", "site_kpis")

    def __init__(self, path: Path, plant: Plant) -> None:
        calendar = plant.calendars.get(path)
        self.path = str(path)
        self.days = Days(plant.shifts[calendar].zone if calendar is not None else "UTC")
        self.site_kpis: Mapping[str, KpiFormula] = plant.namespace.sites[path.segments[1]].kpis
        self.facts = ToldFacts()
        self.shifts_told = self.orders_told = False

    def first_told(self, fact: Fact) -> bool:
        """Notes that orders or shifts are told here. True the first time: then it changes the meaning of all time."""
        match fact:
            case Order():
                first, self.orders_told = not self.orders_told, True
            case Shift():
                first, self.shifts_told = not self.shifts_told, True
            case _:
                first = False
        return first

    def schedule(self, own: ToldFacts) -> Schedule:
        """The orders and shifts of the line and a cell's own, as they are now; its own replace those of the same id."""
        orders = {order.id: (order, offset) for order, offset in [*self.facts.of(Order), *own.of(Order)]}
        shifts = {shift.id: (shift, offset) for shift, offset in [*self.facts.of(Shift), *own.of(Shift)]}
        return Schedule(
            sorted(orders.values(), key=lambda pair: (pair[0].started_at, pair[0].id)),
            sorted(shifts.values(), key=lambda pair: (pair[0].started_at, pair[0].id)),
            self.shifts_told,
            self.orders_told,
            self.days,
        )
