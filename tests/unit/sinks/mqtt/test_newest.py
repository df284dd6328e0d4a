"""Which record of a topic is retained, whatever order revisions come in."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.mqtt.newest import KEPT, Known, Newest

TOPIC = "acme/_state"
FACTS = st.lists(st.tuples(st.integers(0, KEPT - 1), st.integers(0, 3), st.booleans()), max_size=30)


def known(number: int, revision: int = 0) -> Known:
    return Known(number * 10, f"id{number}", revision)


def test_the_one_that_begins_last_is_retained_and_a_correction_of_an_older_one_is_only_told() -> None:
    newest = Newest()
    assert newest.put(TOPIC, known(1)).retain
    assert newest.put(TOPIC, known(2)).retain
    assert not newest.put(TOPIC, known(1, 1)).retain
    assert newest.put(TOPIC, known(2, 1)).retain
    assert not newest.put(TOPIC, known(2)).retain, "an older revision"
    assert newest.put(TOPIC, known(2, 1)).retain, "again"
    assert newest.top(TOPIC) == known(2, 1)


def test_a_withdrawn_one_gives_its_place_to_the_one_before() -> None:
    newest = Newest()
    for number in range(10):
        newest.put(TOPIC, known(number))
    told = newest.put(TOPIC, known(9, 1), withdrawn=True)
    assert (told.retain, told.instead, told.clear) == (False, known(8), False)
    for number in (8, 7, 6):
        told = newest.put(TOPIC, known(number, 1), withdrawn=True)
    assert (told.instead, told.clear) == (None, True), "no more than a few are known"
    assert newest.put(TOPIC, known(3, 5)).retain, "and what comes then is the newest that is known"


def test_a_snapshot_needs_no_past() -> None:
    newest = Newest()
    for number in (1, 3, 2):
        newest.put(TOPIC, known(number), kept=1)
    assert newest.known(TOPIC) == [known(3)]


@given(FACTS)
def test_it_is_as_if_all_were_known_as_long_as_few_are_there(facts: list[tuple[int, int, bool]]) -> None:
    """The oracle keeps the highest revision of each fact; what a withdrawal leaves out may come back as a new fact."""
    newest, oracle, shown = Newest(), dict[int, int](), None
    for number, revision, withdrawn in facts:
        told = newest.put(TOPIC, known(number, revision), withdrawn)
        if oracle.get(number, -1) <= revision:
            oracle.pop(number, None)
            if not withdrawn:
                oracle[number] = revision
        if told.retain:
            shown = known(number, revision)
        elif told.instead is not None:
            shown = told.instead
        elif told.clear:
            shown = None
        top = max(oracle, default=None)
        assert newest.top(TOPIC) == (None if top is None else known(top, oracle[top]))
        assert shown == newest.top(TOPIC), "the broker has what is known"


def test_what_changed_is_said_once() -> None:
    newest = Newest()
    newest.put(TOPIC, known(1))
    newest.load("a/_oee", known(1))
    newest.empty("b/_oee")
    assert newest.settle() == {TOPIC}
    assert newest.settle() == set()
    newest.forget("a/_oee")
    assert newest.settle() == {"a/_oee"}
    assert "a/_oee" not in newest
    assert newest.top("b/_oee") is None
    assert "b/_oee" in newest
    assert newest.below("b/") == ["b/_oee"]
    assert newest.below("a/") == []
