"""The line fold by example: one test a rule."""

import pytest

from processors.output.identity import parse
from schemas.records import Acknowledge, Alert, Break, Current, Downtime, Oee, Order, Reason, Shift
from tests.harness.line_logs import (
    ABORTED,
    BAD,
    CELL,
    EXECUTE,
    HELD,
    HOUR,
    IDLE,
    LINE,
    MINUTE,
    STOPPED,
    SUSPENDED,
    T0,
    Run,
    S,
    Told,
    beats,
    plant,
    play,
    samples,
    spans,
    tick,
    ticks,
)
from topology.model.plant import Plant


def at(minutes: float) -> int:
    return T0 + round(minutes * MINUTE)


def hour(run: Run) -> Oee:
    found: list[Oee] = run.newest("oee")
    return next(r for r in found if r.window == "hour" and r.started_at == T0)


ORDER: Told = (LINE, Order(id="o1", product="water", started_at=T0))


# --- time


def test_samples_before_the_first_tick_are_taken_at_any_time() -> None:
    assert not Run().feed([samples(T0 + 400 * HOUR, State=EXECUTE)]).rejections


def test_late_future_and_unknown_are_rejected_once_a_record() -> None:
    run = Run().feed([tick(T0)])
    run.feed([samples(T0 - 48 * HOUR - 1, State=EXECUTE, Good=1), samples(T0 + 300 * S + 1, State=EXECUTE)])
    run.feed([samples(T0 - 48 * HOUR, State=EXECUTE), samples(T0 + 300 * S, State=EXECUTE)])
    run.feed([samples(T0, path=f"{LINE}/robot", State=EXECUTE), ("acme/paris/a/b", ORDER[1])])
    assert [r.reason for r in run.rejections] == ["late", "future", "unknown_path", "unknown_path"]
    assert "2 sample" in run.rejections[0].message


def test_only_a_newer_tick_moves_time() -> None:
    run = Run().feed([samples(T0, State=EXECUTE), tick(T0 + MINUTE)])
    seen = len(run.outputs)
    assert run.fold.watermark == T0 + MINUTE - 10 * S
    run.feed([tick(T0), tick(T0 + MINUTE)])
    assert len(run.outputs) == seen
    assert run.fold.watermark == T0 + MINUTE - 10 * S


def test_a_fault_of_one_sample_leaves_the_rest() -> None:
    run = play([samples(at(1), State="on", Good=float("nan"), Scrap=1.5), samples(at(2), State=77, Mode=1)])
    assert [(r.reason, r.tag) for r in run.rejections] == [
        ("unmapped_state", "State"),
        ("not_finite", "Good"),
        ("wrong_type", "Scrap"),
        ("unmapped_state", "State"),
    ]
    assert {r.state for r in run.newest("state")} == {"unknown"}


# --- state


def test_an_interval_is_provisional_then_final() -> None:
    run = play([samples(T0, State=EXECUTE), samples(at(5), State=HELD)], 10)
    first = [r for r in run.records if r.message_class == "state" and r.started_at == T0]
    assert [(r.status, r.revision, r.ended_at) for r in first] == [
        ("provisional", 0, None),
        ("final", 1, at(5)),  # this tick brings the watermark to its end
    ]
    assert first[0].id == f"{CELL}#state@20261123T060000.000000Z~iso22400@1:0"


def test_a_silent_machine_is_unknown_from_its_last_sign_of_life() -> None:
    told = [samples(T0, State=EXECUTE), *beats(T0, at(5)), samples(at(20), Heartbeat=1), *beats(at(20), at(30))]
    run = play(told, 30, alive=())
    assert [(r.state, *span) for r, span in zip(run.newest("state"), spans(run.newest("state")), strict=True)] == [
        ("execute", 0, 270),
        ("unknown", 270, 1200),
        ("execute", 1200, 1770),
        ("unknown", 1770, None),
    ]
    alerts: list[Alert] = [r for r in run.newest("alert") if r.kind == "silent"]
    assert [(a.state, a.severity) for a in alerts] == [("cleared", "medium"), ("raised", "medium")]
    assert spans(alerts)[0] == (270, 1200)


def test_a_late_sign_of_life_takes_the_silence_back() -> None:
    run = play([samples(T0, State=EXECUTE), *beats(T0, at(5)), *beats(at(8), at(10))], 10, alive=())
    assert "unknown" in {r.state for r in run.newest("state") if r.ended_at}
    run.feed([*beats(at(5), at(8)), *ticks(at(11), at(12))])
    assert [r.state for r in run.newest("state") if r.ended_at] == ["execute"]
    withdrawn = [r for r in run.records if r.message_class == "state" and r.ended_at == r.started_at]
    assert withdrawn
    assert withdrawn[-1].status == "corrected"


