"""A runner reads its source while its name is held by this process, and stands by while another host's has it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from uns.runners.connector.lease import Lease
from uns.runners.connector.ledger import FOLDER
from uns.runners.connector.runner import ConnectorRunner
from uns.runtime.settings import Settings

log = structlog.get_logger()

PATIENCE_S = 5.0
"""So long Kafka is asked before the source is opened. A start while it is away goes by what it said last."""


class Standing:
    """`run` beside the runner, then `close`."""

    def __init__(self, settings: Settings, topic: str, runner: ConnectorRunner, alive: Callable[[], bool]) -> None:
        """Makes the runner stand by until `run` says otherwise. `topic`: of leases. `alive`: whether the loop turns."""
        self._runner, self._news = runner, asyncio.Event()
        loop = asyncio.get_running_loop()

        def changed() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._news.set)

        folder = settings.state_dir / FOLDER / runner.name
        self._lease = Lease(settings, topic, runner.name, folder, lambda: runner.spool.listened, alive, changed)
        runner.source.stands_by("Kafka is asked whether another host runs a connector of this name")

    async def run(self) -> None:
        """Until it is cancelled. While Kafka is away all stays as it was."""
        self._lease.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._news.wait()
        if self._lease.ours is None:
            self._undecided()
        while True:
            if self._lease.ours is not None:
                self._decided(self._lease.ours)
            self._news.clear()
            await self._news.wait()

    def _undecided(self) -> None:
        """Kafka does not say. What a source tells meanwhile nobody may tell again, so who last had it, or never asked, reads."""
        source = self._runner.source
        if self._runner.spool.ours or self._lease.unseen is not None:
            source.holds(None)
        else:
            source.stands_by(
                "Kafka is away, and when it last answered another host's connector of this name read the source"
            )

    def _decided(self, ours: bool) -> None:
        source, name = self._runner.source, self._runner.name
        if ours != self._runner.spool.ours:
            self._runner.spool.leases(ours)
        if ours:
            tenure = self._lease.tenure
            assert tenure is not None
            if source.standby is not None:
                log.debug("the source is ours to read", connector=name)
            source.holds(tenure.listened)
        else:
            words = self._lease.words()
            if source.standby != words:
                log.warning("stands by", connector=name, why=words)
            source.stands_by(words)

    def close(self) -> None:
        """Gives the name back. Blocks for a moment."""
        self._lease.close()
