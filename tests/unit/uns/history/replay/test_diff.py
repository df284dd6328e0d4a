"""The verdicts of a replay and the corrections that follow, without Kafka."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.output.identity import natural_id, revised
from schemas.records import Alert, Derived, Inputs, Oee, Order, Production, Quality, Sample, Samples, Tick
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, plant
from tests.harness.records import EXAMPLES, PATH
from topology.model.plant import Plant
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from topology.namespace.topics import partition
from uns.history.replay.diff import DIFFERENCES, ReplayVerdict, Skip, VerdictKind, compare, correction, fact
from uns.history.replay.offline import COMPARED, Scope
from uns.history.replay.recompute import raw_partitions
from uns.history.replay.retention import KeptLog

LABEL, OTHER = "iso22400@1", "iso22400@2"
FLOOR = T0 + HOUR


def made(
    number: int, good: int = 1, revision: int = 0, status: str = "final", label: str = LABEL, lasts: bool = True
) -> Production:
    """The pieces of minute `number`; `lasts` false: taken back."""
    start = T0 + number * MINUTE
    return Production(
        id=revised(natural_id(CELL, "production", start, label), revision),
        path=CELL,
        started_at=start,
        ended_at=start + MINUTE * lasts,
        definition=label,
        status=status,
        revision=revision,
        inputs=Inputs("raw", 0, number, number),
        good=good,
        scrap=0,
        resets=0,
        order=None,
        product=None,
    )


def told(*records: Derived) -> dict[str, dict[str, Derived]]:
    """As a consumer ends up with them."""
    found: dict[str, dict[str, Derived]] = {}
    for record in records:
        found.setdefault(fact(record), {})[record.definition] = record
    return found


def said(*records: Derived) -> dict[str, tuple[Derived, ...]]:
    return {fact(record): (record,) for record in records}


def verdict(replayed: Sequence[Derived], published: Sequence[Derived], label: str = LABEL) -> ReplayVerdict:
    (found,) = compare(said(*replayed), told(*published), label, LABEL)
    return found


def test_revision_status_and_offsets_make_no_difference() -> None:
    known = msgspec.structs.replace(made(0, revision=4, status="corrected"), inputs=Inputs("raw", 0, 7, 9))
    assert verdict([made(0)], [known]).kind is VerdictKind.SAME


def test_a_changed_record_goes_out_as_the_next_revision() -> None:
    found = verdict([made(0, good=5)], [made(0, good=3, revision=2)])
    assert found.kind is VerdictKind.CHANGED
    assert found.fields() == {"good": (3, 5)}
    assert correction(found, LABEL, LABEL, FLOOR) == made(0, good=5, revision=3, status="corrected")


def test_a_missing_record_begins_at_revision_0() -> None:
    found = verdict([made(0, good=5, revision=2, status="corrected")], [])
    assert found.kind is VerdictKind.MISSING
    assert correction(found, LABEL, LABEL, FLOOR) == made(0, good=5)


def test_an_extra_record_is_withdrawn_and_may_come_back() -> None:
    found = verdict([], [made(0, good=3, revision=1)])
    gone = made(0, good=0, revision=2, status="corrected", lasts=False)
    assert found.kind is VerdictKind.EXTRA
    assert correction(found, LABEL, LABEL, FLOOR) == gone
    assert verdict([], [gone]).kind is VerdictKind.SAME
    back = verdict([made(0, good=3)], [gone])
    assert back.kind is VerdictKind.MISSING
    assert correction(back, LABEL, LABEL, FLOOR) == made(0, good=3, revision=3, status="corrected")


def test_withdrawing_leaves_nothing_to_count() -> None:
    base: dict[str, Any] = {
        "path": CELL,
        "started_at": T0,
        "ended_at": T0 + HOUR,
        "definition": LABEL,
        "status": "final",
    }
    base |= {"revision": 0, "inputs": Inputs("raw", 0, 0, 9)}
    hour = Oee(
        id=revised(natural_id(CELL, "oee.hour", T0, LABEL), 0), **base, window="hour", window_name=None,
        element_us={"APT": HOUR}, good=9, scrap=1, ideal_us=5, ideal_good_us=4, availability=1.0, performance=0.9,
        quality=0.9, oee=0.8, order=None, product=None,
    )  # fmt: skip
    taken = correction(verdict([], [hour]), LABEL, LABEL, T0 + 2 * HOUR)
    assert isinstance(taken, Oee)
    assert taken.withdrawn
    assert (sum(taken.element_us.values()), taken.good, taken.ideal_us, taken.oee) == (0, 0, 0, None)
    alert = Alert(
        id=revised(natural_id(CELL, "alert.silent", T0, LABEL), 0), **base, kind="silent", severity="medium",
        state="raised", subject=CELL, message="", acknowledged_by=None, cause="",
    )  # fmt: skip
    cleared = correction(verdict([], [alert]), LABEL, LABEL, T0 + 2 * HOUR)
    assert isinstance(cleared, Alert)
    assert cleared.state == "cleared"
    assert cleared.withdrawn
    point = Quality(
        id=revised(natural_id(CELL, "quality.x", T0, LABEL), 0), **(base | {"ended_at": T0}), characteristic="x",
        value=1.0, moving_range=None, phase="late", mean=None, lcl=None, ucl=None, range_ucl=None, lsl=None, usl=None,
        rules=(),
    )  # fmt: skip
    assert correction(verdict([], [point]), LABEL, LABEL, FLOOR) is Skip.POINT


@pytest.mark.parametrize("kind", ["ends at the floor", "lasts", "is provisional"])
def test_what_the_processors_may_still_revise_is_theirs(kind: str) -> None:
    ends = {"ends at the floor": FLOOR, "lasts": None, "is provisional": T0 + MINUTE}[kind]
    status = "provisional" if kind == "is provisional" else "final"
    old = msgspec.structs.replace(made(0, good=3), ended_at=ends, status=status)
    new = msgspec.structs.replace(old, good=4)
    for pair in ([new], [old]), ([new], []), ([], [old]):
        assert correction(verdict(*pair), LABEL, LABEL, FLOOR) is Skip.OWNED
    closed = msgspec.structs.replace(new, ended_at=FLOOR - 1, status="final")
    assert correction(verdict([closed], []), LABEL, LABEL, FLOOR) == closed


def test_a_commit_while_we_looked_is_no_difference() -> None:
    first, second, third = made(0, good=1), made(0, good=2, revision=1), made(0, good=3, revision=2)
    replayed = {fact(first): (None, first, second)}
    for published in ((), (first,), (second,)):
        kinds = [v.kind for v in compare(replayed, told(*published), LABEL, LABEL)]
        assert kinds == ([VerdictKind.SAME] if published else [])
    (found,) = compare(replayed, told(third), LABEL, LABEL)
    assert found.kind is VerdictKind.CHANGED
    assert found.replayed == second


def test_another_definition_is_compared_by_fact_and_published_whole() -> None:
    same, changed = made(0, label=OTHER), made(1, good=9, label=OTHER)
    open_ = msgspec.structs.replace(made(2, label=OTHER), ended_at=None, status="provisional")
    published = told(made(0), made(1), made(2), made(3))
    found = list(compare(said(same, changed, open_), published, OTHER, LABEL))
    assert [v.kind for v in found] == [VerdictKind.SAME, VerdictKind.CHANGED, VerdictKind.OPEN, VerdictKind.EXTRA]
    outcomes = [correction(v, OTHER, LABEL, FLOOR) for v in found]
    assert outcomes == [same, changed, Skip.OPEN, Skip.OTHER_DEFINITION]
    after = {name: dict(revisions) for name, revisions in published.items()}
    for record in (same, changed):
        after[fact(record)][OTHER] = record
    again = list(compare(said(same, changed, open_), after, OTHER, LABEL))
    assert [v.kind for v in again] == [VerdictKind.SAME, VerdictKind.SAME, VerdictKind.OPEN]
    assert [correction(v, OTHER, LABEL, FLOOR) for v in again] == [None, None, Skip.OPEN]


def test_the_cause_of_an_alert_is_the_same_fact_under_any_definition() -> None:
    def raised(label: str) -> Alert:
        return Alert(
            id=revised(natural_id(CELL, "alert.silent", T0, label), 0), path=CELL, started_at=T0, ended_at=T0 + 1,
            definition=label, status="final", revision=0, inputs=Inputs("raw", 0, 0, 0), kind="silent",
            severity="medium", state="cleared", subject=CELL, message="", acknowledged_by=None,
            cause=natural_id(CELL, "state", T0, label),
        )  # fmt: skip

    (found,) = compare(said(raised(OTHER)), told(raised(LABEL)), OTHER, LABEL)
    assert found.kind is VerdictKind.SAME


MINUTES = st.dictionaries(st.integers(0, 9), st.integers(0, 3), max_size=8)


@st.composite
def histories(draw: st.DrawFn, label: str) -> list[Derived]:
    return [
        made(n, good, revision, "final" if revision == 0 else "corrected", label, draw(st.booleans()))
        for n, good in draw(MINUTES).items()
        for revision in [draw(st.integers(0, 4))]
    ]


@given(histories(LABEL), histories(LABEL), histories(OTHER), st.sampled_from([LABEL, OTHER]), st.integers(0, 12))
def test_published_corrections_leave_only_what_was_skipped(
    replayed: list[Derived], ours: list[Derived], theirs: list[Derived], label: str, floor: int
) -> None:
    new = [msgspec.structs.replace(r, definition=label, id=r.id.replace(LABEL, label)) for r in replayed]
    published = told(*ours, *theirs)
    edge = T0 + floor * MINUTE
    found = list(compare(said(*new), published, label, LABEL))
    names = [fact(v.record) for v in found]
    assert names == sorted(set(names))
    assert set(names) <= {fact(r) for r in (*new, *ours, *theirs)}
    skipped = 0
    for one in found:
        outcome = correction(one, label, LABEL, edge)
        if isinstance(outcome, Derived):
            before = published.get(fact(outcome), {}).get(label)
            assert outcome.revision == (0 if before is None else before.revision + 1)
            assert outcome.id == revised(outcome.natural_id, outcome.revision)
            assert outcome.status != "provisional"
            published.setdefault(fact(outcome), {})[label] = outcome
        skipped += isinstance(outcome, Skip)
    again = list(compare(said(*new), published, label, LABEL))
    assert not any(isinstance(correction(v, label, LABEL, edge), Derived) for v in again)
    assert sum(v.kind in DIFFERENCES for v in again) <= skipped


def kept(first: int) -> KeptLog:
    """A log in which the filler is heard from T0 on, and the order o1 is told."""
    found = KeptLog(first, HOUR)
    found.saw("acme/dallas/packaging", Tick(at=T0, worker=""))
    found.saw(CELL, Samples("", 0, (Sample("Good", T0 - HOUR, 1),)))
    found.saw(LINE, Order(id="o1", product="a", started_at=T0))
    return found


def window(name: str, start: int, end: int) -> Oee:
    return Oee(
        id=revised(natural_id(CELL, "oee.order", start, LABEL), 0), path=CELL, started_at=start, ended_at=end,
        definition=LABEL, status="final", revision=0, inputs=Inputs("raw", 0, 5, 5), window="order", window_name=name,
        element_us={}, good=0, scrap=0, ideal_us=0, ideal_good_us=0, availability=None, performance=None, quality=None,
        oee=None, order=name, product=None,
    )  # fmt: skip


def test_a_whole_log_leaves_no_doubt() -> None:
    assert kept(0).doubt(made(0), made(0, good=2)) is None


@pytest.mark.parametrize(
    ("published", "replayed", "words"),
    [
        (made(70), made(70, good=2), None),
        (made(59), made(59, good=2), "less than a correction horizon"),
        (None, made(59), "less than a correction horizon"),
        (msgspec.structs.replace(made(70), inputs=Inputs("raw", 0, 4, 90)), None, "rests on raw records"),
        (msgspec.structs.replace(made(70), path=CELL + "-2"), None, "less than a correction horizon"),
        (made(125), made(125, good=2), "shift or order"),
        (made(95), made(95, good=2), None),
    ],
)
def test_what_retention_took_is_not_judged(
    published: Derived | None, replayed: Derived | None, words: str | None
) -> None:
    found = kept(5)
    found.look([window("o1", T0 + 90 * MINUTE, T0 + 100 * MINUTE), window("o2", T0 + 2 * HOUR, T0 + 3 * HOUR)])
    why = found.doubt(published, replayed)
    assert why is None if words is None else why is not None and words in why


def test_a_doubt_makes_a_difference_no_difference_but_equal_stays_equal() -> None:
    def never(published: Derived | None, replayed: Derived | None) -> str:
        return "never"

    records: Mapping[str, tuple[Derived, ...]] = said(made(0), made(1, good=2))
    found = list(compare(records, told(made(0), made(1)), LABEL, LABEL, never))
    assert [(v.kind, v.why) for v in found] == [(VerdictKind.SAME, ""), (VerdictKind.NOT_REPRODUCIBLE, "never")]
    assert correction(found[1], LABEL, LABEL, FLOOR) is Skip.NOT_REPRODUCIBLE


def test_only_partitions_with_machines_of_the_filter_are_read() -> None:
    model = plant().model_dump()
    areas = model["namespace"]["sites"]["dallas"]["areas"]
    lines = {f"line-{n}": {"cells": {"filler": {"type": "filler"}}} for n in range(6)}
    areas["packaging"] = {"partitions": 3, "lines": lines}
    areas["stamping"] = {"lines": {"press-1": {"cells": {"press": {"type": "filler"}}}}}
    two = Plant.model_validate(model)
    everything = raw_partitions(two, Filter.parse("#"))
    assert {(p.raw.topic.split(".")[3], p.partition) for p in everything} >= {("stamping", 0), ("packaging", 0)}
    assert sorted(path for p in everything for path in p.paths) == sorted(map(str, two.cells()))
    (one,) = raw_partitions(two, Filter.parse("acme/+/packaging/line-4/#"))
    assert one.paths == {"acme/dallas/packaging/line-4/filler"}
    assert one.partition == partition(Path.parse("acme/dallas/packaging/line-4"), 3)
    assert raw_partitions(two, Filter.parse("acme/dallas/welding/#")) == []


def test_a_pilot_is_nothing_that_a_replay_would_say() -> None:
    told = {type(one).__name__: one for one in EXAMPLES}
    scope = Scope(frozenset({PATH}), frozenset(COMPARED), 0, 1 << 62)
    kpi, pilot = told["Kpi"], told["Pilot"]
    assert isinstance(kpi, Derived)
    assert isinstance(pilot, Derived)
    assert scope.holds(kpi)
    assert not scope.holds(pilot)
