"""A simulated Logix controller, polled: it has values, not times."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st

from connectors.ethernetip.codec import decode
from connectors.ethernetip.wanted import Wanted
from tests.contract.sources import ALSO, PATH
from tests.harness.enip import Controller, controller
from uns.testing import Codec, connector_contract
from uns.testing.source import T0

TAGS = {"State": "LINT", "Speed": "LREAL", "Name": "SSTRING"}


class EtherNetIpSource:
    path = PATH
    also = ALSO
    asks_again = False
    polled = True

    def __init__(self, plc: Controller) -> None:
        self._plc = plc
        self.config: dict[str, Any] = {
            "plcs": [
                {
                    "url": f"tcp://127.0.0.1:{plc.port}",
                    "timeout_s": 2,
                    "encoding": "utf-8",
                    "machines": [{"path": str(PATH), "period_s": 0.01, "tags": {tag: {} for tag in TAGS}}],
                }
            ]
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        """The time is the reader's affair."""
        if isinstance(value, str):
            value = value.encode().decode("latin-1")  # its bytes are UTF-8's
        await asyncio.to_thread(self._plc.write, tag, value)

    async def babble(self) -> None:
        """A text that is no UTF-8."""
        await asyncio.to_thread(self._plc.write, "Name", "\xff\xfe")

    async def vanish(self) -> None:
        await asyncio.to_thread(self._plc.stop)


@asynccontextmanager
async def ethernetip() -> AsyncIterator[EtherNetIpSource]:
    async with controller(TAGS) as plc:
        yield EtherNetIpSource(plc)


CONTRACT = connector_contract(
    "ethernetip",
    lambda _request: ethernetip(),
    Codec(
        st.tuples(
            st.builds(
                Wanted,
                st.just(PATH),
                st.just("Tag"),
                st.just("Tag"),
                count=st.none() | st.integers(1, 4),
                bit=st.none() | st.integers(0, 63),
                bits=st.booleans(),
            ),
            st.binary(max_size=40)
            | st.tuples(st.sampled_from([*range(0xC1, 0xDB), 0x02A0]), st.binary(max_size=40)).map(
                lambda parts: parts[0].to_bytes(2, "little") + parts[1]
            ),
        ),
        lambda answer: decode(answer[0], answer[1], T0, "plc", "utf-8"),
    ),
    away=lambda port: {
        "plcs": [{"url": f"tcp://127.0.0.1:{port}", "machines": [{"path": str(PATH), "tags": {"A": {}}}]}]
    },
)
