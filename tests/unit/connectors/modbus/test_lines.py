"""Serial lines, on pseudo-terminals; and SunSpec devices, which say themselves what they have."""

import asyncio

import pytest

from connectors.base import SourceUnavailable
from connectors.kit.polling import quality
from connectors.kit.polling.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_NO_COMMUNICATION,
    GOOD,
)
from connectors.modbus import spec
from connectors.modbus.config import ModbusConfig
from tests.harness.polling import PATH, conversation, hear
from tests.unit.connectors.modbus.scripted import Request, device, on_a_line, served
from tests.unit.connectors.modbus.talking import GOOD_DEVICE, build, link, sometimes, timeout_s


@conversation
async def test_a_serial_line_is_read() -> None:
    with on_a_line(GOOD_DEVICE) as (name, requests, pull):
        connector = build(link(f"serial://{name}", parity="none"))
        await connector.open({})
        await hear(connector, lambda heard: heard.of("A").count((5, GOOD)) > 5)
        assert {request.rtu for request in requests} == {True}
        pull()
        with pytest.raises(SourceUnavailable, match=name):
            await hear(connector, lambda _heard: False)
        await connector.close()


@conversation
async def test_a_line_that_is_not_there_is_named() -> None:
    connector = build(link("serial:///dev/no-such-line"))
    with pytest.raises(SourceUnavailable, match="no-such-line"):
        await connector.open({})
    await connector.close()


@conversation
async def test_noise_on_a_line_is_kept_and_costs_one_cycle() -> None:
    async def noise(request: Request) -> bytes | None:
        return request.registers([9])[:-1] + b"\x00"

    with on_a_line(sometimes(GOOD_DEVICE, GOOD_DEVICE, noise, GOOD_DEVICE)) as (name, _requests, _pull):
        connector = build(link(f"serial://{name}", parity="none"))
        await connector.open({})
        heard = await hear(connector, lambda heard: heard.malformed and heard.of("A")[-1] == (5, GOOD))
        assert [malformed.reason for malformed in heard.malformed] == ["bad_frame"]
        assert set(heard.of("A")) == {(5, GOOD), (None, BAD_COMMUNICATION_ERROR)}
        await connector.close()


@conversation
async def test_on_a_line_a_late_answer_is_not_taken_for_the_next() -> None:
    """The unit is left alone until what is late has come."""
    late = 0

    async def slow(request: Request) -> bytes | None:
        nonlocal late
        late += request.start == 0
        if request.start == 0 and late == 3:
            await asyncio.sleep(1.5 * timeout_s())
            return request.registers([9])
        return request.registers([1 if request.start == 0 else 2])

    with on_a_line(slow) as (name, _requests, _pull):
        tags = {"A": {"address": 0}, "B": {"address": 100}}
        connector = build(link(f"serial://{name}", tags, parity="none"))
        await connector.open({})
        heard = await hear(
            connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION) and heard.of("A")[-1] == (1, GOOD)
        )
        assert set(heard.of("B")) <= {(2, GOOD), (None, BAD_NO_COMMUNICATION)}
        assert set(heard.of("A")) <= {(1, GOOD), (None, BAD_NO_COMMUNICATION)}
        await connector.close()


@conversation
async def test_a_sunspec_device_says_itself_what_it_has() -> None:
    words = [0x5375, 0x6E53, 1, 66, *([0x4142] * 64), 7, 0x8000, 64_001, 3, 1, 2, 3, 103, 50, *([0] * 50), 0xFFFF, 0]
    first = words.index(103) + 2
    words[first + 12 : first + 16] = [0xFF85, 0xFFFF, 5000, 0xFFFE]  # W, W_SF, Hz, Hz_SF
    words[first + 16] = 0x8000  # VA
    async with served(device(dict(enumerate(words, 40_000)))) as server:
        connector = build({"url": server.tcp, "devices": [{"path": PATH, "period_s": 0.05, "sunspec": {}}]})
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("inverter.W")) > 2)
        assert set(heard.of("inverter.W")) == {(-12.3, GOOD)}
        assert set(heard.of("inverter.Hz")) == {(50.0, GOOD)}
        assert set(heard.of("inverter.VA")) == {(None, quality.BAD_NO_DATA)}
        assert heard.of("common.Mn") == [("AB" * 16, GOOD)], "it is read seldom"
        assert heard.of("common.DA") == [(7, GOOD)]
        assert not heard.malformed
        await connector.close()


@conversation
async def test_a_device_without_sunspec_is_named() -> None:
    async with served(GOOD_DEVICE) as server:
        connector = build(link(server.tcp, sunspec={}))
        await connector.open({})
        await hear(connector, lambda _heard: connector.problems())
        assert "no SunSpec marker at 40000, 50000, 0" in connector.problems()[0]
        assert spec.config is ModbusConfig
        await connector.close()
