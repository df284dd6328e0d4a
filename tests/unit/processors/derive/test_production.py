"""Production records: one a bucket and order, once the watermark has passed the bucket's end."""

from processors.derive.production import ProductionRecords
from schemas.records import Order, Production
from tests.harness.cells import hear, look, make_cell, tell
from tests.harness.line_logs import T0, S

BUCKET = 60 * S


def test_a_bucket_is_told_once_it_has_closed_and_not_when_it_is_empty() -> None:
    cell = make_cell()
    hear(cell, T0, 1, Good=10, Scrap=0)
    hear(cell, T0 + 30 * S, 2, Good=14, Scrap=1)
    hear(cell, T0 + 150 * S, 3, Good=15)
    derivation = ProductionRecords(cell)
    assert derivation.derive(cell, look(cell, T0 + 59 * S)) == []
    (record,) = derivation.derive(cell, look(cell, T0 + 2 * BUCKET))
    assert isinstance(record, Production)
    assert (record.started_at, record.ended_at, record.status) == (T0, T0 + BUCKET, "final")
    assert (record.good, record.scrap, record.rework, record.resets) == (4, 1, 0, 0)
    assert (record.inputs.first_offset, record.inputs.last_offset) == (2, 2)


def test_a_bucket_is_cut_where_the_order_changes() -> None:
    cell = make_cell()
    edge = T0 + 20 * S
    tell(
        cell,
        Order(id="a", product="cola", started_at=T0, ended_at=edge),
        Order(id="b", product="water", started_at=edge),
    )
    for second, good in ((0, 0), (10, 3), (20, 4), (40, 9)):  # a counter's pieces were made before it shows them
        hear(cell, T0 + second * S, Good=good)
    records = ProductionRecords(cell).derive(cell, look(cell, T0 + BUCKET))
    assert [(r.order, r.product, r.started_at - T0, r.good) for r in records if isinstance(r, Production)] == [
        ("a", "cola", 0, 4),
        ("b", "water", 20 * S, 5),
    ]


def test_a_late_value_corrects_a_bucket_and_a_part_that_is_no_more_is_withdrawn() -> None:
    cell = make_cell()
    derivation = ProductionRecords(cell)
    tell(cell, Order(id="a", product="cola", started_at=T0 + 20 * S))
    hear(cell, T0, Good=10)
    hear(cell, T0 + 30 * S, Good=12)
    (first,) = derivation.derive(cell, look(cell, T0 + BUCKET))
    hear(cell, T0 + 30 * S, Good=13)  # of two values at one time the greater counts
    (corrected,) = derivation.derive(cell, look(cell, T0 + BUCKET + S))
    tell(cell, Order(id="a", product="cola", started_at=T0 + 25 * S))
    moved, withdrawn = derivation.derive(cell, look(cell, T0 + BUCKET + 2 * S))
    assert isinstance(corrected, Production)
    assert isinstance(withdrawn, Production)
    assert (corrected.revision, corrected.status, corrected.good) == (1, "corrected", 3)
    assert (moved.started_at, moved.revision) == (T0 + 25 * S, 0)
    assert (withdrawn.natural_id, withdrawn.ended_at, withdrawn.good) == (first.natural_id, T0 + 20 * S, 0)
