"""Alerts for values out of specification, by example and against a plain reading of all points."""

import random
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.records import Acknowledge, Alert, Inspection, Order, Quality
from tests.harness.line_logs import (
    BAD,
    CELL,
    HOUR,
    LINE,
    MINUTE,
    T0,
    Run,
    S,
    Told,
    beats,
    ordered,
    plant,
    samples,
    ticks,
)

UNCERTAIN = 0x40000000
KIND = "out_of_specification"


def at(minutes: float) -> int:
    return T0 + round(minutes * MINUTE)


def measured(values: Mapping[int, float] | Mapping[float, float]) -> list[Told]:
    return [samples(at(minute), FillVolume=value) for minute, value in values.items()]


def inspected(minute: float, value: float, name: str) -> Told:
    return CELL, Inspection(id=name, characteristic="FillVolume", at=at(minute), value=value)


def alerts(run: Run) -> list[Alert]:
    return [alert for alert in run.newest("alert") if alert.kind == KIND]


def minutes(run: Run) -> list[tuple[float, float | None]]:
    """Begin and end of each alert, in minutes after T0."""
    return [
        ((a.started_at - T0) / MINUTE, None if a.ended_at is None else (a.ended_at - T0) / MINUTE) for a in alerts(run)
    ]


def play(told: list[Told], until: int = 70) -> Run:
    return Run().feed(ordered([*told, *beats(T0, at(until)), *ticks(T0, at(until), MINUTE)]))


def test_a_point_beyond_raises_at_once_and_eight_within_clear() -> None:
    order: Told = (LINE, Order(id="4711", product="cola", started_at=T0))
    run = play([order, *measured({1: 510.0, 2: 512.3, 3: 500.0, 4: 489.0} | dict.fromkeys(range(5, 20), 500.0))])
    (alert,) = alerts(run)
    assert (alert.started_at, alert.ended_at, alert.status) == (at(2), at(12), "final")
    assert (alert.severity, alert.state, alert.subject) == ("high", "cleared", "FillVolume")
    assert (alert.value, alert.limit, alert.order, alert.product) == (512.3, 510.0, "4711", "cola")
    assert alert.message == (
        f"{CELL} FillVolume is out of specification: 512.3 is above the upper limit of 510 (product cola, order 4711)"
    )
    point = next(p for p in run.newest("quality") if p.started_at == at(2))
    assert (alert.cause, point.beyond) == (point.natural_id, "usl")
    assert [r.state for r in run.records if isinstance(r, Alert)] == ["raised", "cleared"]


def test_on_the_limit_is_within_and_what_is_no_point_raises_nothing() -> None:
    told = [
        *measured({1: 510.0, 2: 490.0}),
        samples(at(3), FillVolume=600.0, quality=BAD),
    ]
    assert alerts(play(told)) == []
    assert alerts(play([*told, samples(at(4), FillVolume=600.0, quality=UNCERTAIN)])), (
        "a measured value, though a doubtful one"
    )


def test_an_individual_beyond_raises_though_the_mean_of_its_sample_is_within() -> None:
    """Five pieces of one time, one of which is bad: the eight good ones beside it do not clear it."""
    bad = [inspected(5, 511.0, "a"), *(inspected(5, 499.0, f"b{n}") for n in range(9))]
    assert minutes(play(bad)) == [(5, None)]
    assert minutes(play([*bad, *measured(dict.fromkeys(range(6, 14), 500.0))])) == [(5, 13)]


def test_a_new_product_and_an_acknowledgement_end_nothing() -> None:
    """Issue 11: the new product cleared the open alert and learnt its limits from points beyond the specification."""
    orders: list[Told] = [
        (LINE, Order(id="a", product="cola", started_at=T0, ended_at=at(15))),
        (LINE, Order(id="b", product="water", started_at=at(16))),
    ]
    drift = {n: 500.0 + (n % 2) for n in range(12)} | {n: 511.0 + (n % 2) for n in range(12, 60)}
    run = play([*orders, *measured(drift)])
    (alert,) = alerts(run)
    assert (alert.started_at, alert.ended_at, alert.product) == (at(12), None, "cola")
    points: list[Quality] = [p for p in run.newest("quality") if p.started_at >= at(17)]
    assert {(p.phase, p.ucl) for p in points} == {("baseline", None)}
    assert points[-1].limits_warning == "limits refused: 10 of 10 points out of specification"
    assert [a.ended_at for a in run.newest("alert") if a.kind == "quality"] == [None]
    run.feed([(CELL, Acknowledge(alert=alert.natural_id, at=at(71), by="ann")), *ticks(at(71), at(72), MINUTE)])
    (alert,) = alerts(run)
    assert (alert.state, alert.ended_at) == ("acknowledged", None)


