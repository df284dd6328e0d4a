"""`uns fold` by property: the order of lines cannot matter, nor the ticks, and the numbers are those of the live fold."""

import random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.records import Samples
from tests.harness.fold_files import lines
from tests.harness.line_logs import CELL, LINE, MINUTE, Run, Told, final_content, plant
from tests.harness.line_scenarios import Scenario, delayed, scenario
from uns.fold import history
from uns.fold.history import Folded, fold
from uns.fold.lines import read

few = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)  # a seed does not shrink
seeds = st.integers(0, 2**32)


def folded(told: list[str], until: int | None = None) -> Folded:
    return fold(plant(), read("\n".join(told).encode()), until)


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
@given(seed=seeds)
def test_lines_in_any_order_split_or_told_twice_say_the_same(seed: int) -> None:
    chance = random.Random(seed)
    scene = scenario(chance)
    first = folded(lines(scene.told))
    shuffled = split(chance, scene.told)
    chance.shuffle(shuffled)
    again = folded(lines(shuffled))
    assert final_content(first.records) == final_content(again.records)
    assert {r.reason for r in first.refused} == {r.reason for r in again.refused}


@few
@given(seed=seeds)
def test_the_numbers_are_those_of_a_line_that_lived_it(seed: int) -> None:
    chance = random.Random(seed)
    scene = scenario(chance)
    live = Run().feed(delayed(chance, scene, 20 * MINUTE))
    closed = {
        r.natural_id
        for r in live.records
        if r.status in ("final", "corrected") and r.ended_at is not None and ".quality." not in r.id
        if r.message_class not in ("current", "quality")  # a point that comes late moves no chart
    }
    lived = {name: said for name, said in final_content(live.records).items() if name in closed}
    said = final_content(folded(lines(scene.told), until=scene.end).records)
    assert {name: said.get(name) for name in lived} == lived


@few
@given(seed=seeds, tick=st.sampled_from((60, 600, 1_800)), dense=st.sampled_from((1, 7, 10_000)))
def test_ticks_say_nothing(seed: int, tick: int, dense: int) -> None:
    scene = scenario(random.Random(seed))
    usual = folded(lines(scene.told))
    before = history.TICK, history.DENSE
    history.TICK, history.DENSE = tick * 1_000_000, dense
    try:
        other = folded(lines(scene.told))
    finally:
        history.TICK, history.DENSE = before
    assert final_content(usual.records) == final_content(other.records)


@few
@given(seed=seeds)
def test_the_elements_of_every_window_sum_to_its_length(seed: int) -> None:
    scene: Scenario = scenario(random.Random(seed))
    found = folded(lines(scene.told))
    for record in found.records:
        if record.message_class == "oee":
            assert record.ended_at is not None
            elements: dict[str, int] = getattr(record, "element_us")  # noqa: B009
            assert sum(elements.values()) == record.ended_at - record.started_at, record.id


def test_the_scenarios_are_of_the_plant() -> None:
    assert {path for path, _ in scenario(random.Random(1)).told} >= {LINE, CELL}
