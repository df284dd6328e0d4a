"""What the tags of a work unit are for: a sample's value is checked and goes where the tag's role says."""

import math
from collections.abc import Mapping
from typing import ClassVar, Protocol

from processors.base import Rejection
from processors.inputs.measurements import Measurements
from processors.inputs.series import Series
from schemas.records import Sample, Value, is_good

COUNT_MAX = 1 << 40
"""Counters and codes stay below; a million million pieces is a fault of the source."""
MEASURE_MAX = 1e100
"""Measured values stay within ± this, so that their sums stay finite."""


class Taker(Protocol):
    """The work unit whose tags these are, as far as a tag must know it."""

    path: str
    fresh: bool

    def put(self, tag: str, series: Series, at: int, value: int, offset: int) -> None: ...


class Slot:
    """A tag that is only carried along, and its newest sample."""

    __slots__ = ("newest", "tag")
    reads: ClassVar[bool] = False
    """Whether a fold reads the tag's samples."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.newest: Sample | None = None

    def take(self, unit: Taker, sample: Sample, offset: int) -> Rejection | None:
        """Gives the unit what the sample says, or says what is wrong with it."""
        return None


class Named(Slot):
    """State or mode: codes become names' numbers by the type's map; a bad sample and an unmapped code are unknown."""

    __slots__ = ("codes", "series", "unknown")
    reads = True

    def __init__(self, tag: str, series: Series, codes: Mapping[int | str, int], unknown: int) -> None:
        super().__init__(tag)
        self.series = series
        self.codes = codes
        self.unknown = unknown

    def take(self, unit: Taker, sample: Sample, offset: int) -> Rejection | None:
        value = sample.value
        if sample.quality & 0xC0000000:
            unit.put(self.tag, self.series, sample.at, self.unknown, offset)
            return None
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int and type(value) is not str:
            return refuse(unit, "wrong_type", sample, "a code is expected")
        number = self.codes.get(value)
        if number is None:
            unit.put(self.tag, self.series, sample.at, self.unknown, offset)
            return refuse(unit, "unmapped_state", sample, "add the code to the tag's map; it counts as unknown")
        unit.put(self.tag, self.series, sample.at, number, offset)
        return None


class Whole(Slot):
    """Counters and reason codes: whole numbers, not negative, below the modulus; bad samples say nothing."""

    __slots__ = ("before", "limit", "series")
    reads = True

    def __init__(self, tag: str, series: Series, modulus: int | None = None, before: int = 0) -> None:
        """`before`: µs by which what a sample says lies before it."""
        super().__init__(tag)
        self.series = series
        self.limit = COUNT_MAX if modulus is None else min(modulus, COUNT_MAX)
        self.before = before

    def take(self, unit: Taker, sample: Sample, offset: int) -> Rejection | None:
        if sample.quality & 0xC0000000:
            return None
        value = sample.value
        if type(value) is not int:
            if type(value) is not float:
                return refuse(unit, "wrong_type", sample, "a whole number is expected")
            if not math.isfinite(value):
                return refuse(unit, "not_finite", sample, "a whole number is expected")
            if not value.is_integer():
                return refuse(unit, "wrong_type", sample, "a whole number is expected")
            value = int(value)
        if not 0 <= value < self.limit:
            advice = f"0 to {self.limit - 1} is possible; check the tag's modulus"
            return refuse(unit, "out_of_range", sample, advice)
        unit.put(self.tag, self.series, sample.at - self.before, value, offset)
        return None


class Metered(Slot):
    """A meter that only rises, kept in thousandths of its unit; bad samples say nothing."""

    __slots__ = ("before", "series")
    reads = True

    def __init__(self, tag: str, series: Series, before: int) -> None:
        """`before`: µs by which what a sample says lies before it."""
        super().__init__(tag)
        self.series = series
        self.before = before

    def take(self, unit: Taker, sample: Sample, offset: int) -> Rejection | None:
        if sample.quality & 0xC0000000:
            return None
        value = _number(sample)
        if value is None:
            return refuse(unit, "wrong_type", sample, "a number is expected")
        if not math.isfinite(value):
            return refuse(unit, "not_finite", sample, "a finite number is expected")
        if not 0 <= value < COUNT_MAX:
            return refuse(unit, "out_of_range", sample, f"0 to {COUNT_MAX - 1} is possible")
        unit.put(self.tag, self.series, sample.at - self.before, round(value * 1000), offset)
        return None


class Measured(Slot):
    """A characteristic: a finite number; a bad sample is no point."""

    __slots__ = ("values",)
    reads = True

    def __init__(self, tag: str, values: Measurements) -> None:
        super().__init__(tag)
        self.values = values

    def take(self, unit: Taker, sample: Sample, offset: int) -> Rejection | None:
        if sample.quality & 0xC0000000:
            return None
        value = _number(sample)
        if value is None:
            return refuse(unit, "wrong_type", sample, "a number is expected")
        if not math.isfinite(value):
            return refuse(unit, "not_finite", sample, "a finite number is expected")
        if abs(value) > MEASURE_MAX:
            return refuse(unit, "out_of_range", sample, f"at most {MEASURE_MAX:g} is possible")
        if self.values.add(sample.at, "", float(value), offset):
            unit.fresh = True
        return None


def refuse(unit: Taker, reason: str, sample: Sample, advice: str) -> Rejection:
    return Rejection(reason, f"{unit.path} {sample.tag} = {sample.value!r}: {advice}", sample.tag)


def outranks(sample: Sample, known: Sample) -> bool:
    """Which of two samples of one time counts does not depend on which came first: good before bad, then the greater."""
    return _rank(sample) > _rank(known)


def _number(sample: Sample) -> int | float | None:
    value: Value = sample.value
    return value if type(value) is float or type(value) is int else None


def _rank(sample: Sample) -> tuple[bool, int, bool, float, str]:
    value = sample.value
    if isinstance(value, str):
        return is_good(sample.quality), -sample.quality, True, 0.0, value
    number = float(value) if value is not None and value == value else -math.inf
    return is_good(sample.quality), -sample.quality, False, number, ""
