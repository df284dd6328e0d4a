"""An MTConnect connector that is read beside a test, as the runner reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

from connectors.base import Batch, Malformed, Resume, SourceUnavailable, Span
from connectors.mtconnect.config import MtConnectConfig
from connectors.mtconnect.connector import MtConnectConnector
from tests.contract.source_mtconnect import Agent, config
from tests.contract.sources import PATH
from uns.testing.patience import patient
from uns.testing.source import T0

P = ParamSpec("P")


def conversation(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs in a loop of its own."""

    @wraps(test)
    def go(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return go


class Reader:
    """A connector that is read beside the test, as the runner reads it."""

    def __init__(self, connector: MtConnectConnector) -> None:
        self.connector = connector
        self.batches: list[Batch] = []
        self.lost: str | None = None

    def values(self, tag: str = "State", path: object = PATH) -> list[Any]:
        """Of a tag, what is good."""
        return [
            reading.sample.value
            for batch in self.batches
            for reading in batch.readings
            if reading.sample.tag == tag and reading.path == path and not reading.sample.quality
        ]

    @property
    def holes(self) -> list[Span]:
        """In what is told of the state."""
        return [batch.missed[PATH, "State"] for batch in self.batches if (PATH, "State") in batch.missed]

    @property
    def malformed(self) -> list[Malformed]:
        return [one for batch in self.batches for one in batch.malformed]

    @property
    def caught_up(self) -> int:
        return sum(PATH in batch.caught_up for batch in self.batches)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(patient(10)):
            while not what():  # noqa: ASYNC110 - what is waited for is a condition of a test
                await asyncio.sleep(0.005)

    async def read(self) -> None:
        stream = self.connector.batches()
        async with aclosing(stream):  # type: ignore[type-var]
            try:
                async for batch in stream:
                    self.batches.append(batch)
            except SourceUnavailable as error:
                self.lost = str(error)


@asynccontextmanager
async def reading(connector: MtConnectConnector, resume: Resume | None = None) -> AsyncIterator[Reader]:
    reader = Reader(connector)
    await connector.open(resume or {})
    task = asyncio.create_task(reader.read())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait([task])
        await connector.close()


def connector(*agents: Agent, **options: Any) -> MtConnectConnector:
    return MtConnectConnector("mills", MtConnectConfig.model_validate(config(*agents, **options)))


def count(serving: Agent, begin: int, end: int) -> None:
    """Says the numbers of [begin, end), each at a time of its own."""
    for n in range(begin, end):
        serving.tell("State", T0 + n * 1000, n)
