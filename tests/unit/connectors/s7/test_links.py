"""Conversations with an S7 server: what it lacks, what becomes of a link, and that nothing wrong is ever good."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from snap7.server import Server
from snap7.type import SrvArea

from connectors.base import SourceUnavailable
from connectors.kit.polling.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_USER_ACCESS_DENIED,
)
from connectors.s7.blocks import Span
from connectors.s7.config import S7Config
from connectors.s7.connector import S7Connector
from tests.harness.polling import PATH, conversation, eventually, hear, proxied, reopened
from uns.runtime.ports import free_port
from uns.testing.patience import patient

A: dict[str, Any] = {"A": {"address": "DB1.DBW0", "type": "int"}}


def start(block: bytearray, port: int) -> Server:
    server = Server(log=False)
    server.register_area(SrvArea.DB, 1, block)
    server.start_to("127.0.0.1", port)
    return server


@asynccontextmanager
async def serving(block: bytearray) -> AsyncIterator[tuple[Server, int]]:
    port = free_port()
    server = start(block, port)
    try:
        yield server, port
    finally:
        await asyncio.to_thread(server.stop)


def build(port: int, tags: dict[str, Any], **options: Any) -> S7Connector:
    machine = {"path": PATH, "period_s": 0.05, "tags": tags}
    plc = {
        "url": f"tcp://127.0.0.1:{port}",
        "timeout_s": patient(0.3),
        "connect_timeout_s": patient(0.6),
        "machines": [machine],
        **options,
    }
    return S7Connector("test", S7Config.model_validate({"plcs": [plc]}))


@conversation
async def test_what_is_not_there_costs_nothing_else() -> None:
    """A block that is missing, an address beyond the end in the middle of a block of neighbours, a text that is too long."""
    block = bytearray(100)
    struct.pack_into(">hhh", block, 0, 7, 8, 9)
    tags = {
        **A,
        "B": {"address": "DB1.DBW98", "type": "int"},
        "Beyond": {"address": "DB1.DBW102", "type": "int"},
        "Missing": {"address": "DB9.DBW0", "type": "int"},
        "Long": {"address": "DB1.DBB10", "type": "wstring", "length": 600},
    }
    struct.pack_into(">h", block, 98, -5)
    async with serving(block) as (_, port):
        connector = build(port, tags)
        await connector.open({})
        heard = await hear(
            connector,
            lambda heard: (
                heard.has("A", 7)
                and heard.has("B", -5)
                and heard.has("Beyond", None, BAD_CONFIGURATION_ERROR)
                and heard.has("Missing", None, BAD_CONFIGURATION_ERROR)
                and heard.has("Long", None, BAD_NOT_SUPPORTED)
                and len(connector.problems()) == 3
            ),
        )
        problems = " ".join(connector.problems())
        assert "DB9" in problems
        assert "beyond the end" in problems
        assert "smaller `length`" in problems
        assert set(heard.of("A")) == {(7, 0)}
        assert connector.healthy()
        await connector.close()


@conversation
async def test_a_link_that_is_half_open_is_noticed_and_comes_back() -> None:
    block = bytearray(struct.pack(">h", 7))
    async with serving(block) as (_, port), proxied(port) as proxy:
        connector = build(proxy.port, A)
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 7))
        proxy.silent = True
        await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION))
        with pytest.raises(SourceUnavailable, match=str(proxy.port)):
            await hear(connector, lambda _heard: False)
        assert not connector.healthy()
        struct.pack_into(">h", block, 0, 8)
        proxy.silent = False
        await reopened(connector)
        heard = await hear(connector, lambda heard: heard.has("A", 8))
        assert not heard.has("A", 7)
        assert connector.healthy()
        await connector.close()


@conversation
async def test_a_server_that_begins_anew_is_read_on() -> None:
    block = bytearray(struct.pack(">h", 7))
    async with serving(block) as (server, port):
        connector = build(port, A)
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 7))
        await asyncio.to_thread(server.stop)
        with pytest.raises(SourceUnavailable, match=str(port)):
            await hear(connector, lambda _heard: False)
        again = start(bytearray(struct.pack(">h", 9)), port)
        try:
            await reopened(connector)
            heard = await hear(connector, lambda heard: heard.has("A", 9))
            assert {value for value, _ in heard.of("A")} <= {9, None}
            await connector.close()
        finally:
            await asyncio.to_thread(again.stop)


@conversation
async def test_a_controller_that_is_slow_delays_no_other() -> None:
    block = bytearray(struct.pack(">h", 7))
    async with serving(block) as (_, port), proxied(port) as slow:
        machine = {"period_s": 0.05, "tags": A}
        plcs = [
            {"url": f"tcp://127.0.0.1:{at}", "timeout_s": patient(1), "machines": [{"path": path, **machine}]}
            for at, path in ((port, PATH), (slow.port, "acme/dallas/packaging/line-1/capper"))
        ]
        connector = S7Connector("test", S7Config.model_validate({"plcs": plcs}))
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", 7, path="acme/dallas/packaging/line-1/capper"))
        slow.silent = True
        heard = await hear(connector, lambda heard: len(heard.of("A")) >= 10)
        assert set(heard.of("A")) == {(7, 0)}
        assert connector.healthy()
        await connector.close()


async def scripted(answers: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A controller that agrees to 240 bytes, and then answers as it is told; the last answer goes on."""

    async def frame() -> bytes:
        head = await reader.readexactly(4)
        return await reader.readexactly(int.from_bytes(head[2:], "big") - 4)

    def say(payload: bytes) -> None:
        writer.write(b"\x03\x00" + (len(payload) + 4).to_bytes(2, "big") + payload)

    count = 0
    try:
        await frame()
        say(bytes.fromhex("06d00001000100"))
        setup = await frame()
        say(b"\x02\xf0\x80\x32\x03\0\0" + setup[7:9] + bytes.fromhex("000800000000f00000010001 00f0".replace(" ", "")))
        while True:
            asked = await frame()
            answer = answers[min(count, len(answers) - 1)]
            count += 1
            say(b"\x02\xf0\x80\x32\x03\0\0" + (asked[7:9] if answer[:1] == b"=" else b"\xff\xfe") + answer[1:])
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


