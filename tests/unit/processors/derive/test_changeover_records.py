"""Changeovers of one cell alone: their three parts, and the last good piece that outlives the horizon by its name."""

import msgspec

from processors.cell.cell import Cell
from processors.derive.changeover import ChangeoverRecords, Origin, runs
from processors.derive.derivation import load_sections, sections
from schemas.records import Changeover, Order
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import EXECUTE, HOUR, MINUTE, STOPPED, T0


def order(name: str, product: str, start: int, end: int | None = None) -> Order:
    return Order(
        id=name, product=product, started_at=T0 + start * MINUTE, ended_at=None if end is None else T0 + end * MINUTE
    )


def changed_over() -> Cell:
    """Water until minute 10, stopped; setup from 15 to 20, first piece scrapped at 22, first good one at 25."""
    cell = make_cell()
    tell(cell, order("a", "water", 0, 12), order("b", "cola", 12))
    for beat in range(60):
        hear(cell, T0 + beat * MINUTE // 2, Heartbeat=beat)
    hear(cell, T0, 1, State=EXECUTE, Mode=1, Good=0, Scrap=0)
    hear(cell, T0 + 10 * MINUTE, 2, Good=5)
    hear(cell, T0 + 11 * MINUTE, 3, State=STOPPED)
    hear(cell, T0 + 15 * MINUTE, 4, Mode=4)
    hear(cell, T0 + 20 * MINUTE, 5, Mode=1, State=EXECUTE)
    hear(cell, T0 + 22 * MINUTE, 6, Scrap=1)
    return cell


def test_orders_of_one_product_in_a_row_are_one_run() -> None:
    cell = make_cell()
    tell(cell, order("a", "water", 0), order("b", "water", 5), order("c", "cola", 9), order("d", "water", 12))
    assert [(run.product, run.orders) for run in runs(cell.schedule)] == [
        ("water", ("a", "b")),
        ("cola", ("c",)),
        ("water", ("d",)),
    ]


def test_teardown_setup_and_run_in_sum_to_the_whole() -> None:
    cell = changed_over()
    derivation = ChangeoverRecords(cell)
    (begun,) = derivation.derive(cell, look(cell, T0 + 24 * MINUTE))
    assert isinstance(begun, Changeover)
    assert (begun.status, begun.ended_at, begun.from_product, begun.to_product) == (
        "provisional",
        None,
        "water",
        "cola",
    )
    hear(cell, T0 + 25 * MINUTE, 7, Good=6)
    (over,) = derivation.derive(cell, look(cell, T0 + 30 * MINUTE))
    assert isinstance(over, Changeover)
    assert (over.started_at, over.ended_at, over.status) == (T0 + 10 * MINUTE, T0 + 25 * MINUTE, "final")
    assert [us // MINUTE for us in (over.teardown_us, over.setup_us, over.run_in_us)] == [5, 5, 5]
    assert (over.scrap, over.from_order, over.to_order) == (1, "a", "b")
    assert (over.inputs.first_offset, over.inputs.last_offset) == (2, 7)


def test_the_last_good_piece_before_the_floor_is_kept_and_saved_by_name() -> None:
    cell = changed_over()
    derivation = ChangeoverRecords(cell)
    assert dict(sections([derivation])) == {}
    derivation.expire(cell, T0 + HOUR)
    known = derivation.last_good
    assert known == Origin(
        T0 + 10 * MINUTE,
        "a",
        "water",
        T0 + 12 * MINUTE,
        50 * MINUTE,
        2,
        setup_from=T0 + 15 * MINUTE,
        setup_over=T0 + 20 * MINUTE,
        tried=T0 + 22 * MINUTE,
        run_from=T0 + 20 * MINUTE,
        scrap=1,
        halted=True,
    )
    ((key, data),) = sections([derivation])
    assert key == "of|changeover"
    assert data is not None
    saved = msgspec.msgpack.decode(data)
    del saved["state"]["planned_us"]
    saved["state"]["of a later release"] = 1
    restarted = ChangeoverRecords(cell)
    load_sections([restarted], {key: msgspec.msgpack.encode(saved)}, redefined=False)
    assert restarted.last_good == msgspec.structs.replace(known, planned_us=0)
