"""The mirror as an edge node of Sparkplug B: each machine is a device, what `current` says of it are its metrics.

Sparkplug sends at QoS 0, and a host that has missed something asks for all births: so all is kept that a birth says, and what a
host knows in the end is what is so now, not each step to it.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path as FilePath

import structlog

from schemas.records import Current
from sinks.base import Delivery, LeftBehind, Positions, Rejected, Removed, Retryable, Unwritten
from sinks.kit.cloudevents import Unfit, checked
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.sparkplug.ledger import Ledger
from sinks.mqtt.sparkplug.link import EdgeLink
from sinks.mqtt.sparkplug.metrics import Metrics, metrics
from sinks.mqtt.sparkplug.session import Said, Session

log = structlog.get_logger()

REOPEN_S = (1.0, 30.0)
"""How long an idle edge node waits before it looks for a lost broker again."""
REBIRTH_S = 1.0
"""Births that hosts ask for are so far apart at least: many may ask at once."""


class EdgeNode:
    """One edge node at one broker. Effectively once: a snapshot that comes again is nothing new, and an older one is none."""

    def __init__(self, name: str, config: MirrorConfig, folder: FilePath) -> None:
        self._name, self._config, self._folder = name, config, folder
        self._ledger: Ledger | None = None
        self._link: EdgeLink | None = None
        self._records: dict[str, Current] = {}
        self._busy = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects, and says all births. Raises `Retryable`."""
        async with self._busy:
            await self._open()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep(), name=f"edge node {self._name}")

    async def _open(self) -> None:
        await self._leave()
        assert self._config.sparkplug is not None
        try:
            self._ledger = self._ledger or Ledger(self._folder)
            self._records, number = self._ledger.load(), self._ledger.next_birth()
        except (OSError, sqlite3.Error) as error:
            raise Retryable(f"sink {self._name}: the ledger in {self._folder} cannot be used: {error}") from error
        session = Session(self._config.sparkplug.group, self._config.sparkplug.node, number)
        self._link = link = EdgeLink(self._name, self._config, session)
        try:
            await link.open()
            await self._birth(link)
        except BaseException:
            await self._leave()
            raise

    async def _birth(self, link: EdgeLink) -> None:
        link.asked.clear()
        devices: list[tuple[str, Metrics]] = []
        for path, record in self._records.items():
            with suppress(Unfit):  # it was fit when it was kept
                devices.append((path, metrics(record)))
        await link.say(link.session.birth(devices, _now_ms()))

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        async with self._busy:
            link, ledger = self._link, self._ledger
            if link is None or ledger is None or link.lost.is_set():
                raise Retryable(link.words if link is not None else f"sink {self._name}: not open")
            unwritten: list[Unwritten] = []
            said: list[Said] = []
            new: dict[str, Current] = {}
            gone: set[str] = set()
            for delivery in deliveries:
                try:
                    said += self._said(link.session, delivery, new, gone)
                except Unfit as error:
                    unwritten.append(Rejected(delivery, "unfit", str(error)))
                except LookupError as error:
                    unwritten.append(LeftBehind(delivery, str(error.args[0])))
            try:
                # Kept before it is said: what a crash leaves unsaid is in the next birth.
                ledger.save(new, gone - new.keys())
                await link.say(said)
            except BaseException as error:
                link.lost.set()  # what hosts know is not known: all births are said again
                if isinstance(error, sqlite3.Error):
                    raise Retryable(f"sink {self._name}: the ledger cannot be written: {error}") from error
                raise
            return unwritten

    def _said(self, session: Session, delivery: Delivery, new: dict[str, Current], gone: set[str]) -> list[Said]:
        """Raises `Unfit`, and `LookupError` for a class that is none of an edge node's."""
        record = checked(delivery)
        if isinstance(record, Removed):
            self._records.pop(record.path, None)
            new.pop(record.path, None)
            gone.add(record.path)
            return list(session.gone(record.path, _now_ms()))
        if not isinstance(record, Current):
            raise LookupError(f"a {type(record).__name__}: a Sparkplug edge node says `current` alone")
        known = self._records.get(record.path)
        if known is not None and (known.started_at, known.revision) > (record.started_at, record.revision):
            return []
        told = metrics(record)
        self._records[record.path] = new[record.path] = record
        gone.discard(record.path)
        return list(session.device(record.path, told, _now_ms()))

    async def _keep(self) -> None:
        """Answers hosts that ask for births, and looks for a broker that is lost though nothing is to be written."""
        wait_s = REOPEN_S[0]
        while True:
            link = self._link
            if link is not None:
                await _first(link.asked, link.lost)
            await asyncio.sleep(wait_s if link is None or link.lost.is_set() else REBIRTH_S)
            async with self._busy:
                try:
                    if self._link is None or self._link.lost.is_set():
                        await self._open()
                    elif self._link.asked.is_set():
                        await self._birth(self._link)
                    wait_s = REOPEN_S[0]
                except Retryable as error:
                    wait_s = min(2 * wait_s, REOPEN_S[1])
                    log.info("looking for the broker", sink=self._name, reason=str(error))

    async def close(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        await self._leave()
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()


async def _first(*events: asyncio.Event) -> None:
    """Until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