def test_late_points_raise_move_part_and_join() -> None:
    run = play(measured(dict.fromkeys(range(1, 60), 500.0)))
    assert minutes(run) == []

    def late(told: list[Told]) -> list[tuple[float, float | None]]:
        run.feed([*told, *ticks(run_end[0] + MINUTE, run_end[0] + 2 * MINUTE, MINUTE)])
        run_end[0] += 2 * MINUTE
        return minutes(run)

    run_end = [at(70)]
    assert late(measured({20.5: 520.0})) == [(20.5, 28)]
    assert late(measured({26.5: 480.0})) == [(20.5, 34)]  # goes on
    assert late(measured({19.5: 520.0})) == [(19.5, 34)]  # begins earlier: the other is taken back
    assert late(measured({23 + n / 10: 500.0 for n in range(1, 6)})) == [(19.5, 23.5), (26.5, 34)]  # parted
    assert late(measured({59.5: 520.0})) == [(19.5, 23.5), (26.5, 34), (59.5, None)]  # the end of what is known is late
    run.feed([*measured({80.5 + n / 2: 500.0 for n in range(8)}), *ticks(at(81), at(90), MINUTE)])
    assert minutes(run)[-1] == (59.5, 84)
    assert {a.state for a in alerts(run)} == {"cleared"}


def test_an_order_told_late_names_the_product() -> None:
    run = play(measured({5: 520.0}), 20)
    assert alerts(run)[0].product is None
    run.feed([(LINE, Order(id="o", product="cola", started_at=T0)), *ticks(at(21), at(22), MINUTE)])
    (alert,) = alerts(run)
    assert (alert.product, alert.revision) == ("cola", 1)
    assert alert.message.endswith("(product cola, order o)")


@pytest.mark.parametrize("definition", ["iso22400@1", "iso22400@2"])
def test_another_definition_takes_nothing_back(definition: str) -> None:
    """What is open stays open under the definition that holds now, and ends by the same rule."""
    told = [*measured(dict.fromkeys(range(1, 30), 500.0) | {3: 520.0, 25: 520.0}), *beats(T0, at(40))]
    run = Run().feed(ordered([*told, *ticks(T0, at(40), MINUTE)]))
    run.plant = plant(definition)
    run.restart()
    run.feed(ordered([*measured({41 + n: 500.0 for n in range(8)}), *ticks(at(41), at(60), MINUTE)]))
    closed = [a for a in alerts(run) if a.definition == definition]
    assert [((a.started_at - T0) / MINUTE, (a.ended_at or 0) - T0) for a in closed] == [
        (3, at(11) - T0),
        (25, at(44) - T0),
    ]


def test_an_inspection_told_again_stands_for_the_one_before() -> None:
    """A typing error, a wrong time and a wrong characteristic: what the log says last counts, also of a lower value."""
    told = [inspected(1, 5100.0, "typo"), inspected(2, 520.0, "early"), inspected(3, 520.0, "other")]
    run = play([*told, *measured({n + 0.5: 500.0 for n in range(4, 50)})], 60)
    assert minutes(run) == [(1, 11.5)]

    def correct(fact: Told) -> list[tuple[float, float | None]]:
        run.feed([fact, fact, *ticks(end[0] + MINUTE, end[0] + 2 * MINUTE, MINUTE)])
        end[0] += 2 * MINUTE
        run.restart()
        return minutes(run)

    end = [at(60)]
    assert correct(inspected(1, 510.0, "typo")) == [(2, 11.5)]
    assert correct(inspected(20, 520.0, "early")) == [(3, 11.5), (20, 27.5)]
    assert correct((CELL, Inspection(id="other", characteristic="Colour", at=at(3), value=3.0))) == [(20, 27.5)]
    assert correct(inspected(2, 490.0, "early")) == []
    points = {
        p.started_at: (p.characteristic, p.value) for p in run.newest("quality") if ".5" not in p.id and p.value != 500
    }
    assert points == {at(1): ("FillVolume", 510.0), at(2): ("FillVolume", 490.0), at(3): ("Colour", 3.0)}
    withdrawn = [r for r in run.records if isinstance(r, Quality) and r.phase == "withdrawn"]
    assert [(r.started_at, r.beyond, r.status) for r in withdrawn] == [
        (at(2), None, "corrected"),
        (at(3), None, "corrected"),
        (at(20), None, "corrected"),
    ]


