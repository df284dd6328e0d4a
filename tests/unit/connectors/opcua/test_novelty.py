"""History and subscription overlap in any way: every value is news exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Safe
from connectors.opcua.novelty import Mark, Novelty
from topology.namespace.path import Path

PLACE = (Path.parse("acme/dallas/packaging/line-1/filler"), "State")


def a(at: int, value: int = 1, quality: int = 0) -> Mark:
    return Mark(at, quality, value)


def novelty(safe: int | None = None, value: int = 1) -> Novelty:
    one = Novelty()
    one.reopened({} if safe is None else {PLACE: Safe(safe, value, 0)})
    return one


@given(st.data())
def test_whatever_the_overlap_each_value_is_news_once_and_none_is_missed(data: st.DataObject) -> None:
    written = sorted(data.draw(st.sets(st.integers(0, 40), min_size=1)))
    subscribed = data.draw(st.integers(0, len(written) - 1))  # its first word is the value of that moment
    safe = data.draw(st.integers(-1, written[subscribed]))  # which came after everything that was safe before
    rounds = sorted(data.draw(st.lists(st.integers(subscribed + 1, len(written)), min_size=1, max_size=3)))
    one = novelty(safe)
    live = written[subscribed:]
    early = data.draw(st.integers(1, len(live)))  # history is read beside the live values
    news = [at for at in live[:early] if one.live(PLACE, a(at))]
    for end in rounds:  # it catches up, and is read again from the start
        news += [at for at in written[:end] if one.of_history(PLACE, a(at))]
    news += [at for at in live[early:] if one.live(PLACE, a(at))]
    assert sorted(news) == [at for at in written if at > safe]


def test_a_first_word_that_is_known_is_no_news_whatever_its_time() -> None:
    one = novelty(10)
    assert not one.live(PLACE, a(10))
    assert one.live(PLACE, a(5)), "a clock that goes back is believed"
    assert one.live(PLACE, a(11))
    assert not novelty(10).live(PLACE, a(3))


def test_a_first_word_that_differs_is_news_even_where_its_time_stands_still_or_goes_back() -> None:
    one = novelty(10)
    assert one.live(PLACE, a(10, 2))
    assert one.known_later(PLACE, a(10, 2)) is None, "two values of one time"
    one = novelty(10)
    assert one.live(PLACE, a(3, 2))
    assert one.known_later(PLACE, a(3, 2)) == 10
    assert one.live(PLACE, a(4, 3))
    assert one.known_later(PLACE, a(4, 3)) is None, "the first word alone"


def test_of_an_old_spool_that_knows_only_times_an_old_first_word_is_no_news() -> None:
    one = Novelty()
    one.reopened({PLACE: Safe(10)})
    assert not one.live(PLACE, a(10, 2))


def test_without_anything_safe_the_first_word_is_news() -> None:
    assert novelty().live(PLACE, a(-1))


def test_a_change_of_quality_or_value_at_the_same_time_is_news_and_a_repetition_is_not() -> None:
    one = novelty()
    assert one.live(PLACE, a(1))
    assert not one.live(PLACE, a(1))
    assert one.live(PLACE, a(1, quality=0x80000000))
    assert one.live(PLACE, a(1, 2))


def test_there_is_a_hole_from_what_is_safe_to_a_first_word_that_is_newer() -> None:
    one = novelty(10)
    assert one.hole(PLACE) == 10, "no word yet"
    one.live(PLACE, a(10))
    assert one.hole(PLACE) is None
    one = novelty(10)
    one.live(PLACE, a(12))
    assert one.hole(PLACE) == 10
    assert not one.of_history(PLACE, a(12))
    assert not one.of_history(PLACE, a(13)), "the subscription tells it"
    assert one.of_history(PLACE, a(11))
    one.caught_up(PLACE)
    assert one.newest(PLACE) == Safe(12, 1, 0)
