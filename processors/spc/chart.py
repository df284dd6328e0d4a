"""Quality records: one for each point of an individuals and moving-range chart of a characteristic.

The first `baseline` points give the limits, which then stay: mean ± 3·MR̄/d2, moving range up to D4·MR̄; later points
are checked by the Nelson rules among themselves (σ = MR̄/d2). A new product starts the chart anew. Points are taken in
order of source time when the watermark passes them. A point that comes later than that is published with the limits as
they are, phase `late` and no rules, and moves nothing.
"""

import struct
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import Any

from processors.spc import nelson

D2 = 1.1283791670955126
"""d2(2) = 2/√π: mean range of two points in σ."""
D4 = 3.2665319192886013
"""D4(2) = 1 + 3·d3(2)/d2(2)."""


@dataclass(slots=True)
class Limits:
    """Control limits learnt from a baseline."""

    mean: float
    mean_range: float

    @property
    def sigma(self) -> float:
        return self.mean_range / D2

    @property
    def lcl(self) -> float:
        return self.mean - 3 * self.sigma

    @property
    def ucl(self) -> float:
        return self.mean + 3 * self.sigma

    @property
    def range_ucl(self) -> float:
        return D4 * self.mean_range


def ordinal(value: float) -> int:
    """A double as an int64 of the same order."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value + 0.0))  # -0.0 is 0.0
    return int(bits) if bits >= 0 else int(bits) ^ 0x7FFF_FFFF_FFFF_FFFF


def learn(points: list[float]) -> Limits:
    """Limits from two points or more."""
    return Limits(fmean(points), fmean(abs(b - a) for a, b in pairwise(points)))


@dataclass(slots=True)
class Point:
    """What the chart says of one value."""

    moving_range: float | None
    phase: str
    rules: tuple[int, ...]
    """Nelson rules it completes; 0: its moving range is above the limit."""


@dataclass(slots=True)
class Chart:
    """The chart of one characteristic on one machine."""

    baseline: int
    lsl: float | None
    usl: float | None
    learning: list[float] = field(default_factory=list)
    limits: Limits | None = None
    recent: list[float] = field(default_factory=list)
    """The last points of the control phase, for the rules."""
    previous: float | None = None
    product: str | None = None
    alert_from: int | None = None
    """Begin of the open alert."""
    quiet: int = 0
    """Points in a row without a rule."""
    pending: dict[tuple[int, str], tuple[float, int]] = field(default_factory=dict)
    """(at, inspection id or '') → value and offset of points the watermark has not passed."""
    changed: bool = False

    def add(self, at: int, inspection: str, value: float, offset: int) -> bool:
        """Keeps a point until the watermark passes it; of two values at one time the greater counts."""
        known = self.pending.get((at, inspection))
        if known is not None and value <= known[0]:
            return False
        self.pending[at, inspection] = (value, offset)
        self.changed = True
        return True

    def due(self, watermark: int) -> list[tuple[int, str, float, int]]:
        """Takes out the points up to the watermark, in order: (at, inspection, value, offset)."""
        keys = sorted(key for key in self.pending if key[0] <= watermark)
        self.changed = self.changed or bool(keys)
        return [(*key, *self.pending.pop(key)) for key in keys]

    def restart(self) -> None:
        """Learns new limits from here on."""
        self.learning, self.limits, self.recent, self.previous = [], None, [], None

    def take(self, value: float) -> Point:
        """The next point in order of time."""
        moving_range = None if self.previous is None else abs(value - self.previous)
        self.previous = value
        if self.limits is None:
            self.learning.append(value)
            if len(self.learning) >= self.baseline:
                self.limits = learn(self.learning)
            return Point(moving_range, "baseline", ())
        self.recent = [*self.recent[-nelson.LONGEST + 1 :], value]
        found = nelson.rules(self.recent, self.limits.mean, self.limits.sigma)
        if moving_range is not None and moving_range > self.limits.range_ucl:
            found = (0, *found)
        return Point(moving_range, "control", found)

    def dump(self) -> list[Any]:
        """Everything but the configuration, for the state store."""
        limits = None if self.limits is None else [self.limits.mean, self.limits.mean_range]
        pending = [[at, name, value, offset] for (at, name), (value, offset) in self.pending.items()]
        return [self.learning, limits, self.recent, self.previous, self.product, self.alert_from, self.quiet, pending]

    def load(self, dump: list[Any]) -> None:
        self.learning, limits, self.recent, self.previous, self.product, self.alert_from, self.quiet, pending = dump
        self.limits = None if limits is None else Limits(*limits)
        self.pending = {(at, name): (value, offset) for at, name, value, offset in pending}
