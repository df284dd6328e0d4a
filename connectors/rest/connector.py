"""The REST connector: each query asked on its own schedule; what it says goes with how far that reaches."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from connectors.base import Batch, Position, Resume, SourceUnavailable
from connectors.kit.cursor import places
from connectors.kit.queries import Failed, Queries
from connectors.rest.client import Client
from connectors.rest.config import RestConfig
from connectors.rest.reader import BadAnswer, QueryReader

PROBE_S = 10.0
"""How often a server is asked whether it is there, while no query asks it."""
SILENT_S = 3 * PROBE_S
"""One that has not answered for so long is not healthy."""


class RestConnector:
    """Each item once, and again when it changes: the place of a query is kept with its items, and a death comes before both
    or behind both."""

    def __init__(self, name: str, config: RestConfig) -> None:
        self._name, self._config = name, config
        self._client: Client | None = None
        self._cursor: Mapping[str, Position] = {}
        self._queries = Queries(name)
        self._answered = 0.0

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = cursor

    async def open(self, resume: Resume) -> None:
        """Asks once. Where each query goes on says the cursor, not `resume`."""
        config = self._config
        client = Client(config)
        try:
            await client.probe()
        except BaseException:
            await client.close()
            raise
        self._client, self._answered = client, time.monotonic()
        known = places(self._cursor)
        self._queries.begin(self._probe(client))
        for query in config.queries:
            reader = QueryReader(query, known.get(query.name), config.url)
            self._queries.poll(query, partial(self._ask, client, reader), reader.problem)

    async def batches(self) -> AsyncIterator[Batch]:
        """What the queries say, as it comes."""
        async for batch in self._queries.batches():
            yield batch

    # -- queries -----------------------------------------------------------------------------------------------

    async def _ask(self, client: Client, reader: QueryReader) -> None:
        try:
            await self._pass(client, reader)
        except BadAnswer as error:
            raise Failed(str(error)) from error

    async def _pass(self, client: Client, reader: QueryReader) -> None:
        """From the place of the query to its last page."""
        url: str | None = reader.begin()
        while url is not None:
            answer = await client.ask(url)
            self._answered = time.monotonic()
            parts, url = reader.take(answer, datetime.now(UTC))
            for said, cursor in parts:
                await self._queries.put(Batch.of(said, cursor=cursor))

    # -- link --------------------------------------------------------------------------------------------------

    async def _probe(self, client: Client) -> None:
        """HTTP has no link that could be lost: between two requests nobody would notice."""
        while True:
            await asyncio.sleep(PROBE_S)
            if time.monotonic() - self._answered >= PROBE_S:
                try:
                    await client.probe()
                except SourceUnavailable as error:
                    self._queries.lose(error)
                    return
                self._answered = time.monotonic()

    async def close(self) -> None:
        client, self._client = self._client, None
        await self._queries.close()
        if client is not None:
            await client.close()

    def healthy(self) -> bool:
        return self._client is not None and self._queries.away is None and time.monotonic() - self._answered < SILENT_S

    def problems(self) -> Sequence[str]:
        return tuple(self._queries.problems.values())

    def kept(self) -> bool:
        """A system of record keeps its objects, and the cursor knows which were told."""
        return True

    def unproved_s(self) -> float:
        return time.monotonic() - self._answered
