"""MTConnect agents in a process of their own: `python -m bench.connectors.mtconnect_agents AGENTS HERTZ`. Says its ports; each
agent counts up so often. Says how often it was late, and ends with its input."""

import asyncio
import sys
import time

from tests.contract.source_mtconnect import Agent

BUFFER_S = 20
"""How long an agent's buffer reaches back."""


async def serve(count: int, hertz: float) -> None:
    agents = [Agent(buffer=round(2 * hertz * BUFFER_S)) for _ in range(count)]
    for agent in agents:
        await agent.start()
    print(" ".join(str(agent.port) for agent in agents), flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    value, due, late = 0, time.monotonic(), 0
    while not ended.done():
        value += 1
        for agent in agents:
            now = time.time_ns() // 1000
            agent.tell("State", now, value)
            agent.tell("Speed", now, value / 7)
            agent.history.clear()  # of a short run nobody asks
        due += 1 / hertz
        late += due < time.monotonic()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    print(late, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
