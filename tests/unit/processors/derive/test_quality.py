"""Quality: points up to the watermark go through a chart; its state is saved by characteristic and by name."""

import msgspec
import pytest

from processors.derive.derivation import load_sections, sections
from processors.derive.quality import BASELINE, QualityRecords
from schemas.records import Alert, Derived, Inspection, Order, Quality
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import MINUTE, T0, S


def value(n: int) -> float:
    return 500 + (0.5 if n % 2 else -0.5)


def inspection(at: int, measured: float, name: str = "i", of: str = "FillVolume") -> Inspection:
    return Inspection(id=name, characteristic=of, at=at, value=measured)


def test_points_wait_for_the_watermark_and_the_baseline_gives_the_limits() -> None:
    cell = make_cell()
    derivation = QualityRecords(cell)
    for n in range(11):
        hear(cell, T0 + n * S, n, FillVolume=value(n))
    assert derivation.follow(cell, look(cell, T0 + MINUTE, T0 - 1)) == []
    records = derivation.follow(cell, look(cell, T0 + MINUTE, T0 + 10 * S))
    points = [r for r in records if isinstance(r, Quality)]
    assert [p.phase for p in points] == ["baseline"] * 10 + ["control"]
    assert (points[8].mean, points[9].mean, points[10].mean) == (None, 500.0, 500.0)
    assert (points[10].lsl, points[10].usl, points[10].inputs.first_offset) == (490, 510, 10)


def alert_times(records: list[Derived]) -> list[tuple[str, int, int | None]]:
    """State, begin and end of each revision of an alert, in seconds after T0."""
    return [
        (r.state, (r.started_at - T0) // S, None if r.ended_at is None else (r.ended_at - T0) // S)
        for r in records
        if isinstance(r, Alert)
    ]


def test_a_new_product_learns_anew_and_leaves_the_alert_open_until_its_own_points_are_in_control() -> None:
    cell = make_cell()
    tell(
        cell,
        Order(id="a", product="cola", started_at=T0, ended_at=T0 + 20 * S),
        Order(id="b", product="water", started_at=T0 + 20 * S),
    )
    derivation = QualityRecords(cell)
    for n in range(11):
        hear(cell, T0 + n * S, FillVolume=600.0 if n == 10 else value(n))
    for n in range(21, 42):
        hear(cell, T0 + n * S, FillVolume=value(n))
    records = derivation.follow(cell, look(cell, T0 + MINUTE))
    points = [r for r in records if isinstance(r, Quality) and r.started_at >= T0 + 20 * S]
    assert [p.phase for p in points] == ["baseline"] * 10 + ["control"] * 11
    assert points[0].moving_range is None
    # ten points are learnt from and prove nothing, the eighth after them ends it
    assert alert_times(records) == [("raised", 10, None), ("cleared", 10, 38)]


def test_an_open_alert_is_raised_anew_under_a_definition_that_knows_it_not() -> None:
    cell = make_cell()
    derivation = QualityRecords(cell)
    for n in range(11):
        hear(cell, T0 + n * S, FillVolume=600.0 if n == 10 else value(n))
    (before,) = [r for r in derivation.follow(cell, look(cell, T0 + MINUTE)) if isinstance(r, Alert)]
    other = make_cell("iso22400@2")
    restarted = QualityRecords(other)
    saved = {key: data for key, data in sections([derivation]) if data is not None}
    load_sections([restarted], saved, redefined=True)
    other.watermark = T0 + MINUTE
    hear(other, T0 + 61 * S, FillVolume=500.0)
    (after,) = [r for r in restarted.follow(other, look(other, T0 + 2 * MINUTE)) if isinstance(r, Alert)]
    assert (after.started_at, after.message, after.state) == (before.started_at, before.message, "raised")
    assert after.id.replace("@2:", "@1:") == before.id


def test_a_late_point_is_told_and_moves_nothing() -> None:
    cell = make_cell()
    derivation = QualityRecords(cell)
    hear(cell, T0, FillVolume=500.0)
    derivation.follow(cell, look(cell, T0 + MINUTE))
    before = derivation.chart("FillVolume").dump()
    cell.watermark = T0 + MINUTE
    hear(cell, T0 + S, FillVolume=1.0)
    (late,) = derivation.follow(cell, look(cell, T0 + 2 * MINUTE))
    assert isinstance(late, Quality)
    assert (late.phase, late.rules, late.value) == ("late", (), 1.0)
    assert derivation.chart("FillVolume").dump() == before
    hear(cell, T0 + S, FillVolume=2.0)
    (corrected,) = derivation.follow(cell, look(cell, T0 + 2 * MINUTE))
    assert (corrected.status, corrected.revision) == ("corrected", 1)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (inspection(T0, float("nan")), "not_finite"),
        (inspection(T0, 1e101), "out_of_range"),
        (inspection(T0 - 1, 1.0), "late"),
        (inspection(T0 + 2, 1.0), "future"),
    ],
)
def test_an_inspection_at_fault_is_refused(fact: Inspection, reason: str) -> None:
    cell = make_cell()
    refused = QualityRecords(cell).take(cell, fact, 1, T0, T0 + 1)
    assert refused is not None
    assert (refused.reason, refused.tag) == (reason, "FillVolume")
    assert not cell.fresh


def test_charts_of_hand_measured_characteristics_are_bounded_and_have_the_usual_baseline() -> None:
    cell = make_cell()
    derivation = QualityRecords(cell)
    refused = [derivation.take(cell, inspection(T0, 1.0, of=f"c{n}"), n, T0, T0) for n in range(64)]
    assert [r.reason for r in refused if r is not None] == ["too_many_tags"]
    assert derivation.chart("c0").baseline == BASELINE


def test_its_state_is_saved_by_characteristic_and_what_is_not_known_is_passed_over() -> None:
    cell = make_cell()
    derivation = QualityRecords(cell)
    hear(cell, T0, FillVolume=500.0)
    assert dict(sections([derivation])) == {}
    derivation.follow(cell, look(cell, T0 + MINUTE))
    ((key, data),) = sections([derivation])
    assert key == "of|quality|FillVolume"
    assert data is not None
    assert dict(sections([derivation])) == {}
    saved = msgspec.msgpack.decode(data)
    assert saved == {"version": 1, "state": {"state": {"learning": [500.0], "learnt_at": [T0], "previous": 500.0}}}
    saved["state"]["of a later release"] = 1
    del saved["state"]["state"]["previous"]
    restarted = QualityRecords(cell)
    load_sections([restarted], {key: msgspec.msgpack.encode(saved), "of|gone": data}, redefined=False)
    chart = restarted.chart("FillVolume")
    state = chart.state
    assert (state.learning, state.previous, state.standard, chart.baseline) == ([500.0], None, None, 10)
