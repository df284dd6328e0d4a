"""The REST connector: each query asked on its own schedule; what it says goes with how far that reaches."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from connectors.base import Batch, Position, Resume, SourceUnavailable
from connectors.kit.cursor import places
from connectors.kit.tasks import ended
from connectors.rest.client import Client, QueryFailed
from connectors.rest.config import RestConfig
from connectors.rest.reader import BadAnswer, QueryReader

log = structlog.get_logger()

RETRY_S = (1.0, 300.0)
"""A query that fails is asked again so much later, twice as much each time."""
PROBE_S = 10.0
"""How often a server is asked whether it is there, while no query asks it."""
SILENT_S = 3 * PROBE_S
"""One that has not answered for so long is not healthy."""
WAITING_MAX = 8
"""Batches that wait to be taken; beyond it queries wait."""


class RestConnector:
    """Each item once, and again when it changes: the place of a query is kept with its items, and a death comes before both
    or behind both."""

    def __init__(self, name: str, config: RestConfig) -> None:
        self._name, self._config = name, config
        self._client: Client | None = None
        self._cursor: Mapping[str, Position] = {}
        self._waiting: asyncio.Queue[Batch | None] = asyncio.Queue(WAITING_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._away: SourceUnavailable | None = None
        self._answered = 0.0
        self._problems: dict[str, str] = {}

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = cursor

    async def open(self, resume: Resume) -> None:
        """Asks once. Where each query goes on says the cursor, not `resume`."""
        config = self._config
        self._waiting, self._away, self._problems = asyncio.Queue(WAITING_MAX), None, {}
        client = Client(config)
        try:
            await client.probe()
        except BaseException:
            await client.close()
            raise
        self._client, self._answered = client, time.monotonic()
        known = places(self._cursor)
        self._tasks = [asyncio.create_task(self._probe(client))]
        for query in config.queries:
            reader = QueryReader(query, known.get(query.name), config.url)
            self._tasks.append(asyncio.create_task(self._poll(client, reader), name=query.name))
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def batches(self) -> AsyncIterator[Batch]:
        """What the queries say, as it comes."""
        while True:
            self._check()
            batch = await self._waiting.get()
            self._check()
            if batch is not None:
                yield batch

    # -- queries -----------------------------------------------------------------------------------------------

    async def _poll(self, client: Client, reader: QueryReader) -> None:
        """Asks a query again and again. What is wrong with it is its own problem, unless the server is away."""
        query, wait_s = reader.query, RETRY_S[0]
        while True:
            try:
                await self._pass(client, reader)
            except (QueryFailed, BadAnswer) as error:
                if query.name not in self._problems:
                    log.warning("query failed", connector=self._name, query=query.name, error=str(error))
                self._problems[query.name] = f"query {query.name}: {error}"
                asked_s = error.wait_s if isinstance(error, QueryFailed) else 0.0
                await asyncio.sleep(max(wait_s, query.every_s, asked_s))
                wait_s = min(2 * wait_s, RETRY_S[1])
                continue
            except SourceUnavailable as error:
                self._lose(error)
                return
            wait_s = RETRY_S[0]
            self._problems.pop(query.name, None)
            if (problem := reader.problem()) is not None:
                self._problems[query.name] = f"query {query.name}: {problem}"
            await asyncio.sleep(query.every_s)

    async def _pass(self, client: Client, reader: QueryReader) -> None:
        """From the place of the query to its last page."""
        url: str | None = reader.begin()
        while url is not None:
            answer = await client.ask(url)
            self._answered = time.monotonic()
            parts, url = reader.take(answer, datetime.now(UTC))
            for said, cursor in parts:
                await self._waiting.put(Batch.of(said, cursor=cursor))

    # -- link --------------------------------------------------------------------------------------------------

    async def _probe(self, client: Client) -> None:
        """HTTP has no link that could be lost: between two requests nobody would notice."""
        while True:
            await asyncio.sleep(PROBE_S)
            if time.monotonic() - self._answered >= PROBE_S:
                try:
                    await client.probe()
                except SourceUnavailable as error:
                    self._lose(error)
                    return
                self._answered = time.monotonic()

    def _lose(self, error: SourceUnavailable) -> None:
        self._away = self._away or error
        self._news()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self._news()

    def _news(self) -> None:
        if not self._waiting.full():  # else who takes from it looks by himself
            self._waiting.put_nowait(None)

    def _check(self) -> None:
        """Raises what ended a task: that the source is away, or a bug."""
        if self._away is not None:
            raise self._away
        for task in self._tasks:
            if task.done():
                task.result()

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        client, self._client = self._client, None
        await ended(tasks)
        if client is not None:
            await client.close()

    def healthy(self) -> bool:
        return self._client is not None and self._away is None and time.monotonic() - self._answered < SILENT_S

    def problems(self) -> Sequence[str]:
        return tuple(self._problems.values())

    def kept(self) -> bool:
        """A system of record keeps its objects, and the cursor knows which were told."""
        return True

    def unproved_s(self) -> float:
        return time.monotonic() - self._answered
