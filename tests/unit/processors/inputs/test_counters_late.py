"""What a counter counts follows from the set of its readings: the fold says the same in whatever order they come."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Alert
from tests.harness.line_logs import EXECUTE, HOUR, MINUTE, T0, Run, S, Told, beats, ordered, plant, samples, ticks


def shown(chance: random.Random) -> list[tuple[int, int]]:
    """(at, value) of a counter that rises, dips, is corrected, counts down, is reset and jumps; ideal cycle 6 s."""
    at, value, readings = T0, chance.randrange(5_000), []
    while at < T0 + 3 * HOUR:
        what = chance.choice(("rise", "rise", "rise", "dip", "back", "down", "reset", "jump"))
        for _ in range(chance.randrange(1, 40) if what in ("rise", "down") else 1):
            at += chance.randrange(5, 90) * S
            if what in ("rise", "down"):
                value = max(0, value + (1 if what == "rise" else -1) * chance.randrange(3))
            readings.append((at, value))
        at += 10 * S
        if what == "dip":
            readings.append((at, 0))
        elif what == "back":
            value = max(0, value - chance.randrange(1, 9))
            readings.append((at, value))
        elif what == "reset":
            value = 0
            readings.append((at, value))
        elif what == "jump":
            value += 100_000 if chance.random() < 0.5 else 0
            readings.append((at, value + 1_000_000))
    return readings


def said(run: Run) -> tuple[object, ...]:
    alerts = [a for a in run.newest("alert") if isinstance(a, Alert) and not a.withdrawn]
    return (
        [(r.started_at, r.good, r.scrap) for r in run.newest("production") if r.good or r.scrap],
        [(r.started_at, r.window, r.good, r.scrap) for r in run.newest("oee")],
        [(r.started_at, r.ended_at, r.message) for r in alerts if r.kind == "implausible_count"],
    )


@settings(max_examples=4)
@given(st.integers(0, 2**32).map(random.Random))
def test_the_order_of_arrival_and_restarts_change_nothing(chance: random.Random) -> None:
    readings = shown(chance)
    over = readings[-1][0] + HOUR
    life: list[Told] = [samples(T0, State=EXECUTE), *beats(T0, over), *ticks(T0, over, 5 * MINUTE)]
    told = [samples(at, Scrap=value) for at, value in readings]
    punctual = Run(plant()).feed(ordered([*life, *told]))
    run = Run(plant())
    arrivals = [(item[1].samples[0].at + chance.choice((0, 0, 5, 40)) * MINUTE, 0, item) for item in told]  # type: ignore[union-attr]
    arrivals += [(getattr(item[1], "at", 0) or item[1].samples[0].at, 1, item) for item in ordered(life)]  # type: ignore[union-attr]
    for _, _, item in sorted(arrivals, key=lambda arrival: arrival[:2]):
        run.feed([item])
        if chance.random() < 0.004:
            run.restart(chance)
    assert said(run) == said(punctual)
