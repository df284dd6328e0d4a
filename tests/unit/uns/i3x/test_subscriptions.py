"""Subscriptions: batches with numbers, bounded queues, a time to live, one owner."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Sample
from tests.harness.i3x import server, snapshot
from tests.harness.records import PATH, T
from uns.i3x.space import tag_id
from uns.i3x.subscriptions import Limits, Subscriptions, TooMany
from uns.i3x.vqt import GOOD, Vqt

ONE = Vqt(1, GOOD, T)


def made(**limits: float) -> Subscriptions:
    return Subscriptions(Limits()._replace(**limits))  # type: ignore[arg-type]


def test_what_is_acknowledged_goes_and_minus_one_clears_all() -> None:
    all_ = made()
    mine = all_.create("me", "", 0)
    all_.register(mine, "a", 1, ["a"])
    for _ in range(3):
        all_.publish([("a", ONE), ("b", ONE)])
    assert [(batch.number, len(batch.updates)) for batch in mine.waiting] == [(1, 1), (2, 1), (3, 1)]
    mine.acknowledge(2)
    assert [batch.number for batch in mine.waiting] == [3]
    mine.acknowledge(-1)
    assert (list(mine.waiting), mine.held) == ([], 0)
    all_.publish([("a", ONE)])
    assert mine.waiting[0].number == 4


@given(st.lists(st.integers(1, 7), max_size=30), st.integers(1, 10))
def test_a_full_queue_drops_the_oldest_and_counts_them(sizes: list[int], most: int) -> None:
    all_ = made(updates=most)
    mine = all_.create("me", "", 0)
    names = [str(number) for number in range(7)]
    for name in names:
        all_.register(mine, name, 1, [name])
    for size in sizes:
        all_.publish([(name, ONE) for name in names[:size]])
    held = sum(len(batch.updates) for batch in mine.waiting)
    assert held == mine.held <= most
    assert held + mine.dropped == sum(sizes)
    assert all_.dropped == mine.dropped
    numbers = [batch.number for batch in mine.waiting]
    assert numbers == list(range(len(sizes) - len(numbers) + 1, len(sizes) + 1))
    assert (mine.newly_dropped(), mine.newly_dropped()) == (mine.dropped, 0)


def test_only_its_client_finds_it_and_nobody_after_its_time() -> None:
    all_ = made(ttl_s=10)
    mine = all_.create("me", "", 0)
    assert all_.find("me", mine.id, 5) is mine
    assert all_.find("you", mine.id, 5) is None
    assert all_.find("me", mine.id, 11) is None
    assert len(all_) == 0
    streaming = all_.create("me", "", 20)
    streaming.stream = object()
    assert all_.find("me", streaming.id, 100) is streaming


def test_limits_are_said() -> None:
    all_ = made(subscriptions=1, objects=1)
    mine = all_.create("me", "", 0)
    with pytest.raises(TooMany, match="1 subscriptions at most"):
        all_.create("you", "", 0)
    assert all_.register(mine, "a", 1, ["a"])
    assert not all_.register(mine, "a", 1, ["a"])
    with pytest.raises(TooMany, match="1 objects at most"):
        all_.register(mine, "b", 1, ["b"])


def test_a_machine_in_depth_brings_its_tags_and_those_that_come_later() -> None:
    known, _ = server()
    all_ = known.subscriptions
    mine = all_.create("me", "", 0)
    all_.register(mine, PATH, 0, known.reached(PATH, 0))
    all_.register(mine, tag_id(PATH, "Good"), 1, [tag_id(PATH, "Good")])
    known.take(snapshot(T, Sample("Good", T, 1), Sample("Speed", T, 2.0)))
    heard = [id_ for id_, _ in mine.drained()]
    assert heard == [PATH, tag_id(PATH, "Good"), tag_id(PATH, "Speed")]
    assert all_.unregister(mine, PATH, known.reached)
    assert not all_.unregister(mine, PATH, known.reached)
    known.take(snapshot(T + 1, Sample("Good", T, 2), Sample("Speed", T, 3.0)))
    assert [id_ for id_, _ in mine.drained()] == [tag_id(PATH, "Good")]
    all_.delete(mine)
    known.take(snapshot(T + 2, Sample("Good", T, 3)))
    assert mine.drained() == ()
