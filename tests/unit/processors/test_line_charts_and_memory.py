"""The line fold by example: control charts, alerts, snapshots, bounds."""

from processors.timeline.totals import ENERGY_MAX
from schemas.records import Acknowledge, Current, Inspection, Order, Quality, Shift
from tests.harness.line_logs import (
    ABORTED,
    CELL,
    EXECUTE,
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
    play,
    samples,
    tick,
    ticks,
)


def at(minutes: float) -> int:
    return T0 + round(minutes * MINUTE)


ORDER: Told = (LINE, Order(id="o1", product="water", started_at=T0))


# --- quality and alerts


def wobble(n: int) -> float:
    return 500 + (0.5 if n % 2 else -0.5) + (n % 3) * 0.1


def test_a_drift_is_flagged_alerts_and_clears() -> None:
    told = [samples(at(n), FillVolume=wobble(n)) for n in range(60)]
    told[20] = samples(at(20), FillVolume=507.0)
    run = play(told)
    points: list[Quality] = run.newest("quality")
    assert [p.phase for p in points] == ["baseline"] * 10 + ["control"] * 50
    assert points[8].ucl is None
    assert points[9].ucl is not None
    assert points[20].rules[:2] == (0, 1)
    (alert,) = run.newest("alert")[:1]
    assert (alert.kind, alert.subject, alert.state, alert.cause) == (
        "quality",
        "FillVolume",
        "cleared",
        points[20].natural_id,
    )
    quiet = [p.started_at for p in points if not [rule for rule in p.rules if rule] and p.started_at > at(20)]
    assert alert.ended_at is not None
    assert alert.ended_at >= quiet[7]


def test_points_are_sorted_within_lateness_and_flagged_beyond() -> None:
    punctual = play([samples(at(n), FillVolume=wobble(n)) for n in range(30)])
    swapped = Run().feed([samples(at(n), FillVolume=wobble(n)) for n in [*range(1, 30, 2), *range(0, 30, 2)]])
    swapped.feed(ticks(at(31), at(32)))
    assert [p.rules for p in swapped.newest("quality")] == [p.rules for p in punctual.newest("quality")]
    punctual.feed([samples(at(3.5), FillVolume=1.0), *ticks(at(72), at(73))])
    late = [p for p in punctual.newest("quality") if p.phase == "late"]
    assert [(p.value, p.rules) for p in late] == [(1.0, ())]


def test_a_new_product_starts_the_chart_anew_and_inspections_are_points() -> None:
    orders: list[Told] = [
        (LINE, Order(id=n, product=n, started_at=at(b), ended_at=at(b + 15))) for n, b in (("a", 0), ("b", 16))
    ]
    told: list[Told] = [samples(at(n), FillVolume=wobble(n)) for n in range(30)]
    told.append((CELL, Inspection(id="i1", characteristic="FillVolume", at=at(12.5), value=500.0)))
    points: list[Quality] = play([*orders, *told]).newest("quality")
    assert [p.phase for p in points] == ["baseline"] * 10 + ["control"] * 7 + ["baseline"] * 10 + ["control"] * 4
    assert points[13].value == 500.0


def test_an_alert_is_acknowledged() -> None:
    run = play([ORDER, samples(T0, State=EXECUTE), samples(at(5), State=ABORTED)], 10)
    (alert,) = run.newest("alert")
    run.feed(
        [
            (LINE, Acknowledge(alert=alert.natural_id, at=at(11), by="bob")),
            *beats(at(11), at(16)),
            *ticks(at(12), at(13)),
        ]
    )
    (alert,) = run.newest("alert")[:1]
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "bob")
    run.feed([samples(at(12.5), State=EXECUTE), *ticks(at(14), at(15))])
    (alert,) = run.newest("alert")[:1]
    assert (alert.state, alert.acknowledged_by) == ("cleared", "bob")
    run.feed([(LINE, Acknowledge(alert=text, at=at(11), by="bob")) for text in ("x", alert.id.replace("06", "07"))])
    assert [r.reason for r in run.rejections] == ["unknown_alert", "unknown_alert"]


# --- current and memory


def test_a_snapshot_at_most_once_a_tick_and_only_on_change() -> None:
    run = play([ORDER, samples(T0, State=EXECUTE, Good=0, Extra="text"), samples(at(1), Good=10)], 2)
    shots = [r for r in run.records if isinstance(r, Current)]
    assert len({r.at for r in shots}) == len(shots)
    last = shots[-1]
    assert (last.state, last.order, last.product, last.good, last.open_alerts) == ("execute", "o1", "water", 10, 0)
    assert [t.tag for t in last.tags] == ["Extra", "Good", "Heartbeat", "State"]
    quiet = Run().feed([samples(T0, State=EXECUTE), tick(T0 + S), tick(T0 + 2 * S), tick(T0 + 3 * S)])
    assert len([r for r in quiet.records if isinstance(r, Current)]) == 1


