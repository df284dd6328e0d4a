"""Finds out, one read after another, what a SunSpec device has, and plans how it is read. No I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from connectors.modbus import sunspec
from connectors.modbus.blocks import Block, blocks
from connectors.modbus.config import Device
from connectors.modbus.point import Point

SLOW_S = 600.0
"""How often what hardly ever changes is read, where the device itself is read more often."""


class Planned(NamedTuple):
    """Blocks of one period."""

    blocks: list[Block]
    period_s: float


class Discovery:
    """`read` is what to ask for next; `take` what came, until it returns the plan."""

    def __init__(self, device: Device) -> None:
        assert device.sunspec is not None
        self._device, self._wanted = device, device.sunspec
        self.unknown: list[sunspec.Model] = []
        """Models that are not read because nobody has told us what is in them."""
        self.broken_at: int | None = None
        """Where the chain of models could not be followed any further."""
        self.models: tuple[sunspec.Model, ...] = ()
        self.planned: list[Planned] = []
        """How it is read; empty before `take` has returned it."""
        self._factors: dict[int, int] = {}
        self._far: list[int] = []
        self._begin()

    def _begin(self) -> None:
        self._survey = sunspec.survey(self._wanted.base)
        self.models, self._factors, self._far = (), {}, []
        self.read: sunspec.Ask = next(self._survey)

    def take(self, words: Sequence[int] | None) -> list[Planned] | None:
        """What came, None for a refusal. Raises `NotSunSpec`, and then begins anew."""
        if self._far:
            self._factors[self._far.pop()] = words[0] if words else sunspec.NO_FACTOR
        else:
            try:
                self.read = self._survey.send(words)
                return None
            except StopIteration as end:
                self._found(end.value)
            except sunspec.NotSunSpec:
                self._begin()
                raise
        if self._far:
            self.read = self._far[-1], 1
            return None
        return self._plan()

    def _found(self, found: sunspec.Found) -> None:
        wanted = [model for model in found.models if not self._wanted.models or model.number in self._wanted.models]
        self.broken_at = found.broken_at
        self.unknown = [model for model in wanted if model.number not in sunspec.known()]
        self.models = tuple(model for model in wanted if model.number in sunspec.known())
        self._far = sunspec.far_factors(self.models, self._device.registers_max)

    def _plan(self) -> list[Planned]:
        device = self._device
        by_period: dict[float, list[Point]] = {}
        for point, slow in sunspec.points(device.location, self.models, device.registers_max, self._factors):
            if point.tag not in device.tags and (not self._wanted.tags or point.tag in self._wanted.tags):
                period_s = max(device.period_s, SLOW_S) if slow else device.period_s
                by_period.setdefault(period_s, []).append(point)
        if not by_period:
            found = ", ".join(str(model.number) for model in (*self.models, *self.unknown)) or "none that was asked for"
            self._begin()
            raise sunspec.NotSunSpec(f"no SunSpec model or tag that can be read: it has {found}")
        self.planned = [
            Planned(blocks(device.unit, points, device.gap, device.registers_max), period_s)
            for period_s, points in by_period.items()
        ]
        return self.planned
