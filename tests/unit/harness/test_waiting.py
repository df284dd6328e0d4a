"""Deadlines that grow with the machine's load, and what a wait in vain says."""

import pytest

from tests.harness.waiting import eventually, started, until
from uns.testing.patience import SLOWNESS_MAX, patient, slowness


def test_a_deadline_is_never_shorter_than_on_an_idle_machine() -> None:
    assert 1 <= slowness() <= SLOWNESS_MAX
    assert patient(3) == 3 * slowness()


def test_a_wait_in_vain_says_for_what() -> None:
    with pytest.raises(AssertionError, match=r"the lamp is green; last seen: AssertionError\('red'\)"):
        eventually(_red, 0.0, what="the lamp is green")
    with pytest.raises(AssertionError, match="its log"):
        until(lambda: None, 0.0, lambda: "its log")


def _red() -> str:
    raise AssertionError("red")


def test_a_slow_start_is_tried_once_more() -> None:
    starts: list[int] = []
    stopped: list[int] = []

    def start() -> int:
        starts.append(len(starts))
        return starts[-1]

    def ready(number: int) -> None:
        assert number == 1, "the first is slow"

    assert started(start, ready, stopped.append, "a worker") == 1
    assert (starts, stopped) == ([0, 1], [0])


def test_two_slow_starts_say_what_was_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"(?s)a worker did not start, twice.*its log.*its log"):
        started(lambda: None, lambda _: until(lambda: None, 0.0, lambda: "its log"), lambda _: None, "a worker")
