"""Writes through a sink as the runner does: what is deferred comes again, what is away is waited for."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sinks.base import Deferred, Delivery, Retryable, Unwritten
from sinks.rest import spec
from uns.testing.patience import patient

TURN_S = 0.02


async def delivered(config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery], deadline_s: float = 30.0) -> list[Unwritten]:  # fmt: skip
    """What became of those that were not written, once nothing is deferred any more."""
    sink = spec.build("mes", spec.config.model_validate(config), folder)
    await sink.open()
    verdicts: list[Unwritten] = []
    deadline = time.monotonic() + patient(deadline_s)
    waiting, seen = list(deliveries), "nothing"
    try:
        while waiting:
            assert time.monotonic() < deadline, f"still waiting for {len(waiting)}: {seen}"
            try:
                unwritten = await sink.write(waiting, {})
            except Retryable as error:
                seen = str(error)
                await asyncio.sleep(TURN_S)
                continue
            deferred = [each for each in unwritten if isinstance(each, Deferred)]
            verdicts += [each for each in unwritten if not isinstance(each, Deferred)]
            waiting = [each.delivery for each in deferred]
            if deferred:
                seen = deferred[0].message
                await asyncio.sleep(TURN_S)
    finally:
        await sink.close()
    return verdicts
