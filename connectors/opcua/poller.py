"""Variables that a server does not let be watched are read instead: in groups, at one period, a change once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.items import Item
from connectors.opcua.services import Pieces
from connectors.opcua.subscription import Told


class Poller:
    """One for a connection. What it sees is what a subscription would have told: value and status, where they differ."""

    def __init__(self, services: UaClient, pieces: Pieces, told: Told, room: Callable[[], Awaitable[None]]) -> None:
        """`room` is awaited before each call: what changes meanwhile and changes back is not seen."""
        self._services, self._pieces, self._told, self._room = services, pieces, told, room
        self._last: dict[Item, ua.DataValue] = {}

    async def run(self, items: Callable[[], Iterable[Item]], period_s: float) -> None:
        """Reads until it is cancelled. A round that takes longer than the period is followed by the next at once. Raises
        what the service raises."""
        while True:
            begin = time.monotonic()
            await self.read([item for item in items() if item.polled is not None])
            await asyncio.sleep(max(0.0, begin + period_s - time.monotonic()))

    async def read(self, items: Sequence[Item]) -> None:
        """One round. Each answer is told as it comes."""

        async def ask(part: Sequence[Item]) -> list[None]:
            await self._room()
            parameters = ua.ReadParameters()
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.NodesToRead = [
                ua.ReadValueId(NodeId=item.node, AttributeId=ua.AttributeIds.Value) for item in part
            ]
            for item, value in zip(part, await self._services.read(parameters), strict=True):
                self._saw(item, value)
            return [None] * len(part)

        await self._pieces.call("read", items, ask)

    def _saw(self, item: Item, value: ua.DataValue) -> None:
        before, self._last[item] = self._last.get(item), value
        if before is None or _status(before) != _status(value) or not _same(_content(before), _content(value)):
            self._told(item.handle, value)


def _content(value: ua.DataValue) -> object:
    return value.Value.Value if value.Value is not None else None


def _status(value: ua.DataValue) -> int:
    return int(value.StatusCode.value) if value.StatusCode is not None else 0


def _same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)
