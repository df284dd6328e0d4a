"""The worker as a process: signals, health, and an end that says why."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import structlog

from uns.engine.failure import Exit, Fatal
from uns.engine.worker import Worker, use_uvloop
from uns.runtime import telemetry
from uns.runtime.settings import Settings

log = structlog.get_logger()
YOUNG_MAX = 400_000
"""Objects between two collections: a group holds hundreds of thousands, all of which die with it and none in a cycle. So
a collection falls between groups, as a rule, where it has little to look at."""


def serve(settings: Settings, make: Callable[[], Worker]) -> NoReturn:
    """Runs one worker until SIGTERM or SIGINT, or until it ends itself; the exit code is an `Exit`."""
    telemetry.configure_logs(settings)
    # Rebalances are daily work: aiokafka warns of each, and the worker says itself what it owns.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)
    use_uvloop()
    gc.freeze()  # what is imported stays
    gc.set_threshold(YOUNG_MAX, 10, 10)
    asyncio.run(_serve(settings, make))
    raise AssertionError("unreachable: the worker ends the process")


async def _serve(settings: Settings, make: Callable[[], Worker]) -> NoReturn:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code, worker = Exit.STOPPED, make()
    address = telemetry.serve(settings.bind, settings.metrics_port, worker.live, worker.ready)
    log.info("processors run", worker=worker.name, metrics=f"{address}/metrics")
    try:
        await worker.run(stop)
    except Fatal as fatal:
        code = fatal.code
        log.error("worker ends, a restart goes on from the last commit", why=str(fatal), exit=f"{code} {code.name}")
    except Exception as error:
        code = Exit.CONSUMER
        log.exception("worker ends by a bug, a restart goes on from the last commit", why=repr(error), exit=int(code))
    # Crash-only: no thread of a client, and no buffered record, outlives the decision to end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
