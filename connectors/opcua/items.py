"""What is watched at the server: one item a node, however many tags it feeds; what fails is asked for again, by itself."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from asyncua import ua

from connectors.opcua.retry import Retry
from connectors.opcua.subscription import Asked, Subscription, Watched
from topology.namespace.path import Path

NAMED_MAX = 5
"""Failures that a sentence names one by one."""
FULL = frozenset({ua.StatusCodes.BadTooManyMonitoredItems, ua.StatusCodes.BadResourceUnavailable})
"""How a subscription refuses one item more; another one may take it."""
GONE = frozenset({ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadNodeIdInvalid})
"""How the value of a node that was deleted shows: an item made anew may find what was made anew."""


UNWATCHED = frozenset(
    {
        ua.StatusCodes.BadTooManyMonitoredItems,
        ua.StatusCodes.BadTooManySubscriptions,
        ua.StatusCodes.BadMonitoredItemFilterUnsupported,
        ua.StatusCodes.BadMonitoringModeInvalid,
        ua.StatusCodes.BadResourceUnavailable,
        ua.StatusCodes.BadServiceUnsupported,
        ua.StatusCodes.BadNotSupported,
        ua.StatusCodes.BadNotImplemented,
    }
)
"""How a server refuses to watch what it lets be read."""


class Variable(NamedTuple):
    path: Path
    tag: str
    node_id: str

    @property
    def key(self) -> tuple[Path, str]:
        return self.path, self.tag


class Item:
    """A node, the tags it feeds, and how it is watched."""

    __slots__ = ("handle", "id", "node", "polled", "problem", "retry", "subscription", "variables")

    def __init__(self, handle: int, node: ua.NodeId) -> None:
        self.handle, self.node = handle, node
        self.variables: list[Variable] = []
        self.subscription: Subscription | None = None
        self.id = 0
        self.problem: ua.StatusCode | None = None
        """Why it is not read."""
        self.polled: ua.StatusCode | None = None
        """Why it is read now and then, and not watched."""
        self.retry = Retry()

    def failed(self, status: ua.StatusCode) -> None:
        """Not watched; to be tried again later than the last time. What may be read all the same is."""
        unwatched = status.value in UNWATCHED
        self.problem, self.polled, self.id = None if unwatched else status, status if unwatched else None, 0
        self.retry.failed()


class Items:
    """The items of one connection."""

    def __init__(self, queue_size: int, sampling_ms: float, another: Callable[[], Awaitable[Subscription]]) -> None:
        """`another` opens one more subscription, and raises what the service raises."""
        self._queue_size, self._sampling_ms, self._another = queue_size, sampling_ms, another
        self._by_node: dict[ua.NodeId, Item] = {}
        self._by_handle: list[Item] = []
        self._subscriptions: list[Subscription] = []
        self.shorter = 0
        """Items for which the server keeps fewer values than asked."""
        self.slower = 0
        """Items at which the server looks less often than asked."""

    def add(self, variables: Mapping[str, ua.NodeId], path: Path) -> list[Item]:
        """Takes in the variables of a machine; returns the items that are to be watched for them."""
        items = []
        for tag, node in variables.items():
            item = self._by_node.get(node)
            if item is None:
                item = self._by_node[node] = Item(len(self._by_handle), node)
                self._by_handle.append(item)
            if not any(variable.key == (path, tag) for variable in item.variables):
                item.variables.append(Variable(path, tag, node.to_string()))
            items.append(item)
        return items

    def of(self, handle: int) -> Item | None:
        """The item of a client handle; None for a handle that was never given."""
        return self._by_handle[handle] if 0 <= handle < len(self._by_handle) else None

    def at(self, node: ua.NodeId) -> Item | None:
        """The item of a node."""
        return self._by_node.get(node)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._by_handle)

    def __len__(self) -> int:
        return len(self._by_handle)

    async def watch(self, items: Iterable[Item]) -> list[Item]:
        """Has items watched, in as many subscriptions as the server needs; returns those that it refuses, with why. Those that
        it does not let be watched are not among them: they are polled."""
        wanted = [item for item in items if item.id == 0]
        refused: list[Item] = []
        for n in range(len(wanted) + 1):
            if not wanted:
                break
            if n >= len(self._subscriptions):
                try:
                    self._subscriptions.append(await self._another())
                except ua.UaStatusCodeError as error:
                    if not self._subscriptions and error.code not in UNWATCHED:
                        raise
                    refused += self._refused(wanted, ua.StatusCode(ua.UInt32(error.code)))
                    break
            wanted = await self._in(self._subscriptions[n], wanted, refused)
        return refused

    async def _in(self, subscription: Subscription, wanted: list[Item], refused: list[Item]) -> list[Item]:
        """Has items watched by one subscription; returns those for which it has no room."""
        asked = [Asked(item.handle, item.node) for item in wanted]
        over = []
        for item, watched in zip(
            wanted, await subscription.watch(asked, self._queue_size, self._sampling_ms), strict=True
        ):
            if watched.status.value in FULL and subscription.items:
                over.append(item)
            elif watched.status.is_bad():
                refused += self._refused([item], watched.status)
            else:
                self._watched(item, subscription, watched)
        return over

    def _watched(self, item: Item, subscription: Subscription, watched: Watched) -> None:
        item.subscription, item.id, item.problem, item.polled = subscription, watched.item, None, None
        subscription.items += 1
        self.shorter += watched.queue_size < self._queue_size
        self.slower += watched.sampling_ms > max(self._sampling_ms, subscription.revised_ms)

    def _refused(self, items: Iterable[Item], status: ua.StatusCode) -> list[Item]:
        refused = list(items)
        for item in refused:
            item.failed(status)
        return [item for item in refused if item.problem is not None]

    async def gone(self, item: Item, status: ua.StatusCode) -> None:
        """The node of a watched item is no more: it is asked for again later, as if it had never been there."""
        subscription, number = item.subscription, item.id
        item.failed(status)
        if subscription is not None and number:
            subscription.items -= 1
            await subscription.forget([number])

    def due(self) -> list[Item]:
        """Those that failed and may be tried again."""
        return [item for item in self._by_handle if (item.problem or item.polled) is not None and item.retry.due]

    def problems(self) -> list[str]:
        failed = [item for item in self._by_handle if item.problem is not None]
        problems = []
        if failed:
            named = ", ".join(
                f"{variable.path} {variable.tag} ({variable.node_id}): {item.problem.name}"
                for item in failed[:NAMED_MAX]
                for variable in item.variables[:1]
                if item.problem is not None
            )
            problems.append(f"{len(failed)} of {len(self)} variables are not read: {named}")
        if polled := [item.polled.name for item in self._by_handle if item.polled is not None]:
            why = ", ".join(sorted(set(polled)))
            problems.append(f"{len(polled)} of {len(self)} variables are polled, the server does not watch them: {why}")
        problems += [problem for subscription in self._subscriptions if (problem := subscription.problem)]
        return problems

    def lost(self) -> str | None:
        """Why what is watched cannot be relied on any more; None while it can."""
        for subscription in self._subscriptions:
            if subscription.problem is not None:
                return subscription.problem
            if subscription.overdue():
                return "the subscription is silent, without a value or a keep-alive; the session alone is alive"
        return None
