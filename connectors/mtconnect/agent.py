"""One agent: probe, current, then the stream of what changes, without a hole; where there is one, it is said."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import NamedTuple

import structlog

from connectors.base import RELINKED_MAX, Batch, Reading, Resume, Said, SourceUnavailable, Span
from connectors.mtconnect.client import Client, NoStream, Refused, Silent, refusal, requested
from connectors.mtconnect.codec import BadDocument, Devices, Errors, Header, Observation, parse
from connectors.mtconnect.config import AgentConfig, MtConnectConfig
from connectors.mtconnect.gaps import Gaps, level
from connectors.mtconnect.novelty import Novelty
from connectors.mtconnect.places import Map, mapped
from connectors.mtconnect.pulse import Pulse
from connectors.mtconnect.readings import Readings, unreadable
from connectors.mtconnect.tracker import Broken, Met, Position, followed, met, ordered
from topology.namespace.path import Path

log = structlog.get_logger()

BACKOFF_S = (0.5, 30.0)
PROBE_AGAIN_S = 60.0
"""How often an agent is asked for its devices because it tells of a data item that they do not have."""
OUT_OF_RANGE = "OUT_OF_RANGE"
"""How an agent refuses a sequence number that its buffer has not."""
FRUITLESS_MAX = 2
"""Streams in a row that fell silent or were refused, of an agent that answers else: it is asked now and then instead."""


class _Meeting(NamedTuple):
    """What an agent said when it was met, to be told first."""

    asked_at: float
    """By our monotonic clock."""
    found: Met
    header: Header
    bad: tuple[Said, ...]


class Agent:
    """Keeps its place in the agent's sequence as long as the process lives: what is said while the link is down comes later."""

    def __init__(
        self,
        connector: str,
        config: AgentConfig,
        options: MtConnectConfig,
        put: Callable[[Batch], Awaitable[None]],
        gone: Callable[[], None],
    ) -> None:
        """`put` takes a batch, and is awaited until there is room for it: so long nothing more is read. `gone` is called when
        the agent does not answer any more."""
        self._connector, self._config, self._options, self._put = connector, config, options, put
        self._gone = gone
        self._client = Client(config, options.timeout_s)
        self._readings, self._gaps = Readings(config.url), Gaps()
        self._map = Map({}, frozenset(), (), None, ())
        self._position: Position | None = None
        """Up to where all is handed over."""
        self._meeting: _Meeting | None = None
        self._novelty: Novelty | None = None
        """While the buffer is read from its begin."""
        self._reach: int | None = None
        """The newest that is safe (µs), as long as it is not known whether the buffer reaches back to it."""
        self._whole = True
        """Whether the agent tells all that was missed before it was opened, but for holes that are said."""
        self._end, self._until = 0, -1
        """What the next observation was when the agent was met; up to where is read before all is caught up, -1: it is."""
        self._count = self._count_max = options.count
        self._polls, self._fruitless, self._progress = False, 0, True
        self._from_begin = False
        """Whether the next that is read is the oldest that the agent has."""
        self._probe_due = 0.0
        self.pulse = Pulse()
        self.away: str | None = f"{config.url}: not open"
        """Why it is not read; None while it is."""
        self.relinked: deque[BaseException] = deque(maxlen=RELINKED_MAX)  # what had ended its stream, each time
        self._trouble: str | None = None
        """Why nothing comes of an agent that answers."""
        self.lost = 0
        """Observations that its buffer had no room for, as far as their number is known."""

    # -- meeting it --------------------------------------------------------------------------------------------

    async def open(self, resume: Resume) -> None:
        """Meets the agent. `resume` counts as long as nothing was read. Raises `SourceUnavailable`."""
        self._polls, self._fruitless = False, 0
        self.away = f"{self._config.url}: has not answered yet"
        self._whole = True
        if self._position is None:
            own = {machine.location for machine in self._config.machines}
            safe = {key: value for key, value in resume.items() if key[0] in own}
            self._novelty = Novelty(safe) if safe else None
            self._reach = self._novelty.newest if self._novelty is not None else None
            self._whole = not safe
            if safe:
                self._gaps.begin(time.time_ns() // 1000)
        await self._meet()

    async def close(self) -> None:
        self.away = self.away or f"{self._config.url}: not open"
        await self._client.close()

    async def _meet(self) -> None:
        """Learns its devices, and where in its sequence we stand. Raises `SourceUnavailable`."""
        await self._client.open()
        try:
            await self._learn()
            asked_at = time.monotonic()
            current, bad = await self._client.present(self._map.only)
            found = met(self._position, current, whole=self._novelty is not None)
            if found.broken is not None or (self._novelty is not None and self._position is None):
                found = found._replace(seed=await self._seed(found.position.next) or found.seed)
        except Refused as error:
            raise SourceUnavailable(f"MTConnect agent {self._config.url} refuses: {error}") from error
        if not self._map.paths:
            raise SourceUnavailable(f"MTConnect agent {self._config.url}: {'; '.join(self._map.problems)}")
        said = [part for one in current.bad for part in self._readings.bad(one)]
        self._meeting = _Meeting(asked_at, found, current.header, (*said, *([bad] if bad is not None else [])))
        self._count_max = min(self._options.count, current.header.buffer or self._options.count)
        self._count = min(self._count, self._count_max)
        self.pulse.heard()
        self._progress, self.away = False, None

    async def _learn(self) -> None:
        self._probe_due = time.monotonic() + PROBE_AGAIN_S
        self._map = mapped(self._config.machines, (await self._client.devices()).devices)
        self._readings.mapped(self._map.places)

    async def _seed(self, begin: int) -> tuple[Observation, ...] | None:
        """What was present where the buffer begins; None of an agent that cannot say it, or whose buffer has moved on."""
        try:
            then, bad = await self._client.present(self._map.only, begin)
        except Refused:
            return None
        return None if bad is not None else ordered(then.observations, 0, begin)

    # -- reading it --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Reads until it is cancelled. An agent that is lost is met again, with back-off; `away` says why it is not read."""
        wait_s = BACKOFF_S[0]
        if self.away is not None:
            await self._meet_again(wait_s)
        while True:
            try:
                await self._begin()
                await self._read()
                why = f"{self._config.url}: its documents do not go on from where it was read"
                ended: BaseException = SourceUnavailable(why)
            except (Refused, SourceUnavailable) as error:
                why, ended = str(error), error
                self._fruitless += isinstance(error, Silent) or (
                    isinstance(error, Refused) and OUT_OF_RANGE not in error.codes
                )
            if self._fruitless >= FRUITLESS_MAX and not self._polls:
                self._polls = True
                log.warning("asked now and then, it does not stream", connector=self._connector, why=why)
            if self._progress:
                wait_s = BACKOFF_S[0]
            else:
                self._trouble, self._count = (
                    why,
                    max(1, self._count // 2),
                )  # perhaps a document is too much for this link
                await asyncio.sleep(self._options.poll_s if self._polls else wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, BACKOFF_S[1])
            await self._meet_again(wait_s)
            self.relinked.append(ended)

    async def _meet_again(self, wait_s: float) -> None:
        """Meets the agent, however long that takes."""
        said = False
        while True:
            try:
                await self._meet()
            except SourceUnavailable as error:
                self.away = str(error)
                if not said:
                    log.warning("agent away", connector=self._connector, agent=self._config.url, error=self.away)
                said = True
                self._gone()
                await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, BACKOFF_S[1])
            else:
                if said:
                    self._polls, self._fruitless = False, 0
                    log.info("agent read again", connector=self._connector, agent=self._config.url)
                return

    async def _begin(self) -> None:
        """Tells what the agent has said when it was met."""
        if self._meeting is None:
            return
        asked_at, found, header, bad = self._meeting
        said = list(bad)
        if found.broken is not None or self._position is None:
            self._readings.forget_conditions()
        for observation in found.seed:
            parts = self._said(observation, complete=True)
            if observation.sequence >= found.news:
                said += parts
        if found.broken is not None:
            self._broken(found.broken, found.lost)
        self._from_begin = found.broken is not None or (self._position is None and self._novelty is not None)
        await self._tell(said, found.position)
        self._meeting, self._end, self._until = None, found.until, found.until
        await self._settle(header)
        if found.position.next >= found.until:
            self._saw(header, (), asked_at)

    async def _read(self) -> None:
        """Reads on from our position. Returns when the agent is to be met anew."""
        while await (self._step() if self._polls or self._count < self._count_max else self._stream()):
            pass

    async def _stream(self) -> bool:
        """Documents as the agent sends them. False: it is to be met anew."""
        assert self._position is not None
        options, self._count = self._options, self._count_max
        params = self._from() | {
            "interval": str(options.interval_ms),
            "count": str(self._count),
            "heartbeat": str(round(options.heartbeat_s * 1000)),
        }
        silence_s, begun = options.heartbeat_s + options.timeout_s, time.monotonic()
        try:
            async with aclosing(self._client.parts(requested(self._map.only, "sample"), params, silence_s)) as parts:
                async for part in parts:
                    if not await self._take(part):
                        return False
                    if self._count < self._count_max:
                        return True
                    if time.monotonic() - begun > 2 * silence_s:
                        self._fruitless = 0
        except NoStream as alone:
            self._polls = True
            return await self._take(alone.document)
        return False

    async def _step(self) -> bool:
        """One document, by a request of its own. False: the agent is to be met anew."""
        assert self._position is not None
        before, count = self._position, self._count
        params = self._from() | {"count": str(count)}
        if not await self._take(await self._client.get(requested(self._map.only, "sample"), params)):
            return False
        if self._count < count:  # it was not readable
            return True
        self._count = min(2 * count, self._count_max)
        if self._position == before:
            self._count = self._count_max
            if self._polls:
                await asyncio.sleep(self._options.poll_s)
        return True

    def _from(self) -> dict[str, str]:
        """Where to read on. From the begin of a buffer it is not said: by the time we ask, that may be another."""
        assert self._position is not None
        return {} if self._from_begin else {"from": str(self._position.next)}

    async def _take(self, data: bytes) -> bool:
        """One document of the sequence. False: the agent is to be met anew. Raises `Refused` and `SourceUnavailable`."""
        arrived_at = time.monotonic()
        try:
            document = parse(data)
            if isinstance(document, Devices):
                raise BadDocument("bad_document", "a document of devices, where observations are expected")
        except BadDocument as bad:
            return await self._narrow(data, bad)
        if isinstance(document, Errors):
            raise refusal(document) or SourceUnavailable(self._config.url)
        await self._new_items(document.observations)
        assert self._position is not None
        step = followed(self._position, document)
        if step.restarted:
            return False
        said: list[Said] = []
        if step.lost:
            said += await self._survivors(self._position.next, self._position.next + step.lost)
            self._broken("overrun", step.lost)
        hole: Span | None = None
        if step.observations:
            begin = step.observations[0].at
            if self._reach is not None:
                self._whole, self._reach = begin <= self._reach, None
                if not self._whole:
                    self._gaps.broken("overrun" if self._position.next > 1 else "restarted")
            hole = self._gaps.ended(begin)
        for observation in step.observations:
            said += self._said(observation)
        if self._novelty is None or not step.observations or self._novelty.behind(step.observations[-1].at):
            said += [part for one in document.bad for part in self._readings.bad(one)]
        self._progress, self._trouble, self._from_begin = True, None, False
        await self._tell(said, step.position, hole)
        self._saw(document.header, step.observations, arrived_at)
        await self._settle(document.header)
        return True

    async def _survivors(self, begin: int, end: int) -> list[Said]:
        """What is present of the sequence numbers that the buffer has no more."""
        seed = await self._seed(end)
        if seed is None:
            seed = ordered((await self._client.present(self._map.only))[0].observations, 0, end)
        said: list[Said] = []
        self._readings.forget_conditions()
        for observation in seed:
            parts = self._said(observation, complete=True)
            if observation.sequence >= begin:
                said += parts
        return said

    async def _narrow(self, data: bytes, bad: BadDocument) -> bool:
        """A document that is none. What it held is asked for again, in smaller parts, down to the one that cannot be read."""
        assert self._position is not None
        where, self._from_begin = f"{self._config.url}/sample from {self._position.next}", False
        if self._count > 1:
            if self._count == self._count_max:
                await self._tell([unreadable(where, data, bad)], self._position)
            self._count //= 2
            return True
        if self._position.next >= self._end:  # of what came since we met it, if anything did
            return False
        await self._tell([unreadable(where, data, bad)], self._position._replace(next=self._position.next + 1))
        self._progress = True
        return True

    async def _new_items(self, observations: Sequence[Observation]) -> None:
        """Asks for the devices again when one was missing, or one has a data item that was not there: agents learn as they run."""
        if time.monotonic() < self._probe_due:
            return
        if self._map.problems or any(observation.item not in self._map.known for observation in observations):
            await self._learn()

    # -- what is said ------------------------------------------------------------------------------------------

    def _said(self, observation: Observation, complete: bool = False) -> list[Said]:
        if observation.item not in self._map.known:
            return self._readings.unknown(observation)
        said, novelty = self._readings.said(observation, complete), self._novelty
        if novelty is None:
            return said
        return [
            one for one in said if (novelty.new(one) if isinstance(one, Reading) else novelty.behind(observation.at))
        ]

    async def _tell(self, said: list[Said], position: Position, hole: Span | None = None) -> None:
        """Hands over; from then on we have read up to `position`, and not before: what is cancelled is read again."""
        with self.pulse.waiting():
            if said or hole is not None:
                await self._put(replace(Batch.of(said), missed=self._missed(hole)))
        self._position = position

    def _missed(self, hole: Span | None) -> dict[tuple[Path, str], Span]:
        """A hole is one of each tag."""
        return {} if hole is None else {key: hole for place in self._map.places.values() for key in place.tags}

    def _broken(self, broken: Broken, lost: int) -> None:
        self.lost += lost
        log.warning("observations lost", connector=self._connector, agent=self._config.url, why=broken, number=lost)
        self._gaps.broken(broken)

    def _saw(self, header: Header, observations: Sequence[Observation], at: float) -> None:
        """A document is handed over that came `at` (monotonic): with it we know all, unless more waited behind it."""
        assert self._position is not None
        self._gaps.saw(header, self._position.next, observations)
        if level(header, self._position.next):
            self.pulse.level(at)

    async def _settle(self, header: Header) -> None:
        """Once all is read that was there when the agent was met, it is caught up with."""
        assert self._position is not None
        if self._until < 0 or self._position.next < self._until:
            return
        await self._tell([], self._position, self._gaps.ended(header.created))
        if self._whole:
            await self._put(Batch(caught_up=self._map.paths))
        self._until, self._novelty, self._reach = -1, None, None

    # -- health ------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the agent spoke within its heartbeat and our patience."""
        pause_s = max(self._options.heartbeat_s, self._options.poll_s if self._polls else 0.0)
        return self.away is None and self.pulse.unheard_s < pause_s + self._options.timeout_s

    def problems(self) -> list[str]:
        """Why it is not read or silent, and what of it is not there."""
        if self.away is not None:
            return [self.away]
        silent = None if self.alive else f"{self._config.url}: silent for {self.pulse.unheard_s:.0f} s"
        return [*([what] if (what := self._trouble or silent) else []), *self._map.problems]