def test_memory_is_bounded_by_the_horizon_and_long_orders_keep_their_sums() -> None:
    run = Run(plant(horizon_h=3))
    run.feed([ORDER, samples(T0, State=EXECUTE, Good=0, Scrap=0)])
    sizes = []
    for n in range(1, 12):
        told = [
            samples(T0 + at_, State=EXECUTE, Good=at_ // (30 * S))
            for at_ in range((n - 1) * HOUR + 30 * S, n * HOUR + 1, 30 * S)
        ]
        run.feed(ordered([*told, *ticks(T0 + (n - 1) * HOUR + MINUTE, T0 + n * HOUR, MINUTE)]))
        run.save()
        sizes.append(len(run.store))
        if n == 8:
            run.restart()
    assert max(sizes[6:]) <= max(sizes[:6]) + 1
    run.feed(
        [
            (LINE, Order(id="o1", product="water", started_at=T0, ended_at=T0 + 11 * HOUR)),
            *ticks(T0 + 11 * HOUR, T0 + 11 * HOUR + MINUTE),
        ]
    )
    (window,) = [r for r in run.newest("oee") if r.window == "order"]
    assert (window.status, sum(window.element_us.values())) == ("final", 11 * HOUR)
    made = sum(r.good for r in run.newest("production"))
    assert abs(window.good - made) <= 3  # the last sample lies on the end


def test_absurd_times_are_refused_and_never_raise() -> None:
    run = Run()
    run.feed([samples(0, State=EXECUTE), samples(1 << 62, State=EXECUTE), tick(1 << 62), tick(-1)])
    run.feed(
        [
            (LINE, Order(id="o", product="p", started_at=0)),
            (LINE, Shift(id="s", name="s", started_at=T0, ended_at=1 << 62)),
        ]
    )
    run.feed([(LINE, Order(id="o", product="p", started_at=T0, ended_at=T0 - 1))])
    run.feed([(CELL, Inspection(id="i", characteristic="FillVolume", at=0, value=1.0)), *ticks(T0, at(2))])
    reasons = [r.reason for r in run.rejections]
    assert reasons == ["late", "future", *["out_of_range"] * 4, "bad_interval", "late"]
    assert {type(r) for r in run.records} == {Current}
    assert {r.state for r in run.newest("current")} == {"unknown"}


def test_a_meter_gone_mad_ends_no_worker() -> None:
    """Ten times a second 0 and then a million million kWh: each 0 is a dip, the first rise is all that counts.

    [own] Before, what counts nothing was sought from the begin of the hour for each dip anew: a tick took minutes.
    """
    told = [samples(T0 + n * 100_000, Energy=n % 2 * 1e12) for n in range(20_000)]
    run = Run().feed(ordered([*told, *beats(T0, T0 + 2 * HOUR), *ticks(T0, T0 + 2 * HOUR, every=MINUTE)]))
    run.restart()
    run.feed(ticks(T0 + 2 * HOUR + MINUTE, T0 + 3 * HOUR, every=MINUTE))
    run.save()
    hour = next(record for record in run.newest("kpi") if record.window == "hour" and record.started_at == T0)
    assert (hour.status, hour.quantities["E"]) == ("final", 1e12)
    assert not run.rejections


def test_a_meter_that_begins_again_too_often_ends_no_worker() -> None:
    """Its sums stay what can be saved; [own] before, the 64 bits of a saved sum ran over and the fold raised."""
    told = [samples(T0 + n * 100_000, Energy=n % 2 * 1e12) for n in range(20_000)]
    equipment = plant()
    meter = equipment.types["filler"].tags["Energy"].model_copy(update={"falls": "reset"})
    tags = {**equipment.types["filler"].tags, "Energy": meter}
    filler = equipment.types["filler"].model_copy(update={"tags": tags})
    run = Run(equipment.model_copy(update={"types": {"filler": filler}}))
    run.feed(ordered([*told, *beats(T0, T0 + 2 * HOUR), *ticks(T0, T0 + 2 * HOUR, every=MINUTE)]))
    run.restart()
    run.feed(ticks(T0 + 2 * HOUR + MINUTE, T0 + 3 * HOUR, every=MINUTE))
    run.save()
    hour = next(record for record in run.newest("kpi") if record.window == "hour" and record.started_at == T0)
    assert (hour.status, hour.quantities["E"]) == ("final", ENERGY_MAX / 1000)
    assert not run.rejections
