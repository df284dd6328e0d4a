"""The reason tree of an equipment type: categories are inherited, mistakes are named."""

from typing import Any

import pytest
from pydantic import ValidationError

from topology.model.equipment import EquipmentType


def categories(**reasons: dict[str, Any]) -> dict[int, str]:
    found = {int(code[1:]): {"name": code, **reason} for code, reason in reasons.items()}
    equipment = EquipmentType.model_validate({"tags": {}, "ideal_cycle_s": 1, "reasons": found})
    return {code: reason.category for code, reason in equipment.reasons.items()}


def test_a_category_is_the_nearest_said_on_the_way_up() -> None:
    found = categories(
        r1={"category": "breakdown"}, r2={"parent": 1}, r3={"parent": 2, "category": "material"}, r4={"parent": 3}
    )
    assert found == {1: "breakdown", 2: "breakdown", 3: "material", 4: "material"}


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ({"r1": {}}, "reason 1 (r1) has no category"),
        ({"r1": {"category": "x", "parent": 9}}, "reason 1: parent 9 is no reason of this type"),
        ({"r1": {"category": "x", "parent": 2}, "r2": {"parent": 1}}, "circle (1 → 2 → 1)"),
        ({"r1": {"category": "x", "parent": 1}}, "circle (1 → 1)"),
    ],
)
def test_what_is_wrong_with_a_tree_is_named(reasons: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        categories(**reasons)
    assert words in str(refused.value)