def test_a_bad_state_is_unknown_and_no_sign_of_life() -> None:
    run = play(
        [samples(T0, State=EXECUTE), samples(at(2), State=EXECUTE, quality=BAD), samples(at(3), State=EXECUTE)], 5
    )
    assert [r.state for r in run.newest("state")] == ["execute", "unknown", "execute"]
    silent = play(
        [samples(T0, State=EXECUTE), *[samples(at(n / 2), Temperature=1.0, quality=BAD) for n in range(20)]],
        alive=(),
    )
    assert silent.newest("state")[-1].state == "unknown"


# --- production


def test_first_sample_is_a_baseline_roll_over_and_reset_count() -> None:
    run = play(
        [samples(at(n), Good=g, Scrap=s) for n, (g, s) in enumerate([(990, 50), (999, 52), (4, 3), (60, 3), (2, 1)])],
        10,
    )
    made = run.newest("production")
    assert [(r.good, r.scrap, r.resets) for r in made] == [(9, 2, 0), (5, 3, 1), (56, 0, 0), (2, 1, 2)]
    assert [begin for begin, _ in spans(made)] == [0, 60, 120, 180], "made before the sample that counts them"
    assert {r.status for r in made} == {"final"}


def test_what_a_counter_shows_as_a_window_ends_was_made_in_it() -> None:
    shifts = [
        Shift(id=name, name=name, started_at=at(a), ended_at=at(b)) for name, a, b in (("a", 0, 60), ("b", 60, 120))
    ]
    told = [samples(at(n), Good=good) for n, good in ((0, 0), (60, 70), (120, 100))]
    run = play([*((LINE, shift) for shift in shifts), *told], 125)
    windows = {(r.window, r.window_name or r.started_at): r.good for r in run.newest("oee")}
    assert (windows["shift", "a"], windows["shift", "b"]) == (70, 30)
    assert (windows["hour", at(0)], windows["hour", at(60)]) == (70, 30)


def test_increments_add_up_each_at_its_time() -> None:
    model = plant().model_dump()
    model["types"]["filler"]["tags"]["Good"] = {"role": "good_count", "counts": "increments"}
    told = [samples(at(n), Good=good) for n, good in ((0, 5), (1, 2), (1, 2), (2, 0), (3, 7))]
    run = play(told, 10, run=Run(Plant.model_validate(model)))
    made = run.newest("production")
    assert [(begin, r.good, r.resets) for (begin, _), r in zip(spans(made), made, strict=True)] == [
        (0, 5, 0),
        (60, 2, 0),
        (180, 7, 0),
    ]


@pytest.mark.parametrize(("seconds", "good", "resets"), [(1, 3, 1), (62, 103, 0)])
def test_a_fall_too_fast_for_a_roll_over_is_a_reset(seconds: int, good: int, resets: int) -> None:
    """900 → 3 of 1000 would be 103 pieces: possible at 0.6 s a piece in 62 s, not in one."""
    (made,) = play([samples(T0, Good=900), samples(T0 + seconds * S, Good=3)], 10).newest("production")
    assert (made.good, made.resets) == (good, resets)


def test_a_bucket_is_cut_where_the_order_changes() -> None:
    orders: list[Told] = [
        (LINE, Order(id=n, product=n, started_at=at(b), ended_at=at(e))) for n, b, e in (("a", 0, 1.5), ("b", 1.75, 5))
    ]
    told = [samples(T0 + n * 5 * S, Good=n) for n in range(60)]
    run = play([*orders, *told], 10)
    made = [
        (r.order, r.good, *span)
        for r, span in zip(run.newest("production"), spans(run.newest("production")), strict=True)
    ]
    assert made[1:4] == [("a", 6, 60, 90), (None, 3, 90, 105), ("b", 3, 105, 120)]
    assert sum(r.good for r in run.newest("production")) == 59


def test_a_late_count_moves_pieces_and_keeps_the_sum() -> None:
    run = play([samples(T0, Good=0), samples(at(5.5), Good=30)], 10)
    run.feed([samples(at(2.5), Good=10), *ticks(at(12), at(13))])
    made = run.newest("production")
    assert [(r.good, r.status) for r in made] == [(10, "final"), (20, "corrected")]


