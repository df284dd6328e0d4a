"""What the server's history has of the time that we were away, for many variables a call, beside the live values."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from asyncua import ua
from asyncua.client.ua_client import UaClient

from connectors.opcua.codec import moment, time_of
from connectors.opcua.services import Pieces

log = structlog.get_logger()

NO_HISTORY = frozenset(
    {
        ua.StatusCodes.BadServiceUnsupported,
        ua.StatusCodes.BadNotImplemented,
        ua.StatusCodes.BadNotSupported,
        ua.StatusCodes.BadHistoryOperationUnsupported,
        ua.StatusCodes.BadHistoryOperationInvalid,
    }
)
LAG_S = 2.0
"""How long history may lag behind the subscription: it is read again until nothing new has come for so long."""
LAG_PAUSE_S = 0.1
PAGE = 1_000
"""Values of one variable in one answer."""
HISTORY_READ = 0x04
"""Bit of an access level: the server has a history of the variable and lets us read it."""


@dataclass(slots=True)
class Hole:
    """Time of one variable that may have values nobody told us."""

    since: int
    """µs; the newest value that is safe."""
    begin: int
    """µs; where the next answer begins."""
    left: int
    """Values that may still be read."""
    page: bytes = b""
    """Where the last answer goes on."""
    cut: bool = False
    """Whether the last answer was as long as we let it be, and did not say where it goes on: asyncua's server does so."""
    alone: bool = False
    """Whether an answer was cut so: among others, whose time is earlier, it would be told the same again."""


Missed = list[tuple[ua.NodeId, ua.DataValue]]


class History:
    """One for a connector: whether a server has a history at all is asked once, and said once."""

    def __init__(self, url: str, pieces: Pieces, values_max: int) -> None:
        self._url, self._pieces, self._max = url, pieces, values_max
        self._without: set[ua.NodeId] = set()
        """Variables of which the server keeps none."""
        self._over: set[ua.NodeId] = set()
        """Variables whose history was longer than what is read."""
        self._said = False

    async def fill(
        self, services: UaClient, since: Mapping[ua.NodeId, int], live_since: Callable[[ua.NodeId], int | None]
    ) -> AsyncIterator[Missed]:
        """Values from `since` (µs) on, of each variable in order of time, in pieces; a value may come twice.

        Ends once nothing new has come for `LAG_S`; what is as late as `live_since` (µs, None: not known yet) the
        subscription tells. Raises what the service raises where the server gives no answer.
        """
        asked = [node for node in since if node not in self._without]
        holes = {node: Hole(since[node], since[node], self._max) for node in await self._kept(services, asked)}
        newest = dict.fromkeys(holes, -1)
        until = time.monotonic() + LAG_S
        while holes and time.monotonic() < until:
            for chunk in self._chunks(holes):
                missed = await self._read(services, chunk, holes)
                if missed:
                    yield missed
                for node, value in missed:
                    at, live = time_of(value) or -1, live_since(node)
                    if at > newest[node] and (live is None or at < live):
                        newest[node], until = at, time.monotonic() + LAG_S
            if not any(hole.page or hole.cut for hole in holes.values()):
                await asyncio.sleep(LAG_PAUSE_S)
        if over := {node for node, hole in holes.items() if hole.left <= 0}:
            log.warning("history longer than history_max", server=self._url, variables=len(over), values=self._max)
        self._over = over
        if asked and not holes and not self._said:
            self._said = True
            log.warning("server keeps no history: what it says while we are away is a gap", server=self._url)

    def whole(self, node: ua.NodeId) -> bool:
        """Whether all that was asked of a variable was told: it has a history, and that was not longer than what is read."""
        return node not in self._without and node not in self._over

    async def _kept(self, services: UaClient, nodes: Sequence[ua.NodeId]) -> list[ua.NodeId]:
        """Those of which the server says that it keeps a history."""

        async def ask(part: Sequence[ua.NodeId]) -> list[ua.DataValue]:
            values: list[ua.DataValue] = await services.read_attributes(list(part), ua.AttributeIds.UserAccessLevel)
            return values

        levels = await self._pieces.call("read", nodes, ask)
        kept = []
        for node, level in zip(nodes, levels, strict=True):
            bits = level.Value.Value if level.Value is not None else None
            if isinstance(bits, int) and bits & HISTORY_READ:
                kept.append(node)
            else:
                self._without.add(node)
        return kept

    def _chunks(self, holes: Mapping[ua.NodeId, Hole]) -> list[list[ua.NodeId]]:
        """Variables that are asked in one call, which has one begin for all of them: the earliest."""
        asked = sorted((node for node, hole in holes.items() if hole.left > 0), key=lambda node: holes[node].begin)
        alone = [[node] for node in asked if holes[node].alone]
        nodes = [node for node in asked if not holes[node].alone]
        size = self._pieces.sizes["history"]
        return alone + [nodes[n : n + size] for n in range(0, len(nodes), size)]

    async def _read(self, services: UaClient, nodes: Sequence[ua.NodeId], holes: dict[ua.NodeId, Hole]) -> Missed:
        async def ask(part: Sequence[ua.NodeId]) -> list[ua.HistoryReadResult]:
            begin = min(holes[node].begin for node in part)
            asked = _parameters(begin, [(node, holes[node].page) for node in part])
            results: list[ua.HistoryReadResult] = await services.history_read(asked)
            return results

        try:
            results = await self._pieces.call("history", nodes, ask)
        except ua.UaStatusCodeError as error:
            if error.code not in NO_HISTORY:
                raise
            self._refused(nodes, holes)
            return []
        missed: Missed = []
        for node, result in zip(nodes, results, strict=True):
            if result.StatusCode.is_bad():
                self._refused([node], holes)
                continue
            hole, values = holes[node], _values(result)
            begin = hole.begin
            hole.page = bytes(result.ContinuationPoint or b"")
            hole.cut = len(values) >= PAGE and not hole.page
            for value in values:
                at = time_of(value)
                if at is not None and at >= hole.since:
                    missed.append((node, value))
                    hole.begin = max(hole.begin, at)
                    hole.left -= at > begin
            if hole.cut and hole.alone and hole.begin == begin:
                hole.left = 0  # more values of one time than one answer holds: there is no way behind them
            hole.alone |= hole.cut
        return missed

    def _refused(self, nodes: Sequence[ua.NodeId], holes: dict[ua.NodeId, Hole]) -> None:
        self._without.update(nodes)
        for node in nodes:
            holes.pop(node, None)


def _values(result: ua.HistoryReadResult) -> Sequence[ua.DataValue]:
    data = result.HistoryData
    return (data.DataValues or ()) if isinstance(data, ua.HistoryData) else ()


def _parameters(begin: int, nodes: Sequence[tuple[ua.NodeId, bytes]]) -> ua.HistoryReadParameters:
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified = False
    details.StartTime = moment(begin)
    details.EndTime = ua.get_win_epoch()  # none: up to the newest
    details.NumValuesPerNode = PAGE
    details.ReturnBounds = False
    parameters = ua.HistoryReadParameters()
    parameters.HistoryReadDetails = details
    parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    parameters.ReleaseContinuationPoints = False
    for node, page in nodes:
        wanted = ua.HistoryReadValueId()
        wanted.NodeId, wanted.IndexRange = node, ""
        wanted.ContinuationPoint = page or None
        parameters.NodesToRead.append(wanted)
    return parameters
