"""`Namespace` for asyncio: the same calls, each in a thread of its own, so that the loop never waits for Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.records import Fact
from topology.namespace.classes import DERIVED
from topology.namespace.path import Path
from uns.client.history import History, Instant
from uns.client.namespace import Filters, Namespace, connect_sync
from uns.client.subscribe import Begin, Received, Subscription

if TYPE_CHECKING:
    import pandas
    import pyarrow

T = TypeVar("T")


class AsyncSubscription:
    """Iterate over it with `async for`; each loop over it opens a subscription of its own. An item is handled when the
    next one is asked for."""

    def __init__(self, open_: Callable[[], Subscription], started: Callable[["AsyncSubscription"], None]) -> None:
        self._open, self._started = open_, started
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="subscription")
        self._subscription: Subscription | None = None

    async def __aiter__(self) -> AsyncIterator[Received]:
        self._started(self)
        subscription = self._subscription = await self._call(self._open)
        try:
            while True:
                received = await self._call(subscription.poll)
                for item in received:
                    yield item
                    subscription.handled(item)
                    if subscription.commit_due:
                        await self._call(subscription.commit)
                subscription.all_handled()
                if subscription.commit_due:
                    await self._call(subscription.commit)
                if subscription.ended:
                    return
        finally:
            await asyncio.shield(self.close())

    async def close(self) -> None:
        """Commits a group's positions and leaves it. Idempotent; a loop over it that still runs ends with an error."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await self._call(subscription.close)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


class AsyncHistory:
    """`History`, with `async for`, and tables to be awaited. `problems` as of the last reading."""

    def __init__(self, history: History) -> None:
        self._history = history

    @property
    def problems(self) -> list[Received]:
        return self._history.problems

    async def __aiter__(self) -> AsyncIterator[Received]:
        for item in await asyncio.to_thread(list, self._history):
            yield item

    async def tables(self) -> "dict[str, pyarrow.Table]":
        return await asyncio.to_thread(self._history.tables)

    async def table(self) -> "pyarrow.Table":
        return await asyncio.to_thread(self._history.table)

    async def frame(self) -> "pandas.DataFrame":
        return await asyncio.to_thread(self._history.frame)


class AsyncNamespace:
    """Connects at `async with`. Its calls are those of `Namespace`, and raise as they do."""

    def __init__(self, open_: Callable[[], Namespace]) -> None:
        self._connect = open_
        self._namespace: Namespace | None = None
        self._running: list[AsyncSubscription] = []

    async def __aenter__(self) -> "AsyncNamespace":
        self._namespace = await asyncio.to_thread(self._connect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            await self._running.pop().close()
        await asyncio.to_thread(self._sync.close)

    @property
    def _sync(self) -> Namespace:
        if self._namespace is None:
            raise RuntimeError("not connected yet: async with connect(...) as ns")
        return self._namespace

    def subscribe(
        self,
        filters: Filters,
        classes: Collection[str] = DERIVED,
        *,
        begin: Begin = "now",
        group: str | None = None,
        follow: bool = True,
        records: Collection[str] = (),
    ) -> AsyncSubscription:
        """As `Namespace.subscribe`; what that raises comes at the first step of the loop."""
        namespace = self._sync

        def open_() -> Subscription:
            return namespace.subscribe(filters, classes, begin=begin, group=group, follow=follow, records=records)

        return AsyncSubscription(open_, self._running.append)

    def history(
        self,
        filters: Filters,
        start: Instant,
        end: Instant,
        classes: Collection[str] = DERIVED,
        *,
        every_revision: bool = False,
        records: Collection[str] = (),
    ) -> AsyncHistory:
        """As `Namespace.history`."""
        return AsyncHistory(
            self._sync.history(filters, start, end, classes, every_revision=every_revision, records=records)
        )

    async def publish(self, path: str | Path, fact: Fact, source: str = "uns-client", *, force: bool = False) -> int:
        """As `Namespace.publish`."""
        return await asyncio.to_thread(self._sync.publish, path, fact, source, force=force)


def connect(bootstrap: str | None = None, registry: str | None = None, **settings: Any) -> AsyncNamespace:
    """`async with connect() as ns`. Arguments, and what is raised, as with `connect_sync`."""
    return AsyncNamespace(lambda: connect_sync(bootstrap, registry, **settings))
