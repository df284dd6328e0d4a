"""What devices answer, byte by byte over real sockets, and what becomes of it."""

import asyncio

import pytest

from connectors.kit.polling.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_NO_COMMUNICATION,
    GOOD,
)
from connectors.modbus.quality import of_exception
from tests.harness.polling import PATH, conversation, hear
from tests.unit.connectors.modbus.scripted import Answer, Request, device, served
from tests.unit.connectors.modbus.talking import GOOD_DEVICE, build, link, nothing, sometimes, timeout_s


@pytest.mark.parametrize("code", [1, 4, 5, 6, 8, 11, 77])
def test_an_exception_is_a_quality(code: int) -> None:
    async def refuse(request: Request) -> bytes | None:
        return request.exception(code)

    async def go() -> None:
        async with served(refuse) as server:
            connector = build(link(server.tcp))
            await connector.open({})
            heard = await hear(connector, lambda heard: heard.readings)
            assert set(heard.of("A")) == {(None, of_exception(code))}
            assert connector.healthy(), "it has answered"
            await connector.close()

    asyncio.run(go())


@conversation
async def test_one_bad_register_costs_no_other() -> None:
    registers = {address: address for address in range(20) if address not in (3, 7, 8)}
    tags = {f"T{address}": {"address": address} for address in range(20) if address != 8}
    async with served(device(registers)) as server:
        connector = build(link(server.tcp, tags))
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("T19")) > 2 and heard.of("T3"))
        for address in range(20):
            if address not in (3, 7, 8):
                assert set(heard.of(f"T{address}")) == {(address, GOOD)}
        assert set(heard.of("T3") + heard.of("T7")) == {(None, BAD_CONFIGURATION_ERROR)}
        assert [
            problem for problem in connector.problems() if "ILLEGAL DATA ADDRESS" in problem and "holding 3" in problem
        ]
        asked = [(request.start, request.size) for request in server.requests[-6:]]
        assert (8, 1) not in asked
        assert len(asked) > len(set(asked)) or len(set(asked)) <= 5, "few requests, not one a register"
        await connector.close()


def _pdu(pdu: bytes, **options: int) -> Answer:
    async def answer(request: Request) -> bytes | None:
        return request.frame(pdu, **options)

    return answer


async def _cut(request: Request) -> bytes | None:
    return request.registers([9])[:-1]


async def _other_protocol(request: Request) -> bytes | None:
    frame = request.registers([9])
    return frame[:2] + b"\x00\x07" + frame[4:]


BROKEN = {
    "cut": (_cut, "bad_frame"),
    "http": (_pdu(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "bad_frame"),
    "other protocol": (_other_protocol, "bad_frame"),
    "too few": (_pdu(b"\x03\x00"), "bad_answer"),
    "too many": (_pdu(b"\x03\x04\x00\x09\x00\x09"), "bad_answer"),
    "odd": (_pdu(b"\x03\x03\x00\x09\x00"), "bad_answer"),
    "other function": (_pdu(b"\x04\x02\x00\x09"), "bad_answer"),
    "no function": (_pdu(b"\x63\x02\x00\x09"), "bad_frame"),
    "written": (_pdu(b"\x06\x00\x00\x00\x09"), "bad_answer"),
    "transaction 0": (_pdu(b"\x03\x02\x00\x09", transaction=0), "bad_answer"),
    "empty": (_pdu(b""), "bad_frame"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_is_no_answer_is_kept_and_the_next_one_counts(name: str) -> None:
    broken, reason = BROKEN[name]

    async def go() -> None:
        async with served(sometimes(GOOD_DEVICE, GOOD_DEVICE, broken, GOOD_DEVICE)) as server:
            connector = build(link(server.tcp))
            await connector.open({})
            heard = await hear(
                connector, lambda heard: heard.malformed and heard.of("A")[-1] == (5, GOOD) and len(heard.of("A")) > 4
            )
            (malformed,) = heard.malformed
            assert (malformed.reason, str(malformed.path)) == (reason, PATH)
            assert set(heard.of("A")) == {(5, GOOD), (None, BAD_COMMUNICATION_ERROR)}, "never a 9"
            assert server.requests[-1].connection == 1, "what comes behind it could be out of step"
            await connector.close()

    asyncio.run(go())


@conversation
async def test_an_answer_counts_for_its_own_request_alone() -> None:
    """The device answers the first request too late, and then for another unit; both are left out."""

    async def late(request: Request) -> bytes | None:
        before = request._replace(transaction=request.transaction - 1)
        stranger = request.frame(b"\x03\x02\x00\x09", unit=2)
        return before.registers([9]) + stranger + request.registers([5])

    async with served(sometimes(GOOD_DEVICE, GOOD_DEVICE, nothing, late)) as server:
        connector = build(link(server.tcp))
        await connector.open({})
        heard = await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION) and heard.of("A")[-1][0])
        assert set(heard.of("A")) == {(5, GOOD), (None, BAD_NO_COMMUNICATION)}
        assert {request.connection for request in server.requests} == {0}, "TCP can tell, so the link stays"
        await connector.close()


@conversation
async def test_an_rtu_answer_that_comes_late_is_not_taken_for_the_next() -> None:
    """RTU has no transactions, and both requests ask for one register of the same unit."""
    tags = {"A": {"address": 0}, "B": {"address": 100}}

    async def slow(request: Request) -> bytes | None:
        if request.start == 0 and request.connection == 0 and asked["A"] == 2:
            await asyncio.sleep(1.5 * timeout_s())
            return request.registers([9])
        return request.registers([1 if request.start == 0 else 2])

    asked = {"A": 0}

    async def count(request: Request) -> bytes | None:
        asked["A"] += request.start == 0
        return await slow(request)

    async with served(count, rtu=True) as server:
        connector = build(link(server.rtu, tags))
        await connector.open({})
        heard = await hear(
            connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION) and len(heard.of("B")) > 8
        )
        assert set(heard.of("B")) <= {(2, GOOD), (None, BAD_NO_COMMUNICATION)}, "never a 9, never a 1"
        assert set(heard.of("A")) <= {(1, GOOD), (None, BAD_NO_COMMUNICATION)}
        assert server.requests[-1].connection > 0
        await connector.close()
