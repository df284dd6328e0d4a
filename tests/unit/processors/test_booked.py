"""Booked amounts through the whole fold: the numbers follow from the set, over corrections, restarts and eviction."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Order, Sample, Samples
from tests.harness.line_logs import CELL, HOUR, LINE, MINUTE, T0, Run, S, Told, beats, final_numbers, plant, tick
from topology.model.plant import Plant


def model(**of_tag: object) -> Plant:
    of_plant = plant(horizon_h=6).model_dump()
    tag = {"role": "good_count", "counts": "increments", "spread": "since_last", "spread_max_s": 4 * 3_600, **of_tag}
    of_plant["types"]["filler"]["tags"] |= {"Good": tag}
    of_plant["types"]["filler"]["tags"]["Energy"] |= {"spread": "since_last", "spread_max_s": 3 * 3_600}
    return Plant.model_validate(of_plant)


def booking(at: int, sequence: int, **values: float) -> Told:
    return CELL, Samples("mes", sequence, tuple(Sample(tag, at, value) for tag, value in values.items()))


@pytest.mark.long
@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_late_bookings_and_restarts_change_nothing_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    hours = sorted(chance.sample(range(1, 60), 12))
    told = [
        booking(T0 + hour * 10 * MINUTE, n, Good=chance.randrange(400), Energy=10.0 * n) for n, hour in enumerate(hours)
    ]
    orders = [
        (LINE, Order(id=f"o{n}", product=f"p{n}", started_at=T0 + n * 3 * HOUR, ended_at=T0 + (n + 1) * 3 * HOUR))
        for n in range(4)
    ]
    life = beats(T0, T0 + 14 * HOUR)

    def at(record: Told) -> int:
        return max(sample.at for sample in record[1].samples) if isinstance(record[1], Samples) else 0

    def lived(delay: int, restarts: bool) -> Run:
        due = sorted(((at(r) + (chance.randrange(delay) if delay and r in told else 0), n) for n, r in enumerate(said)))
        run, now = Run(model()), T0
        run.feed(orders)
        for when, n in due:
            while now + 5 * MINUTE <= when:
                now += 5 * MINUTE
                run.feed([tick(now)])
                if restarts and chance.random() < 0.1:
                    run.restart(chance)
            run.feed([said[n]])
        return run.feed(tick(now + n * 5 * MINUTE) for n in range(1, 60))

    said = [*life, *told]
    assert final_numbers(lived(90 * MINUTE, True)) == final_numbers(lived(0, False))


def test_a_booking_corrects_the_hours_before_it() -> None:
    run = Run(model()).feed([*beats(T0, T0 + 3 * HOUR), booking(T0, 1, Good=0)])
    run.feed(tick(T0 + n * 10 * MINUTE) for n in range(1, 15))
    run.feed([booking(T0 + 2 * HOUR, 2, Good=120)])
    run.feed(tick(T0 + n * 10 * MINUTE) for n in range(15, 19))
    hours = [(r.good, r.status) for r in run.newest("oee") if r.window == "hour"]
    assert hours[:3] == [(60, "corrected"), (60, "corrected"), (0, "provisional")]


def test_at_the_border_what_ends_or_what_starts() -> None:
    orders = [
        (LINE, Order(id=name, product=name, started_at=T0 + n * HOUR, ended_at=T0 + (n + 1) * HOUR))
        for n, name in enumerate("ab")
    ]
    for border, expected in (("start", [0, 800]), (None, [0, 800]), ("end", [800, 0])):
        run = Run(model(border=border, spread="point", spread_max_s=None))
        run.feed([*orders, *beats(T0, T0 + 3 * HOUR), booking(T0 + HOUR, 1, Good=800)])
        run.feed(tick(T0 + n * 10 * MINUTE + S) for n in range(1, 20))
        for of_class in ("oee", "kpi"):
            windows = [r for r in run.newest(of_class) if r.window == "order"]
            made = [r.good if of_class == "oee" else sum(p.good for p in r.pieces) for r in windows]
            assert made == expected
        (cycles,) = run.newest("cycle")
        assert (cycles.product, cycles.started_at) == (("a", T0) if border == "end" else ("b", T0 + HOUR))
