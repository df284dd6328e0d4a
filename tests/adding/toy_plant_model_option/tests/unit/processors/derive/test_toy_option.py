"""The toy option is read by the fold: a cycle above it is a slow one, whatever its ideal cycle."""

import pytest

from tests.harness.line_logs import EXECUTE, T0, Run, S, plant, play, samples
from topology.model.plant import Plant

COUNTED = [samples(T0 + at * S, State=EXECUTE, Good=pieces) for pieces, at in enumerate((0, 6, 12, 20, 27))]


@pytest.mark.parametrize(("slowest_cycle_s", "slow"), [(None, 0), (7.5, 1), (5.0, 3)])
def test_a_cycle_above_it_is_slow(slowest_cycle_s: float | None, slow: int) -> None:
    model = plant().model_dump(by_alias=True)
    model["types"]["filler"]["slowest_cycle_s"] = slowest_cycle_s
    (hour,) = play(COUNTED, run=Run(Plant.model_validate(model))).newest("cycle")
    assert (hour.cycles, hour.slow) == (3, slow)
