"""What an object is now: value, quality and time, which i3X ties together."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Oee, Sample, State, Value
from tests.harness.i3x import server, snapshot
from tests.harness.records import EXAMPLES, PATH, T
from uns.i3x.board import STALE_US, WINDOW
from uns.i3x.space import stream_id, tag_id
from uns.i3x.vqt import BAD, GOOD, NO_DATA, UNCERTAIN, Vqt, of_sample, zulu

S = 1_000_000


def now_of(made: object, id_: str) -> Vqt:
    element = made.space.get(id_)  # type: ignore[attr-defined]
    assert element is not None
    return made.value(element)  # type: ignore[attr-defined, no-any-return]


def test_nothing_was_said() -> None:
    made, _ = server()
    for id_ in ("acme", PATH, tag_id(PATH, "Good"), stream_id(PATH, "oee")):
        assert now_of(made, id_) == Vqt(None, NO_DATA, T)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (Sample("FillVolume", T, 500.5), Vqt(500.5, GOOD, T)),
        (Sample("FillVolume", T, 500.5, 0x40000000), Vqt(500.5, UNCERTAIN, T)),
        (Sample("FillVolume", T, 500.5, 0x80000000), Vqt(None, BAD, T)),
        (Sample("FillVolume", T, None), Vqt(None, NO_DATA, T)),
        (Sample("FillVolume", T, math.nan), Vqt(None, BAD, T)),
        (Sample("FillVolume", T, "much"), Vqt(None, BAD, T)),
        (Sample("Name", T, "ä"), Vqt("ä", GOOD, T)),
    ],
)
def test_quality_and_value_belong_together(sample: Sample, expected: Vqt) -> None:
    made, _ = server()
    made.take(snapshot(T, sample))
    assert now_of(made, tag_id(PATH, sample.tag)) == expected


@given(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from([{"type": "number"}, {"type": ["number", "string", "boolean"]}, {}]),
)
def test_a_value_is_null_exactly_where_its_quality_says_so(
    value: Value, quality: int, silent: bool, schema: dict[str, object]
) -> None:
    vqt = of_sample(Sample("t", T, value, quality), silent, schema)
    assert (vqt.value is None) is (vqt.quality in (BAD, NO_DATA))


def test_a_silent_machine_has_no_values_and_an_old_snapshot_is_held() -> None:
    made, clock = server()
    made.take(snapshot(T, Sample("FillVolume", T - 90 * S, 500.0), last_seen=T - 61 * S))
    assert now_of(made, tag_id(PATH, "FillVolume")).quality == BAD
    made.take(snapshot(T + S, Sample("FillVolume", T, 500.0), last_seen=T))
    assert now_of(made, tag_id(PATH, "FillVolume")) == Vqt(500.0, GOOD, T)
    clock.now = T + S + STALE_US + round(made.plant.time.provisional_s * 1e6) + 1
    assert now_of(made, tag_id(PATH, "FillVolume")) == Vqt(500.0, UNCERTAIN, T)
    assert now_of(made, PATH).quality == UNCERTAIN
    made.remove(PATH)
    assert now_of(made, PATH).quality == NO_DATA


def test_of_a_stream_the_newest_record_counts_and_of_windows_the_hour() -> None:
    made, _ = server()
    example = next(each for each in EXAMPLES if isinstance(each, State))
    newer = msgspec.structs.replace(example, started_at=T + 5, state="held")
    for record in (newer, example):
        made.take(record)
    assert now_of(made, stream_id(PATH, "state")).value["state"] == "held"
    oee = next(each for each in EXAMPLES if isinstance(each, Oee) and each.window == WINDOW)
    made.take(msgspec.structs.replace(oee, window="shift"))
    assert now_of(made, stream_id(PATH, "oee")).quality == NO_DATA
    made.take(oee)
    assert now_of(made, stream_id(PATH, "oee")).value["window"] == WINDOW


def test_a_snapshot_changes_only_what_differs() -> None:
    made, _ = server()
    tags = Sample("Good", T, 1), Sample("Scrap", T, 0)
    assert [id_ for id_, _ in made.board.apply(snapshot(T, *tags))] == [
        PATH,
        tag_id(PATH, "Good"),
        tag_id(PATH, "Scrap"),
    ]
    again = snapshot(T + S, Sample("Good", T + S, 2), tags[1])
    assert [id_ for id_, _ in made.board.apply(again)] == [PATH, tag_id(PATH, "Good")]
    assert made.board.apply(snapshot(T, *tags)) == []
    assert made.board.apply(snapshot(T, *tags, path="acme/dallas/other/line-1/filler")) == []


def test_times_end_in_z_whatever_they_are() -> None:
    assert zulu(T) == "2026-11-18T11:06:40.000000Z"
    assert zulu(2**62).endswith("Z")
    assert zulu(-(2**62)).endswith("Z")
