"""What restored folds said or knew otherwise, each kind by the smallest log that showed it; and what was forgotten too early."""

from collections.abc import Callable

import pytest

from processors.base import Input
from schemas.records import Acknowledge, Alert, Inspection, Kpi, Oee, Order, Reason, Shift, Tick
from tests.harness.line_logs import (
    BAD,
    CELL,
    EXECUTE,
    HOUR,
    LINE,
    MINUTE,
    OTHER,
    STOPPED,
    T0,
    TOPIC,
    Run,
    S,
    Told,
    plant,
    play,
    samples,
    tick,
    ticks,
)
from tests.harness.restarts import difference

Log = list[tuple[int, Told]]
"""(when it was logged, record)."""


def ticked(*told: tuple[int, Told], until: int, every: int = 10 * MINUTE) -> Log:
    """With ticks between T0 and `until`; what is told at the time of a tick comes before it."""
    marks = [(at, tick(at)) for at in range(T0, until + 1, every)]
    return sorted([*told, *marks], key=lambda pair: (pair[0], isinstance(pair[1][1], Tick)))


def maintained() -> Log:
    """The mode is told once, and its hour is evicted."""
    said = [(T0 + n * MINUTE, samples(T0 + n * MINUTE, State=EXECUTE, Good=n)) for n in range(360)]
    return ticked((T0, samples(T0, Mode=2)), *said, until=T0 + 6 * HOUR)


def refused_first() -> Log:
    """A cell that is known from a refused inspection only."""
    wrong = Inspection(id="i", characteristic="FillVolume", at=T0, value=float("nan"))
    return ticked((T0 + MINUTE, (OTHER, wrong)), (T0, samples(T0, State=EXECUTE)), until=T0 + HOUR)


def logged_ahead() -> Log:
    """Nothing but a refused inspection says how far time had gone on."""
    wrong = Inspection(id="i", characteristic="FillVolume", at=T0, value=float("nan"))
    log = [(T0, samples(T0, State=EXECUTE, Good=1)), (T0, tick(T0)), (T0 + 30 * HOUR, (CELL, wrong))]
    return [*log, (T0 + 200 * HOUR, tick(T0 + 200 * HOUR))]


def first_order_of_one() -> Log:
    """The first order of a line is told for one cell, while the other sleeps: it changes what all time counts as."""
    both = [(T0, samples(T0, State=EXECUTE)), (T0, samples(T0, State=STOPPED, path=OTHER))]
    order = Order(id="o", product="p", started_at=T0)
    log = [*both, (T0 + S, tick(T0 + S)), (T0 + 2 * S, tick(T0 + 2 * S)), (T0 + 3 * S, (CELL, order))]
    return [*log, *((at, tick(at)) for at in range(T0 + 4 * S, T0 + 2 * HOUR, 10 * MINUTE))]


def stop_over_the_floor() -> Log:
    """A stop below the noise floor, half before the hour that is evicted; later its day is summed again."""
    edge = T0 + HOUR
    said = [(edge - 4 * S, samples(edge - 4 * S, State=STOPPED)), (edge + 3 * S, samples(edge + 3 * S, State=EXECUTE))]
    alive = [(at, samples(at, Heartbeat=1)) for at in range(T0, T0 + 5 * HOUR, 50 * S)]
    late = (T0 + 4 * HOUR, samples(T0 + 3 * HOUR, Scrap=1))
    return ticked((T0, samples(T0, State=EXECUTE)), *said, *alive, late, until=T0 + 5 * HOUR)


