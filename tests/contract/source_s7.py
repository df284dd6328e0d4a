"""An S7 server, polled: it has values, not times."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st
from snap7.server import Server
from snap7.type import SrvArea

from connectors.s7.blocks import Span
from connectors.s7.codec import decode
from connectors.s7.config import S7Config
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract
from uns.testing.source import T0

PLACES = {"State": 0, "Speed": 8, "Name": 16}
TAGS: dict[str, Any] = {
    "State": {"address": "DB1.DBB0", "type": "lint"},
    "Speed": {"address": "DB1.DBB8", "type": "lreal"},
    "Name": {"address": "DB1.DBB16", "type": "string", "length": 16},
}
KINDS = (
    *("bool", "char", "sint", "word", "wchar", "date", "s5time", "real", "time", "time_of_day", "ulint", "lreal"),
    *("ltime", "ltime_of_day", "ldt", "date_and_time", "dtl", "string", "wstring"),
)
WIDTHS = {"bool": "X2.5", "char": "B2", "sint": "B2", "word": "W2", "wchar": "W2", "date": "W2", "s5time": "W2"}
WIDTHS |= dict.fromkeys(("real", "time", "time_of_day"), "D2")
ADDRESSES = {
    "plcs": [
        {
            "url": "tcp://127.0.0.1",
            "machines": [
                {
                    "path": str(PATH),
                    "tags": {
                        kind: {"address": f"DB1.DB{WIDTHS.get(kind, 'B2')}", "type": kind}
                        | ({"length": 8} if "string" in kind else {})
                        for kind in KINDS
                    },
                }
            ],
        }
    ]
}
"""A tag of every kind, all in one place."""


class S7Source:
    path = PATH
    also = ALSO
    asks_again = False
    polled = True

    def __init__(self, server: Server, block: bytearray, port: int) -> None:
        self._server, self._block = server, block
        self.config: dict[str, Any] = {
            "plcs": [
                {
                    "url": f"tcp://127.0.0.1:{port}",
                    "timeout_s": 2,
                    "machines": [{"path": str(PATH), "period_s": 0.01, "tags": TAGS}],
                }
            ]
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        """The time is the reader's affair."""
        match value:
            case int():
                raw = struct.pack(">q", value)
            case float():
                raw = struct.pack(">d", value)
            case _:
                text = str(value).encode("latin-1")
                raw = bytes([16, len(text)]) + text
        self._write(PLACES[tag], raw)

    def _write(self, at: int, raw: bytes) -> None:
        self._block[at : at + len(raw)] = raw

    async def babble(self) -> None:
        """A text that has more characters than it can have."""
        self._write(PLACES["Name"], b"\x10\x11")

    async def vanish(self) -> None:
        await asyncio.to_thread(self._server.stop)


@asynccontextmanager
async def s7() -> AsyncIterator[S7Source]:
    server, block, port = Server(log=False), bytearray(64), free_port()
    server.register_area(SrvArea.DB, 1, block)
    server.start_to("127.0.0.1", port)
    try:
        yield S7Source(server, block, port)
    finally:
        await asyncio.to_thread(server.stop)


S7 = S7Config.model_validate(ADDRESSES)
CONTRACT = connector_contract(
    "s7",
    lambda _request: s7(),
    Codec(
        st.tuples(st.sampled_from([point for _, point in S7.points(S7.plcs[0])]), st.binary(max_size=40)),
        lambda answer: decode(Span("DB", 1, 2, 8, (answer[0],)), answer[1], T0, "plc", "utf-8", None),
    ),
    away=lambda port: {"plcs": [{"url": f"tcp://127.0.0.1:{port}", "machines": [{"path": str(PATH), "tags": TAGS}]}]},
)
