"""What the tags of a work unit are for: a sample's value is checked and goes where the tag's role says.

A bad sample here is one of bad quality, and of uncertain quality where the type refuses it or nothing was measured.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Protocol

from processors.base import Rejection
from processors.inputs.measurements import Measurements
from processors.inputs.rank import source_of
from processors.inputs.series import Series
from processors.timeline.timeline import Timeline
from schemas.lengths import NAME_MAX, cut
from schemas.records import Sample, Value, is_good

COUNT_MAX = 1 << 40
"""Counters and codes stay below; a million million pieces is a fault of the source."""
SHOWN_MAX = 100
"""Characters of a value in the words of a refusal."""
DIGITS_MAX = 13
"""Of a code that is a text."""
MEASURE_MAX = 1e100
"""Measured values stay within ± this, so that their sums stay finite."""


class Taker(Protocol):
    """The work unit whose tags these are, as far as a tag must know it."""

    path: str
    fresh: bool
    timeline: Timeline

    def put(self, tag: str, series: Series, at: int, value: int, offset: int, rank: int) -> None: ...
    def touch(self, start: int, end: int) -> None: ...

    def trusts(self, quality: int) -> bool: ...


class Slot:
    """A tag that is only carried along, and its newest sample."""

    __slots__ = ("first", "newest", "place", "rivals", "tag")
    reads: ClassVar[bool] = False
    """Whether a fold reads the tag's samples."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.newest: Sample | None = None
        self.first = self.place = 0
        """Rank of the first sample of the newest one's record, which all its samples share, and its place among them."""
        self.rivals: dict[int, tuple[int, Sample]] = {}
        """Where two sources spoke of the newest time: source → rank and sample of its last word. May be of an older time."""

    @property
    def rank(self) -> int:
        """Of the newest sample."""
        return self.first + self.place

    @rank.setter
    def rank(self, rank: int) -> None:
        self.first, self.place = rank, 0

    def hear(self, sample: Sample, rank: int) -> bool:
        """Takes another sample of the newest time; whether there is anything new to show."""
        known = self.newest
        if known is None:
            self.newest, self.rank = sample, rank
            return True
        source, rivals = source_of(rank), self.rivals
        if not rivals or next(iter(rivals.values()))[1].at != sample.at:
            rivals = {source_of(self.rank): (self.rank, known)}
        said_rank, said = rivals.get(source, (-1, sample))
        if rank < said_rank or (rank == said_rank and not outranks(sample, said)):
            return False
        rivals[source] = (rank, sample)
        if len(rivals) > 1:
            self.rivals = rivals
        self.rank, self.newest = max(rivals.values(), key=lambda last: _precedence(last[1]))
        return (known.value, known.quality) != (self.newest.value, self.newest.quality)

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        """Gives the unit what the sample says, or says what is wrong with it."""
        return None


class Named(Slot):
    """State or mode: codes become names' numbers by the type's map; a bad sample and an unmapped code are unknown."""

    __slots__ = ("codes", "own", "series", "unknown")
    reads = True

    def __init__(self, tag: str, series: Series, codes: Mapping[int | str, int], unknown: int, own: bool) -> None:
        """`own`: whether the map is the type's own. In one by name, true is not the code 1."""
        super().__init__(tag)
        self.series = series
        self.codes = codes
        self.unknown = unknown
        self.own = own

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        value = sample.value
        if sample.quality & 0xC0000000 and not unit.trusts(sample.quality):
            unit.put(self.tag, self.series, sample.at, self.unknown, offset, rank)
            return None
        if value is None or (type(value) is float and not value.is_integer()):
            return refuse(unit, "wrong_type", sample, "a code is expected")
        if type(value) is bool and not self.own:
            return refuse(
                unit, "wrong_type", sample, "a code is expected; for true and false give the tag a map of its own"
            )
        number = coded(self.codes, value)
        if number is None:
            unit.put(self.tag, self.series, sample.at, self.unknown, offset, rank)
            return refuse(unit, "unmapped_state", sample, "add the code to the tag's map; it counts as unknown")
        unit.put(self.tag, self.series, sample.at, number, offset, rank)
        return None


class Stated(Named):
    """The state: before its first known one nothing of the machine was observed."""

    __slots__ = ()

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        refused = super().take(unit, sample, offset, rank)
        if sample.at <= unit.timeline.stated and (changed := unit.timeline.restate(sample.at)) is not None:
            unit.touch(*changed)
        return refused


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

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        if sample.quality & 0xC0000000 and not unit.trusts(sample.quality):
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
        unit.put(self.tag, self.series, sample.at - self.before, value, offset, rank)
        return None


