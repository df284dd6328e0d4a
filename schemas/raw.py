"""What is told of a plant: samples, facts (orders, shifts, reasons, gaps, …) and ticks. Times are integer microseconds UTC."""

from typing import ClassVar

import msgspec

Value = None | bool | int | float | str

GOOD = 0
"""OPC UA status code of a value that can be trusted."""


def is_good(quality: int) -> bool:
    """Whether an OPC UA status code says Good (severity bits 00)."""
    return quality & 0xC0000000 == 0


LAST_USABLE = frozenset({0x408F0000, 0x40900000})
"""OPC UA: NoCommunicationLastUsableValue and LastUsableValue, what was measured before; the source hears nothing now."""
INITIAL = 0x40920000
"""OPC UA: InitialValue, what a server has before anything was measured."""
_CODE = 0xFFFF0000
"""An OPC UA status code without its flags."""


def is_uncertain(quality: int) -> bool:
    """Whether an OPC UA status code says Uncertain (severity bits 01)."""
    return quality & 0xC0000000 == 0x40000000


def is_measured(quality: int) -> bool:
    """Whether the value is one that was measured: good, or uncertain and not merely what a server begins with."""
    return is_good(quality) or (is_uncertain(quality) and quality & _CODE != INITIAL)


def is_live(quality: int) -> bool:
    """Whether the source hears the machine: it gives a measured value, and not the last usable one."""
    return is_measured(quality) and quality & _CODE not in LAST_USABLE


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
    """A production order on a line or cell; a later record with the same id replaces it."""

    id: str
    product: str
    started_at: int
    ended_at: int | None = None
    planned_quantity: int | None = None
    ideal_cycle_s: float | None = None
    attributes: dict[str, str] = {}


class Lot(RawRecord, frozen=True, gc=False, kw_only=True):
    """A lot of material in use on a line or cell; a later record with the same id replaces it."""

    id: str
    material: str
    supplier: str | None = None
    started_at: int
    ended_at: int | None = None
    attributes: dict[str, str] = {}


class Break(msgspec.Struct, frozen=True, gc=False):
    """A pause within a shift."""

    started_at: int
    ended_at: int


class Shift(RawRecord, frozen=True, gc=False, kw_only=True):
    """A shift of a line or cell; a later record with the same id replaces it."""

    id: str
    name: str
    started_at: int
    ended_at: int
    breaks: tuple[Break, ...] = ()
    attributes: dict[str, str] = {}


class Reason(RawRecord, frozen=True, gc=False, kw_only=True):
    """Why a machine stood, by a person or a system; a later record with the same id replaces it."""

    id: str
    code: int
    started_at: int
    ended_at: int | None = None
    by: str
    comment: str | None = None


class Gap(RawRecord, frozen=True, gc=False, kw_only=True):
    """Nobody listened to a path from … to …: an outage of ours, not of the machine; a later record with the same id
    replaces it, and one that ends where it begins takes it back."""

    id: str
    started_at: int
    ended_at: int | None = None
    cause: str
    by: str
    text: str | None = None


class Defect(msgspec.Struct, frozen=True, gc=False):
    """Defects of one type at one place."""

    type: str
    place: str | None = None
    count: int = 1


class Inspection(RawRecord, frozen=True, gc=False, kw_only=True):
    """A measured or counted characteristic of a piece or a sample of pieces."""

    id: str
    characteristic: str
    at: int
    value: float
    by: str | None = None
    size: float | None = None
    passed: bool | None = None
    defects: tuple[Defect, ...] = ()


class Limits(RawRecord, frozen=True, gc=False, kw_only=True):
    """A decision about control limits: frozen from `at` on (`mean`, `sigma`), or learnt anew (neither)."""

    id: str
    characteristic: str | None = None
    at: int
    mean: float | None = None
    sigma: float | None = None
    why: str
    by: str
    comment: str | None = None


class Acknowledge(RawRecord, frozen=True, gc=False, kw_only=True):
    """A person has seen an alert: `alert` is its natural id. Action `reset` ends a latched one whose condition is gone."""

    alert: str
    at: int
    by: str
    comment: str | None = None
    action: str = "acknowledge"


class Shelve(RawRecord, frozen=True, gc=False, kw_only=True):
    """A person puts an alarm of a line or cell aside until `ended_at`; a later record with the same id replaces it."""

    id: str
    alarm: str
    started_at: int
    ended_at: int
    by: str
    comment: str | None = None


class OutOfService(RawRecord, frozen=True, gc=False, kw_only=True):
    """An alarm of a line or cell is out of service; a later record with the same id replaces it, and ends it."""

    id: str
    alarm: str
    started_at: int
    ended_at: int | None = None
    by: str
    comment: str | None = None


class WorkOrder(RawRecord, frozen=True, gc=False, kw_only=True):
    """What became of a work order, as the maintenance system says; a later record with the same id replaces it. No number
    follows from it: what corrects a stop's reason is a `Reason`."""

    id: str
    status: str
    started_at: int
    ended_at: int | None = None
    about: str | None = None
    code: str | None = None
    labour_s: float | None = None
    by: str | None = None
    comment: str | None = None


class Tick(RawRecord, frozen=True, gc=False, kw_only=True):
    """What time it is: the only clock that a fold knows."""

    at: int
    worker: str


Fact = Order | Lot | Shift | Reason | Gap | Inspection | Acknowledge | WorkOrder | Shelve | OutOfService | Limits
Raw = Samples | Fact | Tick
FACT_TYPES: tuple[type[Fact], ...] = (
    Order,
    Lot,
    Shift,
    Reason,
    Gap,
    Inspection,
    Acknowledge,
    WorkOrder,
    Shelve,
    OutOfService,
    Limits,
)
RAW_TYPES: tuple[type[Raw], ...] = (Samples, *FACT_TYPES, Tick)
