"""The SQL connector: each query asked on its own schedule by a thread of its own; what it says goes with how far that reaches."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Select

from connectors.base import Batch, Position, Resume, SourceUnavailable
from connectors.kit.cursor import places
from connectors.kit.mark import BadMark
from connectors.kit.queries import Failed, Queries
from connectors.kit.worker import Worker
from connectors.sql import database
from connectors.sql.config import SqlConfig
from connectors.sql.database import QueryFailed
from connectors.sql.reader import BadColumns, QueryReader

PROBE_S = 3.0
"""How often the database is asked whether it is there."""
HEALTHY_S = 10.0
"""A database that has not answered for so long is not healthy."""
GRACE_S = 5.0
"""What a request may take beyond its time-outs before it counts as hanging."""


class SqlConnector:
    """Each row once, and again when it changes: the place of a query is kept with its rows, and a death comes before both or
    behind both."""

    def __init__(self, name: str, config: SqlConfig) -> None:
        self._name, self._config = name, config
        self._workers: dict[str, Worker] = {}
        self._cursor: Mapping[str, Position] = {}
        self._queries = Queries(name)
        self._answered = 0.0
        self._open = False

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = cursor

    async def open(self, resume: Resume) -> None:
        """Connects once. Where each query goes on says the cursor, not `resume`."""
        config = self._config
        engine, connection = await self._connected()
        self._answered = time.monotonic()
        known = places(self._cursor)
        self._open = True
        self._queries.begin(self._probe(engine, connection))
        for query in config.queries:
            reader = QueryReader(query, known.get(query.name))
            self._queries.poll(query, partial(self._ask, engine, reader), reader.problem)

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
        async for batch in self._queries.batches():
            yield batch

    # -- queries -----------------------------------------------------------------------------------------------

    async def _ask(self, engine: Engine, reader: QueryReader) -> None:
        try:
            await self._pass(engine, reader)
        except (QueryFailed, BadMark, BadColumns) as error:
            raise Failed(_told(error)) from error

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
                    await self._queries.put(Batch.of(said, cursor=cursor))
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
            self._queries.lose(SourceUnavailable(f"database {config.url} does not answer any more"))
        except SourceUnavailable as error:
            self._queries.lose(error)
        finally:
            worker.post(lambda: database.close(connection))

    async def close(self) -> None:
        self._open = False
        await self._queries.close()
        for name, worker in tuple(self._workers.items()):
            if not worker.busy:
                worker.close()
                del self._workers[name]

    def healthy(self) -> bool:
        return self._open and self._queries.away is None and time.monotonic() - self._answered < HEALTHY_S

    def problems(self) -> Sequence[str]:
        return tuple(self._queries.problems.values())

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
