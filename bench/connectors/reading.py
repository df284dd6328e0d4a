"""A connector alone, without runner and Kafka: read for a while, and what that costs."""

import asyncio
import time
from collections.abc import Callable

from connectors.base import Batch, Connector

OPEN_S = 120.0


def read_for(connector: Connector, seconds: float, see: Callable[[Batch], None]) -> tuple[int, float]:
    """Shows every batch to `see`; (values, cores)."""
    return asyncio.run(_read(connector, seconds, see))


async def _read(connector: Connector, seconds: float, see: Callable[[Batch], None]) -> tuple[int, float]:
    async with asyncio.timeout(OPEN_S):
        await connector.open({})
    read = 0
    begun, cpu = time.monotonic(), time.process_time()
    try:
        async for batch in connector.batches():
            see(batch)
            read += len(batch.readings)
            if time.monotonic() - begun > seconds:
                break
        return read, (time.process_time() - cpu) / (time.monotonic() - begun)
    finally:
        await connector.close()