# --- downtime


@pytest.mark.parametrize(
    ("state", "category"),
    [(ABORTED, "breakdown"), (HELD, "internal"), (SUSPENDED, "material_flow"), (STOPPED, "stop"), (IDLE, None)],
)
def test_a_stop_without_a_reason_gets_its_category_from_the_state(state: int, category: str | None) -> None:
    run = play([ORDER, samples(T0, State=EXECUTE), samples(at(5), State=state), samples(at(15), State=EXECUTE)])
    (stop,) = run.newest("downtime")
    assert (stop.kind, stop.category, stop.reason_code, stop.order) == ("stop", category, None, "o1")
    assert spans([stop]) == [(300, 900)]


def test_a_stop_opens_gets_its_reason_and_closes() -> None:
    told = [ORDER, samples(T0, State=EXECUTE), samples(at(5), State=STOPPED), samples(at(6), StopReason=201)]
    run = play([*told, samples(at(8), State=EXECUTE, StopReason=0)], 10)
    stop = [r for r in run.records if isinstance(r, Downtime)]
    assert [(r.kind, r.reason, r.status) for r in stop] == [
        ("open", None, "provisional"),
        ("open", "drive fault", "provisional"),
        ("micro_stop", "drive fault", "final"),
    ]
    alerts: list[Alert] = [r for r in run.records if isinstance(r, Alert)]
    assert [(a.kind, a.severity, a.state) for a in alerts] == [
        ("breakdown", "high", "raised"),
        ("breakdown", "high", "cleared"),
    ]
    assert {a.cause for a in alerts} == {stop[0].natural_id}


def test_an_operator_overrides_the_machine() -> None:
    told = [
        ORDER,
        samples(T0, State=EXECUTE),
        samples(at(5), State=STOPPED, StopReason=201),
        samples(at(15), State=EXECUTE),
    ]
    run = play(told)
    run.feed([(CELL, Reason(id="r", code=101, started_at=at(7), by="ann")), *ticks(at(72), at(73))])
    (stop,) = run.newest("downtime")
    assert (stop.reason, stop.category, stop.status) == ("bottle jam", "micro", "corrected")
    assert [a for a in run.newest("alert") if a.kind == "breakdown"] == []


def test_what_is_no_stop() -> None:
    shift = Shift(id="s", name="s", started_at=T0, ended_at=at(60), breaks=(Break(at(10), at(20)),))
    order = Order(id="o", product="p", started_at=T0, ended_at=at(40))
    told: list[Told] = [(LINE, shift), (LINE, order), samples(T0, State=EXECUTE, Mode=1), samples(at(5), State=STOPPED)]
    told += [samples(at(25), Mode=4), samples(at(30), Mode=2), samples(at(35), Mode=1)]
    run = play(told)
    assert spans(run.newest("downtime")) == [(300, 600), (1200, 1500), (2100, 3600)], "it goes on after its order"
    told.append(samples(at(42), State=IDLE))
    assert spans(play(told).newest("downtime"))[-1] == (2100, 2520), "without an order idle is no stop"
    breakdown = play([*told, samples(at(45), State=ABORTED)])
    assert spans(breakdown.newest("downtime"))[-1] == (2700, 3600)


# --- OEE


def test_oee_of_an_hour() -> None:
    """1 min before the first state, 44 min running, 5 min setup, 10 min held; 400 good of 420 at 6 s ideal."""
    told = [
        ORDER,
        samples(at(1), State=EXECUTE, Mode=1, Good=0, Scrap=0),
        samples(at(20), Mode=4),
        samples(at(25), Mode=1),
    ]
    told += [samples(at(30), State=HELD), samples(at(40), State=EXECUTE), samples(at(50), Good=400, Scrap=20)]
    found = hour(play(told))
    minutes = {name: us / MINUTE for name, us in found.element_us.items()}
    assert minutes == {
        "PDOT": 0,
        "APT": 44,
        "AUST": 5,
        "ADET": 10,
        "ADOT": 0,
        "unplanned": 0,
        "unknown": 0,
        "not_observed": 1,
    }
    assert found.availability == pytest.approx(44 / 59)
    assert found.performance == pytest.approx(42 / 44)
    assert found.quality == pytest.approx(400 / 420)
    assert found.oee == pytest.approx(40 / 59)
    assert (found.observed_us, found.elapsed_us, found.coverage) == (59 * MINUTE, HOUR, 59 / 60)
    assert (found.status, found.ended_at, found.ideal_us) == ("final", T0 + HOUR, 42 * MINUTE)


