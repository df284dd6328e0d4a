"""The agents as a connector: each is read by a task of its own, and what they say is handed over in one line."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from connectors.base import Batch, Resume, SourceUnavailable
from connectors.kit.tasks import ended
from connectors.mtconnect.agent import Agent
from connectors.mtconnect.config import MtConnectConfig

WAITING_MAX = 32
"""Documents read and not yet taken; then the agents wait, and keep in their buffers what comes."""
GRACE_S = 1.0
"""How long those agents that answer wait for one that does not."""
NAMED_MAX = 5
"""Agents that an error names."""


class MtConnectConnector:
    """Every observation once and in the order of its agent's sequence, as far back as the agent's buffer goes. One agent
    that is away is named by `problems`, the others are read; all away is a source that is away.
    """

    def __init__(self, name: str, config: MtConnectConfig) -> None:
        self._agents = [Agent(name, agent, config, self._put, self._wake) for agent in config.agents]
        self._waiting: asyncio.Queue[Batch] = asyncio.Queue(WAITING_MAX)
        """Outlives a connection: an agent does not go back to what it has handed over."""
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._open = False

    async def open(self, resume: Resume) -> None:
        """Meets the agents, all at once. Those that are away are tried again beside the others."""
        meetings = [asyncio.create_task(self._meet(agent, resume)) for agent in self._agents]
        try:
            waiting, left_s = set(meetings), None
            while waiting:
                met, waiting = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if not met:
                    break
                answers = [meeting.result() for meeting in met]
                if any(answers):
                    left_s = GRACE_S
        finally:
            await ended(meetings)
        self._check()
        self._open = True

    async def _meet(self, agent: Agent, resume: Resume) -> bool:
        """Whether the agent answers."""
        try:
            await agent.open(resume)
        except SourceUnavailable as error:
            agent.away = str(error)
        return agent.away is None

    async def batches(self) -> AsyncIterator[Batch]:
        """One batch for each document. Raises `SourceUnavailable` once no agent answers."""
        for agent in self._agents:
            task = asyncio.create_task(agent.run(), name="agent")
            task.add_done_callback(lambda _task: self._wake())
            self._tasks.append(task)
        try:
            while True:
                self._news.clear()
                while not self._waiting.empty():
                    yield self._waiting.get_nowait()
                self._check()
                await self._news.wait()
        finally:
            await self._end()

    async def _put(self, batch: Batch) -> None:
        await self._waiting.put(batch)
        self._wake()

    def _wake(self) -> None:
        self._news.set()

    def _check(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()  # a task ends by a bug alone, which comes out as one
        away = [agent.away for agent in self._agents if agent.away is not None]
        if len(away) == len(self._agents):
            raise SourceUnavailable("; ".join(away[:NAMED_MAX]))

    async def _end(self) -> None:
        tasks, self._tasks = self._tasks, []
        await ended(tasks)

    def healthy(self) -> bool:
        """Whether an agent spoke within its heartbeat; one alone that is silent is named by `problems`."""
        return self._open and any(agent.alive for agent in self._agents)

    def relinked(self) -> Sequence[BaseException]:
        return [agent.relinked.popleft() for agent in self._agents for _ in range(len(agent.relinked))]

    def unproved_s(self) -> float:
        """Of the agents that are read, since when we do not know all that one has: a gap after our death begins there."""
        read = [agent.pulse.behind_s for agent in self._agents if agent.away is None]
        return max(read) if read else min(agent.pulse.behind_s for agent in self._agents)

    def problems(self) -> Sequence[str]:
        """Agents that are away or silent, devices and data items that they do not have."""
        return [problem for agent in self._agents for problem in agent.problems()]

    async def close(self) -> None:
        self._open = False
        await self._end()
        for agent in self._agents:
            await agent.close()
