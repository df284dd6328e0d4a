"""Snapshots: what one says, of the running shift, or of the hour where there are no shifts."""

from processors.derive.current import Snapshots
from processors.derive.state import StateRecords
from schemas.records import Current, Order, Shift
from tests.harness.cells import TICK_OFFSET, hear, look, make_cell, tell
from tests.harness.line_logs import EXECUTE, HELD, HOUR, MINUTE, T0, S


def snapshot(*facts: Order | Shift) -> Current:
    cell = make_cell()
    tell(cell, *facts)
    hear(cell, T0 - MINUTE, State=EXECUTE, Good=0)
    hear(cell, T0 - S, Good=4)
    hear(cell, T0 + 10 * S, State=HELD, Good=7)
    view = look(cell, T0 + 20 * S)
    StateRecords(cell).derive(cell, view)
    (record,) = Snapshots(cell).snapshot(cell, view)
    assert isinstance(record, Current)
    return record


def test_without_shifts_it_counts_the_running_hour() -> None:
    record = snapshot(Order(id="o", product="cola", started_at=T0 - HOUR))
    assert (record.good, record.shift, record.order, record.product) == (3, None, "o", "cola")
    assert (record.state, record.mode, record.state_since) == ("held", "production", T0 + 10 * S)
    assert (record.last_seen, record.open_alerts, record.inputs.first_offset) == (T0 + 10 * S, 0, TICK_OFFSET)
    assert [(tag.tag, tag.value) for tag in record.tags] == [("Good", 7), ("State", HELD)]
    assert record.id.endswith(":0")


def test_in_a_shift_it_counts_the_shift_and_outside_nothing() -> None:
    early = Shift(id="s", name="early", started_at=T0 - HOUR, ended_at=T0 + HOUR)
    assert (snapshot(early).shift, snapshot(early).good) == ("s", 7)
    over = Shift(id="s", name="early", started_at=T0 - HOUR, ended_at=T0)
    assert (snapshot(over).shift, snapshot(over).good, snapshot(over).availability) == (None, 0, None)