GOOD_ANSWER = bytes.fromhex("0002000600000401ff0400100007")
DENIED = bytes.fromhex("000000008104")


@asynccontextmanager
async def saying(*answers: bytes) -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda reader, writer: scripted(list(answers), reader, writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@conversation
async def test_the_right_answer_of_the_script_is_good() -> None:
    async with saying(b"=" + GOOD_ANSWER) as port:
        connector = build(port, A)
        await connector.open({})
        heard = await hear(connector, lambda heard: len(heard.of("A")) > 3)
        assert set(heard.of("A")) == {(7, 0)}
        await connector.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"=" + GOOD_ANSWER[:-1], id="cut short"),
        pytest.param(b"=" + bytes.fromhex("0002000800000401ff04002000070008"), id="longer than asked"),
        pytest.param(b"=" + bytes.fromhex("0002000600000501ff0400100007"), id="another function"),
        pytest.param(b"=" + bytes.fromhex("0002000600000402ff0400100007"), id="more items"),
        pytest.param(b"=" + bytes.fromhex("000200040000040105000000ff"), id="bytes behind the end"),
        pytest.param(b"=", id="a header alone"),
    ],
)
def test_an_answer_that_is_none_is_never_good(answer: bytes) -> None:
    async def go() -> None:
        async with saying(b"=" + GOOD_ANSWER, answer) as port:
            connector = build(port, A)
            await connector.open({})
            heard = await hear(
                connector, lambda heard: heard.has("A", None, BAD_COMMUNICATION_ERROR) and heard.malformed
            )
            assert {pair for pair in heard.of("A") if pair[0] is not None} <= {(7, 0)}
            assert heard.malformed[0].reason in ("bad_frame", "bad_answer")
            await connector.close()

    asyncio.run(go())


@conversation
async def test_an_answer_to_another_request_counts_for_nothing() -> None:
    async with saying(b"=" + GOOD_ANSWER, b"?" + bytes.fromhex("0002000600000401ff0400100099")) as port:
        connector = build(port, A)
        await connector.open({})
        heard = await hear(connector, lambda heard: heard.has("A", None, BAD_NO_COMMUNICATION))
        assert {pair for pair in heard.of("A") if pair[0] is not None} <= {(7, 0)}
        await connector.close()


@conversation
async def test_access_that_is_not_permitted_is_said_in_words() -> None:
    async with saying(b"=" + DENIED) as port:
        connector = build(port, A)
        await connector.open({})
        await hear(connector, lambda heard: heard.has("A", None, BAD_USER_ACCESS_DENIED))
        await eventually(lambda: any("PUT/GET" in problem for problem in connector.problems()))
        await connector.close()


@conversation
async def test_a_missing_library_is_named_with_what_to_do() -> None:
    connector = build(1, A)
    assert connector._extra is not None
    connector._extra = connector._extra._replace(module="not_installed_here")
    with pytest.raises(SourceUnavailable, match=r"pip install 'uns-backbone\[s7\]'"):
        await connector.open({})
    await connector.close()


@conversation
async def test_a_request_is_cancelled_however_far_its_answer_has_come() -> None:
    from connectors.s7.wire import S7Wire

    async with saying(b"=" + GOOD_ANSWER) as port:
        config = {"url": f"tcp://127.0.0.1:{port}", "machines": [{"path": PATH, "tags": A}]}
        plc = S7Config.model_validate({"plcs": [config]}).plcs[0]
        for passes in range(30):
            wire = S7Wire(plc)
            await wire.open()
            asked = asyncio.create_task(wire.ask([Span("DB", 1, 0, 2, ())]))
            for _ in range(passes):
                await asyncio.sleep(0)
            taken = asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled() == taken, passes
            wire.close()
