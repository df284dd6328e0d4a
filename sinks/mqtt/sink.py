"""Mirrors the namespace on a broker: every record is told, the newest of each kind is retained.

Told at least once, under an id that says when it is told again. What is retained is exact: a ledger has what it is to be,
and at each new link the broker is asked what it has.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path as FilePath

import structlog

from sinks.base import Deferred, Delivery, Positions, Rejected, Removed, Retryable, Unwritten
from sinks.kit.cloudevents import Unfit
from sinks.mqtt.config import MirrorConfig
from sinks.mqtt.ledger import Ledger
from sinks.mqtt.link import QUOTA, WIDE_QOS, Link, Lost, Refusal
from sinks.mqtt.message import Message
from sinks.mqtt.newest import Newest
from sinks.mqtt.plan import Payloads, Planner, Prepared, known_of, prepared, retained
from sinks.mqtt.suspect import Suspect, place_of
from sinks.mqtt.topics import BadTopic, filters, inside

log = structlog.get_logger()

QUOTA_WAIT_S = 5.0
REOPEN_S = (1.0, 30.0)
"""How long an idle mirror waits before it looks for a lost broker again."""
CHECKED_MAX = 1_000
"""Topics that are compared in one go when a link is new."""


class Mirror:
    """One broker. Its ledger belongs to one process."""

    def __init__(self, name: str, config: MirrorConfig, folder: FilePath) -> None:
        self._name, self._config, self._folder = name, config, folder
        self._link: Link | None = None
        self._ledger: Ledger | None = None
        self._newest = Newest()
        self._removed: dict[str, int] = {}
        self._suspect = Suspect(config.tries, config.tries_s)
        self._busy = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects, and mends what the broker has retained. Raises `Retryable`."""
        async with self._busy:
            await self._open()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep(), name=f"mirror {self._name}")

    async def _open(self) -> None:
        await self._leave()
        try:
            self._ledger = self._ledger or Ledger(self._folder)
            self._newest, self._removed = self._ledger.load(), self._ledger.removed()
        except (OSError, sqlite3.Error) as error:
            raise Retryable(f"sink {self._name}: the ledger in {self._folder} cannot be opened: {error}") from error
        self._link = link = Link(self._name, self._config)
        try:
            await link.open()
            await self._mend(link, self._ledger)
        except BaseException:
            await self._leave()
            raise

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
            try:
                for gone, part in groupby(deliveries, lambda each: isinstance(each.record, Removed)):
                    if gone:
                        for delivery in part:
                            unwritten += await self._take_out(link, ledger, delivery)
                    else:
                        unwritten += await self._tell(link, ledger, list(part))
            except BaseException as error:
                link.lost.set()  # what is known of the broker may not be so: the next one is asked
                if isinstance(error, sqlite3.Error):
                    raise Retryable(f"sink {self._name}: the ledger cannot be written: {error}") from error
                raise
            return unwritten

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

    async def _keep(self) -> None:
        """A broker that comes back empty is filled again, though nothing is to be written."""
        wait_s = REOPEN_S[0]
        while True:
            link = self._link
            if link is not None:
                await link.lost.wait()
            await asyncio.sleep(wait_s)
            async with self._busy:
                if self._link is not None and not self._link.lost.is_set():
                    wait_s = REOPEN_S[0]
                    continue
                try:
                    await self._open()
                    wait_s = REOPEN_S[0]
                except Retryable as error:
                    wait_s = min(2 * wait_s, REOPEN_S[1])
                    log.info("looking for the broker", sink=self._name, reason=str(error))

    # -- records -----------------------------------------------------------------------------------------------

    async def _tell(self, link: Link, ledger: Ledger, deliveries: Sequence[Delivery]) -> list[Unwritten]:
        unwritten: list[Unwritten] = []
        ready: list[Prepared] = []
        for delivery in deliveries:
            try:
                ready.append(prepared(self._config, delivery))
            except Unfit as error:
                unwritten.append(Rejected(delivery, "unfit", str(error)))
        planner = self._planner(ledger)
        unknown = {topic: None for one in ready for topic in one.topics if topic not in self._newest}
        await self._learn(link, planner.payloads, list(unknown))
        for careful, part in groupby(ready, lambda one: one.delivery in self._suspect):
            for some in ([one] for one in part) if careful else [list(part)]:
                unwritten += await self._publish(link, planner, some, careful)
        ledger.save(self._newest, self._newest.settle(), planner.payloads, time.time())
        return unwritten

    def _planner(self, ledger: Ledger) -> Planner:
        def stored(topic: str, natural_id: str) -> bytes | None:
            found = ledger.payload(topic, natural_id)
            return None if found is None else found[0]

        return Planner(self._config, self._newest, stored, self._removed)

    async def _publish(self, link: Link, planner: Planner, ready: Sequence[Prepared], alone: bool) -> list[Unwritten]:
        """`alone`: one record over which the link may end."""
        if alone and (words := self._suspect.verdict(ready[0].delivery, time.monotonic())) is not None:
            return [Rejected(ready[0].delivery, "link_ended", words)]
        messages: list[Message] = []
        owners: list[Prepared] = []
        for one in ready:
            for message in planner.messages(one):
                messages.append(message)
                owners.append(one)
        try:
            refusals = await link.publish(messages, window=1 if alone else None)
        except Lost as lost:
            guilty = {place_of(owners[place].delivery) for place in lost.open}
            self._suspect.ended(guilty, alone, str(lost), time.monotonic())
            raise
        if alone:
            self._suspect.done(ready[0].delivery)
        return list(self._refused(owners, messages, refusals))

    def _refused(
        self, owners: Sequence[Prepared], messages: Sequence[Message], refusals: dict[int, Refusal]
    ) -> Iterator[Unwritten]:
        seen: set[int] = set()
        for place, refusal in sorted(refusals.items()):
            self._newest.forget(messages[place].topic)
            one = owners[place]
            if id(one) in seen:
                continue
            seen.add(id(one))
            words = f"{messages[place].topic}: {refusal.words}"
            if refusal.code == QUOTA:
                yield Deferred(one.delivery, words, QUOTA_WAIT_S)
            else:
                yield Rejected(one.delivery, f"mqtt_{refusal.code:02x}", words)

    async def _take_out(self, link: Link, ledger: Ledger, delivery: Delivery) -> list[Unwritten]:
        """A path that is none of the plant any more: nothing of it stays retained."""
        path = delivery.record.path  # type: ignore[union-attr]
        try:
            asked = filters(self._config.prefix, path)
        except BadTopic as error:
            return [Rejected(delivery, "unfit", str(error))]
        ledger.remove(path, delivery.ingested_at)
        self._removed[path] = delivery.ingested_at
        refusals = await self._clear(link, ledger, path, self._newest)
        try:
            found: Iterable[str] = await link.retained(asked, WIDE_QOS)
        except (
            Retryable
        ):  # more than a broker hands out at once: what came is cleared when the link is new, and then the rest
            self._forget(ledger, [topic for topic in link.heard if inside(self._config.prefix, path, topic)])
            raise
        for refusal in [*refusals, *await self._clear(link, ledger, path, found)]:
            return [Rejected(delivery, f"mqtt_{refusal.code:02x}", refusal.words)]
        return []

    async def _clear(self, link: Link, ledger: Ledger, path: str, found: Iterable[str]) -> list[Refusal]:
        # What comes is looked at once more: amqtt answers such filters with what lies elsewhere, too.
        topics = [topic for topic in found if inside(self._config.prefix, path, topic)]
        refusals = await link.publish([Message(topic, b"", True) for topic in topics])
        self._forget(ledger, topics)
        return list(refusals.values())

    def _forget(self, ledger: Ledger, topics: Sequence[str]) -> None:
        """From now on nothing is to be retained there."""
        for topic in topics:
            self._newest.clear(topic)
        ledger.save(self._newest, self._newest.settle(), {}, time.time())

    # -- what the broker has -----------------------------------------------------------------------------------

    async def _learn(self, link: Link, payloads: Payloads, topics: Sequence[str]) -> None:
        """What is retained on topics that are not known yet: an older ledger, or another machine, may have told it."""
        found = await link.retained(topics) if topics else {}
        for topic in topics:
            known = known_of(topic, found[topic]) if topic in found else None
            if known is None:
                self._newest.empty(topic)
            else:
                self._newest.put(topic, known)
                payloads[topic, known] = found[topic]

    async def _mend(self, link: Link, ledger: Ledger) -> None:
        """The broker may have lost what it confirmed, or go back to what it saved last; and so may we."""
        topics, mended, adopted = list(self._newest), 0, 0
        for begin in range(0, len(topics), CHECKED_MAX):
            some = topics[begin : begin + CHECKED_MAX]
            found = await link.retained(some)
            payloads: Payloads = {}
            wrong: list[Message] = []
            for topic in some:
                message = self._compared(ledger, topic, found.get(topic), payloads)
                wrong += [] if message is None else [message]
            refusals = await link.publish(wrong)
            for place in refusals:
                self._newest.forget(wrong[place].topic)
            ledger.save(self._newest, self._newest.settle(), payloads, time.time())
            mended, adopted = mended + len(wrong) - len(refusals), adopted + len(payloads)
        if mended or adopted:
            log.info("the broker's retained messages are as they should be again", sink=self._name, topics=len(topics), mended=mended, adopted=adopted)  # fmt: skip

    def _compared(self, ledger: Ledger, topic: str, found: bytes | None, payloads: Payloads) -> Message | None:
        """What is to be retained instead; None: it is right, or newer than what we know."""
        top = self._newest.top(topic)
        if top is None:
            return Message(topic, b"", True) if found else None
        theirs = known_of(topic, found) if found else None
        if found is not None and theirs is not None and theirs > top:
            self._newest.put(topic, theirs)
            payloads[topic, theirs] = found
            return None
        stored = ledger.payload(topic, top.natural_id)
        if stored is None or stored[0] == found:
            return None
        payload, published_at = stored
        if self._config.expiry_s is None:
            return retained(topic, payload, None)
        left_s = int(published_at + self._config.expiry_s - time.time())
        return retained(topic, payload, left_s) if left_s > 0 else None
