"""One link: asks what is due, one request after another, keeps the link up, and says what became of it."""

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

import structlog

from connectors.base import RELINKED_MAX, Malformed, Said
from connectors.kit.polling.quality import BAD_COMMUNICATION_ERROR, BAD_NO_COMMUNICATION
from connectors.kit.polling.readings import Point, reading
from connectors.kit.polling.schedule import Request, Schedule, Turn, Unit
from connectors.kit.polling.wire import Garbled, Refused, Silent, Wire, WireLost

log = structlog.get_logger()

BACKOFF_S = (0.5, 30.0)
"""Waits before a link that is lost is opened again."""
PROBE_S = 3.0
"""A link that has nothing to be asked for this long is asked for something, to know that it is there."""
SILENT_MAX = 3
"""Requests in a row without an answer after which a link is lost."""
RECENT_S = 60.0
"""For how long cycles are looked at together, at least."""
MISSED_SHARE = 0.01
"""Share of cycles that may be missed before it is a problem."""
PROBLEMS_MAX = 20

Tell = Callable[[list[Said]], Awaitable[None]]
"""Takes what a request brought; waits while there is no room."""


class Block(Request, Protocol):
    """A request, and the tags that it brings."""

    @property
    def points(self) -> Sequence[Point]: ...


BlockT = TypeVar("BlockT", bound=Block)
WireT = TypeVar("WireT", bound=Wire)


