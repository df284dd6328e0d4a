"""The SQL connector: each query asked on its own schedule by a thread of its own; what it says goes with how far that reaches."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Select

from connectors.base import Batch, Position, Resume, SourceUnavailable
from connectors.kit.cursor import places
from connectors.kit.mark import BadMark
from connectors.kit.tasks import ended
from connectors.kit.worker import Worker
from connectors.sql import database
from connectors.sql.config import SqlConfig
from connectors.sql.database import QueryFailed
from connectors.sql.reader import BadColumns, QueryReader

log = structlog.get_logger()

PROBE_S = 3.0
"""How often the database is asked whether it is there."""
HEALTHY_S = 10.0
"""A database that has not answered for so long is not healthy."""
RETRY_S = (1.0, 300.0)
"""A query that fails is asked again so much later, twice as much each time."""
WAITING_MAX = 8
"""Batches that wait to be taken; beyond it queries wait."""
GRACE_S = 5.0
"""What a request may take beyond its time-outs before it counts as hanging."""


class SqlConnector:
    """Each row once, and again when it changes: the place of a query is kept with its rows, and a death comes before both or
    behind both."""

    def __init__(self, name: str, config: SqlConfig) -> None:
        self._name, self._config = name, config
        self._workers: dict[str, Worker] = {}
        self._cursor: Mapping[str, Position] = {}
        self._waiting: asyncio.Queue[Batch | None] = asyncio.Queue(WAITING_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._away: SourceUnavailable | None = None
        self._answered = 0.0
        self._open = False
        self._problems: dict[str, str] = {}

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = cursor

    async def open(self, resume: Resume) -> None:
        """Connects once. Where each query goes on says the cursor, not `resume`."""
        config = self._config
        self._waiting, self._away, self._problems = asyncio.Queue(WAITING_MAX), None, {}
        engine, connection = await self._connected()
        self._answered = time.monotonic()
        known = places(self._cursor)
        self._open = True
        self._tasks = [asyncio.create_task(self._probe(engine, connection))]
        for query in config.queries:
            reader = QueryReader(query, known.get(query.name))
            self._tasks.append(asyncio.create_task(self._poll(engine, reader), name=query.name))
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _worker(self, name: str) -> Worker:
        """The thread of a query; the empty name: of the probe. One that still hangs is kept, and waited for."""
        return self._workers.setdefault(name, Worker(f"sql {self._name} {name}"))

    async def _connected(self) -> tuple[Engine, Connection]:
        config, worker = self._config, self._worker("")
        try:
            async with asyncio.timeout(config.connect_timeout_s + GRACE_S):
                engine = await worker.run(database.engine, config)
                connection = await worker.run(database.connect, engine, config)
                await worker.run(database.probe, connection, config)
        except TimeoutError as error:
            raise SourceUnavailable(
                f"database {config.url} does not answer within {config.connect_timeout_s:g} s"
            ) from error
        return engine, connection

    async def batches(self) -> AsyncIterator[Batch]:
        """What the queries say, as it comes."""
        while True:
            self._check()
            batch = await self._waiting.get()
            self._check()
            if batch is not None:
                yield batch

    # -- queries -----------------------------------------------------------------------------------------------

    async def _poll(self, engine: Engine, reader: QueryReader) -> None:
        """Asks a query again and again. What is wrong with it is its own problem, unless the database is away."""
        query, wait_s = reader.query, RETRY_S[0]
        while True:
            try:
                await self._pass(engine, reader)
            except (QueryFailed, BadMark, BadColumns) as error:
                if query.name not in self._problems:
                    log.warning("query failed", connector=self._name, query=query.name, error=str(error))
                self._problems[query.name] = f"query {query.name}: {_told(error)}"
                await asyncio.sleep(max(wait_s, query.every_s))
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

    async def _pass(self, engine: Engine, reader: QueryReader) -> None:
        """From the place of the query to its newest row."""
        config, worker = self._config, self._worker(reader.query.name)
        if worker.busy:
            raise QueryFailed("the request before still hangs")
        try:
            async with asyncio.timeout(config.connect_timeout_s + GRACE_S):
                connection = await worker.run(database.connect, engine, config)
        except TimeoutError:
            raise QueryFailed(f"no connection within {config.connect_timeout_s:g} s") from None
        try:
            statement: Select[Any] | None = reader.begin()
            while statement is not None:
                try:
                    async with asyncio.timeout(config.timeout_s + GRACE_S):
                        answer = await worker.run(database.fetch, connection, statement, config.timeout_s)
                except TimeoutError:
                    raise QueryFailed(f"no answer within {config.timeout_s:g} s") from None
                parts, statement = reader.take(answer, datetime.now(UTC))
                for said, cursor in parts:
                    await self._waiting.put(Batch.of(said, cursor=cursor))
        finally:
            worker.post(lambda: database.close(connection))

    # -- link --------------------------------------------------------------------------------------------------

    async def _probe(self, engine: Engine, connection: Connection) -> None:
        """One connection is kept to see whether the database answers; of SQLite a new one, for its file may be gone."""
        config, worker = self._config, self._worker("")
        try:
            while True:
                await asyncio.sleep(PROBE_S)
                async with asyncio.timeout(config.connect_timeout_s + GRACE_S):
                    if config.scheme == "sqlite":
                        await worker.run(database.close, connection)
                        connection = await worker.run(database.connect, engine, config)
                    await worker.run(database.probe, connection, config)
                self._answered = time.monotonic()
        except TimeoutError:
            self._lose(SourceUnavailable(f"database {config.url} does not answer any more"))
        except SourceUnavailable as error:
            self._lose(error)
        finally:
            worker.post(lambda: database.close(connection))

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
        tasks, self._tasks, self._open = self._tasks, [], False
        await ended(tasks)
        for name, worker in tuple(self._workers.items()):
            if not worker.busy:
                worker.close()
                del self._workers[name]

    def healthy(self) -> bool:
        return self._open and self._away is None and time.monotonic() - self._answered < HEALTHY_S

    def problems(self) -> Sequence[str]:
        return tuple(self._problems.values())

    def kept(self) -> bool:
        """A table keeps its rows, and the cursor knows which were told."""
        return True

    def unproved_s(self) -> float:
        return time.monotonic() - self._answered


def _told(error: Exception) -> str:
    match error:
        case BadColumns():
            return f"its result {error}"
        case QueryFailed():
            return f"it failed ({error}); it is asked again, the others go on"
        case _:
            return str(error)