def test_an_inspection_told_again_before_the_watermark_is_one_point() -> None:
    run = Run().feed(
        [samples(T0, State=6), inspected(1, 520.0, "a"), inspected(1.1, 500.0, "a"), *ticks(T0, at(3), MINUTE)]
    )
    assert [(p.started_at, p.value) for p in run.newest("quality")] == [(at(1.1), 500.0)]
    assert minutes(run) == []


# --- against a plain reading of all points


def plainly(points: list[tuple[int, float]]) -> list[tuple[int, int | None]]:
    """Begin and end of each excursion: values by time, beyond 490 to 510, eight times within to end."""
    excursions: list[tuple[int, int | None]] = []
    open_, within = None, 0
    for time in sorted({time for time, _ in points}):
        beyond = any(not 490 <= value <= 510 for t, value in points if t == time)
        within = 0 if beyond else within + 1
        if open_ is None and beyond:
            open_ = time
        elif open_ is not None and within == 8:
            excursions.append((open_, time))
            open_ = None
    return excursions + ([(open_, None)] if open_ is not None else [])


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink
)
@given(
    st.integers(0, 2**32).map(random.Random),
    st.sampled_from([0.02, 0.15, 0.6]),
    st.sampled_from([8 * S, 4 * MINUTE, 100 * MINUTE]),
)
def test_alerts_are_those_of_a_plain_reading_whatever_came_when(
    chance: random.Random, beyond: float, most: int
) -> None:
    """Delays within the horizon, restarts, hours that are let go: the horizon is two hours, the history five."""
    points: list[tuple[int, float]] = []
    arrivals: list[tuple[int, Told]] = []
    time = T0
    while time < T0 + 5 * HOUR:
        time += chance.choice((20, 30, 60, 60, 300)) * S
        value = chance.choice((480.0, 520.0)) if chance.random() < beyond else chance.uniform(490, 510)
        if chance.random() < 0.8:
            told = samples(time, FillVolume=value)
        else:
            told = (CELL, Inspection(id=f"i{len(points)}", characteristic="FillVolume", at=time, value=value))
            if chance.random() < 0.5:
                time -= 60 * S  # and another one of the same time, or between earlier ones
        points.append((told[1].at if isinstance(told[1], Inspection) else told[1].samples[0].at, value))  # type: ignore[union-attr]
        arrivals.append((points[-1][0] + chance.randrange(most), told))
    arrivals += [
        (at(60 * n), (LINE, Order(id=f"o{n}", product=chance.choice("ab"), started_at=at(60 * n)))) for n in range(6)
    ]
    last = time + most + 2 * MINUTE
    feed = sorted([*arrivals, *((told[1].at, told) for told in ticks(T0, last, MINUTE))], key=lambda pair: pair[0])  # type: ignore[union-attr]
    run = Run(plant(horizon_h=2))
    for _, told in feed:
        run.feed([told])
        if chance.random() < 0.01:
            run.restart(chance)
    # of two samples of one time the greater counts
    kept: dict[tuple[int, bool, int], float] = {}
    for n, ((when, value), (_, told)) in enumerate(zip(points, arrivals, strict=False)):
        key = (when, isinstance(told[1], Inspection), n if isinstance(told[1], Inspection) else 0)
        kept[key] = max(value, kept.get(key, value))
    assert not run.rejections
    expected = plainly([(when, value) for (when, _, _), value in kept.items()])
    assert [(a.started_at, a.ended_at) for a in alerts(run)] == expected
