"""What is told of a plant: samples, facts (orders, shifts, reasons, …) and ticks. Times are integer microseconds UTC."""

from typing import ClassVar

import msgspec

Value = None | bool | int | float | str

GOOD = 0
"""OPC UA status code of a value that can be trusted."""


def is_good(quality: int) -> bool:
    """Whether an OPC UA status code says Good (severity bits 00)."""
    return quality & 0xC0000000 == 0


class RawRecord(msgspec.Struct, frozen=True, gc=False):
    """What is told of a plant: every such record is of class `raw`, on the topic of its area."""

    message_class: ClassVar[str] = "raw"


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one tag at the source's own time."""

    tag: str
    at: int
    value: Value
    quality: int = GOOD


class Samples(RawRecord, frozen=True, gc=False):
    """Values of one path over one publish interval; `sequence` has no gap per source and path."""

    source: str
    sequence: int
    samples: tuple[Sample, ...]


class Order(RawRecord, frozen=True, gc=False, kw_only=True):
    id: str
    product: str
    started_at: int
    ended_at: int | None = None
    planned_quantity: int | None = None
    ideal_cycle_s: float | None = None


class Lot(RawRecord, frozen=True, gc=False, kw_only=True):
    id: str
    material: str
    supplier: str | None = None
    started_at: int
    ended_at: int | None = None


class Break(msgspec.Struct, frozen=True, gc=False):
    started_at: int
    ended_at: int


class Shift(RawRecord, frozen=True, gc=False, kw_only=True):
    id: str
    name: str
    started_at: int
    ended_at: int
    breaks: tuple[Break, ...] = ()


class Reason(RawRecord, frozen=True, gc=False, kw_only=True):
    id: str
    code: int
    started_at: int
    ended_at: int | None = None
    by: str
    comment: str | None = None


class Inspection(RawRecord, frozen=True, gc=False, kw_only=True):
    id: str
    characteristic: str
    at: int
    value: float
    by: str | None = None


class Acknowledge(RawRecord, frozen=True, gc=False, kw_only=True):
    alert: str
    at: int
    by: str
    comment: str | None = None


class Tick(RawRecord, frozen=True, gc=False, kw_only=True):
    at: int
    worker: str


Fact = Order | Lot | Shift | Reason | Inspection | Acknowledge
Raw = Samples | Fact | Tick
RAW_TYPES: tuple[type[Raw], ...] = (Samples, Order, Lot, Shift, Reason, Inspection, Acknowledge, Tick)
FACT_TYPES: tuple[type[Fact], ...] = (Order, Lot, Shift, Reason, Inspection, Acknowledge)
