"""What has passed the horizon still counts in windows that run on."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Order, Reason
from tests.harness.line_logs import (
    CELL,
    EXECUTE,
    HOUR,
    LINE,
    MINUTE,
    STOPPED,
    T0,
    Run,
    S,
    Told,
    final_numbers,
    ordered,
    plant,
    samples,
    ticks,
)


def life(chance: random.Random, hours: int) -> list[Told]:
    at, good = T0, 0
    told: list[Told] = [(LINE, Order(id="long", product="a", started_at=T0, ended_at=T0 + hours * HOUR))]
    while at < T0 + hours * HOUR:
        good = (good + chance.randrange(30)) % 1000
        told.append(samples(at, Good=good, Heartbeat=at // S))
        if chance.random() < 0.05:
            state, mode = chance.choice((EXECUTE, STOPPED)), chance.choice((1, 1, 2))
            told.append(samples(at, State=state, StopReason=chance.choice((0, 201)), Mode=mode))
        if chance.random() < 0.005:
            until = at + chance.randrange(1, 90) * MINUTE
            told.append((CELL, Reason(id=str(at), code=101, started_at=at, ended_at=until, by="op")))
        at += chance.randrange(5, 110) * S
    return ordered([*told, *ticks(T0, T0 + (hours + 1) * HOUR, 2 * MINUTE)])


@pytest.mark.long
@settings(max_examples=5)
@given(st.integers(0, 2**32).map(random.Random))
def test_the_numbers_of_a_long_order_do_not_depend_on_the_horizon(chance: random.Random) -> None:
    told = life(chance, 8)
    short, long = (Run(plant(horizon_h=h)).feed(told) for h in (2, 48))
    assert not long.rejections
    assert not short.rejections
    mine, theirs = final_numbers(short), final_numbers(long)
    names = [name for name in theirs if "#oee.order@" in name or "#kpi." in name]
    assert any("kpi.order" in name for name in names)
    for name in names:
        assert mine[name] == theirs[name], name
