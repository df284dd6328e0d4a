"""History and subscription overlap in any way: every value is news exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.novelty import Mark, Novelty
from topology.namespace.path import Path

PLACE = (Path.parse("acme/dallas/packaging/line-1/filler"), "State")


def a(at: int, value: str = "1", quality: int = 0) -> Mark:
    return Mark(at, quality, value)


@given(st.data())
def test_whatever_the_overlap_each_value_is_news_once_and_none_is_missed(data: st.DataObject) -> None:
    written = sorted(data.draw(st.sets(st.integers(0, 40), min_size=1)))
    subscribed = data.draw(st.integers(0, len(written) - 1))  # its first word is the value of that moment
    safe = data.draw(st.integers(-1, written[subscribed]))  # which came after everything that was safe before
    rounds = sorted(data.draw(st.lists(st.integers(subscribed + 1, len(written)), min_size=1, max_size=3)))
    novelty = Novelty({PLACE: safe})
    news = []
    for end in rounds:  # history catches up, and is read again from the start
        news += [at for at in written[:end] if novelty.of_history(PLACE, a(at))]
    news += [at for at in written[subscribed:] if novelty.live(PLACE, a(at))]
    assert sorted(news) == [at for at in written if at > safe]


def test_a_first_word_that_is_safe_already_is_no_news_but_a_clock_that_goes_back_is() -> None:
    novelty = Novelty({PLACE: 10})
    assert not novelty.live(PLACE, a(10))
    assert novelty.live(PLACE, a(5))
    assert novelty.live(PLACE, a(11))


def test_without_anything_safe_the_first_word_is_news() -> None:
    assert Novelty({}).live(PLACE, a(-1))


def test_a_change_of_quality_or_value_at_the_same_time_is_news_and_a_repetition_is_not() -> None:
    novelty = Novelty({})
    assert novelty.live(PLACE, a(1))
    assert not novelty.live(PLACE, a(1))
    assert novelty.live(PLACE, a(1, quality=0x80000000))
    assert novelty.live(PLACE, a(1, "2"))
