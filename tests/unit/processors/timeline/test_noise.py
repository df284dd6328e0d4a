"""The noise floor: what is too short counts as what was before it."""

from processors.timeline.elements import Elements
from processors.timeline.noise import above
from processors.timeline.timeline import Interval
from tests.harness.line_logs import S, plant
from topology.model.kpis import selected

ELEMENTS = Elements(selected(plant("acme@1")))  # stops of at most 10 s, runs of at most 5 s


def states(*lengths: tuple[str, float]) -> list[tuple[str, float]]:
    """(state, seconds) in a row → the same above the noise floor."""
    intervals, at = [], 0
    for n, (state, seconds) in enumerate(lengths):
        end = at + round(seconds * S)
        mode = "setup" if state == "setup" else "production"
        intervals.append(Interval(at, end, "execute" if state == "setup" else state, mode, n, n))
        at = end
    kept = above(intervals, ELEMENTS)
    assert kept[0].start == 0
    assert kept[-1].end == at
    return [("setup" if i.mode == "setup" else i.state, (i.end - i.start) / S) for i in kept]


def test_a_short_stop_between_runs_is_running_and_a_longer_one_is_not() -> None:
    assert states(("execute", 20), ("held", 10), ("execute", 20)) == [("execute", 50)]
    assert states(("execute", 20), ("held", 10.5), ("execute", 20)) == [
        ("execute", 20),
        ("held", 10.5),
        ("execute", 20),
    ]


def test_a_short_run_between_stops_is_part_of_the_stop() -> None:
    assert states(("held", 20), ("execute", 5), ("stopped", 20)) == [("held", 25), ("stopped", 20)]
    assert states(("held", 20), ("execute", 6), ("held", 20)) == [("held", 20), ("execute", 6), ("held", 20)]


def test_stops_go_before_runs() -> None:
    assert states(("held", 20), ("execute", 4), ("held", 4), ("execute", 4), ("held", 20)) == [
        ("held", 20),
        ("execute", 12),
        ("held", 20),
    ]


def test_what_is_at_the_edge_unknown_or_setup_is_no_noise() -> None:
    for told in (
        [("held", 3), ("execute", 20)],
        [("execute", 20), ("unknown", 3), ("execute", 20)],
        [("execute", 20), ("setup", 3), ("execute", 20)],
        [("execute", 20), ("held", 3), ("unknown", 20)],
    ):
        assert states(*told) == told
