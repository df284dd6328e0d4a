"""The demo's faults through the folds: each is announced in time, and hardly anything else is."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from schemas.records import Alert, Condition, Lot
from tests.harness.demo_fold import BEGIN, Folded, fold, model
from topology.model.tags import CharacteristicTag
from topology.namespace.classes import MessageClass
from uns.demo.compare import compare
from uns.demo.findings import findings, sentence
from uns.demo.plant.events import HOUR, MINUTE, Event, Fact, Said, Truth
from uns.demo.plant.simulation import QUIET, Simulation
from uns.demo.summary import problems

BEARING = "acme/leipzig/packaging/line-1/filler"
CHARTED = {name for of in model().types.values() for name, tag in of.tags.items() if isinstance(tag, CharacteristicTag)}
FALSE_MAX = 1
"""In ten plant hours, of all charts."""


@cache
def short() -> Folded:
    """What a demo of 90 s shows."""
    with TemporaryDirectory() as folder:
        return fold(Path(folder), 1.5)


@cache
def bearing() -> Folded:
    """What the wearing machine says in a day, but for what has nothing to do with it."""
    tags = {"State", "Mode", "Vibration", "BearingTemperature"}
    wanted = lambda event: isinstance(event, Said) and event.path == BEARING and event.tag in tags  # noqa: E731
    with TemporaryDirectory() as folder:
        return fold(Path(folder), 24, wanted=wanted)


def test_a_short_demo_finds_what_it_has_and_nothing_else() -> None:
    found = compare(short().evidence, short().truth)
    assert {told["fault"] for told in found["faults"]} == {"flood", "chatter", "lot"}
    assert all(told["found_after_min"] is not None for told in found["faults"])
    assert not any(told["missed"] for told in found["faults"])
    assert found["false_alarms"] == []
    assert (found["good_count_error"], found["scrap_count_error"]) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "alarm"), [("flood", "air."), ("chatter", "oil."), ("lot", "scrap")], ids=["flood", "chatter", "lot"]
)
def test_what_was_not_announced_is_missed_and_a_problem(fault: str, alarm: str) -> None:
    kept = [of for of in short().records if not (isinstance(of, Alert) and (of.alarm or "").startswith(alarm))]
    found = findings(short()._replace(records=kept).evidence, short().truth)
    assert [told["fault"] for told in found["faults"] if told["missed"]] == [fault]
    (text,) = [sentence(told) for told in found["faults"] if told["missed"]]
    assert text.endswith("was missed")


def test_what_has_no_cause_is_counted() -> None:
    truth = short().truth
    faults, truth.faults = truth.faults, []
    try:
        false = findings(short().evidence, truth)["false_alarms"]
    finally:
        truth.faults = faults
    assert any("air" in one for one in false)
    assert any("oil" in one for one in false)
    assert all(one.startswith("acme/") for one in false)


def test_a_missed_fault_turns_the_summary_red() -> None:
    missed = {"fault": "lot", "path": "acme/x/y", "found_after_min": None, "lead_h": None, "missed": True}
    truth = compare(short().evidence, short().truth) | {"faults": [missed]}
    whole = {"missing": 0, "duplicate": 0}
    summary = {
        "unsettled": [],
        "ledger": {"lost": 0},
        "derived": dict.fromkeys(("state", "production", "downtime", "oee", "quality", "alert"), 1),
        "derived_repeated": 0,
        **dict.fromkeys(("historian", "mes", "cmms"), whole),
        "truth": truth,
        "chaos": {"killed": []},
        "mqtt_persistent": True,
        "publish_interval_s": 0.5,
        "rate": 60,
    }
    assert problems(summary) == ["lot at x/y was missed"]


def test_the_bearing_is_announced_eight_hours_before_it_fails_and_over_once_it_is_new() -> None:
    (told,) = [told for told in findings(bearing().evidence, bearing().truth)["faults"] if told["fault"] == "bearing"]
    assert told["lead_h"] >= 8
    assert not told["missed"]
    last = [of for of in bearing().evidence.latest.values() if isinstance(of, Condition)]
    assert {(of.path, of.state) for of in last} == {(BEARING, "cleared")}
    assert [of.name for of in last].count("bearing") == 1
    assert "drive" in {of.name for of in last}, "no limit is needed to see that it is not as it was"
    assert any(of.severity == "high" and of.act_by for of in bearing().records if isinstance(of, Condition))


def test_the_bearing_stops_the_machine_when_it_has_failed() -> None:
    (fault,) = [of for of in bearing().truth.faults if of.name == "bearing"]
    broken = [begin for path, begin, _ in bearing().truth.breakdowns if path == BEARING]
    assert fault.fails_at is not None
    assert len(broken) == 1
    assert fault.fails_at <= broken[0] < fault.fails_at + HOUR


@pytest.mark.parametrize(
    ("hours", "seed"), [(5.5, 5), *(pytest.param(10, seed, marks=pytest.mark.long) for seed in (1, 2, 3))]
)
def test_charts_alarm_for_the_drift_and_the_tool_and_hardly_for_anything_else(
    hours: float, seed: int, tmp_path: Path
) -> None:
    def charted(event: Event) -> bool:
        return isinstance(event, Fact) or (isinstance(event, Said) and event.tag in CHARTED)

    folded = fold(tmp_path, hours, seed, wanted=charted)
    causes = {(of.path, of.subject): of.started_at for of in folded.truth.faults}
    causes |= {(path, name): begin for path, name, begin in folded.truth.drifts}
    alerts = [of for of in folded.evidence.of(MessageClass.ALERT) if isinstance(of, Alert) and of.kind == "quality"]
    false = [of for of in alerts if of.started_at < causes.get((of.path, of.subject), BEGIN + 99 * HOUR)]
    assert len(false) <= FALSE_MAX
    for path, name, begin in folded.truth.drifts:  # it moves by 0.15 of a standard deviation each 20 seconds
        found = min(of.started_at for of in alerts if (of.path, of.subject) == (path, name) and of.started_at >= begin)
        assert found - begin < 10 * MINUTE
    tool = next(of for of in folded.truth.faults if of.name == "tool")
    worn = [of.started_at for of in alerts if of.path == tool.path and of.started_at >= tool.started_at]
    assert min(worn) <= tool.due_at


def test_lots_follow_each_other_and_a_quiet_plant_has_no_faults() -> None:
    events = list(Simulation(3, BEGIN, QUIET).events(BEGIN + 3 * HOUR))
    assert not [event for event in events if isinstance(event, Truth) and event.kind in ("fault", "drift", "breakdown")]
    lots = [event for event in events if isinstance(event, Fact) and event.kind == "lot"]
    for path in {lot.line for lot in lots}:
        told = [lot.content for lot in lots if lot.line == path]
        ends, begins = [of for of in told if of["ended_at"]], [of for of in told if not of["ended_at"]]
        assert len(begins) == 5
        for before, after in zip(ends, begins[1:], strict=True):
            assert before["ended_at"] == after["started_at"]
            assert before["id"] != after["id"]
    assert {name for lot in lots for name in lot.content} <= set(Lot.__struct_fields__)
