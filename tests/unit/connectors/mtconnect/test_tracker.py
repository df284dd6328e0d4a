"""Continuity: against a buffer that is a list, whatever is asked of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.mtconnect.codec import Header, Observation, Streams
from connectors.mtconnect.tracker import Position, followed, met, ordered


def observation(sequence: int, item: str = "a") -> Observation:
    return Observation(item, sequence, sequence, "EVENT", "Block", "", "", "", "", None, None, None, "")


def document(
    sequences: list[int], first: int | None, following: int | None, last: int | None = None, instance: int = 1
) -> Streams:
    header = Header(instance, "2.0", None, first, last, following, 100)
    return Streams(header, tuple(observation(sequence) for sequence in sequences), ())


def sequences(observations: Any) -> list[int]:
    return [observation.sequence for observation in observations]


def test_at_first_the_present_is_told_and_nothing_of_before() -> None:
    found = met(None, document([3, 9, 7], 2, 10), whole=False)
    assert (found.position, sequences(found.seed), found.broken, found.until) == (Position(1, 10), [3, 7, 9], None, 10)


def test_after_a_death_the_buffer_is_read_from_its_begin() -> None:
    found = met(None, document([1, 9, 3], 5, 10), whole=True)
    assert (found.position, sequences(found.seed), found.news, found.broken) == (Position(1, 5), [1, 3], 0, None)


def test_a_link_that_was_lost_goes_on_where_it_was() -> None:
    for following in (7, 8, 100):
        found = met(Position(1, 7), document([3, 9], 5, following), whole=False)
        assert (found.position, found.seed, found.broken, found.lost) == (Position(1, 7), (), None, 0)


def test_an_overrun_is_counted_and_what_is_present_of_it_is_told() -> None:
    found = met(Position(1, 7), document([3, 9, 15, 12], 12, 20), whole=False)
    assert (found.position, found.broken, found.lost) == (Position(1, 12), "overrun", 5)
    assert (sequences(found.seed), found.news) == ([3, 9], 7)


def test_an_agent_that_was_restarted_is_read_from_its_begin() -> None:
    for instance, following in ((2, 20), (2, 3), (1, 3)):
        found = met(Position(1, 7), document([1, 2], 1, following, instance=instance), whole=False)
        assert (found.position, found.seed, found.broken, found.lost) == (Position(instance, 1), (), "restarted", 0)
    found = met(Position(1, 7), document([1, 6], 4, 20, instance=2), whole=False)
    assert (found.position, sequences(found.seed), found.broken, found.lost) == (Position(2, 4), [1], "restarted", 3)


def test_a_document_of_another_instance_or_with_smaller_numbers_is_not_taken() -> None:
    assert followed(Position(1, 7), document([7, 8], 1, 9, instance=2)).restarted
    assert followed(Position(1, 7), document([], 1, 4)).restarted


def test_a_hole_in_the_middle_of_a_stream_is_counted() -> None:
    step = followed(Position(1, 7), document([12, 10, 11], 10, 13))
    assert (step.lost, sequences(step.observations), step.position) == (3, [10, 11, 12], Position(1, 13))


def test_what_comes_twice_is_dropped_and_counted() -> None:
    step = followed(Position(1, 7), document([8, 6, 7, 7, 5], 1, 9))
    assert (sequences(step.observations), step.doubled, step.position) == ([7, 8], 2, Position(1, 9))


def test_an_agent_without_numbers_in_its_header_is_read_by_its_observations() -> None:
    found = met(None, document([3, 9], None, None), whole=False)
    assert found.position == Position(1, 10)
    step = followed(found.position, document([11, 10], None, None))
    assert (sequences(step.observations), step.position, step.lost) == ([10, 11], Position(1, 12), 0)
    assert followed(step.position, document([], None, None)).position == step.position


def test_items_of_one_sequence_are_both_told() -> None:
    assert len(ordered([observation(3, "b"), observation(3, "a"), observation(3, "a")])) == 2


@given(st.data())
def test_all_is_read_once_or_counted_as_lost(data: st.DataObject) -> None:
    """A writer, a small buffer, a reader that asks when it likes: every number is read once, in order, or is in a hole."""
    size, written, read, lost = data.draw(st.integers(1, 6)), 0, list[int](), 0
    position = met(None, document([], 1, 1, 0), whole=False).position
    for _ in range(data.draw(st.integers(1, 12))):
        written += data.draw(st.integers(0, 9))
        first = max(1, written - size + 1)
        buffer = list(range(first, written + 1))
        if data.draw(st.booleans()):  # met anew
            found = met(position, document(buffer[-1:], first, written + 1, written), whole=False)
            lost, position = lost + found.lost, found.position
        begin = max(position.next, first)
        chosen = [n for n in buffer if n >= begin][: data.draw(st.integers(1, 4))]
        step = followed(position, document(chosen[::-1], first, begin + len(chosen), written))
        read += sequences(step.observations)
        lost, position = lost + step.lost, step.position
    assert read == sorted(set(read))
    assert len(read) + lost == position.next - 1
