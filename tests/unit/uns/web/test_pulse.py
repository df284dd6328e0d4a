"""The page knows within seconds that nobody folds, or that Kafka is away, in a plant that is silent, too."""

from hypothesis import given
from hypothesis import strategies as st

from uns.web.pulse import Progress

DALLAS, LEIPZIG = ("uns.acme.dallas.packaging.raw", 0), ("uns.acme.leipzig.packaging.raw", 0)


def test_an_offset_that_stands_still_is_trouble_where_it_stands() -> None:
    progress = Progress(3.0, 0.0)
    for second in range(10):
        progress.saw({DALLAS: min(second, 4), LEIPZIG: second}, float(second))
    assert progress.troubles(9.0) == [
        {"place": "acme/dallas/packaging", "word": "trouble.processors", "age": 5, "where": "acme/dallas/packaging"}
    ]
    progress.saw({DALLAS: 5, LEIPZIG: 10}, 10.0)
    assert progress.troubles(10.0) == []


def test_where_all_stand_it_is_said_once() -> None:
    progress = Progress(3.0, 0.0)
    progress.saw({DALLAS: 1, LEIPZIG: 1}, 0.0)
    progress.saw({DALLAS: 1, LEIPZIG: 1}, 4.0)
    (trouble,) = progress.troubles(4.0)
    assert (trouble["place"], trouble["where"]) == ("", "acme/dallas/packaging, acme/leipzig/packaging")


def test_kafka_that_does_not_answer_is_trouble_once_it_lasts() -> None:
    progress = Progress(3.0, 0.0)
    progress.saw({DALLAS: 1}, 1.0)
    progress.failed("timed out")
    assert progress.troubles(2.0) == []
    assert progress.troubles(4.5) == [{"place": "", "word": "trouble.broker", "why": "timed out"}]
    progress.saw({DALLAS: 2}, 5.0)
    assert progress.troubles(5.0) == []


def test_nothing_known_is_no_trouble() -> None:
    progress = Progress(3.0, 0.0)
    progress.saw({}, 60.0)
    assert progress.troubles(60.0) == []


@given(st.lists(st.booleans(), min_size=8, max_size=30))
def test_trouble_is_there_exactly_after_the_limit(moves: list[bool]) -> None:
    progress, offset, moved_at = Progress(3.0, 0.0), 0, 0.0
    for second, moves_on in enumerate(moves):
        if moves_on:
            offset, moved_at = offset + 1, float(second)
        progress.saw({DALLAS: offset}, float(second))
        assert bool(progress.troubles(float(second))) is (second - moved_at > 3.0)
