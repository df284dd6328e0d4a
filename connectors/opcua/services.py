"""Services of a server for many nodes at once, in pieces that it takes: its limits are read, and halved where it refuses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeVar

from asyncua import ua
from asyncua.client.ua_client import UaClient
from asyncua.ua.uaerrors import UaError

Service = Literal["browse", "history", "monitor", "read"]
MOST: dict[Service, int] = {"browse": 200, "history": 100, "monitor": 1000, "read": 500}
"""Nodes of one call where the server names no limit, or a greater one: an answer must fit its time-out."""
LIMITS: dict[Service, int] = {
    "browse": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    "history": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    "monitor": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "read": ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
}
TOO_MUCH = frozenset(
    {
        ua.StatusCodes.BadTooManyOperations,
        ua.StatusCodes.BadRequestTooLarge,
        ua.StatusCodes.BadResponseTooLarge,
        ua.StatusCodes.BadEncodingLimitsExceeded,
        ua.StatusCodes.BadTcpMessageTooLarge,
    }
)
NO_ANSWER = (UaError, OSError)
"""How a server that refuses, is away or goes silent shows (a TimeoutError is an OSError). Anything else is a bug."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Pieces:
    """How many nodes one call of each service may name. Lives as long as the connector: what a server refused is kept."""

    def __init__(self) -> None:
        self.sizes: dict[Service, int] = dict(MOST)

    async def learn(self, services: UaClient) -> None:
        """Reads the server's operation limits, one by one: a server may allow one node a call. None told, none is kept."""
        for service, node in LIMITS.items():
            value = (await services.read_attributes([ua.NodeId(node, 0)], ua.AttributeIds.Value))[0].Value
            limit = value.Value if value is not None else None
            if isinstance(limit, int) and limit > 0:
                self.sizes[service] = min(self.sizes[service], limit)

    async def call(
        self, service: Service, items: Sequence[ItemT], ask: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]]
    ) -> list[ResultT]:
        """The answers for all items, in their order. Raises what `ask` raises for a single item."""
        answers: list[ResultT] = []
        while len(answers) < len(items):
            piece = items[len(answers) : len(answers) + self.sizes[service]]
            try:
                answers += await ask(piece)
            except ua.UaStatusCodeError as error:
                if error.code not in TOO_MUCH or len(piece) == 1:
                    raise
                self.sizes[service] = len(piece) // 2
        return answers


def words(error: BaseException) -> str:
    """What an error says, or what it is called where it says nothing."""
    return str(error) or type(error).__name__
