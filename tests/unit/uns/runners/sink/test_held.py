"""What is held back: in order within a key, never passed by a position, gone once it is written."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from sinks.base import Deferred, Delivery
from uns.runners.sink.held import BACKOFF_S, HELD_BYTES_MAX, Held, Waiting, place_of
from uns.testing import delivery, downtime


def waiting(offset: int, key: str = "a", size: int = 10) -> Waiting:
    return Waiting(delivery(downtime(offset, path=key), offset), None, size)


TOPIC = waiting(0).delivery.topic


def test_what_comes_behind_a_held_record_of_its_key_waits_too() -> None:
    held = Held()
    held.outcome([waiting(1), waiting(2, "b")], [Deferred(waiting(1).delivery, "500")], True, 0.0)
    assert held.behind(waiting(3).delivery)
    assert not held.behind(waiting(3, "b").delivery)
    held.put(waiting(3))
    held.put(waiting(3))
    assert len(held) == 2
    assert held.due(0.05) == []
    assert [each.delivery.offset for each in held.due(0.2)] == [1, 3]
    assert held.short_of({(TOPIC, 0): 9, ("other", 0): 4}) == {(TOPIC, 0): 1, ("other", 0): 4}
    held.outcome(held.due(0.2), [], True, 0.3)
    assert len(held) == 0
    assert not held.behind(waiting(4).delivery)
    assert held.short_of({(TOPIC, 0): 9}) == {(TOPIC, 0): 9}


def test_the_wait_grows_to_its_ceiling_and_begins_anew_with_progress() -> None:
    held, now, waits = Held(), 0.0, []
    for _ in range(12):
        held.outcome([waiting(1)], [Deferred(waiting(1).delivery, "500")], False, now)
        begun = now
        while not held.due(now):
            now += 0.05
        waits.append(round(now - begun, 1))
    assert waits == sorted(waits)
    assert waits[-1] <= BACKOFF_S[1] + 0.1
    held.outcome([waiting(1)], [Deferred(waiting(1).delivery, "500")], True, now)
    assert held.due(now + BACKOFF_S[0] + 0.01)
    held.outcome([waiting(1)], [Deferred(waiting(1).delivery, "lags", 5.0)], True, now)
    assert not held.due(now + 4.9)
    assert held.due(now + 5.0)


def test_records_of_partitions_that_went_elsewhere_are_forgotten() -> None:
    held = Held()
    held.put(waiting(1))
    held.forget({(TOPIC, 0)})
    assert len(held) == 1
    held.forget({(TOPIC, 1)})
    assert len(held) == 0
    assert not held.behind(waiting(1).delivery)


def test_it_is_full_by_bytes_too() -> None:
    held = Held()
    held.put(waiting(1, size=HELD_BYTES_MAX))
    assert held.full
    held.outcome([waiting(1)], [], True, 0.0)
    assert not held.full


class Step(NamedTuple):
    keys: list[str]
    refuses: set[str]
    """Keys that the target does not take now."""


STEPS = st.lists(st.builds(Step, st.lists(st.sampled_from("abcd"), max_size=6), st.sets(st.sampled_from("abcd"))))


@given(STEPS)
def test_nothing_is_lost_nothing_overtakes_its_key_and_no_position_passes_what_waits(steps: list[Step]) -> None:
    held, written, offset = Held(), list[Delivery](), 0
    for number, step in enumerate([*steps, Step([], set())]):
        fresh = []
        for key in step.keys:
            new = waiting(offset, key)
            offset += 1
            if held.behind(new.delivery):
                held.put(new)
            else:
                fresh.append(new)
        now = (number + 1) * 100.0
        tried = [*held.due(now), *fresh]
        refused = [Deferred(each.delivery, "500") for each in tried if each.delivery.key in step.refuses]
        written += [each.delivery for each in tried if each.delivery.key not in step.refuses]
        held.outcome(tried, refused, True, now)
        committed = held.short_of({(TOPIC, 0): offset})[TOPIC, 0]
        done = {place_of(each)[2] for each in written}
        assert set(range(committed)) <= done
    assert sorted(each.offset for each in written) == list(range(offset))
    for key in "abcd":
        offsets = [each.offset for each in written if each.key == key]
        assert offsets == sorted(offsets)
