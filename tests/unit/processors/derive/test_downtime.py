"""Downtime: what is a stop, what kind, what it counts as, and when it becomes a breakdown."""

import pytest

from processors.derive.downtime import DowntimeRecords, category_of
from processors.derive.halts import Stop, stops
from processors.derive.reasons import parts, told
from schemas.records import Alert, Break, Downtime, Order, Reason, Shift
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import ABORTED, EXECUTE, HELD, IDLE, MINUTE, STOPPED, SUSPENDED, T0, S
from topology.model.equipment import StopReason as ReasonCode

END = T0 + 10 * MINUTE


def stop(state: str) -> Stop:
    return Stop(T0, T0 + S, state, None, 1, 1, ((T0, T0 + S),))


@pytest.mark.parametrize(
    ("state", "category"),
    [
        ("aborted", "breakdown"),
        ("suspended", "material_flow"),
        ("held", "internal"),
        ("stopped", "stop"),
        ("idle", None),
    ],
)
def test_without_a_reason_the_state_that_began_a_stop_says_what_it_counts_as(state: str, category: str | None) -> None:
    assert category_of(stop(state), None) == category
    assert category_of(stop(state), ReasonCode(name="jam", category="micro")) == "micro"


def test_a_stop_is_one_through_all_its_states_and_begins_and_ends_with_running() -> None:
    cell = make_cell()
    for second, state in ((0, EXECUTE), (10, HELD), (20, SUSPENDED), (30, EXECUTE), (50, STOPPED)):
        hear(cell, T0 + second * S, second, State=state)
    found = stops(cell, T0, T0 + 60 * S, T0 + 60 * S)
    assert [(s.start - T0, s.end - T0, s.state) for s in found] == [
        (10 * S, 30 * S, "held"),
        (50 * S, 60 * S, "stopped"),
    ]
    assert (found[0].first_offset, found[0].last_offset) == (10, 20)


