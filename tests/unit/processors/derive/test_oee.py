"""OEE: ratios of sums, by the ideal cycle of the order, else of the type."""

from processors.derive.oee import OeeRecords, ideal_cycle_us, measures, pieces, ratio
from processors.inputs.schedule import Schedule
from processors.timeline.elements import Elements
from processors.timeline.totals import Group, Totals
from schemas.records import Oee, Order
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import EXECUTE, HELD, HOUR, MINUTE, T0, S
from topology.kpi.definition import definition

SCHEDULE = Schedule([(Order(id="o", product="cola", started_at=T0, ideal_cycle_s=2.0), 1)], [], False, False)
ELEMENTS = Elements(definition("iso22400@1"))


def totals(good: int, scrap: int, **element_us: int) -> Totals:
    us = [element_us.get(name, 0) for name in ELEMENTS.names]
    return Totals(us, good, scrap, observed_us=sum(us))


def test_an_order_has_an_ideal_cycle_of_its_own() -> None:
    assert ideal_cycle_us(SCHEDULE, "o", 6.0) == 2_000_000
    assert ideal_cycle_us(SCHEDULE, None, 6.0) == 6_000_000


def test_ratios_are_ratios_of_sums_over_all_groups() -> None:
    groups = {
        Group("o", None, "d"): totals(10, 0, APT=60 * S),
        Group(None, None, "d"): totals(5, 5, APT=60 * S, ADOT=80 * S),
    }
    found = measures(groups, SCHEDULE, 6.0, ELEMENTS)
    assert (found.ideal_us, found.ideal_good_us) == (80 * S, 50 * S)
    assert (found.availability, found.performance, found.quality, found.oee) == (0.6, 80 / 120, 15 / 20, 50 / 200)
    assert [(p.product, p.ideal_cycle_us, p.good, p.scrap) for p in pieces(groups, SCHEDULE, 6.0)] == [
        ("cola", 2_000_000, 10, 0),
        (None, 6_000_000, 5, 5),
    ]


def test_a_zero_denominator_is_no_ratio() -> None:
    assert ratio(1, 0) is None
    found = measures({}, SCHEDULE, 6.0, ELEMENTS)
    assert (found.availability, found.performance, found.quality, found.oee) == (None, None, None, None)


def test_the_formulas_and_the_short_cut_give_the_same() -> None:
    groups = {Group(None, None, "d"): totals(7, 3, APT=60 * S, ADOT=20 * S, PDOT=40 * S)}
    by_formula = Elements(definition("iso22400@1"))
    by_formula.iso22400 = False
    assert measures(groups, SCHEDULE, 6.0, by_formula)[1:] == measures(groups, SCHEDULE, 6.0, ELEMENTS)[1:]


def test_windows_are_provisional_while_open_then_final_and_withdrawn_with_their_order() -> None:
    cell = make_cell()
    derivation = OeeRecords(cell)
    tell(cell, Order(id="o", product="cola", started_at=T0, ended_at=T0 + HOUR))
    hear(cell, T0, State=EXECUTE, Good=0)
    for minute in range(1, 60):
        hear(cell, T0 + minute * MINUTE, State=HELD if minute == 30 else EXECUTE, Good=minute)
    assert derivation.derive(cell, look(cell, T0 + 10 * MINUTE, flush=False)) == []
    records = derivation.derive(cell, look(cell, T0 + 10 * MINUTE))
    assert [(r.window, r.ended_at, r.status) for r in records if isinstance(r, Oee)] == [
        ("hour", None, "provisional"),
        ("order", None, "provisional"),
    ]
    hour, order = derivation.derive(cell, look(cell, T0 + HOUR))
    assert isinstance(hour, Oee)
    assert (hour.status, hour.good, sum(hour.element_us.values())) == ("final", 59, HOUR)
    assert (hour.element_us["APT"], hour.availability) == (59 * MINUTE, 59 / 60)
    cell.line.facts.put(Order(id="o", product="cola", started_at=T0 + MINUTE, ended_at=T0 + HOUR), 9)
    cell.reschedule()
    (withdrawn,) = derivation.withdraw(cell, look(cell, T0 + HOUR))
    assert (withdrawn.natural_id, withdrawn.ended_at) == (order.natural_id, T0)
