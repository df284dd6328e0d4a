"""Every word by which something is decided is in the vocabulary, and what is written there is what decides."""

import json
import re

import pytest

from processors.derive.downtime import CATEGORY_BY_STATE
from processors.timeline import elements
from schemas.catalog import source
from schemas.records import DERIVED_TYPES
from topology.document import read
from topology.kpi.definition import shipped
from topology.model.loader import PlantError, build
from topology.model.references import remarks
from topology.vocabulary import CATEGORIES, CLOSED, INFERRED, MODES, OPEN, checked_field

PLANT = """\
namespace:
  enterprise: acme
  sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: filler}}}}}}}
types:
  filler:
    ideal_cycle_s: 6
    tags: {Mode: {role: mode, map: {1: production, 5: cleaning, 6: cleaning}}}
    reasons:
      1: {name: no one, category: organisational}
      2: {name: night, parent: 1}
"""
OWN = """\
kpi: {definition: acme@1}
kpi_definitions:
  acme@1:
    description: ours
    running: [execute]
    time_model:
      - {when: {mode: [cleaning]}, element: PDOT}
      - {when: {reason: [organisational]}, element: ADOT}
      - {element: APT}
"""


@pytest.mark.parametrize("label", shipped())
def test_the_words_of_shipped_definitions_are_known(label: str) -> None:
    rules = shipped()[label].time_model
    assert rules
    assert {word for rule in rules for word in rule.when.mode or ()} <= set(MODES)
    assert {word for rule in rules for word in rule.when.reason or ()} <= set(CATEGORIES)


def test_the_words_of_the_folds_are_known() -> None:
    assert {elements.PRODUCTION, elements.SETUP, elements.MAINTENANCE} <= set(MODES)
    assert set(CATEGORY_BY_STATE.values()) <= {*CATEGORIES, *INFERRED}
    assert CATEGORY_BY_STATE


def test_the_words_of_records_are_those_that_their_schemas_tell() -> None:
    told: dict[str, set[str]] = {}
    for cls in DERIVED_TYPES:
        for field in json.loads(source(cls.__name__))["fields"]:
            if re.fullmatch(r"\w+( \| \w+)+", doc := field.get("doc", "").partition(";")[0]):
                told.setdefault(field["name"], set()).update(doc.split(" | "))
    assert {name: told[name] for name in CLOSED} == {name: set(words) for name, words in CLOSED.items()}
    assert told.keys() == {*CLOSED, "kind", "state"}
    assert all(told[name] <= set(OPEN[name]) for name in ("kind", "state"))


@pytest.mark.parametrize(
    ("field", "word", "hint"),
    [
        ("category", "Breakdown", "did you mean 'breakdown'?"),
        ("status", "finl", "did you mean 'final'?"),
        ("status", "done", "there are provisional, final, corrected"),
        ("state", "Execute", "did you mean 'execute'?"),
        ("kind", "micro-stop", "did you mean 'micro_stop'?"),
    ],
)
def test_a_word_that_a_field_never_holds_is_refused(field: str, word: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(hint)):
        checked_field(field, word)


@pytest.mark.parametrize(("field", "word"), [("category", "cleaning"), ("reason", "Pump"), ("state", "raised")])
def test_other_words_are_possible(field: str, word: str) -> None:
    assert checked_field(field, word) == word


def test_words_of_a_plants_own_are_possible_and_said_once() -> None:
    plant, sources = build([read("plant.yaml", PLANT, {})])
    mode, category = remarks(plant, sources)
    assert str(mode) == (
        "plant.yaml:7: warning: types.filler.tags.Mode.map.5: no rule of iso22400@1 names the mode 'cleaning': "
        "its time counts as any stop"
    )
    assert (category.line, "'organisational'" in category.message) == (9, True)


def test_words_that_the_definition_names_are_known() -> None:
    plant, sources = build([read("plant.yaml", PLANT, {}), read("kpi.yaml", OWN, {})])
    assert remarks(plant, sources) == []


def test_another_spelling_of_a_definitions_own_word_is_a_problem() -> None:
    with pytest.raises(PlantError) as refused:
        build([read("plant.yaml", PLANT.replace("5: cleaning", "5: Cleaning"), {}), read("kpi.yaml", OWN, {})])
    (problem,) = refused.value.problems
    assert str(problem) == (
        "plant.yaml:7: types.filler.tags.Mode.map.5: mode 'Cleaning' is not known; acme@1 counts 'cleaning': write that"
    )
