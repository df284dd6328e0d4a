"""A server that had no room marks the next value: between which ones some are missing is told, and for a minute a problem."""

import asyncio
from contextlib import aclosing
from typing import Any

from asyncua import ua

from connectors.base import Span
from connectors.opcua import connector as module
from connectors.opcua.codec import moment
from connectors.opcua.overflow import Overflow, overflowed
from tests.unit.connectors.opcua.test_conversation import FILLER, Plant, run
from topology.namespace.path import Path
from uns.testing.patience import patient
from uns.testing.source import T0

KEY = (Path.parse(FILLER), "State")
MARKED = 0x480
"""Good, info bits of a data value, overflow."""


def test_only_the_overflow_bit_of_a_data_value_counts() -> None:
    codes = {0x480: True, 0x40000480: True, 0x80: False, 0x400: False, 0x800 | 0x80: False, 0: False}
    found = {code: overflowed(ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(code)))) for code in codes}
    assert found == codes


def test_stretches_join_until_they_are_taken_and_the_first_word_of_a_tag_is_none() -> None:
    overflow = Overflow()
    overflow.saw(KEY, None, 5, 0.0)
    assert overflow.take() == {}
    overflow.saw(KEY, 5, 9, 1.0)
    overflow.saw(KEY, 9, 12, 2.0)
    assert overflow.take() == {KEY: Span(5, 12)}
    assert overflow.take() == {}
    (problem,) = overflow.problems(3.0)
    assert "3 times" in problem
    assert f"{FILLER} State" in problem
    assert overflow.problems(100.0) == []


def test_a_marked_value_of_a_server(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "PROBE_S", 0.05)

    async def test(one: Plant) -> None:
        connector = one.connector({"path": FILLER, "node": "ns=2;s=filler"})
        await connector.open({})

        async def say(value: int, code: int) -> None:
            at = moment(T0 + value * 1_000_000)
            data = ua.DataValue(
                ua.Variant(value, ua.VariantType.Int64),
                StatusCode=ua.StatusCode(ua.UInt32(code)),
                SourceTimestamp=at,
                ServerTimestamp=at,
            )
            await one.server.write_attribute_value(one.nodes["filler.State"].nodeid, data)

        values: list[object] = []
        stream: Any = connector.batches()
        async with asyncio.timeout(patient(20)), aclosing(stream):
            for value, code in ((1, 0), (5, MARKED)):
                await say(value, code)
                while value not in values:
                    values += [reading.sample.value for reading in (await anext(stream)).readings]
            missed: dict[Any, Span] = {}
            while not missed:
                missed.update((await anext(stream)).missed)
        assert missed == {KEY: Span(T0 + 1_000_000, T0 + 5_000_000)}
        (problem,) = connector.problems()
        assert "dropped values 1 times" in problem
        await connector.close()

    run(test)
