"""Stops by reason, from the published downtime records."""

from processors.derive.downtime import DowntimeRecords
from processors.timeline.stops import Stops, merge, within
from tests.harness.cells import hear, look, make_cell
from tests.harness.line_logs import ABORTED, EXECUTE, HELD, T0, S

BREAKDOWN, INTERNAL = (None, None, "breakdown"), (None, None, "internal")


def test_a_stop_counts_where_it_began_and_its_time_where_it_was() -> None:
    cell = make_cell()
    for second, state in ((0, EXECUTE), (10, ABORTED), (30, EXECUTE), (40, HELD)):
        hear(cell, T0 + second * S, State=state)
    DowntimeRecords(cell).derive(cell, look(cell, T0 + 50 * S))
    ledger = cell.ledger
    assert within(ledger, T0, T0 + 50 * S) == {BREAKDOWN: [1, 20 * S, 1], INTERNAL: [1, 10 * S, 1]}
    assert within(ledger, T0 + 20 * S, T0 + 35 * S) == {BREAKDOWN: [0, 10 * S, 0]}
    assert within(ledger, T0 + 45 * S, T0 + 60 * S) == {INTERNAL: [0, 15 * S, 0]}  # it lasts
    assert within(ledger, T0 + 30 * S, T0 + 40 * S) == {}


def test_stops_are_merged_by_reason_and_those_merged_in_stay_as_they_are() -> None:
    into: Stops = {BREAKDOWN: [1, 5, 1]}
    other: Stops = {BREAKDOWN: [2, 7, 1], INTERNAL: [1, 1, 0]}
    merge(into, other)
    merge(into, other)
    assert into == {BREAKDOWN: [5, 19, 3], INTERNAL: [2, 2, 0]}
    assert other == {BREAKDOWN: [2, 7, 1], INTERNAL: [1, 1, 0]}
