"""A tag that an alarm rule reads: its numbers are kept as a series of their own, beside what its role does with them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from processors.base import Rejection
from processors.cell.tags import MEASURE_MAX, Slot
from processors.inputs.series import Series
from processors.spc.ordinal import ordinal
from topology.model.alarms import Alarm, MissingRule

if TYPE_CHECKING:
    from processors.cell.tags import Taker
    from schemas.records import Sample


def series_of(tag: str) -> str:
    """Under which name the series of a watched tag is kept; no tag of a model has this sign in its name."""
    return f"\x1f{tag}"


class Watched(Slot):
    """Good numbers, true and false as 1 and 0. What is no number is no value of an alarm, and is refused only by its role."""

    __slots__ = ("any_value", "inner", "name", "series")
    reads = True

    def __init__(self, tag: str, inner: Slot | None, series: Series, any_value: bool) -> None:
        """`inner`: what the tag's role reads. `any_value`: texts count, too, as a sign that the tag is heard of."""
        super().__init__(tag)
        self.inner = inner if inner is not None and inner.reads else None
        self.name, self.series, self.any_value = series_of(tag), series, any_value

    def take(self, unit: "Taker", sample: "Sample", offset: int, rank: int) -> Rejection | None:
        refused = None if self.inner is None else self.inner.take(unit, sample, offset, rank)
        if sample.quality & 0xC0000000 and not unit.trusts(sample.quality):
            return refused
        value = sample.value
        if isinstance(value, bool | int | float) and -MEASURE_MAX <= value <= MEASURE_MAX:
            unit.put(self.name, self.series, sample.at, ordinal(float(value)), offset, rank)
        elif self.any_value and value is not None and not (isinstance(value, float) and math.isnan(value)):
            unit.put(self.name, self.series, sample.at, ordinal(0.0), offset, rank)
        return refused


def watch(alarms: Mapping[str, Alarm], slots: dict[str, Slot], series: dict[str, Series]) -> None:
    """Has the tags that alarm rules read watched."""
    readers: dict[str, list[Alarm]] = {}
    for alarm in alarms.values():
        for tag in alarm.rule.tags:
            readers.setdefault(tag, []).append(alarm)
    for tag, of in readers.items():
        kept = series[series_of(tag)] = Series()
        only_heard = all(isinstance(alarm.rule, MissingRule) for alarm in of)
        slots[tag] = Watched(tag, slots.get(tag), kept, only_heard)
