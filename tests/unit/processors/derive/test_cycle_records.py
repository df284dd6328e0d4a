"""Cycles of one cell alone, hour by hour."""

from processors.derive.cycle import CycleRecords
from schemas.records import Cycle, Order
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import EXECUTE, HELD, HOUR, T0, S


def test_a_cycle_is_the_time_between_pieces_and_one_through_a_stop_is_left_out() -> None:
    cell = make_cell()
    hear(cell, T0, State=EXECUTE, Good=0)
    for second, good in ((10, 1), (20, 3), (50, 4)):
        hear(cell, T0 + second * S, second, Good=good)
    hear(cell, T0 + 30 * S, State=HELD)
    hear(cell, T0 + 40 * S, State=EXECUTE)
    (record,) = CycleRecords(cell).derive(cell, look(cell, T0 + HOUR))
    assert isinstance(record, Cycle)
    # the first piece has none before it; two in ten seconds are five each
    assert (record.cycles, record.interrupted, record.cycles_us, record.median_us) == (2, 2, 10 * S, 5 * S)
    assert (record.status, record.product, record.ideal_cycle_us) == ("final", None, 6 * S)
    assert (record.inputs.first_offset, record.inputs.last_offset) == (10, 50)


def test_there_is_a_record_a_product_and_one_that_has_lost_its_pieces_is_withdrawn() -> None:
    cell = make_cell()
    tell(
        cell,
        Order(id="a", product="cola #1", started_at=T0, ended_at=T0 + 25 * S),
        Order(id="b", product="b", started_at=T0 + 25 * S),
    )
    hear(cell, T0, State=EXECUTE, Good=0)
    for second in (10, 20, 30, 40):
        hear(cell, T0 + second * S, Good=second // 10)
    derivation = CycleRecords(cell)
    records = derivation.derive(cell, look(cell, T0 + HOUR))
    assert [(r.product, r.cycles, r.interrupted) for r in records if isinstance(r, Cycle)] == [
        ("b", 1, 1),
        ("cola #1", 1, 1),
    ]
    assert "#cycle.cola%20%231@" in records[1].id
    tell(cell, Order(id="a", product="b", started_at=T0, ended_at=T0 + 25 * S))
    changed, withdrawn = derivation.derive(cell, look(cell, T0 + HOUR + S, since=T0))
    assert isinstance(changed, Cycle)
    assert isinstance(withdrawn, Cycle)
    assert (changed.product, changed.cycles, changed.status) == ("b", 3, "corrected")
    assert (withdrawn.product, withdrawn.ended_at, withdrawn.cycles) == ("cola #1", withdrawn.started_at, 0)


def test_a_cell_that_counts_nothing_has_no_cycles() -> None:
    cell = make_cell()
    cell.counters.clear()
    hear(cell, T0, State=EXECUTE)
    assert CycleRecords(cell).derive(cell, look(cell, T0 + HOUR)) == []
