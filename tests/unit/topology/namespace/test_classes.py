"""The closed set of classes: one record type each, and which class an id belongs to."""

import pytest

from schemas.derived import DERIVED_TYPES, type_of
from schemas.envelope import Derived
from tests.harness.records import EXAMPLES
from topology.namespace.classes import DERIVED, RESERVED, MessageClass, class_of


def test_every_class_but_raw_and_the_internal_ones_is_that_of_one_record_type() -> None:
    assert {str(name) for name in DERIVED} == {kind.message_class for kind in DERIVED_TYPES}
    assert len(DERIVED) == len(DERIVED_TYPES)
    assert set(MessageClass) - set(DERIVED) == {MessageClass.RAW} | {name for name in MessageClass if name.internal}


def test_the_words_of_classes_to_come_are_kept_free() -> None:
    assert {"bottleneck", "pilot", "condition", "case", "schedule"} <= RESERVED
    assert set(MessageClass) <= RESERVED


@pytest.mark.parametrize("record", [one for one in EXAMPLES if isinstance(one, Derived)])
def test_the_kind_in_an_id_tells_the_type(record: Derived) -> None:
    kind = record.id.partition("#")[2].partition("@")[0]
    assert type_of(kind) is type(record)
    assert class_of(kind) == record.message_class


@pytest.mark.parametrize(
    ("kind", "message_class"),
    [
        ("kpi.hour", MessageClass.KPI),
        ("kpi.product.pilot-1", MessageClass.KPI),
        ("kpi.bottleneck.hour", MessageClass.BOTTLENECK),
        ("pilot-smed-2", MessageClass.PILOT),
        ("alert.quality", MessageClass.ALERT),
        ("quality.fill-weight", MessageClass.QUALITY),
        ("oe.hour", None),
        ("raw", None),
        ("", None),
    ],
)
def test_which_class_a_kind_is_of(kind: str, message_class: MessageClass | None) -> None:
    assert class_of(kind) is message_class
