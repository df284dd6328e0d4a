"""The state timeline as a function of the set of samples."""

from processors.timeline.timeline import NO_OFFSET, Interval, Names, Timeline, extended, hull


def timeline(silent_after: int = 100) -> Timeline:
    names = Names()
    line = Timeline(names, silent_after)
    for at, state, offset in ((10, "execute", 1), (20, "execute", 2), (30, "held", 3)):
        line.state.add(at, names.number(state), offset)
        line.life.add(at)
    line.restate(10)
    return line


def test_a_state_lasts_until_another_and_said_again_it_only_widens_the_offsets() -> None:
    assert timeline().intervals(10, 50, 50) == [
        Interval(10, 30, "execute", "production", 1, 2),
        Interval(30, 50, "held", "production", 3, 3),
    ]


def test_silence_and_the_time_before_the_first_sign_are_unknown() -> None:
    line = timeline(silent_after=15)
    assert [(i.start, i.end, i.state) for i in line.intervals(0, 60, 60)] == [
        (0, 10, "unknown"),
        (10, 30, "execute"),
        (30, 60, "unknown"),
    ]
    assert [(i.start, i.end, i.state) for i in line.intervals(30, 45, 45)] == [(30, 45, "held")]


def test_the_mode_is_production_before_the_first_and_its_time_is_counted() -> None:
    line = timeline()
    assert line.in_mode_us("setup", 0, 50, 50) == 0
    line.mode.add(15, line.names.number("setup"), 4)
    line.mode.add(35, line.names.number("production"), 5)
    assert line.in_mode_us("setup", 10, 50, 51) == 20
    assert [i.mode for i in line.intervals(10, 50, 51)] == ["production", "setup", "setup", "production"]


def test_numbers_of_names_never_change_and_unknown_is_none_of_them() -> None:
    names = Names()
    assert (names.number("unknown"), names.number("b"), names.number("a"), names.number("b")) == (0, 1, 2, 1)
    other = Names()
    other.restore(names.texts)
    assert (other.number("a"), other.number("c")) == (2, 3)


def test_a_hull_passes_over_what_has_no_offset() -> None:
    assert hull(NO_OFFSET, NO_OFFSET, 3, 5) == (3, 5)
    assert hull(3, 5, NO_OFFSET, NO_OFFSET) == (3, 5)
    assert hull(3, 5, 1, 4) == (1, 5)


def test_an_interval_is_extended_by_one_of_the_same() -> None:
    before = Interval(0, 10, "held", "production", 1, 1)
    after = [Interval(10, 20, "held", "production", 4, 4), Interval(20, 30, "execute", "production", 5, 5)]
    assert extended(before, after) == [Interval(0, 20, "held", "production", 1, 4), after[1]]
