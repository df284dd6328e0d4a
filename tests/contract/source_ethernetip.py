"""A simulated Logix controller, polled: it has values, not times."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.contract.sources import ALSO, PATH
from tests.harness.enip import Controller, controller

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
