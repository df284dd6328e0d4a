"""`uns fold` by property: the order of lines cannot matter, nor the ticks, and the numbers are those of the live fold."""

import random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from schemas.records import Kpi, Oee, Samples
from tests.harness.fold_files import lines
from tests.harness.line_logs import CELL, LINE, MINUTE, T0, Run, Told, final_content, plant
from tests.harness.line_scenarios import Scenario, delayed, scenario
from uns.history.file import fold as history
from uns.history.file import order
from uns.history.file.fold import Folded, fold
from uns.history.file.read import read

few = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)  # a seed does not shrink
LATE = 20 * MINUTE
seeds = st.integers(0, 2**32)


definitions = st.sampled_from(("iso22400@1", "iso22400@2", "nakajima@1", "acme@1"))


def folded(told: list[str], definition: str = "iso22400@1", until: int | None = None, every: bool = False) -> Folded:
    return fold(plant(definition), read("\n".join(told).encode()), until, every)


def split(chance: random.Random, told: list[Told]) -> list[Told]:
    """Records with several samples as several records, and some twice."""
    found: list[Told] = []
    for path, record in told:
        if isinstance(record, Samples) and chance.random() < 0.5:
            found += [(path, Samples(record.source, 0, (sample,))) for sample in record.samples]
        else:
            found += [(path, record)] * chance.choice((1, 1, 1, 2))
    return found


@few
@given(seed=seeds, definition=definitions)
def test_lines_in_any_order_split_or_told_twice_say_the_same(seed: int, definition: str) -> None:
    chance = random.Random(seed)
    scene = scenario(chance)
    first = folded(lines(scene.told), definition)
    shuffled = split(chance, scene.told)
    chance.shuffle(shuffled)
    again = folded(lines(shuffled), definition)
    assert final_content(first.records) == final_content(again.records)
    assert {r.reason for r in first.refused} == {r.reason for r in again.refused}


@pytest.mark.long
@settings(few, max_examples=6)
@given(seed=seeds)
@example(seed=1045)  # an active period that a tick at the full hour cuts lasts on
def test_the_numbers_are_those_of_a_line_that_lived_it(seed: int) -> None:
    chance = random.Random(seed)
    scene = scenario(chance)
    scene.told = [
        told for told in scene.told if order.span(told[1])[0] < scene.end - LATE
    ]  # what it hears before the end
    live = Run().feed(delayed(chance, scene, LATE))
    newest = {r.natural_id: r for r in live.records}
    closed = {
        name
        for name, r in newest.items()
        if r.status != "provisional" and r.ended_at is not None and ".quality." not in name
        if r.message_class not in ("current", "quality")  # a point that comes late moves no chart
    }
    lived = {name: said for name, said in final_content(live.records).items() if name in closed}
    said = final_content(folded(lines(scene.told), until=scene.end).records)
    assert {name: said.get(name) for name in lived} == lived


@pytest.mark.long
@few
@given(
    seed=seeds,
    definition=definitions,
    tick=st.sampled_from((60, 600, 1_800)),
    dense=st.sampled_from((1, 7, 10_000)),
)
def test_ticks_say_nothing(seed: int, definition: str, tick: int, dense: int) -> None:
    scene = scenario(random.Random(seed))
    usual = folded(lines(scene.told), definition)
    with patch.multiple(history, TICK=tick * 1_000_000, DENSE=dense):
        other = folded(lines(scene.told), definition)
    assert final_content(usual.records) == final_content(other.records)


@few
@given(seed=seeds, definition=definitions)
def test_the_elements_of_every_window_sum_to_its_length(seed: int, definition: str) -> None:
    scene: Scenario = scenario(random.Random(seed))
    found = folded(lines(scene.told), definition)
    windows = [r for r in found.records if isinstance(r, Oee | Kpi) and r.window != "product"]  # a part of its day
    assert {type(record) for record in windows} == {Oee, Kpi}
    for record in windows:
        assert record.ended_at is not None
        assert sum(record.element_us.values()) == record.ended_at - record.started_at, record.id


@few
@given(seed=seeds, until=st.integers(0, 150))
def test_what_comes_later_says_nothing_of_the_time_before(seed: int, until: int) -> None:
    scene = scenario(random.Random(seed))
    time = T0 + until * MINUTE
    known = [told for told in scene.told if order.span(told[1])[0] <= time]
    assert final_content(folded(lines(scene.told), until=time).records) == final_content(
        folded(lines(known), until=time).records
    )


@few
@given(seed=seeds)
def test_everything_is_closed_and_final_at_the_end(seed: int) -> None:
    scene = scenario(random.Random(seed))
    every = folded(lines(scene.told), every=True).records
    newest = {r.natural_id: r for r in every if r.message_class != "current"}
    assert {(r.status, r.ended_at is None) for r in newest.values()} == {("final", False)}
    kept = {r.id: r for r in folded(lines(scene.told)).records if r.message_class != "current"}
    assert kept == {r.id: r for r in newest.values() if not r.withdrawn}


def test_the_scenarios_are_of_the_plant() -> None:
    assert {path for path, _ in scenario(random.Random(1)).told} >= {LINE, CELL}
