"""Links that are lost, silent, slow or shared."""

import asyncio
import time

import pytest

from connectors.base import Relinks, SourceUnavailable
from connectors.kit.polling.quality import (
    BAD_DECODING_ERROR,
    BAD_NO_COMMUNICATION,
    GOOD,
)
from connectors.kit.polling.wire import WireLost
from tests.harness.polling import PATH, conversation, eventually, hear
from tests.unit.connectors.modbus.scripted import Request, device, served
from tests.unit.connectors.modbus.talking import GOOD_DEVICE, OTHER, build, link, nothing, sometimes, timeout_s
from uns.testing.patience import patient


@conversation
async def test_a_device_that_hangs_up_after_each_answer_is_read_all_the_same() -> None:
    async def once(request: Request) -> bytes | None:
        if request.connection in gone:
            raise ConnectionResetError
        gone.add(request.connection)
        return request.registers([5])

    gone: set[int] = set()
    async with served(once) as server:
        connector = build(link(server.tcp))
        await connector.open({})
        heard = await hear(connector, lambda heard: heard.of("A").count((5, GOOD)) > 4)
        assert all("cycles missed" in problem for problem in connector.problems()), "but for a busy machine"
        assert heard.of("A").count((5, GOOD)) > 4
        assert isinstance(connector, Relinks)
        ended = connector.relinked()
        assert len(ended) >= 3, "each time that the link was opened again is told, with what had ended it"
        assert {type(one) for one in ended} == {WireLost}
        assert not connector.relinked() or len(connector.relinked()) < len(ended), "and told once"
        await connector.close()


@conversation
async def test_a_block_that_makes_the_device_hang_up_does_not_take_the_others_along() -> None:
    async def crash(request: Request) -> bytes | None:
        if request.start == 100:
            raise ConnectionResetError
        return request.registers([5])

    async with served(crash) as server:
        connector = build(link(server.tcp, {"A": {"address": 0}, "B": {"address": 100}}))
        await connector.open({})
        heard = await hear(connector, lambda heard: heard.of("A").count((5, GOOD)) > 20)
        assert set(heard.of("B")) == {(None, BAD_NO_COMMUNICATION)}
        assert len(heard.of("B")) < len(heard.of("A")), "it waits longer each time"
        await connector.close()


@conversation
async def test_a_link_that_is_away_does_not_stop_the_others() -> None:
    async with served(nothing) as silent, served(GOOD_DEVICE) as good:
        connector = build(
            link(silent.tcp, path=OTHER), link(good.tcp), link("tcp://127.0.0.1:1", {"C": {"address": 1}})
        )
        await connector.open({})
        heard = await hear(
            connector,
            lambda heard: (
                len(heard.of("A")) > 20
                and heard.has("A", None, BAD_NO_COMMUNICATION, OTHER)
                and heard.has("C", None, BAD_NO_COMMUNICATION)
            ),
        )
        assert set(heard.of("A")) == {(5, GOOD)}
        assert connector.healthy()
        assert any("tcp://127.0.0.1:1 " in problem for problem in connector.problems())
        await connector.close()


@conversation
async def test_a_silent_unit_behind_a_gateway_rests_and_the_others_go_on() -> None:
    async def gateway(request: Request) -> bytes | None:
        if request.unit == 2:
            return None
        return request.exception(11) if request.unit == 3 else request.registers([request.unit])

    devices = [
        {
            "path": f"{PATH}",
            "unit": unit,
            "period_s": 0.05,
            "tags": {f"U{unit}": {"address": 0}, f"V{unit}": {"address": 99}},
        }
        for unit in (1, 2, 3, 4)
    ]
    async with served(gateway) as server:
        connector = build(link(server.tcp, devices=devices))
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("U1")) > 40)
        for unit in (1, 4):
            assert set(heard.of(f"U{unit}")) == {(unit, GOOD)}
        for tag in ("U2", "V2", "U3", "V3"):
            assert set(heard.of(tag)) == {(None, BAD_NO_COMMUNICATION)}, "of its other blocks nothing is known either"
            assert len(heard.of(tag)) < 10
        assert {request.connection for request in server.requests} == {0}
        assert [problem for problem in connector.problems() if "unit 2" in problem and "does not answer" in problem]
        assert [problem for problem in connector.problems() if "unit 3" in problem]
        await connector.close()