def test_breaks_and_time_outside_shifts_are_not_busy_time() -> None:
    shift = Shift(id="s", name="early", started_at=at(10), ended_at=at(50), breaks=(Break(at(20), at(30)),))
    run = play([(LINE, shift), samples(T0, State=EXECUTE)])
    found = hour(run)
    assert {k: v // MINUTE for k, v in found.element_us.items() if v} == {"PDOT": 10, "APT": 30, "unplanned": 20}
    assert (found.availability, found.performance, found.quality, found.oee) == (1.0, 0.0, None, 0.0)
    window = next(r for r in run.newest("oee") if r.window == "shift")
    assert (window.window_name, sum(window.element_us.values()), window.status) == ("s", 40 * MINUTE, "final")


def test_without_busy_time_everything_is_null() -> None:
    shift = Shift(id="s", name="early", started_at=at(-120), ended_at=at(-60))
    found = hour(play([(LINE, shift), samples(T0, State=EXECUTE)]))
    assert (found.availability, found.performance, found.quality, found.oee) == (None, None, None, None)


def test_an_order_window_is_final_once_its_end_is_told() -> None:
    order = Order(id="o", product="p", started_at=at(5), ideal_cycle_s=3.0)
    told = [(LINE, order), samples(T0, State=EXECUTE, Good=0), samples(at(20), Good=100), samples(at(40), Good=300)]
    run = play(told, 50)
    (open_window,) = [r for r in run.newest("oee") if r.window == "order"]
    assert (open_window.status, open_window.ended_at, open_window.good) == ("provisional", None, 300)
    ended = Order(id="o", product="p", started_at=at(5), ended_at=at(30), ideal_cycle_s=3.0)
    run.feed([(LINE, ended), *ticks(at(52), at(53))])
    (window,) = [r for r in run.newest("oee") if r.window == "order"]
    assert (window.status, window.ended_at, window.good, window.ideal_us) == ("final", at(30), 100, 300 * S)


def test_late_samples_correct_exactly_the_windows_they_touch() -> None:
    run = play([samples(T0, State=EXECUTE), samples(at(100), State=HELD)], 200)
    before = {r.id for r in run.records}
    run.feed([samples(at(70), State=STOPPED), samples(at(80), State=EXECUTE), *ticks(at(202), at(203))])
    new = [r for r in run.records if r.id not in before and not isinstance(r, Current)]
    windows = [(r.started_at, r.status, r.revision) for r in new if isinstance(r, Oee) and r.ended_at]
    assert [(start, status) for start, status, _ in windows] == [(T0 + HOUR, "corrected")]
    assert {r.message_class for r in new} == {"state", "oee", "kpi", "alert"} | ({"downtime"})


def test_a_moved_order_takes_its_old_window_back() -> None:
    run = play([ORDER, samples(T0, State=EXECUTE, Good=0), samples(at(20), Good=50)], 50)
    run.feed([(LINE, Order(id="o1", product="water", started_at=at(10))), *ticks(at(52), at(56))])
    orders = [r for r in run.newest("oee") if r.window == "order"]
    assert [(r.started_at, r.good) for r in orders] == [(at(10), 50)]


def test_an_alert_that_ended_before_the_horizon_is_not_acknowledged_any_more() -> None:
    """Its hour is still kept, for an order that began in it; a replay may have corrected the alert since."""
    run = Run(plant(horizon_h=1)).feed(
        [
            (LINE, Order(id="o1", product="p", started_at=T0)),
            samples(T0, {"State": ABORTED}),
            tick(T0 + 60 * S),
            samples(T0 + 120 * S, {"State": EXECUTE}),
            tick(T0 + 180 * S),
        ]
    )
    alert = next(r for r in run.records if isinstance(r, Alert) and r.kind == "breakdown")
    for minutes in range(4, 200, 4):
        run.feed([samples(T0 + minutes * MINUTE, {"State": EXECUTE}), tick(T0 + minutes * MINUTE + S)])
    kind, started_at = parse(alert.natural_id)
    assert run.fold._cells[CELL].cell.ledger.get(kind, started_at) is not None
    run.feed([(CELL, Acknowledge(alert=alert.natural_id, at=T0 + HOUR, by="anna"))])
    assert [rejection.reason for rejection in run.rejections] == ["unknown_alert"]
