"""The feed gives each record to every receiver."""

from schemas.records import Derived
from tests.unit.uns.web.test_board import T0, state
from uns.web.feed import Feed
from uns.web.namespace import Namespace


def test_a_receiver_that_fails_on_a_record_harms_itself_alone() -> None:
    def broken(record: Derived) -> None:
        raise ValueError(record.id)

    def never() -> None:
        raise AssertionError

    namespace = Namespace()
    Feed([broken, namespace.apply], never, 1.0).take(state(T0, None))  # type: ignore[arg-type]
    assert namespace.applied == 1
    assert list(namespace.snapshots) == [state(T0, None).path]


def test_whoever_wants_to_know_is_told_of_a_path_that_left_the_plant() -> None:
    def broken(path: str) -> None:
        raise ValueError(path)

    def never() -> None:
        raise AssertionError

    namespace = Namespace()
    namespace.apply(state(T0, None))
    Feed([], never, 1.0, [broken, namespace.remove]).remove(state(T0, None).path)  # type: ignore[arg-type]
    assert namespace.snapshots == {}