def own_order_and_the_lines() -> Log:
    """An order of the cell's own ends the line's there; it is over, and its hour evicted."""
    line = Order(id="line", product="a", started_at=T0)
    own = Order(id="own", product="b", started_at=T0 + 10 * MINUTE, ended_at=T0 + 20 * MINUTE)
    alive = [(at, samples(at, State=EXECUTE, Good=(at - T0) // (50 * S))) for at in range(T0, T0 + 5 * HOUR, 50 * S)]
    return ticked((T0, (LINE, line)), (T0, (CELL, own)), *alive, until=T0 + 5 * HOUR)


def last_begin_forgotten() -> Log:
    """The record that began last was withdrawn, and its hour dropped; the one before, of an hour before, lasts."""
    alive = [(at, samples(at, Heartbeat=1, path=OTHER)) for at in range(T0, T0 + 2 * HOUR, MINUTE)]
    earlier = (T0 + 15 * MINUTE, samples(T0 - 30 * MINUTE, Heartbeat=1, path=OTHER))
    return ticked(*alive, earlier, until=T0 + 6 * HOUR)


KINDS: list[Callable[[], Log]] = [
    maintained,
    refused_first,
    logged_ahead,
    first_order_of_one,
    stop_over_the_floor,
    own_order_and_the_lines,
    last_begin_forgotten,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("definition", ["iso22400@1", "acme@1"])
def test_restored(kind: Callable[[], Log], definition: str) -> None:
    log = [Input(path, TOPIC, 0, n, record, at) for n, (at, (path, record)) in enumerate(kind())]
    assert difference(plant(definition, horizon_h=2), log, seed=1) is None


def test_a_counter_that_comes_back_after_its_past_is_evicted_holds_nothing_up() -> None:
    """A reading of 0 is evicted as the value in force, and is a glitch only then: its search for a believed one ended never."""
    run = Run(plant(horizon_h=1)).feed(
        [samples(T0 + 59 * MINUTE, Scrap=50_000), samples(T0 + 59 * MINUTE + S, Scrap=0)]
    )
    run.feed(ticks(T0 + 59 * MINUTE, T0 + 121 * MINUTE, MINUTE))
    run.feed([samples(T0 + 122 * MINUTE, Scrap=50_003), *ticks(T0 + 122 * MINUTE, T0 + 4 * HOUR, 10 * MINUTE)])
    made = [record for record in run.newest("production") if record.scrap or record.resets]
    assert sum(record.scrap for record in made) == 3


def test_pieces_before_the_first_sign_of_life_that_a_snapshot_asked_about_count() -> None:
    """A cell known from an inspection alone was shown; the sums of its empty hours were kept when its samples came."""
    shift = Shift(id="s", name="early", started_at=T0, ended_at=T0 + 8 * HOUR)
    inspection = Inspection(id="i", characteristic="FillVolume", at=T0, value=500.0)
    run = Run().feed([(LINE, shift), (CELL, inspection), *ticks(T0, T0 + 30 * MINUTE, MINUTE)])
    run.feed([samples(T0 + n * MINUTE, State=EXECUTE, Good=n) for n in range(5, 30)])
    run.feed(ticks(T0 + 31 * MINUTE, T0 + 61 * MINUTE, MINUTE))
    (hour,) = (r for r in run.newest("oee") if isinstance(r, Oee) and r.window == "hour" and r.started_at == T0)
    assert hour.good == 24


def test_a_counter_has_stood_for_longer_than_the_horizon() -> None:
    """Then makes a step that only so much time explains."""
    run = Run(plant(horizon_h=2))
    for n in range(480):
        run.feed([samples(T0 + n * MINUTE, State=EXECUTE, Scrap=7), tick(T0 + n * MINUTE + S)])
    run.feed([samples(T0 + 480 * MINUTE, Scrap=40_007), *ticks(T0 + 481 * MINUTE, T0 + 490 * MINUTE, MINUTE)])
    assert sum(record.scrap for record in run.newest("production")) == 40_000


def test_a_silence_longer_than_the_horizon_ends() -> None:
    """A machine off for a weekend: its alert stayed open for ever."""
    run = Run(plant(horizon_h=2)).feed([samples(T0, State=EXECUTE), *ticks(T0, T0 + 9 * HOUR, MINUTE)])
    (alert,) = (r for r in run.newest("alert") if isinstance(r, Alert))
    assert (alert.started_at, alert.ended_at, alert.state) == (T0, None, "raised")
    back = T0 + 9 * HOUR
    run.feed([(CELL, Acknowledge(alert=alert.natural_id, at=back, by="ann")), tick(back + 1)])
    run.feed([samples(back + 30 * S, State=EXECUTE), *ticks(back + MINUTE, back + 2 * MINUTE)])
    first = next(r for r in run.newest("alert") if isinstance(r, Alert) and r.started_at == T0)
    assert (first.ended_at, first.state, first.status) == (back + 30 * S, "cleared", "final")
    run.feed([samples(back + 10 * S, State=EXECUTE), tick(back + 3 * MINUTE)])
    first = next(r for r in run.newest("alert") if isinstance(r, Alert) and r.started_at == T0)
    assert (first.ended_at, first.status) == (back + 10 * S, "corrected")


def test_an_order_that_is_over_is_known_for_as_long_as_its_day_is_summed() -> None:
    """The product and the ideal cycle of what was made in the morning do not get lost as the day is corrected."""
    order = Order(id="o", product="water", started_at=T0, ended_at=T0 + HOUR, ideal_cycle_s=2.0)
    after = Order(id="p", product="milk", started_at=T0 + HOUR)
    said = [samples(T0 + n * MINUTE, State=EXECUTE, Good=n % 1000) for n in range(600)]
    run = Run(plant(horizon_h=2)).feed([(LINE, order), (LINE, after)])
    for sample, n in zip(said, range(600), strict=True):
        run.feed([sample, tick(T0 + n * MINUTE + S)])
    day = next(r for r in reversed(run.records) if isinstance(r, Kpi) and r.window == "day")
    assert {(pieces.product, pieces.ideal_cycle_us, pieces.good) for pieces in day.pieces} == {
        ("water", 2_000_000, 60),
        ("milk", 6_000_000, day.quantities["GP"] - 60),
    }


def test_a_reason_is_known_for_as_long_as_its_stop_lasts() -> None:
    reason = Reason(id="r", code=201, started_at=T0 + MINUTE, by="ann")
    run = play([samples(T0, State=STOPPED), (CELL, reason)], minutes=6 * 60, run=Run(plant(horizon_h=2)))
    (stop,) = run.newest("downtime")
    assert (stop.started_at, stop.reason_code, stop.ended_at) == (T0, 201, None)


def test_bad_quality_is_no_sign_of_life_over_a_restart() -> None:
    log = ticked((T0, samples(T0, State=EXECUTE)), until=T0 + 4 * HOUR)
    log += [(T0 + 4 * HOUR, samples(T0 + 4 * HOUR, State=STOPPED, quality=BAD)), (T0 + 5 * HOUR, tick(T0 + 5 * HOUR))]
    inputs = [Input(path, TOPIC, 0, n, record, at) for n, (at, (path, record)) in enumerate(log)]
    assert difference(plant(horizon_h=2), inputs, seed=2) is None
