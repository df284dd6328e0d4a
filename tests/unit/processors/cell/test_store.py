"""State on disk is by name: what is not known is passed over, what is missing takes its default, order says nothing.

[own] Before state version 4 a field put before others, or a new one, ended the worker at the first load.
"""

import random
from typing import Any

import msgspec
import pytest

from processors.cell import store
from processors.cell.dormant import Dormant
from tests.harness.line_logs import CELL, HOUR, MINUTE, T0, Run, S, plant, ticks
from tests.harness.line_scenarios import scenario


def saved() -> Run:
    run = Run(plant(horizon_h=2)).feed(scenario(random.Random(7)).punctual())
    run.save()
    return run


def changed(data: bytes, chance: random.Random) -> bytes:
    """As a later release would have written it: one more name in every map of fields, and all in another order."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        items = [(name, walk(item)) for name, item in value.items()]
        chance.shuffle(items)
        return dict(items)

    value = walk(msgspec.msgpack.decode(data))
    return msgspec.msgpack.encode({"of a later release": {"x": [1]}} | value)


def test_a_fold_goes_on_with_state_of_a_later_release() -> None:
    straight, run = saved(), saved()
    chance = random.Random(1)
    kinds = set()
    for key, data in run.store.items():
        kind = "#" if key == "#" else key.split("|")[1]
        if kind in ("#", "told", "fact", "cell", "of"):
            kinds.add(kind)
            run.store[key] = changed(data, chance)
    assert kinds == {"#", "told", "fact", "cell", "of"}
    run.store[f"{CELL}|of|a derivation that is not there yet"] = msgspec.msgpack.encode({"version": 9, "state": {}})
    run.restart()
    for fold in (straight, run):
        fold.outputs.clear()
        fold.feed(ticks(T0 + 4 * HOUR, T0 + 8 * HOUR, 10 * MINUTE))
    assert straight.outputs
    assert run.outputs == straight.outputs


@pytest.mark.parametrize("kind", [store.Head, store.SavedTold, store.SavedCell])
def test_all_fields_have_a_default(kind: type[msgspec.Struct]) -> None:
    assert msgspec.msgpack.decode(b"\x80", type=kind) == kind()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(kind())) == {}


def test_no_struct_of_the_state_but_a_journals_row_goes_by_position() -> None:
    kinds = [kind for kind in vars(store).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    assert len(kinds) > 6
    positional = {kind.__name__ for kind in kinds if kind.__struct_config__.array_like}
    assert positional == {"Arrival"}


def test_a_dormant_cell_is_due_by_what_is_not_derived_by_the_clock_and_by_silence() -> None:
    cell = store.SavedCell(settled=T0, watermark=T0, life=[(T0 - MINUTE, T0)])

    def due(of: store.SavedCell, now: int) -> bool:
        return Dormant.of({"cell": msgspec.msgpack.encode(of)}).due(now, T0, MINUTE, 40.0)

    assert not due(cell, T0 + 30 * S)
    assert due(cell, T0 + 41 * S)  # silent
    assert due(cell, T0 + MINUTE)  # a bucket has closed
    for mark in ("awaited", "rescheduled", "fresh"):
        assert due(msgspec.structs.replace(cell, **{mark: True}), T0 + 30 * S)
    assert due(msgspec.structs.replace(cell, touched=[(0, 1)]), T0 + 30 * S)
    assert not due(msgspec.structs.replace(cell, silent_from=T0), T0 + 50 * S)
    assert due(msgspec.structs.replace(cell, silent_from=T0 - MINUTE), T0 + 30 * S)
    assert Dormant.of({}).due(T0, T0, MINUTE, None)
