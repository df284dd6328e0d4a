"""Alarm rules in the plant model: what is wrong with one is named at its file and line, with the nearest right word."""

import pytest

from tests.harness.alarm_logs import alarmed
from tests.harness.line_logs import CELL
from topology.document import read
from topology.model.alarms import alarms_of
from topology.model.loader import PlantError, build
from topology.namespace.path import Path

MODEL = """\
namespace:
  enterprise: acme
  sites: {dallas: {areas: {packaging: {lines: {line-1: {cells: {filler: {type: filler, alarms: %s}}}}}}}}
types:
  filler:
    ideal_cycle_s: 6.0
    tags:
      State: {role: state}
      Weight: {role: characteristic, unit: g}
      Aim: {role: characteristic, unit: kg}
    alarms:
      weight: %s
"""
GOOD = "{kind: limit, tag: Weight, hi: 5}"


def faults(rule: str, own: str = "{}") -> list[tuple[int, str]]:
    with pytest.raises(PlantError) as refused:
        build([read("plant.yaml", MODEL % (own, rule), {})])
    return [(problem.line, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{kind: limt, tag: Weight, hi: 5}", "did you mean 'limit'?"),
        ("{kind: limit, tag: Weight}", "needs at least one of hihi, hi, lo, lolo"),
        ("{kind: limit, tag: Weight, hi: 5, hihi: 4}", "hi 5 is not below hihi 4"),
        ("{kind: limit, tag: Weight, hi: 5, lo: 4, deadband: 2}", "deadband 2 is wider"),
        ("{kind: limit, tag: Weigth, hi: 5}", "did you mean 'Weight'?"),
        ("{kind: limit, tag: Weight, hi: 5, unit: kg}", "the rule is in kg, the tag Weight in g"),
        ("{kind: limit, tag: Weight, hi: 5, prioritys: high}", "did you mean 'priority'?"),
        ("{kind: limit, tag: Weight, hi: 5, priorities: {lo: high}}", "there is no limit lo"),
        ("{kind: deviation, tag: Weight, setpoint: Aim, limit: 1}", "Weight is in g, its set point in kg"),
        ("{kind: deviation, tag: Weight, setpoint: SP, limit: 1, deadband: 1}", "could not return"),
        ("{kind: state, states: [heldd], longer_s: 5}", "did you mean 'held'?"),
        ("{kind: state, states: [held], longer_s: 5, suppress_states: [held]}", "never sounds"),
        ("{kind: limit, tag: Weight, hi: 5, suppress_modes: [maintenance]}", "no tag of role mode"),
        ("{kind: count, times: 3, window_s: 60}", "either states or a tag"),
        ("{kind: kpi, kpi: availabilty, below: 0.5}", "did you mean 'availability'?"),
        ("{kind: kpi, kpi: availability}", "either below or above"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(rule: str, words: str) -> None:
    found = faults(rule)
    assert [line for line, _ in found] == [12] * len(found)
    assert any(words in message for _, message in found), found


def test_a_machine_takes_away_what_its_type_has() -> None:
    [(line, message)] = faults(GOOD, "{wieght: null}")
    assert line == 3
    assert "type filler has no alarm 'wieght' to take away; did you mean 'weight'?" in message
    plant, _ = build([read("plant.yaml", MODEL % ("{weight: null}", GOOD), {})])
    [equipment] = plant.cells().values()
    assert equipment.alarms == {}
    assert set(plant.type_names.values()) == {"filler"}


def test_each_limit_is_an_alarm_of_its_own() -> None:
    rule = {
        "kind": "limit",
        "tag": "T",
        "hihi": 9,
        "hi": 8,
        "lolo": 1,
        "priority": "low",
        "priorities": {"hihi": "high"},
    }
    made = alarms_of(alarmed({"t": rule}).cells()[Path.parse(CELL)].alarms)
    assert [(of.name, of.limit, of.priority) for of in made.values()] == [
        ("t.hihi", 9, "high"),
        ("t.hi", 8, "low"),
        ("t.lolo", 1, "low"),
    ]
    assert made["t.hi"].kind == "alert.limit.t.hi"
