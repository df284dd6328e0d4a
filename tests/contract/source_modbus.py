"""A Modbus TCP server, polled: it has a value, not times."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from connectors.modbus.codec import decode
from connectors.modbus.config import ModbusConfig
from tests.contract.sources import ALSO, PATH
from uns.runtime.ports import free_port
from uns.testing import Codec, connector_contract, patient
from uns.testing.source import T0

WRITE_REGISTERS = 16
PLACES = {"State": 0, "Speed": 4, "Name": 8}
KINDS: tuple[dict[str, Any], ...] = (
    *({"type": kind} for kind in ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")),
    {"type": "bcd", "words": 2},
    {"type": "string", "words": 4},
    {"type": "bool", "bit": 15},
    {"type": "bits", "bit": 3, "width": 9},
    {"type": "uint64", "scale": 1e300, "offset": -0.1},
    {"type": "float64", "scale": 1e300},
    {"type": "int16", "scale_address": 12, "not_available": [-0x8000]},
    {"type": "float32", "scale_address": 3},
    {"type": "uint64", "scale_address": 12, "word_order": "little"},
    {"table": "coil"},
)
REGISTER_MAP = {
    "links": [
        {
            "url": "tcp://127.0.0.1:502",
            "devices": [{"path": str(PATH), "tags": {str(n): {"address": 4, **kind} for n, kind in enumerate(KINDS)}}],
        }
    ]
}
"""A tag of every kind, all in one place."""


class ModbusSource:
    path = PATH
    also = ALSO
    asks_again = False
    polled = True

    def __init__(self, server: ModbusTcpServer, port: int) -> None:
        self._server = server
        self.config: dict[str, Any] = {
            "links": [
                {
                    "url": f"tcp://127.0.0.1:{port}",
                    "timeout_s": patient(2),
                    "devices": [
                        {
                            "path": str(PATH),
                            "period_s": 0.01,
                            "tags": {
                                "State": {"address": PLACES["State"], "type": "int64"},
                                "Speed": {"address": PLACES["Speed"], "type": "float64"},
                                "Name": {"address": PLACES["Name"], "type": "string", "words": 4},
                            },
                        }
                    ],
                }
            ]
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        """The time is the reader's affair."""
        match value:
            case int():
                raw = value.to_bytes(8, "big", signed=True)
            case float():
                raw = struct.pack(">d", value)
            case _:
                raw = str(value).encode().ljust(8, b"\0")
        await self._write(tag, raw)

    async def _write(self, tag: str, raw: bytes) -> None:
        await self._server.async_setValues(1, WRITE_REGISTERS, PLACES[tag], list(struct.unpack(">4H", raw)))

    async def babble(self) -> None:
        """A text that is no UTF-8."""
        await self._write("Name", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8")

    async def vanish(self) -> None:
        await self._server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def modbus() -> AsyncIterator[ModbusSource]:
    port = free_port()
    device = SimDevice(1, [SimData(0, count=16, values=0, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield ModbusSource(server, port)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


REGISTERS = ModbusConfig.model_validate(REGISTER_MAP)
CONTRACT = connector_contract(
    "modbus",
    lambda _request: modbus(),
    Codec(
        st.tuples(
            st.sampled_from(REGISTERS.points(REGISTERS.links[0].devices[0])),
            st.integers(0, 20),
            st.lists(st.integers(0, 0xFFFF) | st.sampled_from([0, 0x7FC0, 0x8000, 0xFFFF]), max_size=40),
        ),
        lambda answer: decode(answer[0], answer[1], answer[2], T0, "unit 1"),
    ),
    lambda port: {"links": [{"url": f"tcp://127.0.0.1:{port}", "devices": [{"path": str(PATH), "tags": {"A": {"address": 0}}}]}]},
)  # fmt: skip
