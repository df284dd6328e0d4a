"""Clocks of sources: found off where they run and are off, and left alone where nothing can be told."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Reading
from schemas.records import Sample
from topology.namespace.path import Path
from uns.runtime.clocks import OFF_S, Clocks

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
S = 1_000_000
NOW = 1_795_413_600 * S


def reading(at: int, path: Path = PATH) -> Reading:
    return Reading(path, Sample("Speed", at, 1.0))


@given(st.integers(-7200 * 10, 7200 * 10), st.lists(st.integers(0, S // 2), min_size=200, max_size=200))
def test_a_clock_that_is_off_is_found_to_be(offset_tenths: int, delays: list[int]) -> None:
    clocks, offset = Clocks(), offset_tenths * S // 10
    for n, delay in enumerate(delays):
        clocks.saw([reading(NOW + n * S + offset)], NOW + n * S + delay)
    worst = clocks.worst()
    assert worst is not None
    assert worst.path == PATH
    assert 0 <= offset - worst.offset_s * S + 1 <= S // 2 + 2
    assert bool(clocks.problems()) == (abs(worst.offset_s) > OFF_S)


def test_what_is_said_names_path_and_direction() -> None:
    clocks = Clocks()
    for n in range(60):
        clocks.saw([reading(NOW + n * S - 3600 * S)], NOW + n * S)
    (problem,) = clocks.problems()
    assert problem.startswith(f"{PATH}: its clock is 3600 s behind ours")


def test_history_that_is_read_again_and_values_that_stand_still_tell_nothing() -> None:
    history, still, rare = Clocks(), Clocks(), Clocks()
    for n in range(300):
        history.saw([reading(NOW - 86_400 * S + n * 60 * S)], NOW + n * S // 10)
        still.saw([reading(NOW - 3600 * S)], NOW + n * S)
    for n in range(20):
        rare.saw([reading(NOW + n * 3600 * S - 90 * S)], NOW + n * 3600 * S)
    assert history.worst() is still.worst() is rare.worst() is None


def test_a_backlog_that_is_followed_by_live_values_does_not_count() -> None:
    clocks = Clocks()
    clocks.saw([reading(NOW - 1800 * S + n * S) for n in range(100)], NOW)
    for n in range(1, 120):
        clocks.saw([reading(NOW + n * S)], NOW + n * S + S // 10)
    worst = clocks.worst()
    assert worst is not None
    assert abs(worst.offset_s) < 1


def test_only_the_sources_own_time_counts() -> None:
    clocks = Clocks()
    for n in range(60):
        clocks.saw([Reading(PATH, Sample("Speed", NOW + n * S - 3600 * S, 1.0), "server")], NOW + n * S)
    assert clocks.worst() is None
