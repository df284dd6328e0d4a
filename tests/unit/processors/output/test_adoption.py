"""A fold that was computed anew goes on from what was published: the same says nothing, what differs is corrected."""

import random

import msgspec
import pytest

from processors.base import Input
from schemas.records import Derived, Kpi, Oee, State
from tests.harness.line_logs import CELL, HOUR, LINE, T0, TOPIC, Run, Told, ticks
from tests.harness.line_scenarios import scenario

ALWAYS = -(1 << 62)
LOG: list[Told] = [*scenario(random.Random(20)).punctual(), *ticks(T0 + 4 * HOUR, T0 + 8 * HOUR, HOUR)]
CUT = len(LOG) * 4 // 5


def before() -> tuple[Run, dict[str, Derived]]:
    """A fold over the log up to the cut, and what it published: the newest revisions."""
    run = Run().feed(LOG[:CUT])
    return run, {record.natural_id: record for record in run.records}


def rest(run: Run) -> list[Derived]:
    said = len(run.outputs)
    run.feed(LOG[CUT:])
    return [output for output in run.outputs[said:] if isinstance(output, Derived)]


def test_what_is_published_already_is_not_said_again_and_the_fold_goes_on_as_if_uncut() -> None:
    uncut, published = before()
    anew, _ = before()
    hourly = next(record for record in published.values() if isinstance(record, Kpi))
    rolled_up = msgspec.structs.replace(hourly, id=hourly.id.replace(CELL, LINE), path=LINE)
    others = [
        rolled_up,
        msgspec.structs.replace(hourly, id=hourly.id.replace("iso22400@1", "acme@1"), definition="acme@1"),
    ]
    assert anew.fold.adopt([*published.values(), *others], ALWAYS, ()) == []
    expected = rest(uncut)
    assert len(expected) > 20
    assert rest(anew) == expected


def test_what_differs_is_corrected_after_the_published_revision() -> None:
    _, published = before()
    anew, _ = before()
    changed = next(r for r in published.values() if isinstance(r, Oee) and r.status != "provisional")
    other = msgspec.structs.replace(changed, id=f"{changed.natural_id}:7", revision=7, good=changed.good + 5)
    missing = next(r for r in published.values() if isinstance(r, State) and r.ended_at not in (None, r.started_at))
    told = published | {other.natural_id: other}
    del told[missing.natural_id]
    corrections = anew.fold.adopt(told.values(), ALWAYS, ())
    by_id = {record.id: record for record in corrections}
    assert len(corrections) == 2
    said = by_id[f"{changed.natural_id}:8"]
    assert isinstance(said, Oee)
    assert (said.revision, said.status, said.good) == (8, "corrected", changed.good)
    assert by_id[f"{missing.natural_id}:0"].revision == 0
    ids = [record.id for record in rest(anew)]
    assert len(ids) == len(set(ids)) > 20
    assert not set(ids) & {record.id for record in told.values()}


def test_what_the_fold_does_not_say_is_withdrawn() -> None:
    _, published = before()
    anew, _ = before()
    state = next(r for r in published.values() if isinstance(r, State) and r.ended_at not in (None, r.started_at))
    at = state.started_at + 1
    micro = f"{at % 1_000_000:06d}Z"
    extra = msgspec.structs.replace(
        state, id=state.id.replace(f"{state.started_at % 1_000_000:06d}Z", micro), started_at=at, revision=0
    )
    (withdrawal,) = anew.fold.adopt([*published.values(), extra], ALWAYS, ())
    assert (withdrawal.natural_id, withdrawal.revision) == (extra.natural_id, extra.revision + 1)
    assert withdrawal.started_at == withdrawal.ended_at == at
    assert rest(anew) == rest(before()[0])


def test_what_the_log_does_not_reach_stays_as_published() -> None:
    _, published = before()
    anew = Run()
    for offset, (path, record) in list(enumerate(LOG[:CUT]))[CUT // 2 :]:
        anew.fold.step(Input(path, TOPIC, 0, offset, record))
    anew.offset = CUT
    assert anew.fold.adopt(published.values(), 1 << 62, ()) == []
    newest = {r.natural_id: r.revision for r in published.values() if r.message_class != "current"}
    again = [r for r in rest(anew) if r.natural_id in newest and r.revision <= newest[r.natural_id]]
    assert again == [], "a revision was given twice"


@pytest.mark.parametrize("seed", range(4))
def test_of_a_trimmed_topic_nothing_is_concluded(seed: int) -> None:
    log = scenario(random.Random(seed)).punctual()
    first, anew = Run().feed(log), Run().feed(log)
    published = {record.natural_id: record for record in first.records if not isinstance(record, Oee)}
    assert anew.fold.adopt(published.values(), ALWAYS, {"oee"}) == []
    twin = Run().feed(log)
    lost = twin.fold.adopt(published.values(), ALWAYS, ())
    assert lost
    assert {type(record) for record in lost} == {Oee}
