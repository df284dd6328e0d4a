"""State records: intervals of equal state and mode, provisional while they last, withdrawn when a late sample says so."""

from processors.derive.state import StateRecords
from schemas.records import State
from tests.harness.cells import TICK_OFFSET, hear, look, make_cell
from tests.harness.line_logs import EXECUTE, HELD, STOPPED, T0, S


def test_an_interval_ends_where_the_next_begins_and_the_last_has_no_end() -> None:
    cell = make_cell()
    hear(cell, T0, 3, State=EXECUTE)
    hear(cell, T0 + 10 * S, 4, State=EXECUTE)
    hear(cell, T0 + 20 * S, 5, State=HELD)
    records = StateRecords(cell).derive(cell, look(cell, T0 + 30 * S, T0 + 20 * S))
    assert [(r.started_at - T0, r.ended_at, r.status) for r in records] == [
        (0, T0 + 20 * S, "final"),
        (20 * S, None, "provisional"),
    ]
    execute, held = records
    assert isinstance(execute, State)
    assert isinstance(held, State)
    assert (execute.state, execute.mode, execute.element) == ("execute", "production", "APT")
    assert (execute.inputs.first_offset, execute.inputs.last_offset) == (3, 4)
    assert (held.state, held.inputs.first_offset) == ("held", 5)


def test_nobody_saw_the_time_before_the_first_state_and_it_rests_on_the_tick() -> None:
    cell = make_cell()
    hear(cell, T0, 1, Heartbeat=1)
    (record,) = StateRecords(cell).derive(cell, look(cell, T0 + 10 * S))
    assert isinstance(record, State)
    assert (record.state, record.mode, record.inputs.first_offset) == ("unknown", "not_observed", TICK_OFFSET)
    assert record.element == "not_observed"


def test_a_late_sample_corrects_the_interval_it_cuts_and_withdraws_one_that_never_was() -> None:
    cell = make_cell()
    derivation = StateRecords(cell)
    hear(cell, T0, 1, State=EXECUTE)
    hear(cell, T0 + 20 * S, 2, State=STOPPED)
    derivation.derive(cell, look(cell, T0 + 30 * S))
    hear(cell, T0 + 10 * S, 3, State=STOPPED)
    records = derivation.derive(cell, look(cell, T0 + 31 * S, since=T0 + 10 * S))
    assert [(r.started_at - T0, r.ended_at, r.status, r.revision) for r in records] == [
        (0, T0 + 10 * S, "corrected", 1),
        (10 * S, None, "provisional", 0),
        (20 * S, T0 + 20 * S, "final", 1),
    ]
