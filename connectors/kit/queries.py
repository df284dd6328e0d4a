"""Queries of one source, each asked again and again on its own schedule: what they say is one stream of batches.

What is wrong with one query is its own problem, and the others go on; a source that is away ends them all.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog

from connectors.base import Batch, SourceUnavailable
from connectors.kit.tasks import ended

log = structlog.get_logger()

RETRY_S = (1.0, 300.0)
"""A query that fails is asked again so much later, twice as much each time."""
WAITING_MAX = 8
"""Batches that wait to be taken; beyond it queries wait."""


class Query(Protocol):
    """As the configuration has it."""

    @property
    def name(self) -> str: ...
    @property
    def every_s(self) -> float: ...


class Failed(Exception):
    """A query that cannot be answered now; the words say why. `wait_s`: what the source asks for."""

    def __init__(self, words: str, wait_s: float = 0.0) -> None:
        super().__init__(words)
        self.wait_s = wait_s


class Queries:
    """The tasks that ask, and what waits to be taken. `begin` after `close` begins anew."""

    def __init__(self, name: str) -> None:
        """`name`: the connector's."""
        self._name = name
        self.problems: dict[str, str] = {}
        """What is wrong, by query."""
        self.away: SourceUnavailable | None = None
        self._waiting: asyncio.Queue[Batch | None] = asyncio.Queue(WAITING_MAX)
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, probe: Coroutine[Any, Any, None]) -> None:
        """`probe` runs beside the queries, and says by `lose` that the source is away."""
        self._waiting, self.away, self.problems = asyncio.Queue(WAITING_MAX), None, {}
        self._tasks = []
        self._run(probe)

    def poll(
        self, query: Query, ask: Callable[[], Awaitable[None]], problem: Callable[[], str | None] = lambda: None
    ) -> None:
        """Asks a query again and again. `ask` gives what it says to `put`; it raises `Failed`, and `SourceUnavailable`.
        `problem`: what is odd in what it said, while it answers."""
        self._run(self._poll(query, ask, problem))

    async def put(self, batch: Batch) -> None:
        await self._waiting.put(batch)

    async def batches(self) -> AsyncIterator[Batch]:
        """What the queries say, as it comes. Raises what ended a task: that the source is away, or a bug."""
        while True:
            self._check()
            batch = await self._waiting.get()
            self._check()
            if batch is not None:
                yield batch

    def lose(self, error: SourceUnavailable) -> None:
        self.away = self.away or error
        self._news()

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        await ended(tasks)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    async def _poll(self, query: Query, ask: Callable[[], Awaitable[None]], problem: Callable[[], str | None]) -> None:
        wait_s = RETRY_S[0]
        while True:
            try:
                await ask()
            except Failed as error:
                if query.name not in self.problems:
                    log.warning("query failed", connector=self._name, query=query.name, error=str(error))
                self.problems[query.name] = f"query {query.name}: {error}"
                await asyncio.sleep(max(wait_s, query.every_s, error.wait_s))
                wait_s = min(2 * wait_s, RETRY_S[1])
                continue
            except SourceUnavailable as error:
                self.lose(error)
                return
            wait_s = RETRY_S[0]
            self.problems.pop(query.name, None)
            if (odd := problem()) is not None:
                self.problems[query.name] = f"query {query.name}: {odd}"
            await asyncio.sleep(query.every_s)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self._news()

    def _news(self) -> None:
        if not self._waiting.full():  # else who takes from it looks by himself
            self._waiting.put_nowait(None)

    def _check(self) -> None:
        if self.away is not None:
            raise self.away
        for task in self._tasks:
            if task.done():
                task.result()
