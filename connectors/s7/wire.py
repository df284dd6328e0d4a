"""The wire: one connection, one request at a time, its answer or what came in its place. All that we use of python-snap7 is
here.
"""

import asyncio
import logging
import struct
from collections.abc import Sequence

from snap7.async_client import AsyncISOTCPConnection
from snap7.datatypes import S7Area
from snap7.error import S7ConnectionError, S7Error, S7TimeoutError
from snap7.s7protocol import S7Protocol

from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.wire import Garbled, Refused, Silent, WireLost
from connectors.s7.answer import Answer, items, number, parse
from connectors.s7.blocks import PDU_ASKED, PDU_MIN, Span, room
from connectors.s7.config import Plc
from connectors.s7.quality import of_request, too_long

AREAS = {"DB": S7Area.DB, "M": S7Area.MK, "I": S7Area.PE, "Q": S7Area.PA}
STALE_MAX = 8
# It says as errors what we say ourselves, as values, problems and quarantine.
logging.getLogger("snap7").setLevel(logging.CRITICAL)


class _Link(AsyncISOTCPConnection):
    """One that can be cancelled. `asyncio.wait_for` of Python 3.11, which the library reads with, takes a cancellation for
    nothing when the bytes have just come; how long an answer may take, the wire says.
    """

    async def _recv_exact(self, size: int) -> bytes:
        if self._reader is None:
            raise S7ConnectionError("closed")
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.connected = False
            raise S7ConnectionError("the other side has closed the connection") from error


class S7Wire:
    """One connection: `open` it once, then `ask`, one at a time; `close` may be called at any time."""

    def __init__(self, plc: Plc) -> None:
        self._plc = plc
        self._protocol = S7Protocol()
        self._link = _Link(plc.host, plc.port, plc.local_tsap, plc.called_tsap)
        self.pdu = PDU_MIN
        """Bytes of a message, agreed as it is opened."""

    async def open(self) -> None:
        """Raises `WireLost`."""
        plc = self._plc
        try:
            async with asyncio.timeout(plc.connect_timeout_s):
                await self._link.connect(plc.connect_timeout_s)
                answer = await self._exchange(self._protocol.build_setup_communication_request(pdu_length=PDU_ASKED))
        except (TimeoutError, S7TimeoutError):
            raise WireLost(f"{plc.url} cannot be reached: no answer within {plc.connect_timeout_s:g} s") from None
        except (S7Error, Garbled, WireLost, OSError, struct.error) as error:
            raise WireLost(f"{plc.url} cannot be reached: {error}; is {plc.where} right?") from error
        except Refused as refused:
            raise WireLost(f"{plc.url} refuses to talk: {of_request(refused.code).words}") from None
        agreed = int.from_bytes(answer.parameters[6:8], "big")
        if not PDU_MIN <= agreed <= PDU_ASKED:
            raise WireLost(f"{plc.url} cannot be reached: it would have messages of {agreed} bytes")
        self.pdu = agreed

    def check(self) -> None:
        """Raises `WireLost` when the connection has ended."""
        reader = self._link._reader
        if not self._link.connected or reader is None or reader.at_eof():
            raise WireLost(f"{self._plc.url}: the other side has closed the connection")

    def close(self) -> None:
        writer, self._link.connected = self._link._writer, False
        if writer is not None:
            writer.transport.abort()  # its own farewell waits for a link that may be dead

    async def ask(self, spans: Sequence[Span]) -> list[bytes | Refusal]:
        """The bytes of each block, or why it has none. Raises `Silent`, `Refused`, `Garbled`, `WireLost`."""
        longest = room(self.pdu)
        if any(span.count > longest for span in spans):
            return [too_long(span.count, longest) for span in spans]
        self.check()
        request = self._protocol.build_multi_read_request(
            [(AREAS[span.area], span.db, span.start, span.count) for span in spans]
        )
        try:
            async with asyncio.timeout(self._plc.timeout_s):
                answer = await self._exchange(request)
        except (TimeoutError, S7TimeoutError):
            raise Silent(f"no answer within {self._plc.timeout_s:g} s") from None
        return list(items(answer, [span.count for span in spans]))

    async def _exchange(self, request: bytes) -> Answer:
        """Sends, and waits for the answer that has its number."""
        try:
            await self._link.send_data(request)
            for _ in range(STALE_MAX):
                came = bytes(await self._link.receive_data())
                if number(came) == number(request):
                    return parse(came)
        except S7ConnectionError as error:
            raise WireLost(f"{self._plc.url}: {error}") from None
        raise Garbled("bad_answer", "answers come to requests that were not made", came)
