"""One link: asks what is due, one request after another, keeps the link up, and says what became of it."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import structlog

from connectors.base import Malformed, Said
from connectors.modbus.blocks import Block, blocks, split
from connectors.modbus.codec import decode, reading
from connectors.modbus.config import Link, ModbusConfig
from connectors.modbus.discovery import Discovery
from connectors.modbus.point import Point
from connectors.modbus.quality import (
    ABSENT,
    BAD_COMMUNICATION_ERROR,
    BAD_NO_COMMUNICATION,
    LASTING,
    TOO_MUCH,
    of_exception,
    words,
)
from connectors.modbus.schedule import Schedule, Turn
from connectors.modbus.sunspec import NotSunSpec
from connectors.modbus.wire import Garbled, Read, Refused, Silent, Wire, WireLost

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


class Poller:
    """`begin`, then `run` until it is cancelled. What its devices say goes to `tell`; `moved` is called when `lost` or
    `answered` change. What it knows of units that do not answer outlives a link, so that they do not come first again.
    """

    def __init__(
        self, name: str, config: ModbusConfig, link: Link, stagger: float, tell: Tell, moved: Callable[[], None]
    ) -> None:
        self.link = link
        self.lost: str | None = None
        """Why the link is given up for now; None while it is used, or not yet tried."""
        self.answered = -math.inf
        """Monotonic time of the last answer of any unit since `begin`."""
        self._name, self._tell, self._moved = name, tell, moved
        self._in_row = 0
        """Requests in a row without an answer."""
        self._unreadable: dict[tuple[str, str], bytes] = {}
        """By origin and reason what was told as malformed: as long as its bytes stay the same, once is enough."""
        self._config, self._stagger = config, stagger
        self._paths: dict[int, str] = {device.unit: device.path for device in reversed(link.devices)}
        self._discoveries: dict[int, Discovery] = {}
        """By unit."""
        self._schedule = self._plan()
        self._since = time.monotonic(), 0, 0
        """When cycles were last looked at, and how many had been begun and missed then."""

    def begin(self) -> None:
        """Nothing is known of the link yet."""
        self.lost, self.answered, self._in_row = None, -math.inf, 0
        self._unreadable.clear()

    def _plan(self, before: Schedule | None = None) -> Schedule:
        """Every block as if none had ever been refused; units that were silent are still known to have been."""
        schedule, now = Schedule(self._stagger, before), time.monotonic()
        for device in self.link.devices:
            tags = self._config.tags(device)
            by_period: dict[float, list[Point]] = {}
            for point in self._config.points(device):
                by_period.setdefault(tags[point.tag].period_s or device.period_s, []).append(point)
            for period_s, points in by_period.items():
                schedule.add(blocks(device.unit, points, device.gap, device.registers_max), period_s, now)
            if device.sunspec is not None:
                self._discoveries[device.unit] = discovery = Discovery(device)
                schedule.add([Block(device.unit, "holding", *discovery.read, ())], device.period_s, now)
        return schedule

    # -- the link ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Opens the link, uses it, and opens it again: at once as long as too little speaks against it, else later each
        time.
        """
        wait_s = shortest_s = max(BACKOFF_S[0], 0.0 if self.link.line is None else self.link.timeout_s)
        while True:
            wire, opened, in_row = Wire(self.link), time.monotonic(), self._in_row
            try:
                await wire.open()
                await self._use(wire)
            except WireLost as error:
                why = str(error)
            finally:
                wire.close()
            if self.answered > opened:
                wait_s = shortest_s
            if (self.answered > opened or self._in_row > in_row) and self._in_row < SILENT_MAX:
                continue
            await self._lose(why)
            await asyncio.sleep(wait_s)
            wait_s = max(shortest_s, min(2 * wait_s, BACKOFF_S[1]))

    async def _lose(self, why: str) -> None:
        was, self.lost = self.lost, why
        if was is None:
            log.warning("modbus link lost", connector=self._name, error=why)
            await self._tell(list(self._bad(turn.block for turn in self._schedule)))
        self._moved()

    def _prove(self) -> bool:
        """A unit has answered. True when the link had none before: then all is planned anew, and due."""
        now, anew = time.monotonic(), self.lost is not None or self.answered < 0
        if anew:
            self._schedule = self._plan(self._schedule)
        if self.lost is not None:
            log.info("modbus link back", connector=self._name, link=self.link.url)
        self.lost, self.answered, self._in_row = None, now, 0
        self._moved()
        return anew

    async def _use(self, wire: Wire) -> None:
        """Raises `WireLost`."""
        opened = time.monotonic()
        while True:
            now, proved = time.monotonic(), self.answered > opened
            probe_at = self.answered + PROBE_S if proved and not self._in_row else math.inf
            match self._next(now, proved):
                case Turn() as turn:
                    wire.check()  # a connection that has ended while nothing was asked is not this unit's fault
                    await self._turn(wire, turn)
                    await asyncio.sleep(self.link.pause_s)
                case float() if probe_at <= now:
                    await self._probe(wire)
                case float() as at:
                    await asyncio.sleep(min(at, probe_at) - now)

    def _next(self, now: float, proved: bool) -> Turn | float:
        """What to ask for, or when something is due. A link that has not answered yet, or for long, is asked for what is
        answered most likely, whether it is due or not.
        """
        if proved and self._in_row < SILENT_MAX - 1:
            return self._schedule.take(now) or self._schedule.due_at()
        first = self._schedule.first()
        assert first is not None
        return first if first.unit.hushed_until <= now else first.unit.hushed_until

    async def _probe(self, wire: Wire) -> None:
        """Asks for the least there is; what it says is not taken: it is not due."""
        turn, began = self._schedule.first(), time.monotonic()
        assert turn is not None
        wire.check()
        try:
            with suppress(Refused):
                await wire.ask(Read(turn.block.unit, turn.block.table, turn.block.start, 1))
            self._prove()
        except (Silent, Garbled) as error:
            self._quiet(turn, began)
            self._give_up(error)

    # -- one request -------------------------------------------------------------------------------------------

    async def _turn(self, wire: Wire, turn: Turn) -> None:
        """Asks for a block, and tells what came of it. Raises `WireLost`."""
        block, began = turn.block, time.monotonic()
        start, count = (block.start, block.count) if block.points else self._discoveries[block.unit].read
        try:
            answer = await wire.ask(Read(block.unit, block.table, start, count))
        except Refused as refused:
            if not self._prove():  # else it comes again at once
                await self._tell(self._refused(turn, refused.code, began))
        except Silent as silent:
            await self._tell(list(self._bad(self._quiet(turn, began))))
            self._give_up(silent)
        except Garbled as bad:
            origin, message = f"{self.link.url} {block}", f"{self._where(block)}: {bad}"
            path = block.points[0].path if block.points else None
            said = self._once([Malformed(origin, bad.heard, bad.reason, message, path)])
            said += self._bad(self._quiet(turn, began), BAD_COMMUNICATION_ERROR)
            await self._tell(said)
            self._give_up(bad)
        except WireLost:
            await self._tell(list(self._bad(self._quiet(turn, began))))
            raise
        else:
            await self._answered(turn, answer, began)

    async def _answered(self, turn: Turn, answer: Sequence[int], began: float) -> None:
        block, arrived = turn.block, time.time_ns() // 1000
        anew = self._prove()
        if block.points:
            self._schedule.answered(turn, began, time.monotonic())
            origin = f"{self.link.url} unit {block.unit}"
            decoded = (decode(point, block.start, answer, arrived, origin) for point in block.points)
            await self._tell(self._once(said for point_says in decoded for said in point_says))
        elif not anew:
            self._discover(turn, answer, began)

    def _discover(self, turn: Turn, words: Sequence[int] | None, began: float) -> None:
        """One step of finding out what a SunSpec device has; with the last one it is read from now on."""
        discovery, now = self._discoveries[turn.block.unit], time.monotonic()
        try:
            plan = discovery.take(words)
        except NotSunSpec as error:
            self._schedule.refuse(turn, str(error), began, now)
            return
        self._schedule.heard(turn, began, now)
        if plan is None:
            return
        self._schedule.remove(turn)
        for planned in plan:
            self._schedule.add(planned.blocks, planned.period_s, now)
        log.info(
            "sunspec models found",
            connector=self._name,
            device=self._where(turn.block),
            read=[model.number for model in discovery.models],
            not_known=[f"{model.number} at {model.address - 2}" for model in discovery.unknown],
            broken_at=discovery.broken_at,
        )

    def _refused(self, turn: Turn, code: int, began: float) -> list[Said]:
        """A Modbus exception: what may be one point's fault is asked for in parts, from now on."""
        block, now = turn.block, time.monotonic()
        if code in ABSENT:
            return list(self._bad(self._quiet(turn, began, proved=True)))
        if not block.points:
            self._discover(turn, None, began)
            return []
        if code in TOO_MUCH and len(parts := split(block)) > 1:
            self._schedule.replace(turn, parts, now)
            return []
        if code in LASTING:
            if not turn.refused:
                log.warning("modbus refused", connector=self._name, block=self._where(block), error=words(code))
            self._schedule.refuse(turn, words(code), began, now)
        else:
            self._schedule.answered(turn, began, now)
        return list(self._bad([block], of_exception(code)))

    def _quiet(self, turn: Turn, began: float, proved: bool = False) -> list[Block]:
        """Nothing came for a turn: the blocks of which nothing is known now. `proved`: a gateway has said so."""
        self._in_row += not proved
        # What answers a line late must not be taken for the answer to the next request: RTU cannot tell them apart.
        hush_s = self.link.timeout_s if self.link.line is not None and not proved else 0.0
        if not self._schedule.silence(turn, began, time.monotonic(), hush_s):
            return [turn.block]
        if len(self._schedule.units()) > 1:
            log.warning("modbus unit silent", connector=self._name, unit=self._where(turn.block))
        return [other.block for other in self._schedule if other.unit is turn.unit]

    def _give_up(self, error: Silent | Garbled) -> None:
        """Raises `WireLost` once a link has been silent too often, or when what comes next could be out of step: behind
        what is no answer, or, as RTU cannot tell, behind an answer that was late.
        """
        out_of_step = self.link.line is None and (self.link.rtu or isinstance(error, Garbled))
        if self._in_row >= SILENT_MAX or out_of_step:
            raise WireLost(f"{self.link.url}: {error}")

    # -- what is said ------------------------------------------------------------------------------------------

    def _bad(self, lost: Iterable[Block], quality: int = BAD_NO_COMMUNICATION) -> Iterator[Said]:
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

    def _where(self, block: Block) -> str:
        return f"{self._paths[block.unit]} ({self.link.url} {block})"

    def problems(self) -> Sequence[str]:
        """What is not read of this link, or not as often as asked."""
        if self.lost is not None:
            return [self.lost]
        found = [
            f"{self._paths[unit.number]} ({self.link.url} unit {unit.number}) does not answer; is it on, is the unit right?"
            for unit in self._schedule.units()
            if unit.silent > 1
        ]
        found += [f"{self._where(turn.block)}: {turn.refusal}" for turn in self._schedule if turn.refused]
        at, begun, missed = self._since
        begun, missed = self._schedule.begun - begun, self._schedule.missed - missed
        if missed > MISSED_SHARE * (begun + missed):
            found.append(
                f"{self.link.url}: {missed} of {begun + missed} cycles missed lately: it is slower than asked, or we are; "
                "ask for less, or less often"
            )
        if time.monotonic() - at > RECENT_S:
            self._since = time.monotonic(), self._schedule.begun, self._schedule.missed
        return found[:PROBLEMS_MAX] + ([f"and {len(found) - PROBLEMS_MAX} more"] if len(found) > PROBLEMS_MAX else [])
