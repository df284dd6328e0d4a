"""A sink in a process that is killed: it writes batch after batch as the runner does, and keeps how far it is in a file, as
Kafka keeps a group's offsets."""

import asyncio
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from sinks.base import Delivery, Retryable
from uns.model.components import sink_spec
from uns.testing.patience import patient

_context: ForkServerContext = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.harness.sink_process", "sinks.mqtt", "sinks.webhook", "sinks.email"])


def committed(file: Path) -> int:
    return int(file.read_text()) if file.exists() else 0


def _run(
    kind: str, config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery], size: int, written: Any
) -> None:
    """`written` is told of each batch that the target has, before it is committed; and waited for."""
    asyncio.run(_write(kind, config, folder, deliveries, size, written))


async def _write(kind: str, config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery], size: int, written: Any) -> None:  # fmt: skip
    file = folder / "committed"
    spec = sink_spec(kind)
    sink = spec.build("killed", spec.config.model_validate(config), folder / "state")
    while True:
        try:
            await sink.open()
            while (begin := committed(file)) < len(deliveries):
                assert await sink.write(deliveries[begin : begin + size], {}) == []
                await asyncio.to_thread(written.put, begin)
                await asyncio.sleep(0.02)  # here a kill finds the target done, and Kafka not
                draft = folder / "draft"
                draft.write_text(str(min(begin + size, len(deliveries))))
                draft.replace(file)
            break
        except Retryable:
            await asyncio.sleep(0.02)
    await sink.close()


def killed(
    kind: str, config: dict[str, Any], folder: Path, deliveries: Sequence[Delivery], kills: int, size: int = 20
) -> int:
    """Writes all of it, over so many deaths: every second one between the target's word and ours, the others anywhere.
    Returns how many there were."""
    folder.mkdir(parents=True, exist_ok=True)
    chance, done = random.Random(kills), 0
    while committed(folder / "committed") < len(deliveries):
        written = _context.Queue()
        process = _context.Process(target=_run, args=(kind, config, folder, deliveries, size, written), daemon=True)
        process.start()
        try:
            if done < kills:
                written.get(timeout=patient(60))
                if done % 2:
                    time.sleep(chance.random() * 0.05)
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                done += 1
            process.join(patient(60))
            assert process.exitcode in (0, -signal.SIGKILL)
        finally:
            process.kill()
            process.join()
    return done