class Reasoned(Whole):
    """The machine's stop reason: a number, or a text or boolean that the type's map makes one of. "" is no reason."""

    __slots__ = ("codes",)

    def __init__(self, tag: str, series: Series, codes: Mapping[int | str, int]) -> None:
        super().__init__(tag, series)
        self.codes = codes

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        value = sample.value
        if type(value) is not str and not self.codes:
            return super().take(unit, sample, offset, rank)
        if value is None or (sample.quality & 0xC0000000 and not unit.trusts(sample.quality)):
            return None
        number = coded(self.codes, value)
        if number is None and type(value) is str:
            number = 0 if not value else whole(value)
        elif number is None and type(value) is not bool:
            return super().take(unit, sample, offset, rank)
        if number is None:
            return refuse(unit, "unknown_code", sample, "add the text to the tag's map; the reason before it holds on")
        if not 0 <= number < self.limit:
            return refuse(unit, "out_of_range", sample, f"0 to {self.limit - 1} is possible")
        unit.put(self.tag, self.series, sample.at - self.before, number, offset, rank)
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

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        if sample.quality & 0xC0000000 and not unit.trusts(sample.quality):
            return None
        value = _number(sample)
        if value is None:
            return refuse(unit, "wrong_type", sample, "a number is expected")
        if not math.isfinite(value):
            return refuse(unit, "not_finite", sample, "a finite number is expected")
        if not 0 <= value < COUNT_MAX:
            return refuse(unit, "out_of_range", sample, f"0 to {COUNT_MAX - 1} is possible")
        unit.put(self.tag, self.series, sample.at - self.before, round(value * 1000), offset, rank)
        return None


class Measured(Slot):
    """A characteristic: a finite number; a bad sample is no point."""

    __slots__ = ("values",)
    reads = True

    def __init__(self, tag: str, values: Measurements) -> None:
        super().__init__(tag)
        self.values = values

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        if sample.quality & 0xC0000000 and not unit.trusts(sample.quality):
            return None
        value = _number(sample)
        if value is None:
            return refuse(unit, "wrong_type", sample, "a number is expected")
        if not math.isfinite(value):
            return refuse(unit, "not_finite", sample, "a finite number is expected")
        if abs(value) > MEASURE_MAX:
            return refuse(unit, "out_of_range", sample, f"at most {MEASURE_MAX:g} is possible")
        if self.values.add(sample.at, "", float(value), offset, rank):
            unit.fresh = True
        return None


class Watched(Measured):
    """A characteristic that a rule of condition reads, too: its values wait twice, for the chart and for the rule."""

    __slots__ = ("also",)

    def __init__(self, tag: str, values: Measurements, also: Measurements) -> None:
        super().__init__(tag, values)
        self.also = also

    def take(self, unit: Taker, sample: Sample, offset: int, rank: int) -> Rejection | None:
        refused = super().take(unit, sample, offset, rank)
        value = _number(sample)
        if refused is None and value is not None and (not sample.quality & 0xC0000000 or unit.trusts(sample.quality)):
            self.also.add(sample.at, "", float(value), offset, rank)
        return refused


def refuse(unit: Taker, reason: str, sample: Sample, advice: str) -> Rejection:
    """Why a sample is not taken. Of a long tag or value the words have the beginning: they travel in a header."""
    value = sample.value
    shown = repr(cut(value, SHOWN_MAX)) if isinstance(value, str) else repr(value)
    return Rejection(reason, f"{unit.path} {cut(sample.tag, NAME_MAX)} = {shown}: {advice}", sample.tag)


def coded(codes: Mapping[int | str, int], value: Value) -> int | None:
    """What a map makes of a value. 1, 1.0 and true are one code; "1" is it too, where the map has no such text."""
    if value is None:
        return None
    number = codes.get(value)  # type: ignore[arg-type]  # 1.0 finds 1
    if number is None and type(value) is str and (code := whole(value)) is not None:
        number = codes.get(code)
    return number


def whole(text: str) -> int | None:
    """The whole number that a text is, such as "12" or " 12 "; None of any other, and of one that no code has."""
    text = text.strip()
    return int(text) if len(text) <= DIGITS_MAX and text.isascii() and text.isdigit() else None


def outranks(sample: Sample, known: Sample) -> bool:
    """Which of two sources' samples of one time counts does not depend on which came first: good before bad, then the
    greater."""
    return _precedence(sample) > _precedence(known)


def _number(sample: Sample) -> int | float | None:
    value: Value = sample.value
    return value if type(value) is float or type(value) is int else None


def _precedence(sample: Sample) -> tuple[bool, int, bool, float, str]:
    value = sample.value
    if isinstance(value, str):
        return is_good(sample.quality), -sample.quality, True, 0.0, value
    number = float(value) if value is not None and value == value else -math.inf
    return is_good(sample.quality), -sample.quality, False, number, ""
