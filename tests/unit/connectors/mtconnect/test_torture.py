"""An agent with a small buffer, and a reader, hurt at random: each value is read once and in order, or lies in a gap that is
told, by the connector or, as in the runner, of the time in which nobody listened."""

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import aclosing

import pytest

from connectors.base import Batch, Safe, SourceUnavailable
from connectors.mtconnect import agent as agent_module
from connectors.mtconnect.config import MtConnectConfig
from connectors.mtconnect.connector import MtConnectConnector
from schemas.records import Gap
from tests.contract.reader_mtconnect import conversation
from tests.contract.source_mtconnect import Agent, agent, config
from tests.contract.sources import PATH
from topology.namespace.path import Path
from uns.runners.connector.listening import Listening
from uns.testing.patience import patient

STEPS = 30
ON_ITS_WAY_S = 0.1
"""How long a document is on its way: so much after what it tells we take it for known. On an idle machine."""


def _now() -> int:
    return time.time_ns() // 1000


class Process:
    """What lives until it is killed: a connector, and who reads it. What is safe outlives it."""

    def __init__(self, options: MtConnectConfig, safe: dict[tuple[Path, str], Safe], last: int | None) -> None:
        self.options, self.connector = options, MtConnectConnector("mills", options)
        self.safe, self.listening = safe, Listening("mills", last)
        self.values: list[int] = []
        self.gaps: dict[str, Gap] = {}
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]

    async def kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self.connector.close()

    async def _listen(self) -> None:
        while True:
            if self.connector.healthy():
                self.listening.good(_now() - int(self.connector.unproved_s() * 1_000_000))
            await asyncio.sleep(0.005)

    async def _read(self) -> None:
        while True:
            try:
                await self.connector.open(dict(self.safe))
                self._tell(self.listening.opened(_now(), [PATH] if self.safe else [], None).values())
                stream = self.connector.batches()
                async with aclosing(stream):  # type: ignore[type-var]
                    async for batch in stream:
                        self._take(batch)
            except SourceUnavailable:
                self.listening.lost()
            await self.connector.close()
            await asyncio.sleep(0.02)

    def _take(self, batch: Batch) -> None:
        self._tell(self.listening.dropped({path: span for (path, _), span in batch.missed.items()}).values())
        self._tell(self.listening.caught_up(batch.caught_up).values())
        for reading in batch.readings:
            sample, key = reading.sample, (reading.path, reading.sample.tag)
            if key not in self.safe or sample.at >= self.safe[key].at:
                self.safe[key] = Safe(sample.at, sample.value, sample.quality)
            if sample.tag == "State" and not sample.quality:
                assert isinstance(sample.value, int)
                self.values.append(sample.value)

    def _tell(self, facts: Iterable[object]) -> None:
        self.gaps |= {gap.id: gap for gap in facts if isinstance(gap, Gap)}


async def _hurt(serving: Agent, chance: random.Random) -> bool:
    """Does something bad to an agent; True: the reader is to be killed."""
    what = chance.choice(["cut", "cut_after", "restart", "garble", "mute", "stop", "poison", "kill", *[""] * 8])
    if what == "cut":
        serving.cut()
    elif what == "cut_after":
        serving.cut_after = chance.randrange(300, 9_000)
    elif what == "restart":
        await serving.restart()
    elif what == "garble":
        serving.garbled = chance.randrange(1, 3)
    elif what == "mute":
        serving.mute = True
        await asyncio.sleep(chance.choice([0.05, 0.4]))
        serving.mute = False
    elif what == "stop":
        await serving.stop()
        await serving.start()
    elif what == "poison":
        serving.tell("Name", _now(), "\x01")
    return what == "kill"


@pytest.mark.parametrize(("seed", "buffer", "count"), [(1, 15, 7), (2, 60, 1000), (3, 2_000, 50)])
@conversation
async def test_each_value_is_read_once_and_in_order_or_lies_in_a_gap(
    seed: int, buffer: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "BACKOFF_S", (0.02, 0.1))
    chance, said = random.Random(seed), list[int]()  # the time of each value
    async with agent(buffer=buffer, chunk=chance.choice([50, 700, 1 << 16])) as serving:
        options = config(serving, timeout_s=0.25, heartbeat_s=0.1, count=count, poll_s=0.05, interval_ms=2)
        processes = [Process(MtConnectConfig.model_validate(options), {}, None)]
        for _ in range(STEPS):
            for _ in range(chance.choice([1, 3, 20, 50])):
                serving.tell("State", at := _now(), len(said))
                said.append(at)
            if await _hurt(serving, chance):
                old = processes[-1]
                await old.kill()
                processes.append(Process(old.options, old.safe, old.listening.last))
            await asyncio.sleep(chance.choice([0, 0.005, 0.03]))
        serving.tell("State", at := _now(), len(said))
        said.append(at)
        async with asyncio.timeout(patient(20)):
            while len(said) - 1 not in processes[-1].values[-1:]:  # noqa: ASYNC110 - a condition of the test
                await asyncio.sleep(0.01)
        await processes[-1].kill()
    values = [value for process in processes for value in process.values]
    gaps = {id_: gap for process in processes for id_, gap in process.gaps.items()}.values()
    slack = int(patient(ON_ITS_WAY_S) * 1_000_000)
    assert values == sorted(set(values))
    lost = set(range(values[0], len(said))) - set(values)
    assert not [n for n in lost if not any(g.started_at - slack <= said[n] <= (g.ended_at or 0) + slack for g in gaps)]
    assert len(values) > 10
