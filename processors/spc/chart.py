"""Quality records: one for each point of an individuals and moving-range chart of a characteristic.

The newest `baseline` points give the limits, which then stay: mean ± 3·MR̄/d2, moving range up to D4·MR̄; later points
are checked by the Nelson rules among themselves (σ = MR̄/d2). What is out of specification is no pattern of a process that
is well: limits are learnt once at most a tenth of those points are, and without them and the ranges that they end. A new
product starts the chart anew. Points are taken in order of source time when the watermark passes them. A point that comes
later than that is published with the limits as they are, phase `late` and no rules, and moves nothing.
"""

import struct
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

import msgspec

from processors.spc import nelson
from processors.spc.specification import NONE, Specification

D2 = 1.1283791670955126
"""d2(2) = 2/√π: mean range of two points in σ."""
D4 = 3.2665319192886013
"""D4(2) = 1 + 3·d3(2)/d2(2)."""
LEARNT_PER_REFUSED = 10
"""Of so many points that limits are learnt from, one may be out of specification; rounded down."""


@dataclass(slots=True)
class Limits:
    """Control limits learnt from a baseline."""

    mean: float
    mean_range: float
    sigma: float = field(init=False)
    lcl: float = field(init=False)
    ucl: float = field(init=False)
    range_ucl: float = field(init=False)

    def __post_init__(self) -> None:  # once: each point asks for all of them
        self.sigma = self.mean_range / D2
        self.lcl = self.mean - 3 * self.sigma
        self.ucl = self.mean + 3 * self.sigma
        self.range_ucl = D4 * self.mean_range


def ordinal(value: float) -> int:
    """A double as an int64 of the same order."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value + 0.0))  # -0.0 is 0.0
    return int(bits) if bits >= 0 else int(bits) ^ 0x7FFF_FFFF_FFFF_FFFF


def measure(number: int) -> float:
    """The double of which `ordinal` gave the number."""
    bits = number if number >= 0 else number ^ 0x7FFF_FFFF_FFFF_FFFF
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    return float(value)


def learn(points: list[float], specification: Specification = NONE) -> Limits:
    """Limits from points in order, of which two neighbours or more are within the specification; the rest is left out."""
    within = [value for value in points if specification.broken(value) is None]
    ranges = [
        abs(b - a) for a, b in pairwise(points) if specification.broken(a) is None and specification.broken(b) is None
    ]
    return Limits(fmean(within), fmean(ranges))


@dataclass(slots=True)
class ChartedPoint:
    """What the chart says of one value."""

    moving_range: float | None
    phase: str
    rules: tuple[int, ...]
    """Nelson rules it completes; 0: its moving range is above the limit."""


@dataclass(slots=True)
class Chart:
    """The chart of one characteristic on one machine."""

    baseline: int
    specification: Specification = NONE
    learning: list[float] = field(default_factory=list)
    """The newest points while limits are learnt; then those that they were learnt from."""
    limits: Limits | None = None
    recent: list[float] = field(default_factory=list)
    """The last points of the control phase, for the rules."""
    previous: float | None = None
    product: str | None = None
    alert_from: int | None = None
    """Begin of the open alert."""
    alert_rules: tuple[int, ...] = ()
    """Rules that the point completed with which it began."""
    alert_point: str = ""
    """Kind of the record of that point."""
    quiet: int = 0
    """Points of the control phase in a row without a rule."""

    def restart(self) -> None:
        """Learns new limits from here on. What the alert says is not undone by it: the new points have shown nothing yet."""
        self.learning, self.limits, self.recent, self.previous = [], None, [], None
        self.quiet = 0

    @property
    def warning(self) -> str | None:
        """What is wrong with the control limits, in words; None: nothing."""
        if self.limits is not None:
            words = self.specification.exceeded(self.limits.lcl, self.limits.ucl)
            return None if words is None else f"not capable: {words}"
        beyond = self._beyond()
        if beyond <= self.baseline // LEARNT_PER_REFUSED:
            return None
        return f"limits refused: {beyond} of {len(self.learning)} points out of specification"

    def _beyond(self) -> int:
        """Points out of specification among those that limits would be learnt from."""
        broken = self.specification.broken
        if not self.learning or (broken(max(self.learning)) is None and broken(min(self.learning)) is None):
            return 0
        return sum(self.specification.broken(value) is not None for value in self.learning)

    def take(self, value: float) -> ChartedPoint:
        """The next point in order of time."""
        moving_range = None if self.previous is None else abs(value - self.previous)
        self.previous = value
        if self.limits is None:
            self.learning = [*self.learning[-self.baseline + 1 :], value]
            if len(self.learning) == self.baseline and self._beyond() <= self.baseline // LEARNT_PER_REFUSED:
                self.limits = learn(self.learning, self.specification)
            return ChartedPoint(moving_range, "baseline", ())
        self.recent = [*self.recent[-nelson.LONGEST + 1 :], value]
        completed = nelson.rules(self.recent, self.limits.mean, self.limits.sigma)
        if moving_range is not None and moving_range > self.limits.range_ucl:
            completed = (0, *completed)
        return ChartedPoint(moving_range, "control", completed)

    def dump(self) -> "SavedChart":
        """Everything but the configuration."""
        limits = self.limits
        return SavedChart(
            learning=self.learning,
            mean=None if limits is None else limits.mean,
            mean_range=None if limits is None else limits.mean_range,
            recent=self.recent,
            previous=self.previous,
            product=self.product,
            alert_from=self.alert_from,
            alert_rules=self.alert_rules,
            alert_point=self.alert_point,
            quiet=self.quiet,
        )

    def load(self, saved: "SavedChart") -> None:
        """Puts back what `dump` gave."""
        self.learning, self.recent, self.previous = saved.learning, saved.recent, saved.previous
        if saved.mean is None or saved.mean_range is None:
            self.limits = None
        else:
            self.limits = Limits(saved.mean, saved.mean_range)
        self.product, self.quiet = saved.product, saved.quiet
        self.alert_from, self.alert_rules, self.alert_point = saved.alert_from, saved.alert_rules, saved.alert_point


class SavedChart(msgspec.Struct, omit_defaults=True, gc=False):
    """A chart without its configuration, as it is saved; names and meanings are those of `Chart` and `Limits`."""

    learning: list[float] = []
    mean: float | None = None
    mean_range: float | None = None
    recent: list[float] = []
    previous: float | None = None
    product: str | None = None
    alert_from: int | None = None
    alert_rules: tuple[int, ...] = ()
    alert_point: str = ""
    quiet: int = 0
