"""`uns audit`: ids, formulas worked out, time piece by piece, revisions and their causes."""

import dataclasses
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.output.identity import natural_id
from processors.timeline.elements import Elements
from schemas.records import Derived, Downtime, Inputs, Kpi, Oee, Order, Reason, Shift, State
from tests.harness import line_logs as logs
from tests.harness.histories import LABELS, SEEDS, lived, told
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, S, beats, ordered, samples, ticks
from tests.harness.records import EXAMPLES
from topology.kpi.definition import shipped
from uns.history.audit.arithmetic import worked
from uns.history.audit.subject import AUDITED, BadId, is_of, kind_of, subject
from uns.history.evidence import PublishedRecord, ToldFact, causes, changes, gaps, in_force, newest, revisions
from uns.history.segments import element_us, segments

some = settings(deadline=None, max_examples=12)
EMPTY = Inputs("uns.acme.dallas.packaging.raw", 0, 10, 20)


@given(
    st.sampled_from(("oee.hour", "kpi.product.cola%201", "downtime", "quality.Fill_Volume.i-1")),
    st.integers(0, 4 * 10**15),
    st.none() | st.integers(0, 10**6),
)
def test_an_id_is_read_as_it_is_written(kind: str, started_at: int, revision: int | None) -> None:
    natural = natural_id(CELL, kind, started_at, "iso22400@1")
    found = subject(natural if revision is None else f"{natural}:{revision}")
    assert (found.natural, found.revision, found.kind, found.started_at) == (natural, revision, kind, started_at)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hello", "they look like acme/dallas"),
        (f"{CELL}#oee.hour@20261118T110000.000000Z", "they look like"),
        (f"{CELL}#oee.hour@yesterday~iso22400@1", "'yesterday' is no time of an id"),
        (f"{CELL}#oe.hour@20261118T110000.000000Z~iso22400@1", "did you mean 'oee'?"),
        (f"{CELL}#schedule@20261118T110000.000000Z~iso22400@1", "no class of derived records that can be audited"),
        (f"{CELL}#current@20261118T110000.000000Z~iso22400@1", "no class of derived records that can be audited"),
        (f"{CELL}#oee.hour@20261118T110000.000000Z~iso22400", "name@version is expected"),
        ("Acme/x#oee.hour@20261118T110000.000000Z~iso22400@1", "acme"),
    ],
)
def test_what_is_no_id_is_refused_with_the_way_out(text: str, hint: str) -> None:
    with pytest.raises(BadId, match=hint.replace("?", r"\?")):
        subject(text)


@pytest.mark.parametrize("record", [one for one in EXAMPLES if isinstance(one, Derived)])
def test_the_id_of_every_record_type_is_told_to_be_of_its_class(record: Derived) -> None:
    if record.message_class in AUDITED:
        assert subject(record.id).message_class == record.message_class
    else:
        with pytest.raises(BadId, match="pilot"):  # the classes offered are those that can be audited
            subject(record.id)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("oee", "oee"),
        ("oee.hour", "oee.hour"),
        ("bottleneck", "kpi.bottleneck"),
        ("bottleneck.shift", "kpi.bottleneck.shift"),
        ("kpi.bottleneck.shift", "kpi.bottleneck.shift"),
        ("pilot", "pilot"),
        ("pilot-smed", "pilot-smed"),
    ],
)
def test_a_class_or_a_kind_is_asked_for(words: str, kind: str) -> None:
    assert kind_of(words) == kind


@pytest.mark.parametrize(
    ("own", "kind", "answer"),
    [
        ("oee.hour", "oee", True),
        ("oee.hour", "oee.hour", True),
        ("oee.hour", "oee.shift", False),
        ("pilot-smed", "pilot", True),
        ("pilot-smed", "pilot-smed", True),
        ("pilot-smed", "pilot-sm", False),
        ("kpi.hour", "kpi", True),
        ("kpi.bottleneck.hour", "kpi", False),
        ("kpi.bottleneck.hour", "kpi.bottleneck", True),
    ],
)
def test_what_a_kind_asks_for(own: str, kind: str, answer: bool) -> None:
    assert is_of(own, kind) is answer


@pytest.mark.long
@some
@given(st.sampled_from(SEEDS), st.sampled_from(LABELS))
def test_the_pieces_of_time_are_what_the_record_says(seed: int, label: str) -> None:
    """Told again from published states and stops and the plan alone, the elements are the fold's, to the microsecond."""
    life = lived(seed, label)
    plans, elements = life.plans.plans(), Elements(life.side.definition)
    found = [r for r in life.side.records if isinstance(r, Kpi) and r.ended_at is not None and r.window != "product"]
    assert {record.window for record in found} >= {"hour", "shift", "day"}
    for record in found:
        own = [one for one in life.side.records if one.path == record.path]
        assert record.ended_at is not None
        pieces = segments(
            elements,
            [one for one in own if isinstance(one, State)],
            [one for one in own if isinstance(one, Downtime)],
            plans[record.path],
            record.started_at,
            record.ended_at,
        )
        assert (pieces[0].start, pieces[-1].end) == (record.started_at, record.ended_at)
        assert all(one.end == other.start for one, other in pairwise(pieces))
        assert element_us(pieces) == {name: us for name, us in record.element_us.items() if us}


@pytest.mark.long
@some
@given(st.sampled_from(SEEDS), st.sampled_from(LABELS))
def test_formulas_worked_out_are_what_the_record_says(seed: int, label: str) -> None:
    life = lived(seed, label)
    found = [record for record in life.records if isinstance(record, Kpi | Oee)][::7]
    for record in found:
        lines = worked(life.side.definition, record)
        assert lines or isinstance(record, Oee)  # a definition need not have the four of the Oee record
        assert all(line.agrees for line in lines), [line for line in lines if not line.agrees]
    assert any(line.value for record in found for line in worked(life.side.definition, record))


