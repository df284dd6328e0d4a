"""One Modbus link: how its blocks are planned, asked for, and what a refusal means."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from connectors.base import Said
from connectors.kit.polling.poller import BACKOFF_S, Poller, Tell
from connectors.kit.polling.schedule import Schedule, Turn, Unit
from connectors.kit.polling.wire import Garbled, Silent
from connectors.modbus.blocks import Block, blocks, split
from connectors.modbus.codec import decode
from connectors.modbus.config import Link, ModbusConfig
from connectors.modbus.discovery import Discovery
from connectors.modbus.point import Point
from connectors.modbus.quality import ABSENT, LASTING, TOO_MUCH, of_exception, words
from connectors.modbus.sunspec import NotSunSpec
from connectors.modbus.wire import ModbusWire, Read

log = structlog.get_logger()


class ModbusPoller(Poller[Block, ModbusWire]):
    """The units behind one link."""

    def __init__(
        self, name: str, config: ModbusConfig, link: Link, stagger: float, tell: Tell, moved: Callable[[], None]
    ) -> None:
        super().__init__("modbus", name, link.url, link.timeout_s, stagger, tell, moved)
        self.link = link
        if link.line is not None:
            # What answers a line late must not be taken for the answer to the next request: RTU cannot tell them apart.
            self.hush_s = link.timeout_s
            self.backoff_s = (max(BACKOFF_S[0], link.timeout_s), BACKOFF_S[1])
        self._config = config
        self._paths: dict[int, str] = {device.unit: device.path for device in reversed(link.devices)}
        self._discoveries: dict[int, Discovery] = {}
        """By unit."""
        self._schedule = self._plan(self._schedule)

    def _plan(self, before: Schedule[Block]) -> Schedule[Block]:
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

    def _wire(self) -> ModbusWire:
        return ModbusWire(self.link)

    async def _ask(self, wire: ModbusWire, block: Block) -> Sequence[int]:
        start, count = (block.start, block.count) if block.points else self._discoveries[block.unit].read
        return await wire.ask(Read(block.unit, block.table, start, count))

    async def _touch(self, wire: ModbusWire, block: Block) -> None:
        await wire.ask(Read(block.unit, block.table, block.start, 1))

    async def _rest(self) -> None:
        await asyncio.sleep(self.link.pause_s)

    def _out_of_step(self, error: Silent | Garbled) -> bool:
        """Behind what is no answer, or, as RTU cannot tell, behind an answer that was late."""
        return self.link.line is None and (self.link.rtu or isinstance(error, Garbled))

    async def _take(self, turn: Turn[Block], answer: Sequence[int], began: float, anew: bool) -> None:
        block, arrived = turn.block, time.time_ns() // 1000
        if block.points:
            self._schedule.answered(turn, began, time.monotonic())
            origin = f"{self.url} unit {block.unit}"
            decoded = (decode(point, block.start, answer, arrived, origin) for point in block.points)
            await self._tell(self._once(said for point_says in decoded for said in point_says))
        elif not anew:
            self._discover(turn, answer, began)

    def _discover(self, turn: Turn[Block], words: Sequence[int] | None, began: float) -> None:
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

    def _refused(self, turn: Turn[Block], code: int, began: float) -> list[Said]:
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
            self._refuse(turn, words(code), began)
        else:
            self._schedule.answered(turn, began, now)
        return list(self._bad([block], of_exception(code)))

    def _where(self, block: Block) -> str:
        return f"{self._paths[block.unit]} ({self.url} {block})"

    def _unit(self, unit: Unit) -> str:
        return f"{self._paths[unit.number]} ({self.url} unit {unit.number})"
