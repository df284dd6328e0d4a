"""The MTConnect connector as a process that is killed, between an agent and real Kafka: the agent's buffer closes the gap, or
it stands where the agent began anew."""

import asyncio
import time
from pathlib import Path

import pytest

from schemas.records import Gap
from tests.contract.source_mtconnect import agent, config
from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, World
from topology.namespace.classes import MessageClass

LISTENED_S = 1.5
"""Longer than a heart beat of the runner."""


def gaps(world: World) -> list[Gap]:
    records = [world.codec.decode(message.value()) for message in world.messages(MessageClass.RAW)]
    return [record for record in records if isinstance(record, Gap)]


@pytest.mark.parametrize("restarted", [False, True], ids=["agent lives", "agent restarted"])
def test_a_kill_is_filled_from_the_agents_buffer(
    kafka: str, registry: str, enterprise: str, tmp_path: Path, restarted: bool
) -> None:
    async def go() -> None:
        async with agent() as serving:
            options = config(serving)
            options["agents"][0]["machines"] = [{"path": f"{enterprise}/dallas/packaging/line-1/filler"}]
            entry = {"protocol": "mtconnect", "config": options}
            world = await asyncio.to_thread(World.make, tmp_path, kafka, registry, enterprise, entry)

            def say(begin: int, end: int) -> None:
                for n in range(begin, end):
                    serving.tell("State", time.time_ns() // 1000, n)

            def values() -> list[object]:
                return [sample.value for sample in world.samples("State") if not sample.quality]

            process = await asyncio.to_thread(world.process().ready)
            try:
                say(0, 50)
                await asyncio.to_thread(eventually, lambda: values() == list(range(50)), DEADLINE_S, "it runs")
                await asyncio.sleep(LISTENED_S)
                process.kill()
                if restarted:
                    await serving.restart()
                say(50, 150)
                process = await asyncio.to_thread(world.process().ready)
                told = 1 if restarted else 2
                await asyncio.to_thread(
                    eventually, lambda: len(gaps(world)) == told, DEADLINE_S, process.log(), every_s=0.3
                )
                say(150, 200)
                await asyncio.to_thread(eventually, lambda: values() == list(range(200)), DEADLINE_S, "each once")
                last = gaps(world)[-1]
                assert (last.ended_at == last.started_at) is not restarted, "taken back, where the agent has kept all"
                ledger = await asyncio.to_thread(world.settled)
                assert ledger.published == ledger.read == sum(len(record.samples) for record in world.records())
            finally:
                process.kill()

    asyncio.run(go())
