"""Alerts: silence raises and clears one; an acknowledgement is a revision that stays, and survives a restart before it."""

import msgspec

from processors.cell.cell import Cell
from processors.derive.alert import SilenceAlerts
from processors.derive.derivation import load_sections, sections
from processors.derive.lifecycle import Acknowledgements, Taken
from schemas.records import Acknowledge, Alert
from tests.harness.cells import hear, look, make_cell
from tests.harness.line_logs import EXECUTE, MINUTE, T0, S


def test_a_silence_longer_than_the_type_allows_alerts_until_the_next_sign() -> None:
    cell = make_cell()
    derivation = SilenceAlerts(cell)
    hear(cell, T0, State=EXECUTE)
    assert derivation.follow(cell, look(cell, T0 + MINUTE)) == []
    (raised,) = derivation.follow(cell, look(cell, T0 + MINUTE + 1))
    assert isinstance(raised, Alert)
    assert (raised.kind, raised.state, raised.started_at, raised.severity) == ("silent", "raised", T0, "medium")
    hear(cell, T0 + 3 * MINUTE, Heartbeat=1)
    (cleared,) = derivation.follow(cell, look(cell, T0 + 3 * MINUTE + S))
    assert isinstance(cleared, Alert)
    assert (cleared.state, cleared.ended_at, cleared.status) == ("cleared", T0 + 3 * MINUTE, "final")
    hear(cell, T0 + MINUTE, Heartbeat=1)
    hear(cell, T0 + 2 * MINUTE, Heartbeat=1)  # late: there was no silence
    (withdrawn,) = derivation.follow(cell, look(cell, T0 + 3 * MINUTE + 2 * S))
    assert withdrawn.ended_at == withdrawn.started_at


def acknowledged() -> tuple[Cell, Acknowledgements, Acknowledge]:
    cell = make_cell()
    hear(cell, T0, State=EXECUTE)
    (raised,) = SilenceAlerts(cell).follow(cell, look(cell, T0 + 2 * MINUTE))
    derivation = Acknowledgements(cell)
    fact = Acknowledge(alert=raised.natural_id, at=T0 + 2 * MINUTE, by="ann")
    assert derivation.take(cell, fact, 5, 0, T0 + 3 * MINUTE) is None
    return cell, derivation, fact


def test_an_acknowledgement_is_a_revision_once() -> None:
    cell, derivation, _ = acknowledged()
    assert cell.awaited
    (record,) = derivation.follow(cell, look(cell, T0 + 3 * MINUTE))
    assert isinstance(record, Alert)
    assert (record.state, record.acknowledged_by, record.revision) == ("acknowledged", "ann", 1)
    assert derivation.follow(cell, look(cell, T0 + 3 * MINUTE)) == []


def test_one_of_no_alert_or_of_an_old_one_is_refused() -> None:
    cell, derivation, fact = acknowledged()
    natural = cell.ledger.natural_id("state", T0)
    for refused in (
        derivation.take(cell, Acknowledge(alert=natural, at=T0, by="ann"), 5, 0, T0),
        derivation.take(cell, msgspec.structs.replace(fact, alert=fact.alert.replace("T06", "T07")), 5, 0, T0),
    ):
        assert refused is not None
        assert refused.reason == "unknown_alert"
    assert len(derivation.acknowledged) == 1


def test_one_that_no_tick_has_derived_is_saved() -> None:
    cell, derivation, _ = acknowledged()
    saved = dict(sections([derivation]))
    assert list(saved) == ["of|acknowledgement"]
    restarted = Acknowledgements(cell)
    load_sections([restarted], {key: data for key, data in saved.items() if data is not None}, redefined=False)
    assert restarted.acknowledged == [Taken("alert.silent", T0, "ann", T0 + 2 * MINUTE)]
    restarted.follow(cell, look(cell, T0 + 3 * MINUTE))
    assert dict(sections([restarted])) == {"of|acknowledgement": None}
    assert dict(sections([restarted])) == {}