class Poller(ABC, Generic[BlockT, WireT]):
    """`begin`, then `run` until it is cancelled. What its devices say goes to `tell`; `moved` is called when `lost` or
    `answered` change. What it knows of units that do not answer outlives a link, so that they do not come first again.
    """

    backoff_s = BACKOFF_S
    hush_s = 0.0
    """How long after a silent request its answer may still come, where a wire cannot tell whose it is."""

    def __init__(
        self,
        protocol: str,
        name: str,
        url: str,
        timeout_s: float,
        stagger: float,
        tell: Tell,
        moved: Callable[[], None],
    ) -> None:
        self.url = url
        self.proof_s = 2 * PROBE_S + 2 * timeout_s
        """How old the last answer of a link may be that is said to be healthy."""
        self.lost: str | None = None
        """Why the link is given up for now; None while it is used, or not yet tried."""
        self.answered = -math.inf
        """Monotonic time of the last answer of any unit since `begin`."""
        self._protocol, self._name, self._tell, self._moved = protocol, name, tell, moved
        self.relinked: deque[BaseException] = deque(maxlen=RELINKED_MAX)
        """What had ended the link, each time that it was opened again."""
        self._in_row = 0
        """Requests in a row without an answer."""
        self._unreadable: dict[tuple[str, str], bytes] = {}
        """By origin and reason what was told as malformed: as long as its bytes stay the same, once is enough."""
        self._schedule: Schedule[BlockT] = Schedule(stagger)
        self._stagger = stagger
        self._since = time.monotonic(), 0, 0
        """When cycles were last looked at, and how many had been begun and missed then."""

    # -- what a protocol adds ------------------------------------------------------------------------------------

    @abstractmethod
    def _plan(self, before: Schedule[BlockT]) -> Schedule[BlockT]:
        """Every block as if none had ever been refused; what `before` knows of its units goes on."""

    @abstractmethod
    def _wire(self) -> WireT: ...

    @abstractmethod
    async def _ask(self, wire: WireT, block: BlockT) -> Any:
        """Raises what `Wire.ask` raises."""

    @abstractmethod
    async def _touch(self, wire: WireT, block: BlockT) -> None:
        """Asks for the least there is, to know that the link is there. Raises what `Wire.ask` raises."""

    @abstractmethod
    async def _take(self, turn: Turn[BlockT], answer: Any, began: float, anew: bool) -> None:
        """Tells what an answer says. `anew`: it has proved the link, and all is due again in a schedule of its own."""

    @abstractmethod
    def _refused(self, turn: Turn[BlockT], code: int, began: float) -> list[Said]:
        """What is to be said of a request that was refused as a whole, and what becomes of it."""

    @abstractmethod
    def _where(self, block: BlockT) -> str:
        """Names a block for people."""

    @abstractmethod
    def _unit(self, unit: Unit) -> str:
        """Names a device for people."""

    def _opened(self, wire: WireT) -> None:
        """The wire is open: what was agreed with the device can be read from it."""

    def _out_of_step(self, error: Silent | Garbled) -> bool:
        """Whether what comes next could be the answer to something else."""
        return isinstance(error, Garbled)

    # -- the link ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Nothing is known of the link yet."""
        self.lost, self.answered, self._in_row = None, -math.inf, 0
        self._unreadable.clear()

    async def run(self) -> None:
        """Opens the link, uses it, and opens it again: at once as long as too little speaks against it, else later each
        time.
        """
        wait_s, longest_s = self.backoff_s
        ended: WireLost | None = None
        while True:
            wire, opened, in_row = self._wire(), time.monotonic(), self._in_row
            try:
                await wire.open()
                self._opened(wire)
                if ended is not None:
                    self.relinked.append(ended)
                await self._use(wire)
            except WireLost as error:
                why, ended = str(error), error
            finally:
                wire.close()
            if self.answered > opened:
                wait_s = self.backoff_s[0]
            if (self.answered > opened or self._in_row > in_row) and self._in_row < SILENT_MAX:
                continue
            await self._lose(why)
            await asyncio.sleep(wait_s)
            wait_s = max(self.backoff_s[0], min(2 * wait_s, longest_s))

    async def _lose(self, why: str) -> None:
        was, self.lost = self.lost, why
        if was is None:
            log.warning(f"{self._protocol} link lost", connector=self._name, error=why)
            await self._tell(list(self._bad(turn.block for turn in self._schedule)))
        self._moved()

    def _prove(self) -> bool:
        """A unit has answered. True when the link had none before: then all is planned anew, and due."""
        now, anew = time.monotonic(), self.lost is not None or self.answered < 0
        if anew:
            self._schedule = self._plan(self._schedule)
        if self.lost is not None:
            log.info(f"{self._protocol} link back", connector=self._name, link=self.url)
        self.lost, self.answered, self._in_row = None, now, 0
        self._moved()
        return anew

    async def _use(self, wire: WireT) -> None:
        """Raises `WireLost`."""
        opened = time.monotonic()
        while True:
            now, proved = time.monotonic(), self.answered > opened
            probe_at = self.answered + PROBE_S if proved and not self._in_row else math.inf
            match self._next(now, proved):
                case Turn() as turn:
                    wire.check()  # a connection that has ended while nothing was asked is not this unit's fault
                    await self._turn(wire, turn)
                    await self._rest()
                case float() if probe_at <= now:
                    await self._probe(wire)
                case float() as at:
                    await asyncio.sleep(min(at, probe_at) - now)

    async def _rest(self) -> None:
        """Between an answer and the next request."""
        await asyncio.sleep(0)

    def _next(self, now: float, proved: bool) -> Turn[BlockT] | float:
        """What to ask for, or when something is due. A link that has not answered yet, or for long, is asked for what is
        answered most likely, whether it is due or not.
        """
        if proved and self._in_row < SILENT_MAX - 1:
            return self._schedule.take(now) or self._schedule.due_at()
        first = self._schedule.first()
        assert first is not None
        return first if first.unit.hushed_until <= now else first.unit.hushed_until

    async def _probe(self, wire: WireT) -> None:
        """Asks for the least there is; what it says is not taken: it is not due."""
        turn, began = self._schedule.first(), time.monotonic()
        assert turn is not None
        wire.check()
        try:
            with suppress(Refused):
                await self._touch(wire, turn.block)
            self._prove()
        except (Silent, Garbled) as error:
            self._quiet(turn, began)
            self._give_up(error)

    # -- one request ---------------------------------------------------------------------------------------------

    async def _turn(self, wire: WireT, turn: Turn[BlockT]) -> None:
        """Asks for a block, and tells what came of it. Raises `WireLost`."""
        block, began = turn.block, time.monotonic()
        try:
            answer = await self._ask(wire, block)
        except Refused as refused:
            if not self._prove():  # else it comes again at once
                await self._tell(self._refused(turn, refused.code, began))
        except Silent as silent:
            await self._tell(list(self._bad(self._quiet(turn, began))))
            self._give_up(silent)
        except Garbled as bad:
            origin, message = f"{self.url} {block}", f"{self._where(block)}: {bad}"
            path = block.points[0].path if block.points else None
            said = self._once([Malformed(origin, bad.heard, bad.reason, message, path)])
            said += self._bad(self._quiet(turn, began), BAD_COMMUNICATION_ERROR)
            await self._tell(said)
            self._give_up(bad)
        except WireLost:
            await self._tell(list(self._bad(self._quiet(turn, began))))
            raise
        else:
            await self._take(turn, answer, began, self._prove())

    def _quiet(self, turn: Turn[BlockT], began: float, proved: bool = False) -> list[BlockT]:
        """Nothing came for a turn: the blocks of which nothing is known now. `proved`: a gateway has said so."""
        self._in_row += not proved
        if not self._schedule.silence(turn, began, time.monotonic(), 0.0 if proved else self.hush_s):
            return [turn.block]
        if len(self._schedule.units()) > 1:
            log.warning(f"{self._protocol} unit silent", connector=self._name, unit=self._where(turn.block))
        return [other.block for other in self._schedule if other.unit is turn.unit]

    def _give_up(self, error: Silent | Garbled) -> None:
        """Raises `WireLost` once a link has been silent too often, or when what comes next could be out of step."""
        if self._in_row >= SILENT_MAX or self._out_of_step(error):
            raise WireLost(f"{self.url}: {error}")

    def _refuse(self, turn: Turn[BlockT], words: str, began: float) -> None:
        """The device will most likely refuse it next time, too: it is asked for seldom, and named."""
        if not turn.refused:
            log.warning(f"{self._protocol} refused", connector=self._name, block=self._where(turn.block), error=words)
        self._schedule.refuse(turn, words, began, time.monotonic())

    # -- what is said --------------------------------------------------------------------------------------------

    def _bad(self, lost: Iterable[BlockT], quality: int = BAD_NO_COMMUNICATION) -> Iterator[Said]:
        """Of these blocks nothing is known now, and that is known."""
        now = time.time_ns() // 1000
        return (reading(point, None, quality, now) for block in lost for point in block.points)

    def _once(self, said: Iterable[Said]) -> list[Said]:
        """Without what was told as malformed before and has not changed since."""
        told: list[Said] = []
        for thing in said:
            if isinstance(thing, Malformed):
                key = (thing.origin, thing.reason)
                if self._unreadable.get(key) == thing.payload:
                    continue
                self._unreadable[key] = thing.payload
            told.append(thing)
        return told

    def problems(self) -> Sequence[str]:
        """What is not read of this link, or not as often as asked."""
        if self.lost is not None:
            return [self.lost]
        found = [
            f"{self._unit(unit)} does not answer; is it on, is its address right?"
            for unit in self._schedule.units()
            if unit.silent > 1
        ]
        found += [f"{self._where(turn.block)}: {turn.refusal}" for turn in self._schedule if turn.refused]
        at, begun, missed = self._since
        begun, missed = self._schedule.begun - begun, self._schedule.missed - missed
        if missed > MISSED_SHARE * (begun + missed):
            found.append(
                f"{self.url}: {missed} of {begun + missed} cycles missed lately: it is slower than asked, or we are; "
                "ask for less, or less often"
            )
        if time.monotonic() - at > RECENT_S:
            self._since = time.monotonic(), self._schedule.begun, self._schedule.missed
        return found[:PROBLEMS_MAX] + ([f"and {len(found) - PROBLEMS_MAX} more"] if len(found) > PROBLEMS_MAX else [])


AnyPoller = Poller[Any, Any]
