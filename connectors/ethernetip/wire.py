"""The wire: one connection, one request at a time, its answer or what came in its place. All that we use of pycomm3 is here.

Of pycomm3 are the session, the messages and the tag list. Its own reading of values is not used: it takes bytes for what the
tag list said when it was asked for, whatever type comes with them.
"""

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pycomm3 import LogixDriver
from pycomm3.cip_driver import with_forward_open
from pycomm3.exceptions import CommError, PycommError
from pycomm3.packets import MultiServiceRequestPacket, ReadTagRequestPacket, SendUnitDataResponsePacket
from pycomm3.socket_ import Socket

from connectors.ethernetip.answer import replies
from connectors.ethernetip.config import Plc
from connectors.ethernetip.members import Definition, NotThere, expanded
from connectors.ethernetip.quality import judged
from connectors.ethernetip.wanted import Wanted
from connectors.kit.polling.blocking import BlockingWire
from connectors.kit.polling.groups import Refusal
from connectors.kit.polling.wire import Garbled, Silent, WireLost

HEADER = 24
# It says as errors what we say ourselves, as values, problems and quarantine.
logging.getLogger("pycomm3").setLevel(logging.CRITICAL)
logging.getLogger("pycomm3").propagate = False


class _Socket(Socket):  # type: ignore[misc]
    """One that notices that the other side has closed, and gives up in time however slowly bytes come."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(timeout_s)
        self._timeout_s = timeout_s

    def receive(self, timeout: float = 0) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        came = b""
        while len(came) < HEADER or len(came) < HEADER + struct.unpack_from("<H", came, 2)[0]:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
            more = self.sock.recv(4096)
            if not more:
                raise CommError("the other side has closed the connection")
            came += more
        self.sock.settimeout(self._timeout_s)
        return came


class _One(ReadTagRequestPacket):  # type: ignore[misc]
    response_class = SendUnitDataResponsePacket


class _Several(MultiServiceRequestPacket):  # type: ignore[misc]
    response_class = SendUnitDataResponsePacket


class _Driver(LogixDriver):  # type: ignore[misc]
    """Reads names as bytes."""

    def connect(self, timeout_s: float) -> None:
        self._sock = _Socket(timeout_s)
        if not self.open():
            raise CommError("it gives no session")
        self._ready()

    @with_forward_open  # type: ignore[untyped-decorator]
    def _ready(self) -> None:
        """A connection is open."""

    @property
    def size(self) -> int:
        """Bytes of a message."""
        return int(self.connection_size)

    @property
    def one_by_one(self) -> bool:
        """Micro800 take no packets of several."""
        return bool(self._micro800)

    @with_forward_open  # type: ignore[untyped-decorator]
    def ask(self, wanted: Sequence[Wanted]) -> tuple[bytes, int]:
        """What comes, and the number that it should have."""
        asked = [_One(self._sequence, one.name, one.count or 1, {}, number, False) for number, one in enumerate(wanted)]
        for one in asked:
            one.build_message()
        request: Any = asked[0] if len(asked) == 1 else _Several(self._sequence, asked)
        return bytes(self.send(request).raw or b""), request._sequence

    def tag_list(self, programs: bool) -> dict[str, Any]:
        self.get_tag_list(program="*" if programs else None)
        return dict(self.tags)

    def drop(self) -> None:
        with suppress(PycommError, OSError):
            self.close()
        if self._sock is not None:
            self._sock.close()


class EtherNetIpWire(BlockingWire):
    """One connection: `open` it once, then `ask`, one at a time; `close` may be called at any time."""

    def __init__(self, plc: Plc, members: Sequence[Wanted]) -> None:
        """`members`: those of which is to be found out what is in them."""
        slowest_s = plc.connect_timeout_s + (plc.tag_list_timeout_s if members else 0)
        super().__init__(plc.url, plc.timeout_s, slowest_s)
        self._plc, self._members = plc, members
        self._driver = _Driver(plc.place, init_tags=False)
        self.size = 500
        self.found: dict[Wanted, list[Wanted]] = {}
        self.missing: list[str] = []
        """What of `members` is not there, in words."""

    def _connect(self) -> None:
        self._call(lambda: self._driver.connect(self._plc.timeout_s), "cannot be reached")
        self.size = self._driver.size
        if self._members:
            self._expand()

    def _expand(self) -> None:
        programs = any(one.name.startswith("Program:") for one in self._members)
        tags = self._tags(programs)
        for one in self._members:
            try:
                self.found[one] = expanded(one, tags)
            except NotThere as error:
                self.missing.append(f"{one.path} ({self._url}): {error}")

    async def tag_list(self) -> dict[str, Definition]:
        """All tags, of all programs. Raises `Silent`, `WireLost`, `Garbled`."""
        self.check()
        try:
            async with asyncio.timeout(self._plc.tag_list_timeout_s):
                return dict(await self._worker.run(self._tags, True))
        except TimeoutError:
            raise Silent(f"{self._url}: no whole tag list within {self._plc.tag_list_timeout_s:g} s") from None

    def _tags(self, programs: bool) -> dict[str, Definition]:
        return dict(self._call(lambda: self._driver.tag_list(programs), "does not give its tag list"))

    def _read(self, items: Sequence[Wanted]) -> list[bytes | Refusal]:
        if self._driver.one_by_one and len(items) > 1:
            return [answer for item in items for answer in self._read([item])]
        came, sequence = self._call(lambda: self._driver.ask(items), "is lost")
        return [judged(item, reply) for item, reply in zip(items, replies(came, sequence, len(items)), strict=True)]

    def _hang_up(self) -> None:
        self._driver.drop()

    def _call(self, call: Callable[[], Any], what: str) -> Any:
        try:
            return call()
        except TimeoutError:
            raise Silent(f"no answer within {self._plc.timeout_s:g} s") from None
        except (PycommError, OSError) as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            if isinstance(cause, TimeoutError):
                raise Silent(f"no answer within {self._plc.timeout_s:g} s") from None
            raise WireLost(f"{self._url} {what}: {str(cause) or error}") from None
        except (
            struct.error,
            ValueError,
            IndexError,
            TypeError,
            AttributeError,
        ) as error:  # what it says to bytes that are none
            raise Garbled("bad_frame", f"what came is no answer: {error}", b"") from None
