"""The Sparkplug host at work: links to all brokers, what they hear read by the host, what it asks sent."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from connectors.base import RELINKED_MAX, Batch, Resume, Said, SourceUnavailable
from connectors.kit.tasks import ended
from connectors.sparkplug.codec import rebirth_request
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from connectors.sparkplug.inbox import Heard, Inbox
from connectors.sparkplug.link import Link
from topology.sparkplug.topics import command_topic

log = structlog.get_logger()

BATCH_MAX = 5_000
"""Readings after which a batch is full; a message is never cut."""
TAKEN_MAX = 100
IDLE_S = 1.0
"""Longest wait before the links are looked at again."""
PAUSE_S = 0.05
"""Shortest time between two looks at what is due."""
BACKOFF_S = (1.0, 30.0)
STEADY_S = 30.0
"""A link that stood so long was a good one: it is tried again at once."""


class SparkplugConnector:
    """What edge nodes say is at most once, at QoS 0: what was missed cannot be asked again, only the present values, by a
    rebirth. One broker that is away silences none of the others.
    """

    def __init__(self, name: str, config: SparkplugConfig) -> None:
        self._name, self._config = name, config
        self._host = Host(config)
        self._inbox = Inbox()
        filters = self._host.places.topic_filters()
        self._links = [Link(n, broker, config, filters, self._inbox) for n, broker in enumerate(config.brokers)]
        self._keepers: list[asyncio.Task[None]] = []
        self._relinked: deque[BaseException] = deque(maxlen=RELINKED_MAX)
        """Open again the links that are lost while others stand."""
        self._news = asyncio.Event()
        self._looked = 0.0
        self._closed_at: int | None = None
        """µs: since then nobody is heard."""

    async def open(self, resume: Resume) -> None:
        """Connects to all brokers; one that answers is enough. `resume` is of no use: nothing can be asked again."""
        self._news, loop = asyncio.Event(), asyncio.get_running_loop()
        news = self._news

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for news any more
                loop.call_soon_threadsafe(news.set)

        self._inbox.opened(tell)
        opening = [asyncio.create_task(_opened(link), name=link.broker.url) for link in self._links]
        try:
            await self._one_stands(opening)
        except BaseException:
            for task in opening:
                task.cancel()
            raise
        self._keepers = [asyncio.create_task(self._keep(*both)) for both in zip(self._links, opening, strict=True)]

    async def _one_stands(self, opening: Sequence[asyncio.Task[SourceUnavailable | None]]) -> None:
        """Waits for the first link that stands: one that hangs is not to hold up the others."""
        waiting = set(opening)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(task.result() is None for task in done):
                return
        raise SourceUnavailable("; ".join(str(task.result()) for task in opening))

    async def _keep(self, link: Link, opening: asyncio.Task[SourceUnavailable | None]) -> None:
        """Opens one link of several whenever it is lost, with back-off. An only one is opened again by the runner."""
        await opening
        if len(self._links) == 1:
            return
        wait_s, away, opened = BACKOFF_S[0], False, time.monotonic()
        while True:
            if away == link.up:
                away = not away
                log.warning("broker away" if away else "broker back", connector=self._name, broker=link.broker.url)
            if not away:
                if time.monotonic() - opened > STEADY_S:
                    wait_s = BACKOFF_S[0]
                await asyncio.sleep(BACKOFF_S[0])
                continue
            await asyncio.sleep(wait_s)
            wait_s, opened = min(2 * wait_s, BACKOFF_S[1]), time.monotonic()
            why = SourceUnavailable(f"MQTT broker {link.broker.url}: {link.problem}")
            await link.close(say=False)
            if await _opened(link) is None:
                self._relinked.append(why)

    async def batches(self) -> AsyncIterator[Batch]:
        """What was heard; ends with `SourceUnavailable` when no broker is left."""
        said = self._missed()
        while True:
            heard = self._inbox.take(TAKEN_MAX)
            while heard:
                for one in heard:
                    said += self._hear(one)
                heard = self._inbox.take(TAKEN_MAX) if len(said) < BATCH_MAX else []
            wait_s = self._look(said)
            if said:
                yield replace(Batch.of(said), missed=self._host.missed())
                said = []
                continue
            if not self.healthy():
                if said := self._gone(time.time_ns() // 1000):  # told now, and not when it is open again
                    yield Batch.of(said)
                raise SourceUnavailable("; ".join(self._away()))
            self._check_keepers()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            self._news.clear()

    def _missed(self) -> list[Said]:
        """What it means that nobody listened: whoever was known is known no more."""
        if self._closed_at is None:
            return []
        since, self._closed_at = self._closed_at, None
        return self._gone(since)

    def _gone(self, since: int) -> list[Said]:
        return [said for number in range(len(self._links)) for said in self._host.lost(number, since)]

    def _hear(self, heard: Heard) -> list[Said]:
        if heard.what == "message":
            return self._host.message(heard.topic, heard.data, heard.at, heard.broker, heard.retained)
        if heard.what == "lost":
            return self._host.lost(heard.broker, heard.at)
        self._host.connected(heard.broker, heard.at)
        return []

    def _look(self, said: list[Said]) -> float:
        """Does what is due by now; how long there is nothing more to do, in s."""
        if time.monotonic() - self._looked < PAUSE_S:
            return PAUSE_S
        self._looked = time.monotonic()
        now = time.time_ns() // 1000
        said += self._host.tick(now)
        for rebirth in self._host.asks(now):
            log.info("rebirth asked", connector=self._name, node=f"{rebirth.group}/{rebirth.node}", why=rebirth.why)
            for number, link in enumerate(self._links):
                if rebirth.broker in (None, number):
                    link.send(command_topic(rebirth.group, rebirth.node), rebirth_request(now))
        due = self._host.deadline()
        return IDLE_S if due is None else min(max((due - now) / 1_000_000, PAUSE_S), IDLE_S)

    def _check_keepers(self) -> None:
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()  # raises a bug

    def _away(self) -> list[str]:
        return [f"MQTT broker {link.broker.url}: {link.problem}" for link in self._links if not link.up]

    async def close(self) -> None:
        keepers, self._keepers = self._keepers, []
        await ended(keepers)
        self._inbox.close()
        if self._closed_at is None:
            self._closed_at = time.time_ns() // 1000
        async with asyncio.TaskGroup() as closing:
            for link in self._links:
                closing.create_task(link.close())

    def relinked(self) -> Sequence[BaseException]:
        return [self._relinked.popleft() for _ in range(len(self._relinked))]

    def healthy(self) -> bool:
        """At least one broker answers its pings; `problems` names the others."""
        return any(link.up for link in self._links)

    def problems(self) -> Sequence[str]:
        """Brokers that are away while others are not, and edge nodes that do not answer."""
        return [*self._away(), *self._host.problems()]


async def _opened(link: Link) -> SourceUnavailable | None:
    """Tries to open a link; why it could not be."""
    try:
        await link.open()
    except SourceUnavailable as error:
        return error
    return None
