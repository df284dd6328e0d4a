"""A fold that was cut says and knows what one that never was does: wherever, however often, with all derivations or one."""

import os
import random
from typing import get_args

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from processors.base import Input
from processors.derive.derivation import Derivation, LineDerivation
from processors.derive.order import OF_CELL, OF_LINE
from processors.line import LineFold
from processors.output.identity import parse
from schemas.records import RAW_TYPES, Derived
from tests.harness.any_history import PLANTS, TELLERS, TYPES, any_moves, history, moves, plant
from tests.harness.line_logs import HOUR, T0, TOPIC, final_content
from tests.harness.restarts import alone, difference
from tests.harness.teller import Move
from topology.model.plant import Plant
from topology.model.tags import Role

HISTORIES = int(os.environ.get("UNS_RESTART_HISTORIES", "16"))
"""How many random histories are cut; thousands of them find what is rare."""
FIRST = int(os.environ.get("UNS_RESTART_FIRST", "0"))
"""Seed of the first."""


def any_log(seed: int) -> tuple[int, list[Move]]:
    """(plant, moves) of a seed."""
    return seed % PLANTS, moves(random.Random(seed), 8 + seed % 36)


def test_every_record_and_every_role_is_in_the_histories() -> None:
    assert set(TELLERS) == {kind.__name__ for kind in RAW_TYPES}
    roles = {tag["role"] for equipment in TYPES.values() for tag in equipment["tags"].values()}
    assert roles == set(get_args(Role))
    told = {item.record.__class__ for seed in range(PLANTS) for item in history(plant(seed), any_log(seed + 40)[1])}
    assert told == set(RAW_TYPES)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_a_history_cut_anywhere(seed: int) -> None:
    number, made = any_log(seed)
    assert difference(plant(number), history(plant(number), made), seed) is None


@pytest.mark.parametrize("derivation", [*OF_CELL, *OF_LINE])
def test_a_derivation_alone(derivation: type[Derivation] | type[LineDerivation]) -> None:
    for seed in range(FIRST + HISTORIES, FIRST + HISTORIES + max(1, HISTORIES // 8)):
        number, made = any_log(seed)
        log = history(plant(number), made)
        with alone(derivation):
            assert difference(plant(number), log, seed, cuts=1) is None, f"seed {seed}"


@settings(max_examples=HISTORIES // 2, deadline=None)
@given(st.integers(0, PLANTS - 1), any_moves(), st.integers(0, 1 << 16))
def test_a_history_that_shrinks(number: int, made: list[Move], seed: int) -> None:
    assert difference(plant(number), history(plant(number), made), seed, cuts=1) is None


@settings(max_examples=HISTORIES, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 1 << 16), st.just(4.0))
@example(279, 2.0)  # a gap within a silence is older than the horizon: the alert after it was withdrawn
@example(315, 2.0)  # a changeover that is longer than the horizon: setup and scrap before its floor
@example(1216, 2.0)  # a shift that comes late has a stop looked at again that ends just behind the floor
@example(1285, 2.0)  # a silence became long enough between two ticks, and a gap ended it before the second
def test_what_is_forgotten_changes_no_number(seed: int, horizon_h: float) -> None:
    """Under a short horizon as under an endless one, where nothing comes too late; a fold knows nothing whole that began
    before its first floor. Bottlenecks look back as far as the horizon lets them; a dip of a counter that is passed again
    after nearly two hours, and a pause of the ticks after it, must lie within it."""
    number, made = any_log(seed)
    short, endless = (timed(plant(number), hours) for hours in (horizon_h, 400.0))
    log = history(short, made, punctual=True)
    with alone(*OF_CELL):
        ours, theirs = (final_content(said_of(model, log)) for model in (short, endless))
    different = {natural for natural in ours.keys() | theirs.keys() if ours.get(natural) != theirs.get(natural)}
    assert not {natural for natural in different if parse(natural)[1] >= T0 - 2 * HOUR}


def timed(model: Plant, horizon_h: float) -> Plant:
    return model.model_copy(update={"time": model.time.model_copy(update={"horizon_h": horizon_h})})


def said_of(model: Plant, log: list[Input]) -> list[Derived]:
    fold = LineFold(model, TOPIC, 0)
    return [said for item in log for said in fold.step(item) if isinstance(said, Derived)]
