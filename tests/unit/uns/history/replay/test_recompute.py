"""What a replay folds under: the plant's own KPI definitions as well as those that are shipped."""

import pytest

from processors.line import LineFold
from topology.document import read
from topology.model.kpis import selected
from topology.model.loader import build
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from uns.history.replay.recompute import Request

PLANT = """\
namespace:
  enterprise: acme
  sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}
types:
  filler: {ideal_cycle_s: 6, tags: {}}
kpi: {definition: acme@1}
kpi_definitions:
  acme@1:
    description: ours
    running: [execute]
    time_model: [{element: APT}]
  acme@2:
    description: ours, next
    running: [execute]
    time_model: [{element: ADET}]
"""


def request(definition: str) -> Request:
    plant, _ = build([read("plant.yaml", PLANT, {})])
    return Request(plant, "g", Filter.parse("acme/#"), frozenset({MessageClass.OEE}), 0, 1, definition, 48.0)


@pytest.mark.parametrize("label", ["acme@1", "acme@2", "iso22400@2"])
def test_a_history_can_be_folded_under_any_definition_of_the_plant(label: str) -> None:
    folded = request(label).folded
    assert selected(folded).label == label
    assert LineFold(folded, "raw", 0), "the fold takes the same look-up"


def test_a_definition_that_nobody_has_is_named_with_the_nearest() -> None:
    with pytest.raises(LookupError, match=r"'acme@3' is not known; did you mean 'acme@[12]'"):
        _ = request("acme@3").folded
