"""A tick's look at a cell: what is due."""

from processors.spans import merged
from processors.timeline.timeline import NO_OFFSET
from processors.timeline.view import Moment, View
from schemas.records import Inputs


def view(begin: int = 0) -> View:
    moment = Moment(100, 90, 0, True, True, False, 60, Inputs("t", 0, 7, 7))
    return View(100, 90, 50, begin, 0, [(20, 30), (95, 100)], moment)


def test_stretches_are_united_where_they_touch_and_clipped() -> None:
    assert merged([(30, 40), (0, 10), (10, 20), (15, 18), (90, 200)], 5, 100) == [(5, 20), (30, 40), (90, 100)]
    assert merged([(0, 3)], 5, 100) == []


def test_a_window_is_due_that_is_open_or_closes_now_or_changed_after_it_had_closed() -> None:
    assert view().due(80, 95, flush=True)
    assert not view().due(80, 95, flush=False)
    assert not view().due(100, 120, flush=True)  # it has not begun
    assert view().due(40, 90, flush=False)  # it closes now
    assert view().due(10, 20, flush=False)  # changed at its edge
    assert not view().due(31, 50, flush=False)


def test_what_no_sample_speaks_for_rests_on_the_tick() -> None:
    assert view().inputs(NO_OFFSET, NO_OFFSET) == (7, 7)
    assert view().inputs(2, 3) == (2, 3)


def test_looking_again_widens_what_has_changed_for_those_who_follow() -> None:
    grown = view(begin=5)
    grown.look_again([(0, 10), (28, 40)])
    assert grown.spans == [(5, 10), (20, 40), (95, 100)]
