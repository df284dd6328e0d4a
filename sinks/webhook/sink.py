"""Posts each record that is an event, and remembers what was taken.

At least once, under an id that says when an event comes again: where an answer is lost, nobody knows whether it was taken.
Events of a path follow each other; those of different paths go beside each other, and a held one holds back its path alone.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath

from schemas.records import Current
from sinks.base import Deferred, Delivery, Positions, Rejected, Retryable, Unwritten
from sinks.kit.cloudevents import Unfit, checked
from sinks.kit.suspects import Suspects
from sinks.webhook.config import WebhookConfig
from sinks.webhook.event import Event, body, event, wanted
from sinks.webhook.ledger import Ledger
from sinks.webhook.post import Failed, Heard, Post, Refused

FAILURES_MAX = 3
"""In a row, of one call; then the rest of it is not tried: most likely the receiver is away."""


class Webhook:
    """One receiver. Its ledger belongs to one process."""

    def __init__(self, name: str, config: WebhookConfig, folder: FilePath, heard: Heard | None = None) -> None:
        self._name, self._config, self._folder, self._heard = name, config, folder, heard
        self._post: Post | None = None
        self._ledger: Ledger | None = None
        self._suspects = Suspects(config.tries, config.tries_s)

    async def open(self) -> None:
        """Reads secrets. Connects with the first event. Raises `Retryable`."""
        await self.close()
        self._post = Post(self._name, self._config, self._heard)
        try:
            self._ledger = Ledger(self._folder, self._config.remembered_days)
        except (OSError, sqlite3.Error) as error:
            await self.close()
            raise Retryable(f"sink {self._name}: the ledger in {self._folder} cannot be opened: {error}") from error

    async def positions(self) -> Positions | None:
        return None

    async def write(self, deliveries: Sequence[Delivery], positions: Positions) -> Sequence[Unwritten]:
        if self._post is None or self._ledger is None:
            raise Retryable(f"sink {self._name}: not open")
        call = _Call(self._config, self._post, self._ledger, self._suspects)
        try:
            await call.run(deliveries)
        except sqlite3.Error as error:
            raise Retryable(f"sink {self._name}: the ledger cannot be written: {error}", call.sent) from error
        return call.unwritten()

    async def close(self) -> None:
        post, self._post = self._post, None
        ledger, self._ledger = self._ledger, None
        if post is not None:
            await post.close()
        if ledger is not None:
            ledger.close()


class _Call:
    """One call of `write`: what became of each record, and what it says about the others."""

    def __init__(self, config: WebhookConfig, post: Post, ledger: Ledger, suspects: Suspects) -> None:
        self._config, self._post, self._ledger, self._suspects = config, post, ledger, suspects
        self._rejected: list[Rejected] = []
        self._deferred: dict[tuple[str, int, int], Deferred] = {}
        self._failed: dict[tuple[str, int, int], Failed] = {}
        """Of those that failed alone."""
        self._held: set[str] = set()
        self._in_row = 0
        self._ended: Retryable | None = None
        self._probed = False
        self.sent = False

    async def run(self, deliveries: Sequence[Delivery]) -> None:
        """Raises `Retryable`."""
        if self._config.mode == "batch":
            for part in self._batches(deliveries):
                await self._put(part)
        else:
            chains: dict[str, list[Delivery]] = {}
            for delivery in deliveries:
                chains.setdefault(delivery.key, []).append(delivery)
            room = asyncio.Semaphore(self._config.parallel)
            untried_first = sorted(chains.values(), key=lambda chain: self._suspects.tried(_place(chain[0])))
            async with asyncio.TaskGroup() as group:
                for chain in untried_first:
                    group.create_task(self._chain(chain, room))
        if self._ended is not None:
            self._ended.progressed = self.sent
            raise self._ended

    def _batches(self, deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
        """In order; what failed before goes alone, and last."""
        part: list[Delivery] = []
        tried = [delivery for delivery in deliveries if self._suspects.tried(_place(delivery))]
        keys = {delivery.key for delivery in tried}
        for delivery in (one for one in deliveries if one.key not in keys):
            part.append(delivery)
            if len(part) == self._config.batch_max:
                yield part
                part = []
        if part:
            yield part
        for delivery in (one for one in deliveries if one.key in keys):
            yield [delivery]

    async def _chain(self, chain: Sequence[Delivery], room: asyncio.Semaphore) -> None:
        for delivery in chain:
            async with room:
                await self._put([delivery])

    async def _put(self, deliveries: Sequence[Delivery]) -> None:
        events: list[Event] = []
        for delivery in deliveries:
            if self._ended is not None:
                return
            if self._waits(delivery):
                self._hold(delivery, "waits for what came before it")
                continue
            try:
                if (one := self._event(delivery)) is not None:
                    events.append(one)
            except Unfit as error:
                self._rejected.append(Rejected(delivery, "unfit", str(error)))
        if events:
            await self._send(events)

    def _waits(self, delivery: Delivery) -> bool:
        if self._in_row >= FAILURES_MAX:
            return True
        if delivery.key not in self._held:
            return False
        # Where nothing else is there to show that the receiver takes others, something behind the held one shows it.
        first = next(each.delivery for each in self._deferred.values() if each.delivery.key == delivery.key)
        if self.sent or self._probed or not self._suspects.lone(_place(first)):
            return True
        self._probed = True
        return False

    def _event(self, delivery: Delivery) -> Event | None:
        """None: nobody is to be told, or was already."""
        record = checked(delivery)
        if (matches := wanted(self._config, record)) is None:
            return None
        known = self._ledger.revision(record.natural_id) if not isinstance(record, Current) else None
        if (known is None and not matches) or (known is not None and known >= record.revision):
            return None
        return event(delivery, matches)

    async def _send(self, events: Sequence[Event]) -> None:
        try:
            await self._post.send(body(self._config.mode, events))
        except Unfit as error:
            await self._apart(events, Refused("unfit", str(error)))
        except Failed as failed:
            self._in_row += 1
            for one in events:
                self._suspects.failed(_place(one.delivery), failed.reason, str(failed), time.monotonic())
                self._hold(one.delivery, str(failed))
            if len(events) == 1:
                self._failed[_place(events[0].delivery)] = failed
        except Refused as refused:
            await self._apart(events, refused)
        except Retryable as error:
            self._ended = self._ended or error
        else:
            self.sent, self._in_row = True, 0
            for one in events:
                self._suspects.done(_place(one.delivery))
                if not isinstance(one.record, Current):
                    self._ledger.told(one.record.natural_id, one.record.revision)

    async def _apart(self, events: Sequence[Event], refused: Refused) -> None:
        """One of them is meant: it is found in halves."""
        if len(events) > 1:
            middle = len(events) // 2
            await self._send(events[:middle])
            if self._ended is None:
                await self._send(events[middle:])
            return
        delivery = events[0].delivery
        self._suspects.done(_place(delivery))
        self._rejected.append(Rejected(delivery, refused.reason, str(refused)))

    def _hold(self, delivery: Delivery, words: str) -> None:
        self._held.add(delivery.key)
        self._deferred[_place(delivery)] = Deferred(delivery, words)

    def unwritten(self) -> list[Unwritten]:
        """The verdicts, once it is known whether the receiver took anything."""
        outcomes: list[Unwritten] = list(self._rejected)
        now = time.monotonic()
        for place, deferred in self._deferred.items():
            failed = self._failed.get(place)
            words = self._suspects.blame(place, now) if failed is not None and self.sent else None
            outcomes.append(
                deferred if failed is None or words is None else Rejected(deferred.delivery, failed.reason, words)
            )
        return outcomes


def _place(delivery: Delivery) -> tuple[str, int, int]:
    return delivery.topic, delivery.partition, delivery.offset
