"""Runs an SQL connector until it has said what is waited for."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from connectors.base import Position
from connectors.sql.config import SqlConfig
from connectors.sql.connector import SqlConnector
from tests.harness.heard import Heard
from uns.testing.connectors import keep
from uns.testing.patience import patient


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, in a loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class Session(Heard):
    """An open connector, and what it has said so far."""

    def __init__(self, config: dict[str, Any], cursor: Mapping[str, Position] | None = None) -> None:
        """`cursor`: of a session before this one."""
        self.connector = SqlConnector("test", SqlConfig.model_validate(config))
        super().__init__()
        self.cursor = dict(cursor or {})
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Session":
        self.connector.resume_at(dict(self.cursor))
        await self.connector.open({})
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.connector.close()

    async def _take(self) -> None:
        async with aclosing(self.connector.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self.batches.append(batch)
                keep(self.cursor, batch)

    async def until(self, done: Callable[[], bool]) -> None:
        """Waits until `done`, or raises what ended the stream."""
        assert self._task is not None
        try:
            async with asyncio.timeout(patient(20)):
                while not done():
                    if self._task.done():
                        self._task.result()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            said = str(self.said)[:2000]
            raise AssertionError(f"said {said}, problems {self.connector.problems()}") from None

    async def passes(self, name: str, count: int = 2) -> None:
        """Waits until a query has begun so many more passes."""
        seen = _Counted(self.connector, name)
        await self.until(lambda: seen.count >= count)


class _Counted:
    """Counts the passes of a query by its worker's calls to connect."""

    def __init__(self, connector: SqlConnector, name: str) -> None:
        self.count = 0
        worker = connector._worker(name)
        post = worker.post

        def counted(function: Callable[[], None]) -> None:
            self.count += 1  # a pass ends with its connection
            post(function)

        worker.post = counted  # type: ignore[method-assign]
