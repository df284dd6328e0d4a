"""History of a server that was left alone for long: every value, once, and an end although the machine goes on."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from connectors.base import Reading, Safe
from connectors.opcua.connector import OpcUaConnector
from connectors.opcua.history import PAGE
from tests.unit.connectors.opcua.test_conversation import FILLER, Plant, run
from topology.namespace.path import Path
from uns.testing.patience import patient
from uns.testing.source import T0

MISSED = 2 * PAGE + 300


async def told_of(connector: OpcUaConnector, one: Plant, go_on: bool) -> tuple[list[Reading], list[Path]]:
    """All readings until it has caught up; the machine says 1 + its last value meanwhile, as often as it can."""
    told: list[Reading] = []
    caught_up: list[Path] = []

    async def talk() -> None:
        n = MISSED
        while go_on:
            n += 1
            await one.write("filler.Good", n, T0 + n * 1000)
            await asyncio.sleep(0.02)

    talker = asyncio.create_task(talk())
    stream: Any = connector.batches()
    try:
        async with asyncio.timeout(patient(40)), aclosing(stream):
            while not caught_up:
                batch = await anext(stream)
                told += batch.readings
                caught_up += batch.caught_up
    finally:
        talker.cancel()
    return told, caught_up


@pytest.mark.long
@pytest.mark.parametrize("go_on", [False, True])
def test_a_long_absence_beside_a_variable_that_never_changed(go_on: bool) -> None:
    """asyncua's server cuts an answer and gives no place to go on: asked from the other's time, it says the same for ever."""

    async def test(one: Plant) -> None:
        variables = [one.nodes["filler.Good"], one.nodes["filler.State"]]
        await one.server.historize_node_data_change(variables, period=None, count=100_000)
        await one.write("filler.State", 6, T0)
        for n in range(1, MISSED + 1):
            await one.write("filler.Good", n, T0 + n * 1000)
        place = Path.parse(FILLER)
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"})
        await connector.open({(place, "Good"): Safe(T0 + 1000, 1, 0), (place, "State"): Safe(T0 - 1000, 5, 0)})
        told, caught_up = await told_of(connector, one, go_on)
        values = sorted(int(reading.sample.value or 0) for reading in told if reading.sample.tag == "Good")
        assert values == list(range(2, values[-1] + 1)), "each once"
        assert values[-1] >= MISSED
        assert caught_up == [place]
        await connector.close()

    run(test)