def test_a_formula_is_shown_with_its_numbers() -> None:
    record = Oee(
        id="x:0", path=CELL, started_at=0, ended_at=28_800 * S, definition="iso22400@1", status="final", revision=0,
        inputs=EMPTY, window="shift", window_name="early", good=3000, scrap=50, order=None, product=None,
        element_us={"APT": 22_380 * S, "ADET": 2_820 * S, "PDOT": 1_800 * S, "unplanned": 1_800 * S},
        ideal_us=18_300 * S, ideal_good_us=18_000 * S,
        availability=22_380 / 25_200, performance=18_300 / 22_380, quality=3000 / 3050, oee=18_000 / 25_200,
    )  # fmt: skip
    lines = {line.name: line for line in worked(shipped()["iso22400@1"], record)}
    assert lines["availability"].formula == "APT / PBT"
    assert lines["availability"].filled == "22,380 s / 25,200 s"
    assert lines["availability"].result == "0.8881"
    assert lines["PBT"].filled == "28,800 s - 1,800 s - 1,800 s"
    assert lines["performance"].filled == "(6 s * 3,000 + 6 s * 50) / 22,380 s"
    assert lines["oee"].result == "0.7143"
    assert all(line.agrees for line in lines.values())
    wrong = worked(shipped()["iso22400@1"], msgspec.structs.replace(record, oee=0.72))
    assert [line.name for line in wrong if not line.agrees] == ["oee"]


def test_revisions_their_changes_and_their_causes() -> None:
    log: list[logs.Told] = [
        (LINE, Shift(id="early", name="early", started_at=T0, ended_at=T0 + 8 * HOUR)),
        (LINE, Order(id="4711", product="cola", started_at=T0)),
        *ordered(
            [
                samples(T0, State=6, Good=0),
                samples(T0 + 20 * MINUTE, State=2, Good=200),
                samples(T0 + 50 * MINUTE, State=6),
                *beats(T0, T0 + HOUR),
                *ticks(T0, T0 + HOUR + MINUTE, MINUTE),
            ]
        ),
        (CELL, Reason(id="r1", code=201, started_at=T0 + 20 * MINUTE, by="anna")),
        *ticks(T0 + HOUR + 2 * MINUTE, T0 + HOUR + 3 * MINUTE, MINUTE),
    ]
    life = told("acme@1", log)  # a reason is a class of its own there
    stops = [record for record in life.records if isinstance(record, Downtime)]
    places = [
        PublishedRecord(record, "uns.acme.dallas.packaging.downtime", 0, n, 1_000 * n, 100 * n)
        for n, record in enumerate(stops)
    ]
    found = revisions([*places, places[-1]])  # written twice: counts once
    assert [one.published.record.revision for one in found] == list(range(len(stops)))
    last = found[-1]
    assert last.published.record.status == "corrected"
    assert last.changed["reason"] == (None, "drive fault")
    assert last.changed["status"] == ("final", "corrected")
    assert "id" not in last.changed
    causes(found, {})
    spans = [(one.cause.after, one.cause.upto, one.cause.exact) for one in found if one.cause is not None]
    assert spans == [(100 * n - 100 if n else -1, 100 * n, True) for n in range(len(stops))]
    untold = [dataclasses.replace(one, cause=None) for one in places]
    causes(again := revisions(untold), {1_000 * n: 50 * n + 1 for n in range(len(stops))})
    assert [(one.cause.upto, one.cause.exact) for one in again if one.cause is not None] == [
        (50 * n, False) for n in range(len(stops))
    ]


def test_maps_and_lists_change_by_their_keys() -> None:
    life = lived(0, "nakajima@1")
    before, after = [r for r in life.records if isinstance(r, Kpi) and r.window == "shift" and r.stops][:2]
    found = changes(before, after)
    assert any(name.startswith("element_us.") for name in found)
    assert not any(name in found for name in ("element_us", "values", "pieces", "stops", "id", "revision"))
    assert changes(after, after) == {}


def test_facts_in_force() -> None:
    def order(path: str, offset: int, name: str, product: str) -> ToldFact:
        return ToldFact(path, Order(id=name, product=product, started_at=T0), offset, 0)

    told_ = [order(LINE, 1, "a", "x"), order(CELL, 2, "a", "y"), order(LINE, 3, "a", "z"), order(LINE, 9, "b", "w")]
    assert [(one.offset, one.path) for one in in_force(told_, upto=5)] == [(2, CELL)]
    assert [one.offset for one in in_force(told_)] == [2, 9]


def test_the_newest_of_each_and_what_is_not_covered() -> None:
    def state(start: int, end: int | None, revision: int, definition: str = "iso22400@1") -> PublishedRecord:
        record = State(
            id=f"{natural_id(CELL, 'state', start, definition)}:{revision}", path=CELL, started_at=start, ended_at=end,
            definition=definition, status="final", revision=revision, inputs=EMPTY, state="execute",
            mode="production", element="APT",
        )  # fmt: skip
        return PublishedRecord(record, "t", 0, 0, 0, None)

    found = newest(
        [state(0, None, 0), state(0, 10, 1), state(10, 20, 0), state(20, 20, 1), state(30, None, 0), state(12, 13, 0, "x@1")],
        5,
        40,
        "iso22400@1",
    )  # fmt: skip
    assert [(one.record.started_at, one.record.ended_at) for one in found] == [(0, 10), (10, 20), (30, None)]
    assert gaps(found, 5, 40) == [(20, 30)]
    assert gaps([], 5, 40) == [(5, 40)]