@conversation
async def test_a_slow_unit_behind_a_gateway_takes_its_turn_and_no_more() -> None:
    async def gateway(request: Request) -> bytes | None:
        if request.unit == 9:
            await asyncio.sleep(timeout_s() / 2)
        return request.registers([request.unit])

    devices = [
        {"path": PATH, "unit": unit, "period_s": 0.05, "tags": {f"U{unit}.{n}": {"address": 100 * n} for n in range(3)}}
        for unit in (9, 1)
    ]
    async with served(gateway) as server:
        connector = build(link(server.tcp, devices=devices))
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("U9.2")) > 2)
        assert set(heard.of("U9.0")) == {(9, GOOD)}
        assert set(heard.of("U1.0")) == {(1, GOOD)}
        slow, quick = (sum(len(heard.of(f"U{unit}.{n}")) for n in range(3)) for unit in (9, 1))
        assert quick >= slow - 1, "after each request of the slow one comes the other"
        await connector.close()


@conversation
async def test_a_device_that_comes_back_is_read_at_once() -> None:
    away = True

    async def answer(request: Request) -> bytes | None:
        return None if away else request.registers([5])

    async with served(answer) as server, served(GOOD_DEVICE) as good:
        connector = build(link(server.tcp), link(good.tcp, path=OTHER))
        await connector.open({})
        await hear(connector, lambda _heard: connector.problems())
        away = False
        await hear(connector, lambda heard: len(heard.of("A")) > 5 and heard.of("A")[-1] == (5, GOOD))
        assert all("cycles missed" in problem for problem in connector.problems()), "but for a busy machine"
        await connector.close()


@conversation
async def test_a_half_open_link_is_given_up_and_named() -> None:
    async with served(sometimes(*[GOOD_DEVICE] * 5, nothing)) as server:
        connector = build(link(server.tcp))
        await connector.open({})
        with pytest.raises(SourceUnavailable, match=server.tcp):
            await hear(connector, lambda _heard: False)
        await connector.close()
        with pytest.raises(SourceUnavailable, match="no answer within"):
            await connector.open({})
        await connector.close()


@conversation
async def test_a_link_with_little_to_do_is_probed() -> None:
    """A value an hour: that the device has gone is known long before."""
    async with served(sometimes(*[GOOD_DEVICE] * 3, nothing)) as server:
        connector = build(link(server.tcp, period_s=3600))
        await connector.open({})
        begun = time.monotonic()
        with pytest.raises(SourceUnavailable):
            await hear(connector, lambda _heard: False)
        assert time.monotonic() - begun < patient(10)
        assert [request.size for request in server.requests[2:]][:1] == [1]
        await connector.close()


def test_a_reader_that_is_slow_is_waited_for_and_missed_cycles_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.kit.polling.connector.WAITING_MAX", 300)

    async def go() -> None:
        async with served(GOOD_DEVICE) as server:
            connector = build(link(server.tcp, {f"T{n}": {"address": n} for n in range(100)}, period_s=0.01))
            await connector.open({})
            schedule = connector._pollers[0]._schedule
            await eventually(lambda: time.monotonic() > schedule.due_at() + 0.1)
            assert connector._count <= 400
            asked = len(server.requests)
            assert asked <= 6, "nobody asks for what there is no room for"
            await hear(connector, lambda _heard: any("cycles missed" in problem for problem in connector.problems()))
            await connector.close()

    asyncio.run(go())


@conversation
async def test_a_value_that_cannot_be_read_is_told_once_until_it_changes() -> None:
    registers = {0: 0x00FA, 1: 1}
    async with served(device(registers)) as server:
        connector = build(link(server.tcp, {"A": {"address": 0, "type": "bcd"}, "B": {"address": 1}}))
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("B")) > 5)
        assert [malformed.payload for malformed in heard.malformed] == [b"\x00\xfa"]
        assert set(heard.of("A")) == {(None, BAD_DECODING_ERROR)}
        assert set(heard.of("B")) == {(1, GOOD)}
        registers[0] = 0x00FB
        heard = await hear(connector, lambda heard: heard.malformed)
        assert [malformed.payload for malformed in heard.malformed] == [b"\x00\xfb"]
        registers[0] = 0x0042
        await hear(connector, lambda heard: heard.has("A", 42))
        await connector.close()


@conversation
async def test_what_waits_for_an_answer_is_cancelled_at_once() -> None:
    async with served(sometimes(GOOD_DEVICE, GOOD_DEVICE, nothing)) as server:
        connector = build(link(server.tcp, timeout_s=60))
        await connector.open({})
        await eventually(lambda: len(server.requests) > 2)
        async with asyncio.timeout(patient(5)):
            await connector.close()
        assert not connector.healthy()
        assert len(asyncio.all_tasks()) <= 3, "the tests', and the server's"


@conversation
async def test_a_bug_comes_out_as_one() -> None:
    async with served(GOOD_DEVICE) as server:
        connector = build(link(server.tcp))
        connector._pollers[0]._ask = None  # type: ignore[method-assign, assignment]
        with pytest.raises(TypeError):
            await connector.open({})
        await connector.close()
