"""Mails records: each a line of a digest, or at once in a message of its own.

A line is in the outbox before the record's offset is committed, and a message before it is sent. SMTP has no way to ask what
became of a message whose last answer was lost: it is sent again, the same bytes under the same Message-ID.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path as FilePath
from typing import NamedTuple

import structlog

from schemas.records import Derived
from sinks.base import Delivery, Positions, Rejected, Retryable, Unwritten
from sinks.email.config import EmailConfig, Report
from sinks.email.digest import Line, due, line, message
from sinks.email.outbox import REFUSED, UNDELIVERABLE, WAITING, Outbox, Ready
from sinks.email.server import Server
from sinks.kit.cloudevents import Unfit, checked
from sinks.webhook.event import fits

log = structlog.get_logger()

LOOK_S = 5.0
"""How often it is looked whether a digest is due."""
BACKOFF_S = (5.0, 300.0)


class Told(NamedTuple):
    """A record as a line."""

    delivery: Delivery
    report: Report
    line: Line
    at_once: bool


class Email:
    """One mail server. Its outbox belongs to one process."""

    def __init__(
        self, name: str, config: EmailConfig, folder: FilePath, clock: Callable[[], float] = time.time
    ) -> None:
        self._name, self._config, self._folder, self._clock = name, config, folder, clock
        self._server = Server(name, config)
        self._outbox: Outbox | None = None
        self._busy = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects when there is something to send. Raises `Retryable`."""
        await self.close()
        try:
            self._outbox = Outbox(self._folder, self._config.remembered_days, self._clock())
        except (OSError, sqlite3.Error) as error:
            raise Retryable(f"sink {self._name}: the outbox in {self._folder} cannot be opened: {error}") from error
        self._keeper = asyncio.create_task(self._keep(), name=f"mail {self._name}")

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        async with self._busy:
            outbox = self._opened()
            try:
                return await self._write(outbox, deliveries)
            except sqlite3.Error as error:
                raise Retryable(f"sink {self._name}: the outbox cannot be written: {error}") from error

    async def close(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            outbox.close()

    def _opened(self) -> Outbox:
        if self._outbox is None:
            raise Retryable(f"sink {self._name}: not open; mail server {self._config.host}:{self._config.port}")
        return self._outbox

    async def _write(self, outbox: Outbox, deliveries: Sequence[Delivery]) -> list[Unwritten]:
        unwritten: list[Unwritten] = []
        told: list[Told] = []
        for delivery in deliveries:
            try:
                told += self._told(outbox, delivery)
            except Unfit as error:
                unwritten.append(Rejected(delivery, "unfit", str(error)))
        now = self._clock()
        outbox.add([(one.report.name, one.line) for one in told], now)
        single: dict[str, Delivery] = {}
        for one in told:
            if one.at_once:
                made = message(self._config, self._name, one.report, [one.line], now)
                outbox.put(one.report.name, made, self._config.recipients(one.report), [one.line], now)
                single[made.message_id] = one.delivery
        await self._send(outbox, single)
        for message_id, delivery in single.items():
            outcome = outbox.outcome(message_id)
            words = [
                f"{mailbox}: {said}" for mailbox, (state, said) in outcome.items() if state in (REFUSED, UNDELIVERABLE)
            ]
            if words and len(words) == len(outcome):
                code = outcome.popitem()[1][1][:3]
                unwritten.append(Rejected(delivery, f"smtp_{code}", "; ".join(words)))
        return unwritten

    def _told(self, outbox: Outbox, delivery: Delivery) -> list[Told]:
        """A line for each report that is to have it: because it fits, or because an earlier revision did. Raises `Unfit`."""
        record = checked(delivery)
        found = []
        for report in self._config.reports:
            if isinstance(record, report.kind) and (one := self._of(outbox, report, record)) is not None:
                at_once = report.at_once is not None and not record.withdrawn and fits(report.at_once, record)
                found.append(Told(delivery, report, one, at_once))
        return found

    def _of(self, outbox: Outbox, report: Report, record: Derived) -> Line | None:
        one = line(self._config, report, record)
        known = outbox.known(report.name, record.natural_id)
        fitting = fits(report, record) and not record.withdrawn
        if known is None:
            return one if fitting else None
        if record.revision < known:
            return None
        return one if fitting or record.withdrawn else one._replace(text=f"no longer: {one.text}", withdrawn=True)

    # -- sending -----------------------------------------------------------------------------------------------

    async def _send(self, outbox: Outbox, single: dict[str, Delivery]) -> None:
        """Makes the digests that are due, and sends what is ready. Raises `Retryable`."""
        now = self._clock()
        for report in self._config.reports:
            first = outbox.first(report.name)
            if first is not None and due(report, self._config.zone, first, now) <= now:
                lines = outbox.waiting(report.name)
                made = message(self._config, self._name, report, lines, now)
                outbox.put(report.name, made, self._config.recipients(report), lines, now)
        ready = list(outbox.ready())
        try:
            await self._server.send(ready, lambda *said: self._settle(outbox, *said))
        finally:
            digests = [one for one in ready if one.message_id not in single]
            nobody = [words for one in digests if (words := self._for_nobody(outbox, one))]
        if nobody:
            raise Retryable(f"sink {self._name}: a digest reaches nobody: {nobody[0]}; see `to`")

    def _settle(self, outbox: Outbox, message_id: str, mailbox: str, state: str, words: str) -> None:
        outbox.settle(message_id, mailbox, state, words)
        if state in (REFUSED, UNDELIVERABLE):
            log.warning("mail refused", sink=self._name, mailbox=mailbox, reason=words)

    def _for_nobody(self, outbox: Outbox, one: Ready) -> str:
        """A digest that every mailbox refuses is kept: it goes when somebody can be reached."""
        outcome = outbox.outcome(one.message_id)
        if not outcome or any(state != REFUSED for state, _ in outcome.values()):
            return ""
        for mailbox in outcome:
            outbox.settle(one.message_id, mailbox, WAITING)
        return "; ".join(f"{mailbox}: {words}" for mailbox, (_, words) in outcome.items())

    async def _keep(self) -> None:
        """Digests go though nothing new comes."""
        wait_s = BACKOFF_S[0]
        while True:
            await asyncio.sleep(min(LOOK_S, wait_s) if wait_s == BACKOFF_S[0] else wait_s)
            async with self._busy:
                if self._outbox is None:
                    return
                try:
                    await self._send(self._outbox, {})
                    wait_s = BACKOFF_S[0]
                except (Retryable, sqlite3.Error) as error:
                    wait_s = min(2 * wait_s, BACKOFF_S[1])
                    log.warning("mail waits", sink=self._name, reason=str(error))
