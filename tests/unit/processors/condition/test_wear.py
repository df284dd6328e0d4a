"""A watch over wear by itself: quiet months say nothing, a bearing that wears is announced hours before, state goes round."""

import math
import random

import msgspec
import pytest

from processors.condition.features import Moments
from processors.condition.onset import Onset
from processors.condition.wear import Wear
from processors.units import HOUR
from topology.model.condition import WearRule

RULE = WearRule(kind="wear", tag="Vibration", limit=7.1, zones="iso20816-3/2-flexible", change=0.25)
PERIOD = HOUR // 6


def test_a_quiet_month_says_nothing() -> None:
    """2 mm/s with a noise of 0.05 whose neighbours resemble each other; thousands of periods."""
    chance, watch, noise = random.Random(3), Wear(RULE), 0.0
    for n in range(30 * 144):
        noise = 0.3 * noise + math.sqrt(1 - 0.09) * chance.gauss(0, 1)
        watch.put((n + 1) * PERIOD, 2 + 0.05 * noise)
        assert watch.started_at is None


@pytest.mark.parametrize("seed", range(3))
def test_a_bearing_that_wears_is_announced_eight_hours_before(seed: int) -> None:
    chance, watch = random.Random(seed), Wear(RULE)
    begins, lasts = chance.uniform(20, 40), chance.uniform(15, 40)
    level, n, announced = 2.0, 0, None
    while level < 7.1:
        hour = n / 6
        level = 2 * (7.1 / 2) ** (max(0.0, hour - begins) / lasts)
        watch.put((n + 1) * PERIOD, level + chance.gauss(0, 0.1))
        if announced is None and watch.started_at is not None:
            announced = hour
        n += 1
    assert announced is not None
    assert begins < announced < begins + lasts - 8


def test_its_state_goes_round_at_any_value() -> None:
    chance = random.Random(4)
    whole, cut = Wear(RULE), Wear(RULE)
    for n in range(80):
        value = 2 + max(0, n - 35) * 0.1 + chance.gauss(0, 0.1)
        for watch in (whole, cut):
            watch.put((n + 1) * PERIOD, value)
        saved = msgspec.msgpack.encode(cut.dump())
        cut = Wear(RULE)
        cut.load(msgspec.Raw(saved))
    assert msgspec.msgpack.encode(cut.dump()) == msgspec.msgpack.encode(whole.dump())
    assert len(msgspec.msgpack.encode(whole.dump())) < 6_000, "bounded, however long it runs"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    for algorithm in (Moments(), Onset(4)):
        with pytest.raises(ValueError, match="finite"):
            algorithm.update(value)
