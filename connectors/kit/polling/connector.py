"""Polled links as a connector: a task for each link, none waits for another."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import NamedTuple

from connectors.base import Batch, Resume, Said, SourceUnavailable
from connectors.kit.polling.poller import AnyPoller, Tell
from connectors.kit.tasks import ended

WAITING_MAX = 50_000
"""Values that are read and not yet in a batch; beyond it links wait, and the cycles that they miss are counted."""
BATCH_MAX = 2_000
CLOSE_S = 2.0
NAMED_MAX = 3
"""Links that an error names."""
GOLDEN = 0.618_033_988_749_895
"""Multiples of it, without what is before the point, are spread evenly however many there are."""


class Extra(NamedTuple):
    """A library that is not there unless it was asked for."""

    module: str
    distribution: str
    extra: str

    def check(self, protocol: str) -> None:
        """Raises `SourceUnavailable` that says what to install."""
        if find_spec(self.module) is None:
            raise SourceUnavailable(f"{protocol} needs {self.distribution}: pip install 'uns-backbone[{self.extra}]'")


MakePoller = Callable[[float, Tell, Callable[[], None]], AnyPoller]
"""(stagger, tell, moved) → the poller of one link."""


class PollingConnector:
    """Every value of every cycle, at the time of its arrival: who is polled knows no times. A device keeps nothing for a
    reader that is away.
    """

    def __init__(self, protocol: str, hint: str, make: Sequence[MakePoller], extra: Extra | None = None) -> None:
        """`protocol` and `hint` are for the error when every link is lost."""
        self._protocol, self._hint, self._extra = protocol, hint, extra
        self._pollers = [
            poller(0.5 + number * GOLDEN % 1 / 2, self._tell, self._stir) for number, poller in enumerate(make)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: deque[list[Said]] = deque()
        self._count = 0
        """Values in it."""
        self._news, self._room, self._moved = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def open(self, resume: Resume) -> None:
        """Returns once a unit of any link has answered; raises when none does. `resume` says nothing to a device."""
        if self._extra is not None:
            self._extra.check(self._protocol)
        self._news, self._room, self._moved = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._waiting.clear()
        self._count = 0
        for poller in self._pollers:
            poller.begin()
        self._tasks = [asyncio.create_task(poller.run(), name=poller.url) for poller in self._pollers]
        for task in self._tasks:
            task.add_done_callback(lambda _task: self._stir())
        while all(poller.answered < 0 for poller in self._pollers):
            self._check()
            self._moved.clear()
            await self._moved.wait()

    async def batches(self) -> AsyncIterator[Batch]:
        """What has come, in one batch; ends with `SourceUnavailable` when every link is lost."""
        while True:
            if said := self._take():
                yield Batch.of(said)
                continue
            self._check()
            self._news.clear()
            await self._news.wait()

    def _take(self) -> list[Said]:
        said: list[Said] = []
        while self._waiting and len(said) < BATCH_MAX:
            said += self._waiting.popleft()
        self._count -= len(said)
        if self._count < WAITING_MAX // 2:
            self._room.set()
        return said

    async def _tell(self, said: list[Said]) -> None:
        while self._count >= WAITING_MAX:
            self._room.clear()
            await self._room.wait()
        if said:
            self._waiting.append(said)
            self._count += len(said)
            self._news.set()

    def _stir(self) -> None:
        self._moved.set()
        self._news.set()

    def _check(self) -> None:
        """Raises `SourceUnavailable` when nothing is left to read, and what a poller should never have raised."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        lost = [poller.lost for poller in self._pollers if poller.lost is not None]
        if len(lost) == len(self._pollers):
            more = f"; and {len(lost) - NAMED_MAX} more" if len(lost) > NAMED_MAX else ""
            raise SourceUnavailable(f"{self._protocol}: {'; '.join(lost[:NAMED_MAX])}{more}; {self._hint}")

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        self._room.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await ended(tasks)

    def healthy(self) -> bool:
        """Whether any unit has answered lately: where little is due, a probe asks."""
        return bool(self._tasks) and any(
            poller.lost is None and time.monotonic() - poller.answered < poller.proof_s for poller in self._pollers
        )

    def unproved_s(self) -> float:
        return min((time.monotonic() - poller.answered for poller in self._pollers), default=float("inf"))

    def relinked(self) -> Sequence[BaseException]:
        return [poller.relinked.popleft() for poller in self._pollers for _ in range(len(poller.relinked))]

    def problems(self) -> Sequence[str]:
        """Links that are lost, units that are silent, tags that are refused, cycles that were missed."""
        found = [problem for poller in self._pollers for problem in poller.problems()]
        return found[:20] + ([f"and {len(found) - 20} more"] if len(found) > 20 else [])
