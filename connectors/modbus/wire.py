"""The wire: one connection, one request at a time, its answer or what came in its place. All that we use of pymodbus is here."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerBase, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
)
from pymodbus.pdu.exceptionresponse import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)
from pymodbus.transport.serialtransport import create_serial_connection

from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost
from connectors.modbus.config import Link
from connectors.modbus.point import BIT_TABLES, Table

UNREACHABLE: tuple[type[Exception], ...] = (OSError, ValueError)
"""What opening raises: pyserial's errors are an OSError, and a ValueError where it cannot set the rate."""
with suppress(ImportError):  # Windows has no such module
    import termios

    UNREACHABLE += (termios.error,)  # a line that cannot be set as asked, or was pulled; no OSError

HEARD_MAX = 4096
"""Bytes that are kept of what came; no answer has more than 260."""
TRANSACTIONS = 0xFFFF
_READS: dict[Table, tuple[type[ModbusPDU], type[ModbusPDU]]] = {
    "coil": (ReadCoilsRequest, ReadCoilsResponse),
    "discrete": (ReadDiscreteInputsRequest, ReadDiscreteInputsResponse),
    "holding": (ReadHoldingRegistersRequest, ReadHoldingRegistersResponse),
    "input": (ReadInputRegistersRequest, ReadInputRegistersResponse),
}
# It says as errors what we say ourselves, as values, problems and quarantine.
logging.getLogger("pymodbus_internal").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Read:
    """A request: `count` registers or bits of a table of a unit, from `start` on."""

    unit: int
    table: Table
    start: int
    count: int


class ModbusWire(asyncio.Protocol):
    """One connection: `open` it once, then `ask`, one at a time; `close` may be called at any time."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        self._heard = bytearray()
        self._read = 0
        """Bytes of it that are no part of the answer."""
        self._news = asyncio.Event()
        self._ended: str | None = None
        self._transaction = 0
        decoder = DecodePDU(False)
        self._framer: FramerBase = FramerRTU(decoder) if link.rtu else FramerSocket(decoder)

    async def open(self) -> None:
        """Raises `WireLost`."""
        link, loop = self._link, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(link.connect_timeout_s):
                if link.line is None:
                    self._transport, _ = await loop.create_connection(lambda: self, link.host, link.port)
                else:
                    self._transport = await self._line(link.line, loop)
        except TimeoutError:
            raise WireLost(f"{link.url} cannot be reached: no answer within {link.connect_timeout_s:g} s") from None
        except UNREACHABLE as error:
            raise WireLost(f"{link.url} cannot be reached: {error}") from error

    async def _line(self, line: str, loop: asyncio.AbstractEventLoop) -> asyncio.Transport:
        link = self._link
        transport, _ = await create_serial_connection(
            loop,
            lambda: self,
            line,
            baudrate=link.baud_rate,
            bytesize=8,
            parity=link.parity[0].upper(),
            stopbits=link.stop_bits,
            timeout=link.timeout_s,
        )
        await asyncio.sleep(0)  # it is set up in the next round of the loop
        return transport

    def check(self) -> None:
        """Raises `WireLost` when the connection has ended."""
        if self._transport is None or self._ended is not None:
            raise WireLost(f"{self._link.url}: {self._ended or 'closed'}")

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()  # what it still wants to send is of no use to anybody

    async def ask(self, read: Read) -> Sequence[int]:
        """The registers (0 to 65535) or bits (0 or 1) of a request. Raises `Silent`, `Refused`, `Garbled`, `WireLost`."""
        self.check()
        assert self._transport is not None
        self._heard.clear()
        self._read = 0
        self._transaction = self._transaction % TRANSACTIONS + 1
        request = _READS[read.table][0](address=read.start, count=read.count, dev_id=read.unit)
        request.transaction_id = 0 if self._link.rtu else self._transaction
        self._transport.write(self._framer.buildFrame(request))
        try:
            async with asyncio.timeout(self._link.timeout_s):
                while (answer := self._answer(read)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            if self._heard:
                raise self._garbled("bad_frame", "what came is no whole answer") from None
            raise Silent(f"no answer within {self._link.timeout_s:g} s") from None
        return self._words(read, answer)

    def _answer(self, read: Read) -> ModbusPDU | None:
        """The answer in what was heard; None while it is not whole. An answer to a request given up before is left out."""
        try:
            used, answer = self._framer.handleFrame(
                bytes(self._heard[self._read :]), read.unit, 0 if self._link.rtu else self._transaction
            )
        except (ModbusException, ValueError, IndexError) as error:
            raise self._garbled("bad_frame", f"what came is no answer: {error}") from None
        if answer is not None:
            return answer
        if self._link.rtu:
            self._read += used  # a wrong checksum, or another unit: told as what it is if nothing better comes
        else:
            del self._heard[:used]
        if self._ended is not None:
            raise WireLost(f"{self._link.url}: {self._ended}")
        return None

    def _words(self, read: Read, answer: ModbusPDU) -> Sequence[int]:
        request, response = _READS[read.table]
        if answer.function_code & 0x7F != request.function_code:
            raise self._garbled("bad_answer", f"it answered function {answer.function_code}, not what was asked")
        if not self._link.rtu and answer.transaction_id != self._transaction:
            raise self._garbled("bad_answer", f"its transaction is {answer.transaction_id}, ours {self._transaction}")
        if isinstance(answer, ExceptionResponse):
            raise Refused(answer.exception_code)
        assert isinstance(answer, response)
        if self._framer.buildFrame(answer) not in self._heard:  # pymodbus reads past a byte count that cannot be
            raise self._garbled("bad_answer", "its length is not that of what it holds")
        bits = read.table in BIT_TABLES
        words = [int(word) for word in (answer.bits if bits else answer.registers)]
        wanted = (read.count + 7) // 8 * 8 if bits else read.count
        if len(words) != wanted:
            raise self._garbled("bad_answer", f"{len(words)} registers or bits have come, {wanted} were expected")
        return words[: read.count]

    def _garbled(self, reason: str, message: str) -> Garbled:
        return Garbled(reason, message, bytes(self._heard))

    # -- called by the transport -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        room = HEARD_MAX - len(self._heard)
        self._heard += data[:room]
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = f"the connection was lost ({exc})" if exc else "the other side has closed the connection"
        self._transport = None
        self._news.set()
