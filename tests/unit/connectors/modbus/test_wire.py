"""Whatever comes over a wire is an answer to the request, or one of four things that are said in its place."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost
from connectors.modbus.config import Link
from connectors.modbus.point import Table
from connectors.modbus.wire import HEARD_MAX, ModbusWire, Read
from tests.unit.connectors.modbus.scripted import Request, crc

TABLES: tuple[Table, ...] = ("coil", "discrete", "holding", "input")
FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


class _Network(asyncio.Transport):
    """A connection that takes all and gives what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def abort(self) -> None:
        pass


def asked(
    url: str, read: Read, parts: Sequence[bytes], closes: bool = False, timeout_s: float = 0.001
) -> tuple[Sequence[int] | Exception, bytes]:
    """What is made of bytes that come in these parts, and the request."""
    device = {"path": "acme/dallas", "tags": {"A": {"address": 0}}}
    link = Link.model_validate({"url": url, "timeout_s": timeout_s, "devices": [device]})

    async def go() -> tuple[Sequence[int] | Exception, bytes]:
        wire, network = ModbusWire(link), _Network()
        wire._transport = network
        asking = asyncio.create_task(wire.ask(read))
        await asyncio.sleep(0)
        for part in parts:
            wire.data_received(part)
            await asyncio.sleep(0)
        if closes:
            wire.connection_lost(None)
        try:
            return await asking, network.sent[0]
        except (Garbled, Refused, Silent, WireLost) as error:
            return error, network.sent[0]

    return asyncio.run(go())


URLS = st.sampled_from(["tcp://10.0.0.7", "rtu+tcp://10.0.0.7:4001"])
READS = st.builds(Read, st.integers(1, 247), st.sampled_from(TABLES), st.integers(0, 65_000), st.integers(1, 125))


def answer(url: str, read: Read, data: bytes, function: int | None = None) -> bytes:
    """A frame with an answer of this content to the first request."""
    rtu = url.startswith("rtu")
    request = Request(read.unit, FUNCTIONS[read.table], read.start, read.count, 0 if rtu else 1, 0)
    code = request.function if function is None else function
    return request.frame(bytes([code, len(data)]) + data)


@settings(max_examples=150)
@given(URLS, READS, st.data())
def test_an_answer_is_what_was_asked_for_however_it_is_cut(url: str, read: Read, data: st.DataObject) -> None:
    if read.table in ("coil", "discrete"):
        expected = data.draw(st.lists(st.integers(0, 1), min_size=read.count, max_size=read.count))
        number = sum(bit << at for at, bit in enumerate(expected))
        body = number.to_bytes((read.count + 7) // 8, "little")
    else:
        expected = data.draw(st.lists(st.integers(0, 65_535), min_size=read.count, max_size=read.count))
        body = b"".join(word.to_bytes(2, "big") for word in expected)
    frame = answer(url, read, body)
    cut = data.draw(st.integers(0, len(frame)))
    words, request = asked(url, read, [part for part in (frame[:cut], frame[cut:]) if part], timeout_s=60)
    assert words == expected
    wanted = bytes([read.unit, FUNCTIONS[read.table]]) + read.start.to_bytes(2, "big") + read.count.to_bytes(2, "big")
    assert request == (wanted + crc(wanted) if url.startswith("rtu") else b"\0\1\0\0\0\6" + wanted)


NOISE = st.binary(max_size=30) | st.binary(max_size=300)


@settings(max_examples=400)
@given(URLS, READS, st.lists(NOISE, max_size=4), st.booleans())
def test_whatever_comes_is_said(url: str, read: Read, parts: list[bytes], closes: bool) -> None:
    said, _ = asked(url, read, parts, closes)
    assert isinstance(said, Exception) or len(said) == read.count


@settings(max_examples=400)
@given(URLS, READS, st.integers(0, 255), st.binary(max_size=20), st.booleans())
def test_frames_of_any_content_are_said(url: str, read: Read, function: int, data: bytes, closes: bool) -> None:
    said, _ = asked(url, read, [answer(url, read, data, function)], closes)
    if not isinstance(said, Exception):
        assert function == FUNCTIONS[read.table]
        assert len(said) == read.count
        assert len(data) == ((read.count + 7) // 8 if read.table in ("coil", "discrete") else 2 * read.count)
    if isinstance(said, Refused):
        assert function == FUNCTIONS[read.table] | 0x80


@pytest.mark.parametrize("url", ["tcp://10.0.0.7", "rtu+tcp://10.0.0.7:4001"])
def test_a_torrent_is_cut_off(url: str) -> None:
    said, _ = asked(url, Read(1, "holding", 0, 1), [b"\x55" * 10_000] * 20)
    assert isinstance(said, Garbled)
    assert len(said.heard) <= HEARD_MAX
