"""A Modbus device that answers as a test says, byte by byte; it shares nothing with the library that we read by."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import NamedTuple


class Request(NamedTuple):
    unit: int
    function: int
    start: int
    size: int
    transaction: int
    """0: it came in an RTU frame."""
    connection: int
    """How many connections there were before."""

    @property
    def rtu(self) -> bool:
        return not self.transaction

    def frame(self, pdu: bytes, unit: int | None = None, transaction: int | None = None) -> bytes:
        """An answer, as it goes over this wire."""
        body = bytes([self.unit if unit is None else unit]) + pdu
        if self.rtu:
            return body + crc(body)
        return struct.pack(">HHH", self.transaction if transaction is None else transaction, 0, len(body)) + body

    def registers(self, words: Sequence[int]) -> bytes:
        return self.frame(bytes([self.function, 2 * len(words)]) + struct.pack(f">{len(words)}H", *words))

    def exception(self, code: int) -> bytes:
        return self.frame(bytes([self.function | 0x80, code]))


Answer = Callable[[Request], Awaitable[bytes | None]]
"""What goes back, None for nothing. Raising `ConnectionError` drops the connection."""


def crc(body: bytes) -> bytes:
    """The checksum of RTU frames, bit by bit."""
    register = 0xFFFF
    for byte in body:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def device(registers: dict[int, int]) -> Answer:
    """One that answers rightly: what it does not have is exception 2."""

    async def answer(request: Request) -> bytes | None:
        wanted = range(request.start, request.start + request.size)
        if not all(address in registers for address in wanted):
            return request.exception(2)
        return request.registers([registers[address] for address in wanted])

    return answer


class Server(NamedTuple):
    port: int
    requests: list[Request]

    @property
    def tcp(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def rtu(self) -> str:
        return f"rtu+tcp://127.0.0.1:{self.port}"


@asynccontextmanager
async def served(answer: Answer, rtu: bool = False) -> AsyncIterator[Server]:
    requests: list[Request] = []
    connections: list[asyncio.Task[None]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        task = asyncio.current_task()
        assert task is not None
        connections.append(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                request = await (_rtu_request if rtu else _tcp_request)(reader, number)
                requests.append(request)
                if said := await answer(request):
                    writer.write(said)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield Server(server.sockets[0].getsockname()[1], requests)
    finally:
        server.close()
        for task in connections:
            task.cancel()


async def _tcp_request(reader: asyncio.StreamReader, connection: int) -> Request:
    transaction, protocol, length, unit, function, start, count = struct.unpack(
        ">HHHBBHH", await reader.readexactly(12)
    )
    assert (protocol, length) == (0, 6)
    return Request(unit, function, start, count, transaction, connection)


async def _rtu_request(reader: asyncio.StreamReader, connection: int) -> Request:
    return _of_rtu(await reader.readexactly(8), connection)


def _of_rtu(frame: bytes, connection: int = 0) -> Request:
    assert crc(frame[:-2]) == frame[-2:]
    unit, function, start, count = struct.unpack(">BBHH", frame[:-2])
    return Request(unit, function, start, count, 0, connection)


@contextmanager
def on_a_line(answer: Answer) -> Iterator[tuple[str, list[Request], Callable[[], None]]]:
    """A serial line: its name, what was asked, and what pulls it. To be entered in a running loop."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    tty.setraw(ours)
    tty.setraw(theirs)
    name, loop = os.ttyname(theirs), asyncio.get_running_loop()
    requests: list[Request] = []
    tasks: set[asyncio.Task[None]] = set()
    heard = bytearray()

    async def say(request: Request) -> None:
        if said := await answer(request):
            os.write(ours, said)

    def hear() -> None:
        heard.extend(os.read(ours, 1024))
        while len(heard) >= 8:
            requests.append(request := _of_rtu(bytes(heard[:8])))
            del heard[:8]
            task = asyncio.create_task(say(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    pulled = False

    def pull() -> None:
        nonlocal pulled
        if not pulled:
            pulled = True
            loop.remove_reader(ours)
            os.close(ours)
            os.close(theirs)

    loop.add_reader(ours, hear)
    try:
        yield name, requests, pull
    finally:
        pull()
        for task in tasks:
            task.cancel()
