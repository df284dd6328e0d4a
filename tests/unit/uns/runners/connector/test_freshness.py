"""Staleness: a connected source that went quiet is told where it may not be quiet, and nowhere else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Batch, FactReading, Reading
from connectors.modbus.config import ModbusConfig
from schemas.records import Order, Sample
from tests.harness.line_logs import BAD, CELL, OTHER, plant
from topology.model.wiring import ConnectorEntry
from topology.namespace.path import Path
from uns.runners.connector.freshness import CYCLES, CYCLES_MIN_S, MACHINE, TOLD_MAX, Freshness

FILLER, CAPPER = Path.parse(CELL), Path.parse(OTHER)
S = 1_000_000


def freshness(every_s: float | None = None, expected: tuple[Path, ...] = (), **entry: Any) -> Freshness:
    model = ConnectorEntry.model_validate({"protocol": "p", "config": {}, **entry})
    fresh = Freshness(model, plant(), every_s, expected)
    fresh.opened(0)
    return fresh


def said(tag: str = "Tag", path: Path = FILLER, quality: int = 0) -> Batch:
    return Batch(readings=(Reading(path, Sample(tag, 1, 1, quality)),))


def quiet(fresh: Freshness, now_s: float) -> list[tuple[Path, str]]:
    return [(one.path, one.tags) for one in fresh.quiet(int(now_s * S))]


def test_what_speaks_when_something_changes_is_never_stale_unless_told() -> None:
    fresh = freshness(expected=(CAPPER,))
    fresh.saw(said(), S)
    assert quiet(fresh, 1e6) == []
    assert fresh.ages_s(3 * S) == {FILLER: 2.0, CAPPER: None}


def test_what_speaks_in_cycles_is_stale_after_some_of_them() -> None:
    fresh = freshness(every_s=20.0, expected=(FILLER, CAPPER))
    assert quiet(fresh, 20 * CYCLES) == []
    fresh.saw(said(), 50 * S)
    assert quiet(fresh, 61) == [(CAPPER, MACHINE)], "one that never spoke has its time from the opening on"
    assert quiet(fresh, 111) == [(FILLER, MACHINE), (CAPPER, MACHINE)]
    assert freshness(every_s=0.1).after_s == {}
    assert freshness(every_s=0.1, expected=(FILLER,)).after_s == {(FILLER, MACHINE): CYCLES_MIN_S}


def test_the_plant_model_goes_before_the_cycle() -> None:
    fresh = freshness(every_s=1.0, expected=(FILLER,), stale_after_s=300)
    assert quiet(fresh, 300) == []
    assert quiet(fresh, 301) == [(FILLER, MACHINE)]
    (sentence,) = fresh.problems(301 * S)
    assert sentence == f"{CELL}: no value for 301 s, though its source is connected; stale after 300 s"


def test_a_bad_value_is_no_value_and_a_fact_is_one() -> None:
    fresh = freshness(stale_after_s=10, expected=(FILLER,))
    fresh.saw(said(quality=BAD), 9 * S)
    assert quiet(fresh, 11) == [(FILLER, MACHINE)]
    fresh.saw(Batch(facts=(FactReading(FILLER, Order(id="o", product="p", started_at=1)),)), 11 * S)
    assert quiet(fresh, 12) == []


def test_a_rule_watches_its_own_tags() -> None:
    fresh = freshness(
        expected=(FILLER,),
        tags=[{"tag": "Odd", "name": "Odd2"}, {"tag": "Heart*", "stale_after_s": 5}, {"tag": "*", "type": "no"}],
    )
    fresh.saw(said("Speed"), 4 * S)
    assert quiet(fresh, 6) == [(FILLER, "Heart*")], "other tags are no sign of life of these"
    fresh.saw(said("Heartbeat"), 6 * S)
    assert quiet(fresh, 11) == []
    (sentence,) = fresh.problems(12 * S)
    assert "no value of 'Heart*' for 6 s" in sentence


def test_a_reopened_source_has_its_time_anew() -> None:
    fresh = freshness(stale_after_s=10, expected=(FILLER,))
    assert quiet(fresh, 11)
    fresh.opened(11 * S)
    assert quiet(fresh, 21) == []
    assert quiet(fresh, 22)


def test_other_rules_go_on_with_what_was_heard() -> None:
    before = freshness(stale_after_s=10)
    before.saw(said("Heartbeat"), 5 * S)
    after = freshness(stale_after_s=20, tags=[{"tag": "Heart*", "stale_after_s": 5}])
    after.goes_on_from(before)
    assert after.ages_s(6 * S) == {FILLER: 1.0}
    assert quiet(after, 26) == [(FILLER, MACHINE), (FILLER, "Heart*")]


def test_a_path_that_is_no_machine_is_not_watched_and_many_are_told_in_few_words() -> None:
    fresh = freshness(stale_after_s=1)
    fresh.saw(said(path=Path.parse("acme/dallas/packaging/line-9/robot")), S)
    assert fresh.ages_s(S) == {}
    many = freshness(expected=(FILLER,), tags=[{"tag": f"T{n}", "stale_after_s": 1} for n in range(TOLD_MAX + 5)])
    assert len(many.problems(9 * S)) == TOLD_MAX + 1


def test_modbus_says_its_longest_period() -> None:
    device = {"path": CELL, "period_s": 2, "tags": {"A": {"address": 0, "period_s": 60}, "B": {"address": 1}}}
    config = ModbusConfig.model_validate({"links": [{"url": "tcp://127.0.0.1:1", "devices": [device]}]})
    assert config.longest_period_s() == 60


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([FILLER, CAPPER])), max_size=20), st.integers(1, 40))
def test_a_machine_is_stale_if_and_only_if_nothing_came_for_too_long(
    steps: list[tuple[int, Path]], after_s: int
) -> None:
    fresh, now = freshness(stale_after_s=after_s, expected=(FILLER, CAPPER)), 0
    last = dict.fromkeys((FILLER, CAPPER), 0)
    for step, path in steps:
        now += step
        assert {one for one, _ in quiet(fresh, now)} == {one for one, at in last.items() if now - at > after_s}
        fresh.saw(said(path=path), now * S)
        last[path] = now


def test_never_is_no_number() -> None:
    with pytest.raises(ValueError, match="stale_after_s"):
        freshness(stale_after_s=0)