def test_a_break_parts_a_stop_and_the_end_of_its_order_does_not() -> None:
    cell = make_cell()
    pause = Break(T0 + 2 * MINUTE, T0 + 3 * MINUTE)
    tell(
        cell,
        Shift(id="s", name="s", started_at=T0, ended_at=END, breaks=(pause,)),
        Order(id="o", product="p", started_at=T0, ended_at=T0 + 4 * MINUTE),
    )
    for minute, state in ((0, STOPPED), (6, ABORTED), (7, STOPPED)):
        hear(cell, T0 + minute * MINUTE, State=state)
    for second in range(0, 600, 30):
        hear(cell, T0 + second * S, Heartbeat=second)
    found = stops(cell, T0, END, END)
    assert [((s.start - T0) // MINUTE, (s.end - T0) // MINUTE, s.order) for s in found] == [(0, 10, "o")]
    assert [((start - T0) // MINUTE, (end - T0) // MINUTE) for start, end in found[0].pieces] == [(0, 2), (3, 10)]


@pytest.mark.parametrize("ready", [17, IDLE], ids=["complete", "idle"])
def test_without_an_order_a_machine_that_has_nothing_to_do_is_not_stopped(ready: int) -> None:
    cell = make_cell()
    tell(cell, Order(id="o", product="p", started_at=T0, ended_at=T0 + 4 * MINUTE))
    for minute, state in ((0, STOPPED), (5, ready), (6, STOPPED), (7, ABORTED), (8, STOPPED)):
        hear(cell, T0 + minute * MINUTE, State=state)
    for second in range(0, 600, 30):
        hear(cell, T0 + second * S, Heartbeat=second)
    assert [((s.start - T0) // MINUTE, (s.end - T0) // MINUTE, s.order) for s in stops(cell, T0, END, END)] == [
        (0, 5, "o"),
        (7, 8, None),  # a breakdown is a stop anywhere, as long as it lasts
    ]


def test_kinds_open_then_micro_stop_or_stop_by_length() -> None:
    cell = make_cell()
    derivation = DowntimeRecords(cell)
    for second, state in ((0, EXECUTE), (20, HELD), (40, EXECUTE)):
        hear(cell, T0 + second * S, State=state)
    (record,) = derivation.derive(cell, look(cell, T0 + 30 * S))
    assert isinstance(record, Downtime)
    assert (record.kind, record.ended_at) == ("open", None)
    (record,) = derivation.derive(cell, look(cell, T0 + 50 * S))
    assert isinstance(record, Downtime)
    assert (record.kind, record.ended_at, record.status) == ("micro_stop", T0 + 40 * S, "final")
    hear(cell, T0 + 60 * S, State=HELD)
    for second in range(90, 400, 30):
        hear(cell, T0 + second * S, Heartbeat=second)
    (record,) = derivation.derive(cell, look(cell, T0 + 60 * S + 5 * MINUTE))
    assert isinstance(record, Downtime)
    assert (record.started_at - T0, record.kind) == (60 * S, "stop")


def test_a_breakdown_raises_an_alert_that_names_it_and_a_reason_takes_it_back() -> None:
    cell = make_cell()
    derivation = DowntimeRecords(cell)
    hear(cell, T0, State=EXECUTE)
    hear(cell, T0 + 10 * S, State=ABORTED)
    view = look(cell, T0 + 20 * S)
    stop_, alert = derivation.derive(cell, view)
    assert isinstance(stop_, Downtime)
    assert isinstance(alert, Alert)
    assert (stop_.category, alert.severity, alert.state, alert.cause) == (
        "breakdown",
        "high",
        "raised",
        stop_.natural_id,
    )
    hear(cell, T0 + 10 * S, StopReason=101)
    corrected, withdrawn = derivation.derive(cell, look(cell, T0 + 21 * S))
    assert isinstance(corrected, Downtime)
    assert isinstance(withdrawn, Alert)
    assert (corrected.reason, corrected.category) == ("bottle jam", "micro")
    assert (withdrawn.state, withdrawn.ended_at) == ("cleared", withdrawn.started_at)


def test_what_changed_is_looked_at_again_by_those_who_follow() -> None:
    cell = make_cell()
    hear(cell, T0, State=HELD)
    hear(cell, T0 + 10 * S, State=EXECUTE)
    derivation = DowntimeRecords(cell)
    derivation.derive(cell, look(cell, T0 + 20 * S))
    view = look(cell, T0 + 40 * S, since=T0 + 30 * S)
    assert derivation.derive(cell, view) == []
    assert view.spans == [(T0 + 30 * S, T0 + 40 * S)]
    cell.line.facts.put(Reason(id="r", code=101, started_at=T0 + 5 * S, ended_at=None, by="ann"), 7)
    view = look(cell, T0 + 40 * S, since=T0 + 5 * S)
    assert len(derivation.derive(cell, view)) == 1
    assert view.spans == [(T0, T0 + 40 * S)]


def test_parts_of_a_stop_an_end_goes_before_none_and_the_later_before_the_earlier() -> None:
    cell = make_cell()
    hear(cell, T0, State=HELD)
    whole = Stop(T0, T0 + 100 * S, "held", None, 1, 1, ((T0, T0 + 100 * S),))
    said = [
        (Reason(id="a", code=101, started_at=T0, ended_at=None, by="ann"), 2),
        (Reason(id="b", code=201, started_at=T0 + 20 * S, ended_at=T0 + 60 * S, by="bob"), 3),
        (Reason(id="c", code=0, started_at=T0 + 40 * S, ended_at=T0 + 50 * S, by="cia"), 4),
    ]
    cut = parts(whole, told(cell, whole, said, lambda: T0))
    assert [((p.start - T0) // S, (p.end - T0) // S, p.code, p.by) for p in cut] == [
        (0, 20, 101, "ann"),
        (20, 40, 201, "bob"),
        (40, 50, None, None),
        (50, 60, 201, "bob"),
        (60, 100, 101, "ann"),
    ]


@pytest.mark.parametrize(
    ("codes", "own_time", "whole_stop"),
    [
        ({}, [(10, 40, None)], [(10, 40, None)]),
        ({10: 14, 39: 99}, [(10, 39, 14), (39, 40, 99)], [(10, 40, 99)]),
        ({11: 14}, [(10, 40, 14)], [(10, 40, 14)]),  # a scan late
        ({30: 14}, [(10, 40, 14)], [(10, 40, 14)]),  # chosen by somebody
        ({10: 14, 12: 0}, [(10, 40, 14)], [(10, 40, 14)]),  # reset before the machine runs again
        ({10: 14, 12: 0, 20: 14}, [(10, 40, 14)], [(10, 40, 14)]),
        ({10: 14, 12: 0, 20: 99}, [(10, 20, 14), (20, 40, 99)], [(10, 40, 99)]),
        ({5: 14, 30: 99}, [(10, 30, 14), (30, 40, 99)], [(10, 40, 99)]),  # told while the machine ran out
        ({1: 14, 30: 99}, [(10, 40, 99)], [(10, 40, 99)]),  # of the stop before, never reset
        ({1: 14}, [(10, 40, 14)], [(10, 40, 14)]),
        ({5: 14, 6: 0, 30: 99}, [(10, 40, 99)], [(10, 40, 99)]),
        ({10: 14, 40: 99}, [(10, 40, 14)], [(10, 40, 14)]),  # told when it runs again
    ],
)
def test_what_the_machine_says_of_a_stop(
    codes: dict[int, int], own_time: list[tuple[int, int, int | None]], whole_stop: list[tuple[int, int, int | None]]
) -> None:
    for way, expected in (("own_time", own_time), ("whole_stop", whole_stop)):
        cell = make_cell()
        options = cell.elements.definition.options.model_copy(update={"machine_reason": way})
        cell.elements.definition = cell.elements.definition.model_copy(update={"options": options})
        for minute, state in ((0, STOPPED), (3, EXECUTE), (10, HELD), (40, EXECUTE)):
            hear(cell, T0 + minute * MINUTE, State=state)
        for minute, code in codes.items():
            hear(cell, T0 + minute * MINUTE, StopReason=code)
        for second in range(0, 3600, 30):
            hear(cell, T0 + second * S, Heartbeat=second)
        out = DowntimeRecords(cell).derive(cell, look(cell, T0 + 60 * MINUTE))
        stopped = [r for r in out if isinstance(r, Downtime) and r.stop_started_at == T0 + 10 * MINUTE]
        assert [
            ((r.started_at - T0) // MINUTE, ((r.ended_at or 0) - T0) // MINUTE, r.reason_code) for r in stopped
        ] == expected, way


def test_a_register_that_shows_its_alarms_in_turn_parts_a_stop_a_hundred_times_at_most() -> None:
    cell = make_cell()
    hear(cell, T0, State=STOPPED)
    for second in range(600):
        hear(cell, T0 + second * S, StopReason=101 + second % 3)
    out = DowntimeRecords(cell).derive(cell, look(cell, T0 + 10 * MINUTE))
    assert len([record for record in out if isinstance(record, Downtime)]) == 100
