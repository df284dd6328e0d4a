"""`uns kpi diff`: the pure comparison, over what the folds themselves say of random histories."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Break, Order, Reason, Shift
from tests.harness.histories import END, LABELS, SEEDS, START, lived, told
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, S, beats, ordered, samples, ticks
from uns.history.kpi.diff import CLASSES, ComparedWindows, by_reason, compare, net, together

PAUSE = Break(T0 + 95 * MINUTE, T0 + 105 * MINUTE)
seeds = st.sampled_from(SEEDS)
labels = st.sampled_from(LABELS)
windows = st.sampled_from((None, "hour", "shift", "day"))
some = settings(deadline=None, max_examples=25)


def rows(seed: int, a: str, b: str, window: str | None = None) -> list[ComparedWindows]:
    one, other = lived(seed, a), lived(seed, b)
    return compare(one.side, other.side, one.plans.plans(), START, END, window)  # type: ignore[arg-type]


def test_a_short_stop_is_an_availability_loss_to_one_and_a_performance_loss_to_the_other() -> None:
    log = ordered(
        [
            (LINE, Shift(id="early", name="early", started_at=T0, ended_at=T0 + 2 * HOUR, breaks=(PAUSE,))),
            (LINE, Order(id="4711", product="cola", started_at=T0, ideal_cycle_s=6.0)),
            samples(T0, State=6, Good=0, Scrap=0),
            samples(T0 + 10 * MINUTE, State=2),  # 4 minutes: minor to TPM
            samples(T0 + 14 * MINUTE, State=6, Good=100),
            samples(T0 + 30 * MINUTE, State=9),  # 20 minutes: a breakdown to both
            samples(T0 + 50 * MINUTE, State=6, Good=200, Scrap=10),
            (CELL, Reason(id="r", code=201, started_at=T0 + 30 * MINUTE, by="ann")),
            samples(T0 + 70 * MINUTE, State=2),  # 3 minutes, somebody gave a reason: no minor stop
            samples(T0 + 73 * MINUTE, State=6, Good=300),
            (CELL, Reason(id="s", code=201, started_at=T0 + 70 * MINUTE, by="ann")),
            *beats(T0, T0 + 2 * HOUR + S),
            *ticks(T0, T0 + 3 * HOUR, 30 * S),
        ]
    )
    one, other = told("iso22400@2", log), told("nakajima@1", log)
    (row,) = compare(one.side, other.side, one.plans.plans(), T0, T0 + 2 * HOUR)
    assert (row.path, row.window, row.name, row.windows) == (CELL, "shift", "early", 1)
    assert [(m.cause.started_at, m.us, m.element_a, m.class_a, m.element_b, m.class_b) for m in row.stops] == [
        (T0 + 10 * MINUTE, 4 * MINUTE, "ADET", "availability", "MINOR", "performance")
    ]
    assert row.others == []
    assert row.difference_us == {
        "none": 0,
        "availability": -4 * MINUTE,
        "performance": 4 * MINUTE,
        "quality": 0,
        "outside": 0,
    }
    assert row.a.element_us["ADET"] == 27 * MINUTE
    assert (row.b.element_us["BREAKDOWN"], row.b.element_us["MINOR"]) == (23 * MINUTE, 4 * MINUTE)
    assert row.a.values["availability"] == pytest.approx(83 / 110)
    assert row.b.values["availability"] == pytest.approx(87 / 110)
    assert row.points("availability") == pytest.approx(100 * 4 / 110)
    assert row.points("oee") == pytest.approx(0, abs=1e-9)
    (hour,) = compare(one.side, other.side, one.plans.plans(), T0 + HOUR, T0 + 2 * HOUR, "hour")
    assert hour.stops == []

    calendar = told("semi-e79@1", log)  # breaks and time outside of shifts are losses there
    (row,) = compare(one.side, calendar.side, one.plans.plans(), T0, T0 + 2 * HOUR)
    assert [(m.cause.what, m.us, m.class_a) for m in row.others] == [("break", 10 * MINUTE, "outside")]


@pytest.mark.long
@some
@given(seeds, labels, labels, windows)
def test_explained_and_named_and_rest_is_the_difference_and_nothing_is_left(
    seed: int, a: str, b: str, window: str | None
) -> None:
    found = rows(seed, a, b, window)
    assert {row.path for row in found} >= {CELL}
    for row in found:
        stops, others = net(row.stops), net(row.others)
        for name in CLASSES:
            assert stops[name] + others[name] + row.rest_us[name] == row.difference_us[name]
        assert not any(row.rest_us.values()), (row.path, row.window, row.start, row.rest_us)
        assert sum(row.a.class_us.values()) == sum(row.b.class_us.values())
        assert [one.us for one in row.stops] == sorted((one.us for one in row.stops), reverse=True)
        assert all(one.class_a != one.class_b and one.us > 0 for one in (*row.stops, *row.others))
    sums = together(found)
    assert sums["difference"] == {name: sums["b"][name] - sums["a"][name] for name in CLASSES}
    assert sum(one[4] for one in by_reason(m for row in found for m in row.stops)) == sum(
        one.us for row in found for one in row.stops
    )


@some
@given(seeds, labels, windows)
def test_a_definition_against_itself_is_no_difference(seed: int, label: str, window: str | None) -> None:
    same = rows(seed, label, label, window)
    assert {row.path for row in same} >= {CELL}
    for row in same:
        assert not any(row.difference_us.values())
        assert (row.stops, row.others) == ([], [])
        assert all(row.points(name) in (0, None) for name in row.a.values)


@some
@given(seeds, labels, labels, windows)
def test_the_other_way_round_is_the_negative(seed: int, a: str, b: str, window: str | None) -> None:
    there, back_again = rows(seed, a, b, window), rows(seed, b, a, window)
    assert {row.path for row in there} >= {CELL}
    for one, other in zip(there, back_again, strict=True):
        assert (one.path, one.window, one.start) == (other.path, other.window, other.start)
        assert one.difference_us == {name: -us for name, us in other.difference_us.items()}
        turned = [
            moved._replace(
                element_a=moved.element_b, element_b=moved.element_a, class_a=moved.class_b, class_b=moved.class_a
            )
            for moved in (*other.stops, *other.others)
        ]
        assert sorted(map(str, (*one.stops, *one.others))) == sorted(map(str, turned))
        for name in ("availability", "performance", "quality", "oee"):
            points, back = one.points(name), other.points(name)
            assert points == (None if back is None else pytest.approx(-back))


@some
@given(seeds, labels, labels)
def test_windows_add_up_to_all_of_them(seed: int, a: str, b: str) -> None:
    whole = {row.path: row for row in rows(seed, a, b)}
    assert whole.keys() >= {CELL}
    for path, row in whole.items():
        mine = [part for part in rows(seed, a, b, row.window) if part.path == path]
        assert row.windows == len(mine) > 0
        for name in CLASSES:
            assert row.difference_us[name] == sum(part.difference_us[name] for part in mine)
            assert row.explained_us[name] == sum(part.explained_us[name] for part in mine)
