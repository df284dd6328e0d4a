"""Who reads a source, by what the topic says: one at a time, never from one that is heard, never by an outage of Kafka's."""

from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from uns.runners.connector.tenure import BEATS, LEASE_S, PAST_MAX, WAITING_MAX, Beat, Tenure, after

LEASE_MS = int(LEASE_S * 1000)
BEAT_MS = LEASE_MS // BEATS


def beat(name: str, **more: object) -> Beat:
    return msgspec.structs.replace(Beat(name, f"spool-{name}", f"host-{name}", 1), **more)


def told(*beats: tuple[Beat, int], begun: Tenure | None = None) -> Tenure:
    tenure = begun or Tenure()
    for one, at_ms in beats:
        tenure = after(tenure, one, at_ms)
    return tenure


def beating(names: str, first_ms: int, last_ms: int) -> list[tuple[Beat, int]]:
    return [(beat(name), at) for at in range(first_ms, last_ms + 1, BEAT_MS) for name in names]


def test_the_first_holds_it_and_the_second_waits() -> None:
    tenure = told(*beating("ab", 0, 10 * LEASE_MS))
    assert tenure.is_held_by("a")
    assert set(tenure.waiting) == {"b"}


def test_a_holder_that_is_not_heard_is_outlasted_by_one_that_is() -> None:
    log = [
        *beating("ab", 0, 10_000),
        (beat("a"), 10_000),
        *beating("b", 10_000, 10_000 + LEASE_MS),
        (beat("b"), 25_000),
    ]
    assert told(*log).is_held_by("a")
    tenure = told(*log, (beat("b"), 25_001))
    assert tenure.is_held_by("b")
    assert tenure.since == 25_001_000
    assert told((beat("a"), 40_000), begun=tenure).is_held_by("b"), "who comes back waits"


def test_silence_of_all_takes_the_name_from_nobody() -> None:
    """Kafka was away for an hour; the other one is the first to be heard."""
    begun = told(*beating("ab", 0, 10_000))
    tenure = told((beat("b"), 3_600_000), (beat("b"), 3_600_000 + BEAT_MS), begun=begun)
    assert tenure.is_held_by("a")
    assert told(*beating("ba", 3_600_000, 3_700_000), begun=begun).is_held_by("a")
    assert told(*beating("b", 3_600_000, 3_600_000 + LEASE_MS + 2 * BEAT_MS), begun=begun).is_held_by("b")


def test_one_that_has_stopped_is_followed_at_once() -> None:
    begun = told(*beating("ab", 0, 10_000), (beat("a", ended=True, listened=7), 10_001))
    assert not begun.is_held_by("a")
    tenure = told((beat("b"), 10_002), begun=begun)
    assert tenure.is_held_by("b")
    assert tenure.listened == 7


def test_one_that_waits_and_stops_takes_nothing() -> None:
    begun = told(*beating("ab", 0, 10_000), (beat("b", ended=True), 10_001))
    assert begun.is_held_by("a")
    assert not begun.waiting
    assert told((beat("b", ended=True), 90_000), begun=begun).is_held_by("a")


def test_the_next_process_on_the_same_spool_waits_for_nobody() -> None:
    again = msgspec.structs.replace(beat("a"), run="a2")
    assert told(*beating("ab", 0, 10_000), (again, 10_001)).is_held_by("a2")


def test_two_on_copies_of_a_spool_do_not_take_it_from_each_other_for_ever() -> None:
    copy = msgspec.structs.replace(beat("a"), run="copy")
    tenure, holders = Tenure(), []
    for at in range(0, 10 * LEASE_MS, BEAT_MS):
        for one in (beat("a"), copy):
            tenure = after(tenure, one, at)
            holders.append(tenure.holder.run if tenure.holder else "")
    assert holders == ["a"] + ["copy"] * (len(holders) - 1)


def test_since_and_listened_outlive_a_log_that_begins_later() -> None:
    tenure = told((beat("a", since=5, listened=9), 1_000), (beat("b"), 1_001), (beat("a", since=5, listened=8), 1_002))
    assert (tenure.since, tenure.listened) == (5, 9)


def test_its_memory_is_bounded() -> None:
    tenure = told((beat("a"), 0), *((beat(f"b{n}"), 1) for n in range(10 * WAITING_MAX)))
    assert len(tenure.waiting) == WAITING_MAX
    for n in range(10 * PAST_MAX):
        tenure = after(tenure, msgspec.structs.replace(beat("a"), run=f"a{n}"), 2)
    assert len(tenure.past) == PAST_MAX


class _Said(NamedTuple):
    who: str
    wait_ms: int
    ended: bool


@given(
    st.lists(
        st.builds(
            _Said, st.sampled_from("abc"), st.integers(-50, LEASE_MS + 100), st.sampled_from([False] * 9 + [True])
        ),
        max_size=60,
    )
)
def test_whatever_is_said_the_name_leaves_only_who_stopped_or_was_silent(log: list[_Said]) -> None:
    tenure, now, heard, said = Tenure(), 0, 0, dict.fromkeys("abc", -(10**9))
    for one in log:
        now += one.wait_ms
        before = tenure
        tenure = after(tenure, beat(one.who, ended=one.ended), now)
        clock = max(heard, now)
        if before.holder is not None and tenure.holder is not None and tenure.holder.run != before.holder.run:
            assert tenure.holder.run == one.who, "nobody is given it who did not speak"
            assert before.holder.ended or clock - heard > LEASE_MS
            assert before.holder.ended or clock - said[one.who] <= LEASE_MS, "who was away itself begins to wait anew"
        if tenure.holder is not None and tenure.holder.run == one.who:
            heard = clock
        said[one.who] = clock
        assert tenure.heard >= before.heard, "a clock that is set back takes nothing back"
