"""Time that nobody saw: for any life of a line with any gaps, however told, the numbers are those of a naive evaluation."""

import random
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.records import Gap, Kpi, Oee, Sample, Samples, State, is_good
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, S, Told, final_numbers, plant, tick, ticks
from tests.harness.line_scenarios import Scenario, delayed, scenario
from topology.namespace.packml import CODE_MAPS

pytestmark = pytest.mark.long

some = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink
)
seeds = st.integers(0, 2**32).map(random.Random)
PATIENCE = 60 * S
NAMED = ("State", "Mode")
"""Tags of which a bad sample is kept, as unknown."""


def with_gaps(chance: random.Random) -> Scenario:
    """A life in which what was said in some gaps is lost, and in others came late."""
    scene = scenario(chance)
    for n in range(chance.randrange(1, 6)):
        start = T0 + chance.randrange(0, 90 * MINUTE)
        end = chance.choice((None, start, start + chance.randrange(1, 3 * MINUTE), start + chance.randrange(1, HOUR)))
        path = chance.choice((CELL, CELL, LINE))
        gap = Gap(id=f"g{n}", started_at=start, ended_at=end, cause="link_lost", by="plc")
        if chance.random() < 0.3:
            scene.told.append((path, Gap(id=f"g{n}", started_at=start, cause="link_lost", by="plc")))
            if chance.random() < 0.5:
                gap = Gap(id=f"g{n}", started_at=start, ended_at=start, cause="link_lost", by="plc")
        scene.told.append((path, gap))
        if chance.random() < 0.6:
            scene.told = [
                told
                for told in scene.told
                if not isinstance(told[1], Samples)
                or not start <= told[1].samples[0].at < (start + 10 * MINUTE if end is None else end)
            ]
    return scene


def late(chance: random.Random, scene: Scenario, most: int) -> list[Told]:
    """As `delayed`, but that of facts with one id the last told stays the last: it is the one that counts."""
    told = delayed(chance, scene, most)
    last = {(path, gap.id): gap for path, gap in scene.told if isinstance(gap, Gap)}
    final = [(path, gap) for (path, _), gap in last.items()]
    return [*told, *final, *ticks(scene.end, scene.end + HOUR, 10 * MINUTE), tick(scene.end + HOUR + MINUTE)]


def numbers(run: Run) -> dict[str, tuple[object, ...]]:
    """All that stands, but for control charts, which are made in order of arrival and say so."""
    said = {name: values for name, values in final_numbers(run).items() if "quality." not in name}
    for record in run.newest("oee") + run.newest("kpi"):
        if isinstance(record, Oee | Kpi) and record.path == CELL:
            said[f"observed {record.natural_id}"] = (
                record.observed_us,
                record.elapsed_us,
                record.coverage,
                record.why_null,
            )
    return said


@some
@given(seeds, st.sampled_from(["iso22400@1", "acme@1"]))
def test_order_of_arrival_does_not_matter(chance: random.Random, label: str) -> None:
    scene = with_gaps(chance)
    at_once = Run(plant(label)).feed([*late(random.Random(0), scene, 1)])
    assert numbers(Run(plant(label)).feed(late(chance, scene, 40 * MINUTE))) == numbers(at_once)


@some
@given(seeds, st.integers(1, 6))
def test_a_restored_fold_goes_on_the_same(chance: random.Random, cuts: int) -> None:
    told = late(chance, with_gaps(chance), 20 * MINUTE)
    whole, run = Run().feed(told), Run()
    marks = sorted(chance.randrange(len(told)) for _ in range(cuts))
    for since, until in pairwise([0, *marks, len(told)]):
        run.feed(told[since:until])
        run.restart(chance)
    assert run.outputs == whole.outputs


@some
@given(seeds)
def test_states_are_those_of_a_naive_evaluation(chance: random.Random) -> None:
    """Instant by instant, at every time at which anything changes, from the sets of samples and gaps alone."""
    scene = with_gaps(chance)
    run = Run().feed(late(chance, scene, 10 * MINUTE))
    end = scene.end + HOUR + MINUTE
    told = {(path, fact.id): fact for path, fact in scene.told if isinstance(fact, Gap)}
    spoken = [s for path, r in scene.told if path == CELL and isinstance(r, Samples) for s in r.samples]
    signs = sorted({s.at for s in spoken if is_good(s.quality)})
    states: dict[int, str] = {}
    for s in spoken:
        if s.tag == "State" and is_good(s.quality):
            states[s.at] = CODE_MAPS["packml"][s.value]  # type: ignore[index]
        elif s.tag == "State":
            states.setdefault(s.at, "unknown")
    gaps = []
    for (path, _), gap in told.items():
        if path in (CELL, LINE):
            woken = _woken(gap.started_at, signs, spoken)
            gaps.append((gap.started_at, woken if gap.ended_at is None else gap.ended_at))
    edges = sorted({at for gap in gaps if gap[0] < gap[1] for at in gap})
    known = [at for at, state in states.items() if state != "unknown"]
    first = min(known, default=1 << 62)
    records = sorted(
        (r for r in run.newest("state") if isinstance(r, State) and r.path == CELL and r.ended_at != r.started_at),
        key=lambda r: r.started_at,
    )
    marks = sorted({*states, *signs, *(at + PATIENCE for at in signs), *edges, *(at + PATIENCE for at in edges)})
    for at in (mark for mark in marks if records and records[0].started_at <= mark < end):
        within = [gap for gap in _union(gaps) if gap[0] <= at < gap[1]]
        before = [t for t in (*signs, *_ends(_union(gaps))) if t <= at]
        after = [t for t in (*signs, *_ends(_union(gaps))) if t > at]
        silent = min(after, default=end) - max(before) > PATIENCE if before else True
        state_at = max((t for t in states if t <= at), default=None)
        state = "unknown" if state_at is None or silent else states[state_at]
        seen = at >= first and not (within and (state == "unknown" or state_at is None or state_at < within[0][0]))
        expected = (state, True) if seen else ("unknown", False)
        record = next(r for r in records if r.started_at <= at and (r.ended_at is None or at < r.ended_at))
        assert (record.state, record.mode != "not_observed") == expected, (at - T0) / S


def _woken(start: int, signs: list[int], spoken: list[Sample]) -> int:
    """When a tag that is kept spoke next, but no later than a sign of life must have come."""
    kept = [s.at for s in spoken if s.tag not in ("Heartbeat", "FillVolume") and (is_good(s.quality) or s.tag in NAMED)]
    after = [at for at in signs if at > start]
    before = [at for at in signs if at <= start]
    ends = [at for at in kept if at > start]
    if after and before and after[0] - before[-1] <= PATIENCE:
        ends.append(start + PATIENCE)
    elif after:
        ends.append(after[0])
    return min(ends, default=1 << 62)


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    union: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if union and start <= union[-1][1]:
            union[-1] = union[-1][0], max(end, union[-1][1])
        else:
            union.append((start, end))
    return union


def _ends(spans: list[tuple[int, int]]) -> list[int]:
    return [at for span in spans for at in span]
