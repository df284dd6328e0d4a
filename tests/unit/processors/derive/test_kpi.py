"""Kpi records: windows, quantities, stops; a product's window is the part of a day in which its orders ran."""

from processors.derive.downtime import DowntimeRecords
from processors.derive.kpi import KpiRecords, KpiWindow
from schemas.records import Kpi, Order
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import ABORTED, EXECUTE, HOUR, MINUTE, T0


def test_a_product_in_a_kind_is_quoted_since_an_id_has_separators_of_its_own() -> None:
    window = KpiWindow("product", T0, T0 + HOUR, [(T0, T0 + HOUR)], "cola #1", product="cola #1")
    assert window.kind == "kpi.product.cola%20%231"
    assert KpiWindow("hour", T0, T0 + HOUR, []).kind == "kpi.hour"


def told() -> tuple[dict[str, Kpi], KpiRecords]:
    """An hour: an order of half of it, six minutes of which the machine is broken down."""
    cell = make_cell()
    tell(cell, Order(id="o", product="cola", started_at=T0, ended_at=T0 + HOUR // 2, ideal_cycle_s=30.0))
    hear(cell, T0, State=EXECUTE, Good=0, Scrap=0, Energy=1.0)
    for minute in range(1, 60):
        hear(
            cell,
            T0 + minute * MINUTE,
            State=ABORTED if 12 <= minute < 18 else EXECUTE,
            Good=minute,
            Energy=1.0 + minute,
        )
    hear(cell, T0 + 20 * MINUTE, Scrap=2)
    DowntimeRecords(cell).derive(cell, look(cell, T0 + HOUR))
    derivation = KpiRecords(cell)
    records = derivation.derive(cell, look(cell, T0 + HOUR))
    return {record.window: record for record in records if isinstance(record, Kpi)}, derivation


def test_windows_hold_the_sums_that_roll_ups_need() -> None:
    records, _ = told()
    assert set(records) == {"hour", "order", "day", "product"}
    hour, order, product = records["hour"], records["order"], records["product"]
    assert sum(hour.element_us.values()) == HOUR
    assert [(p.product, p.good, p.scrap) for p in hour.pieces] == [("cola", 30, 2), (None, 29, 0)]
    assert {name: hour.quantities[name] for name in ("FE", "TTR", "IP", "GP", "E")} == {
        "FE": 1.0,
        "TTR": float(6 * MINUTE),
        "IP": 61.0,
        "GP": 59.0,
        "E": 59.0,
    }
    assert [(s.category, s.count, s.stopped_us) for s in hour.stops] == [("breakdown", 1, 6 * MINUTE)]
    assert (order.order, order.quantities["AOET"], order.status) == ("o", float(HOUR // 2), "final")
    assert (product.product, sum(product.element_us.values())) == ("cola", HOUR // 2)
    assert "AOET" not in hour.quantities


def test_windows_of_an_order_that_is_no_more_are_withdrawn() -> None:
    cell = make_cell()
    tell(cell, Order(id="o", product="cola", started_at=T0, ended_at=T0 + HOUR))
    hear(cell, T0, State=EXECUTE)
    derivation = KpiRecords(cell)
    assert derivation.derive(cell, look(cell, T0 + HOUR // 2))
    cell.line.facts.put(Order(id="o", product="water", started_at=T0, ended_at=T0), 3)
    cell.reschedule()
    withdrawn = derivation.withdraw(cell, look(cell, T0 + HOUR // 2))
    assert {r.window for r in withdrawn if isinstance(r, Kpi)} == {"order", "product"}
    assert all(isinstance(r, Kpi) and r.ended_at == r.started_at and not any(r.element_us.values()) for r in withdrawn)
