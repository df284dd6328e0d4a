"""The OPC UA connection: what is read of each machine, what became of it, and when the server can be relied on no more."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec
import structlog
from asyncua import Client, ua

from connectors.base import Batch, Malformed, Reading, Resume, SourceUnavailable
from connectors.kit.tasks import ended
from connectors.opcua.catching_up import CatchingUp
from connectors.opcua.codec import Part, decode, server_time
from connectors.opcua.config import Machine, OpcUaConfig
from connectors.opcua.dictionary import Dictionary
from connectors.opcua.history import History, Missed
from connectors.opcua.items import GONE, Item, Items, Variable
from connectors.opcua.link import client_of, connect, disconnect
from connectors.opcua.machines import Machines
from connectors.opcua.notifiers import Notifiers
from connectors.opcua.novelty import Mark, Novelty, TagKey, mark
from connectors.opcua.overflow import Overflow, overflowed
from connectors.opcua.poller import Poller
from connectors.opcua.services import NO_ANSWER, Pieces, words
from connectors.opcua.subscription import Subscription
from connectors.opcua.tags import Tags

log = structlog.get_logger()

WAITING_MAX = 50_000
"""Changes received and not yet in a batch; beyond it the server keeps what comes, as long as its queues hold."""
BATCH_MAX = 2_000
PROBE_S = 2.0
"""How often a silent server is asked whether it is alive, and what failed is looked at."""
VARIABLES_MAX = 100_000
"""Variables of one connector."""


class OpcUaConnector:
    """Every change with the source's own time, in order per tag. What was missed comes from the server's history, beside
    the live values, where there is one; a server without history cannot be asked again (see the README).
    """

    def __init__(self, name: str, config: OpcUaConfig) -> None:
        self._name, self._config = name, config
        self._client: Client | None = None
        self._pieces = Pieces()
        self._novelty = Novelty()
        self._tags = Tags()
        history = History(config.url, self._pieces, config.history_max)
        self._catching_up = CatchingUp(history, self._novelty, self._tags, self._stir)
        self._dictionary = Dictionary(self._pieces)
        self._items = self._no_items()
        self._machines = Machines(name, self._pieces)
        self._notifiers = Notifiers(name, config)
        self._gone: dict[Item, ua.StatusCode] = {}
        """Items whose node is no more, as the server just said."""
        self._waiting: deque[tuple[Item, ua.DataValue, int]] = deque()
        """(item, value, µs of its arrival)."""
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._answered = self._tended = 0.0
        self._overflow = Overflow()
        self._polling: asyncio.Task[None] | None = None
        self._said = ""
        """The last line on variables that are not read."""

    def _no_items(self) -> Items:
        return Items(self._config.queue_size, self._config.sampling_interval_ms, self._another)

    async def open(self, resume: Resume) -> None:
        """Connects and subscribes. History is read after that, by `batches`: nothing falls between."""
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._answered = self._tended = time.monotonic()
        self._waiting.clear()
        self._novelty.reopened(resume)
        self._tags.reopened(resume)
        self._dictionary.reopened()
        self._items, self._gone = self._no_items(), {}
        config = self._config
        self._client = client = client_of(config)
        await connect(client, config)
        try:
            namespaces = await client.get_namespace_array()
            self._machines.reopened(namespaces)
            await self._pieces.learn(client.uaclient)
            await self._take_in(config.machines)
            await self._notifiers.open(client.uaclient, namespaces, resume, self._another)
        except NO_ANSWER as error:
            raise SourceUnavailable(f"OPC UA server {config.url}: {words(error)}") from error
        if not len(self._items) and not self._notifiers.watched:
            raise SourceUnavailable(f"OPC UA server {config.url}: {'; '.join(self.problems())}")

    # -- what is read ------------------------------------------------------------------------------------------

    async def _take_in(self, machines: Sequence[Machine]) -> None:
        """Finds the variables of machines and has them watched; a machine that has none waits for the next time."""
        assert self._client is not None
        wanted: list[Item] = []
        for machine in machines:
            room = VARIABLES_MAX - len(self._items)
            wanted += self._items.add(
                await self._machines.variables(self._client.uaclient, machine, room), machine.location
            )
        self._tags.own(variable.key for item in wanted for variable in item.variables)
        await self._watch(dict.fromkeys(wanted))
        if self._items.shorter or self._items.slower:
            log.info(
                "the server keeps less than asked",
                connector=self._name,
                shorter_queues=self._items.shorter,
                slower_sampling=self._items.slower,
                variables=len(self._items),
            )

    async def _watch(self, items: Iterable[Item]) -> None:
        """Has items watched. What the server refuses is said as a value of that quality: it is known that it is unknown."""
        refused = await self._items.watch(items)
        for item in refused:
            self._waiting.append((item, ua.DataValue(StatusCode=item.problem), time.time_ns() // 1000))
        if refused and (problem := self._items.problems()[0]) != self._said:
            self._said = problem
            log.warning("not read", connector=self._name, what=problem)

    async def _another(self) -> Subscription:
        assert self._client is not None
        subscription = Subscription(self._client.uaclient, self._pieces, self._told, self._until_room, self._events)
        await subscription.open(self._config.publish_interval_ms, self._config.timeout_s)
        return subscription

    # -- what is said ------------------------------------------------------------------------------------------

    async def batches(self) -> AsyncIterator[Batch]:
        """What the subscription brings, and beside it what history has. Raises `SourceUnavailable` when the server is
        silent to a probe, or the subscription silent beyond its keep-alive."""
        assert self._client is not None
        self._catching_up.begin(self._client.uaclient, self._items, self._config.history)
        poller = Poller(self._client.uaclient, self._pieces, self._told, self._until_room)
        self._polling = asyncio.create_task(poller.run(lambda: self._items, self._config.poll_interval_ms / 1000))
        try:
            while True:
                await self._learn()
                if parts := [*self._live(), *self._alarms()]:
                    yield Batch.of(parts)
                elif self._catching_up.waits():
                    yield await self._of_history(self._catching_up.take())
                else:
                    self._news.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PROBE_S):
                            await self._news.wait()
                self._check()
                if time.monotonic() - self._tended > PROBE_S:
                    await self._tend()
                    if missed := {**self._overflow.take(), **self._notifiers.missed()}:
                        log.warning("the server dropped values", connector=self._name, variables=len(missed))
                        yield Batch(missed=missed)
        finally:
            await self._end()

    def _live(self) -> list[Reading | Malformed]:
        parts: list[Reading | Malformed] = []
        for _ in range(min(BATCH_MAX, len(self._waiting))):
            item, value, arrived = self._waiting.popleft()
            if _never_had_a_value(value):
                continue
            for variable in item.variables:
                parts += self._new(item, variable, value, arrived)
        if len(self._waiting) + len(self._notifiers) < WAITING_MAX // 2:
            self._room.set()
        return parts

    def _alarms(self) -> list[Reading | Malformed]:
        now = time.time_ns() // 1000
        told = (self._novel((said.path, said.sample.tag), said, None, now) for said in self._notifiers.take(BATCH_MAX))
        return [news for news in told if news is not None]

    def _new(self, item: Item, variable: Variable, value: ua.DataValue, arrived: int) -> Iterator[Reading | Malformed]:
        for part in self._decoded(variable, value, arrived):
            key = (variable.path, part.tag)
            if overflowed(value):
                before = self._novelty.newest(key)
                self._overflow.saw(key, before and before.at, _mark(part.said).at, time.monotonic())
            news = self._novel(key, part.said, server_time(value), arrived)
            if isinstance(news, Reading) and item in self._catching_up.holes:
                news = Reading(news.path, news.sample, news.time_of, ahead=True)
            if news is not None:
                yield news

    def _novel(
        self, key: TagKey, said: Reading | Malformed, server: int | None, arrived: int
    ) -> Reading | Malformed | None:
        """What the source says of a tag, where it is new. `server`: the server's time of it."""
        told = _mark(said)
        if not self._novelty.live(key, told):
            return None
        if isinstance(said, Reading) and (known := self._novelty.known_later(key, told)) is not None:
            return _at_present(said, known, server, arrived)
        return said

    async def _of_history(self, missed: Missed | None) -> Batch:
        """What is new of it; None: all is told."""
        if missed is None:
            return self._catching_up.caught_up()
        for _, value in missed:
            self._dictionary.saw(value)
        await self._learn()
        return self._catching_up.new(missed, self._decoded)

    async def _learn(self) -> None:  # before the first structure of a type is read
        assert self._client is not None
        try:
            while self._dictionary.unknown:
                await self._dictionary.learn(self._client.uaclient)
        except NO_ANSWER as error:
            raise SourceUnavailable(f"OPC UA server {self._config.url}: {words(error)}") from error

    def _decoded(self, variable: Variable, value: ua.DataValue, arrived: int | None = None) -> list[Part]:
        known = [tag for _, tag in self._tags.parts(variable.key)]
        parts = decode(*variable, self._dictionary.opened(value), arrived, known)
        for part in parts:
            self._tags.told(variable.key, (variable.path, part.tag))
        return parts

    async def _tend(self) -> None:
        """What is to be done now and then: a sign of life of the server, and what failed before."""
        client = self._client
        assert client is not None
        self._tended = time.monotonic()
        try:
            if self._tended - self._answered > PROBE_S:
                await client.uaclient.read_attributes(
                    [ua.NodeId(ua.ObjectIds.Server_ServerStatus_State, 0)], ua.AttributeIds.Value
                )
                self._answered = time.monotonic()
            if due := [machine for machine in self._config.machines if self._machines.due(machine)]:
                await self._take_in(due)
            gone, self._gone = self._gone, {}
            for item, status in gone.items():
                await self._items.gone(item, status)
            if failed := self._items.due():
                await self._watch(failed)
            await self._notifiers.tend()
        except NO_ANSWER as error:
            raise SourceUnavailable(
                f"OPC UA server {self._config.url} does not answer any more ({words(error)})"
            ) from error

    def _check(self) -> None:
        if (lost := self._items.lost() or self._notifiers.lost()) is not None:
            raise SourceUnavailable(f"OPC UA server {self._config.url}: {lost}")
        try:
            self._catching_up.check()
            if self._polling is not None and self._polling.done():
                self._polling.result()
        except NO_ANSWER as error:
            raise SourceUnavailable(f"OPC UA server {self._config.url}: {words(error)}") from error

    async def _end(self) -> None:
        """Of what runs beside."""
        polling, self._polling = self._polling, None
        if polling is not None:
            await ended([polling])
            with suppress(asyncio.CancelledError, *NO_ANSWER):
                polling.result()
        await self._catching_up.end()

    # -- health and end ----------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        return (
            self._client is not None
            and (self._items.lost() or self._notifiers.lost()) is None
            and time.monotonic() - self._answered < 3 * PROBE_S + self._config.timeout_s
        )

    def unproved_s(self) -> float:
        return time.monotonic() - self._answered

    def problems(self) -> Sequence[str]:
        """Machines and variables that are not read, and a server that says more than it or we can take."""
        problems = [
            *self._machines.problems(),
            *self._items.problems(),
            *self._overflow.problems(time.monotonic()),
            *self._notifiers.problems(),
        ]
        if len(self._waiting) >= WAITING_MAX // 2:
            problems.append(f"{len(self._waiting)} changes wait: the server says more than we or Kafka can take")
        return problems

    async def close(self) -> None:
        client, self._client = self._client, None
        self._room.set()
        await self._end()
        if client is not None:
            await disconnect(client)

    # -- called by the subscriptions ---------------------------------------------------------------------------

    def _told(self, handle: int, value: ua.DataValue) -> None:
        self._answered = time.monotonic()
        item = self._items.of(handle)
        if item is None:
            return
        self._dictionary.saw(value)
        self._waiting.append((item, value, time.time_ns() // 1000))
        if value.StatusCode is not None and value.StatusCode.value in GONE:
            self._gone[item] = value.StatusCode
        self._news.set()

    def _stir(self) -> None:
        self._answered = time.monotonic()
        self._news.set()

    def _events(self, handle: int, events: Sequence[Sequence[ua.Variant]]) -> None:
        self._notifiers.told(handle, events)
        self._stir()

    async def _until_room(self) -> None:
        self._answered = time.monotonic()
        if len(self._waiting) + len(self._notifiers) >= WAITING_MAX:
            self._room.clear()
            await self._room.wait()


def _mark(said: Reading | Malformed) -> Mark:
    told = mark(said)  # a value without a time is news when it differs
    return told._replace(at=-1) if isinstance(said, Reading) and said.time_of == "arrival" else told


def _at_present(said: Reading, known: int, server: int | None, arrived: int) -> Reading:
    """A reading that is the value of now, and claims to be older than what was known: at the server's time, or its arrival."""
    if server is not None and server > known:
        return Reading(said.path, msgspec.structs.replace(said.sample, at=server), "server")
    return Reading(said.path, msgspec.structs.replace(said.sample, at=arrived), "arrival")


def _never_had_a_value(value: ua.DataValue) -> bool:
    """Null without a source time, and no failure either: a variable that waits for its first value."""
    if (value.Value is not None and value.Value.Value is not None) or value.SourceTimestamp is not None:
        return False
    code = value.StatusCode.value if value.StatusCode is not None else 0
    return code in (0, ua.StatusCodes.BadWaitingForInitialData)
