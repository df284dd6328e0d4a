"""What held at an instant: by example, and against an oracle that looks at everything each time."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Downtime, Oee, Record, Sample, Samples, State
from tests.harness.records import EXAMPLES, PATH, T
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from uns.client.subscribe import Received
from uns.history.moment import STATE, STOP, Moment, changes, told

S = 1_000_000


def item(record: Record, offset: int = 0, ingested_at: int = T) -> Received:
    return Received("topic", 0, offset, Path.parse(PATH), MessageClass.STATE, ingested_at, b"", record, None, ())


def state(begin: int, end: int | None, revision: int = 0, word: str = "execute") -> State:
    example = next(each for each in EXAMPLES if isinstance(each, State))
    return msgspec.structs.replace(
        example, started_at=begin, ended_at=end, revision=revision, state=word, id=f"{PATH}#state@{begin}:{revision}"
    )


def seen(moment: Moment, *records: Record, at: int = T) -> dict[str, Any]:
    for offset, record in enumerate(records):
        moment.apply(item(record, offset, at))
    found = moment.paths().get(PATH)
    return {} if found is None else {kind: said.record for kind, said in found.said.items()}


def test_the_newest_revision_decides_and_one_that_has_ended_holds_no_more() -> None:
    open_, ended = state(T, None), state(T, T + 10 * S, 1)
    assert seen(Moment(T + 5 * S), open_, ended)[STATE] == ended
    assert STATE not in seen(Moment(T + 10 * S), open_, ended)
    assert STATE not in seen(Moment(T - 1), open_)
    assert seen(Moment(T + 10 * S), open_, ended, state(T + 10 * S, None, word="held"))[STATE].state == "held"
    assert STATE not in seen(Moment(T + 5 * S), open_, state(T, T, 1)), "withdrawn"
    assert STATE not in seen(Moment(T + 10 * S), ended, open_), "a replay says the older one later"


def test_known_at_leaves_out_what_came_later() -> None:
    moment = Moment(T + 5 * S, known_at=T + S)
    moment.apply(item(state(T, None), 0, T))
    moment.apply(item(state(T, T + 3 * S, 1), 1, T + 2 * S))
    assert moment.paths()[PATH].said[STATE].record.revision == 0


def test_tags_say_their_age_and_place() -> None:
    moment = Moment(T + 5 * S)
    moment.apply(item(Samples("plc", 1, (Sample("Good", T, 1), Sample("Good", T + 9 * S, 2))), 7))
    (tag,) = told(PATH, moment.paths()[PATH], moment.at)["tags"]
    assert (tag["value"], tag["age_s"], tag["offset"]) == (1, 5.0, 7)


def test_stops_and_windows_are_told_by_kind() -> None:
    records = [each for each in EXAMPLES if isinstance(each, Downtime | Oee)]
    found = seen(Moment(T + S), *records)
    assert STOP in found
    assert {each for each in found if each.startswith("oee.")} == {
        f"oee.{each.window}" for each in records if isinstance(each, Oee)
    }


def test_what_differs_between_two_times() -> None:
    moments = [Moment(T + S), Moment(T + 20 * S)]
    for moment in moments:
        for record in (state(T, T + 10 * S), state(T + 10 * S, None, word="held")):
            moment.apply(item(record))
        moment.apply(
            item(Samples("plc", 1, (Sample("Good", T, 1), Sample("Speed", T + 2 * S, 7), Sample("Still", T, 3))))
        )
    found = [tuple(change)[1:] for change in changes(*(moment.paths() for moment in moments))]
    assert found == [("state", "execute", "held"), ("tag Speed", None, 7)]
    assert list(changes(moments[0].paths(), moments[0].paths())) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 12)), st.integers(0, 9)),
        max_size=25,
    ),
    st.integers(0, 12),
    st.one_of(st.none(), st.integers(0, 9)),
)
def test_it_agrees_with_looking_at_everything(
    told_: list[tuple[int, int, int | None, int]], at: int, known: int | None
) -> None:
    """(begin, revision, length, ingested) of records of one path, each revision once, in any order."""
    records = {
        (begin, revision): (None if length is None else begin + length, came) for begin, revision, length, came in told_
    }
    moment = Moment(T + at, None if known is None else T + known)
    for (begin, revision), (end, came) in records.items():
        moment.apply(item(state(T + begin, None if end is None else T + end, revision), 0, T + came))
    visible = {key: value for key, value in records.items() if known is None or value[1] <= known}
    newest = {begin: max(revision for each, revision in visible if each == begin) for begin, _ in visible}
    holding = [
        begin
        for begin, revision in newest.items()
        if begin <= at and ((end := visible[begin, revision][0]) is None or end > at)
    ]
    found = moment.paths().get(PATH)
    assert (None if found is None else found.said[STATE].record.started_at - T) == max(holding, default=None)
