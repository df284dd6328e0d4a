"""The list of derivations: names, kinds and records are declared, and what is given is what was declared."""

import random
from collections import Counter

from processors.cell_fold import CLOSED_BY_WATERMARK
from processors.derive.order import OF_CELL, OF_LINE
from schemas.records import Acknowledge, Inspection, Limits, WorkOrder
from tests.harness.line_logs import Run
from tests.harness.line_scenarios import scenario
from tests.harness.quality_models import predicting
from topology.model.plant import Plant


def test_each_has_a_name_of_its_own_that_can_be_part_of_a_key() -> None:
    names = [derivation.name for derivation in (*OF_CELL, *OF_LINE)]
    assert len(set(names)) == len(names) > 10
    assert not [name for name in names if "|" in name or not name]


def test_a_fact_is_read_by_one_derivation_but_an_acknowledgement_by_that_of_rules_and_limits_by_that_of_groups_too() -> (
    None
):
    reads = Counter(kind for derivation in OF_CELL for kind in derivation.reads)
    assert reads == {Inspection: 1, Limits: 2, WorkOrder: 1, Acknowledge: 2}


def test_what_is_closed_by_the_watermark_alone() -> None:
    assert CLOSED_BY_WATERMARK == ("alert", "state")


def test_all_that_a_fold_gives_was_declared_and_all_that_was_declared_is_given() -> None:
    declared = {
        (kind, record)
        for derivation in (*OF_CELL, *OF_LINE)
        for kind in derivation.kinds
        for record in derivation.records
    }
    given = {
        (record.natural_id.partition("#")[2].partition(".")[0].partition("@")[0], type(record))
        for seed in range(3)
        for record in Run(_with_all()).feed(scenario(random.Random(seed)).punctual()).records
    }
    assert given <= declared
    assert {record for _, record in given} == {record for _, record in declared}


def _with_all() -> Plant:
    """The scenarios' plant with a model that predicts scrap, and with machines that are due for work after each piece."""
    model = predicting().model_dump(mode="json")
    model["types"]["filler"]["conditions"] = {"oil": {"kind": "use", "counts": "cycles", "every": 1}}
    return Plant.model_validate(model)
