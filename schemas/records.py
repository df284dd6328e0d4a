"""The records as Python values: one frozen struct an `.avsc`, field for field. Times are integer microseconds UTC."""

from typing import ClassVar

import msgspec

Value = None | bool | int | float | str

GOOD = 0
"""OPC UA status code of a value that can be trusted."""


def is_good(quality: int) -> bool:
    """Whether an OPC UA status code says Good (severity bits 00)."""
    return quality & 0xC0000000 == 0


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one tag at the source's own time."""

    tag: str
    at: int
    value: Value
    quality: int = GOOD


class Samples(msgspec.Struct, frozen=True, gc=False):
    """Values of one path over one publish interval; `sequence` has no gap per source and path."""

    source: str
    sequence: int
    samples: tuple[Sample, ...]


class Order(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str
    product: str
    started_at: int
    ended_at: int | None = None
    planned_quantity: int | None = None
    ideal_cycle_s: float | None = None


class Lot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str
    material: str
    supplier: str | None = None
    started_at: int
    ended_at: int | None = None


class Break(msgspec.Struct, frozen=True, gc=False):
    started_at: int
    ended_at: int


class Shift(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str
    name: str
    started_at: int
    ended_at: int
    breaks: tuple[Break, ...] = ()


class Reason(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str
    code: int
    started_at: int
    ended_at: int | None = None
    by: str
    comment: str | None = None


class Inspection(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str
    characteristic: str
    at: int
    value: float
    by: str | None = None


class Acknowledge(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    alert: str
    at: int
    by: str
    comment: str | None = None


class Tick(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    at: int
    worker: str


Fact = Order | Lot | Shift | Reason | Inspection | Acknowledge
Raw = Samples | Fact | Tick


class Inputs(msgspec.Struct, frozen=True, gc=False):
    """The raw records a number rests on."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class Derived(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every derived record carries. `id` minus its revision (`natural_id`) names the fact; revisions replace each other."""

    message_class: ClassVar[str]

    id: str
    path: str
    started_at: int
    ended_at: int | None
    definition: str
    status: str
    revision: int
    inputs: Inputs

    @property
    def natural_id(self) -> str:
        return self.id.rpartition(":")[0]


class State(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "state"

    state: str
    mode: str
    element: str


class Production(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "production"

    good: int
    scrap: int
    rework: int = 0
    resets: int
    order: str | None
    product: str | None


class Downtime(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "downtime"

    kind: str
    state: str
    reason_code: int | None
    reason: str | None
    category: str | None
    order: str | None
    stop_started_at: int | None = None
    reason_by: str | None = None


class Oee(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "oee"

    window: str
    window_name: str | None
    element_us: dict[str, int]
    good: int
    scrap: int
    rework: int = 0
    ideal_us: int
    ideal_good_us: int
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None
    order: str | None
    product: str | None


class Quality(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "quality"

    characteristic: str
    value: float
    moving_range: float | None
    phase: str
    mean: float | None
    lcl: float | None
    ucl: float | None
    range_ucl: float | None
    lsl: float | None
    usl: float | None
    rules: tuple[int, ...]


class Alert(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "alert"

    kind: str
    severity: str
    state: str
    subject: str
    message: str
    acknowledged_by: str | None
    cause: str


class CurrentTag(msgspec.Struct, frozen=True, gc=False):
    tag: str
    at: int
    value: Value
    quality: int


class Current(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "current"

    at: int
    state: str
    mode: str
    state_since: int | None
    last_seen: int | None
    order: str | None
    product: str | None
    shift: str | None
    good: int
    scrap: int
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None
    open_alerts: int
    tags: tuple[CurrentTag, ...]


class KpiPieces(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    product: str | None
    ideal_cycle_us: int
    good: int
    scrap: int
    rework: int
    start_up: int = 0


class KpiStops(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    reason_code: int | None
    reason: str | None
    category: str | None
    count: int
    stopped_us: int


class Kpi(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "kpi"

    window: str
    window_name: str | None
    order: str | None
    product: str | None
    element_us: dict[str, int]
    pieces: tuple[KpiPieces, ...]
    quantities: dict[str, float]
    loss_us: dict[str, int]
    stops: tuple[KpiStops, ...]
    values: dict[str, float | None]
    parts: tuple[str, ...]
    rule: str | None


class PilotEstimate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    value: float | None
    low: float | None
    high: float | None
    windows: int


class PilotTarget(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    name: str
    unit: str
    better: str
    baseline: PilotEstimate
    since: PilotEstimate
    change: PilotEstimate
    relative: PilotEstimate
    target: float | None
    target_change: float | None
    verdict: str
    mix_baseline: float | None
    mix_since: PilotEstimate | None


class Pilot(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "kpi"

    name: str
    filter: str
    baseline_from: int
    baseline_to: int
    since: int
    until: int
    targets: tuple[PilotTarget, ...]
    warnings: tuple[str, ...]


class Changeover(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "changeover"

    from_product: str
    to_product: str
    from_order: str
    to_order: str
    teardown_us: int
    setup_us: int
    run_in_us: int
    planned_us: int
    target_us: int | None
    scrap: int


class Cycle(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "cycle"

    product: str | None
    cycles: int
    interrupted: int
    cycles_us: int
    min_us: int | None
    p5_us: int | None
    p10_us: int | None
    median_us: int | None
    p95_us: int | None
    max_us: int | None
    mean_us: int | None
    slow: int
    ideal_cycle_us: int | None
    suspicion: str | None
    suggested_ideal_us: int | None


class BottleneckCell(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    path: str
    sole_us: int
    shifting_us: int
    active_us: int
    blocked_us: int
    starved_us: int
    other_us: int
    average_active_us: int | None


class Bottleneck(Derived, frozen=True, gc=False, kw_only=True):
    message_class = "kpi"

    window: str
    window_name: str | None
    bottleneck: str | None
    turning_point: str | None
    agrees: bool | None
    cells: tuple[BottleneckCell, ...]


Record = Raw | Derived
RAW_TYPES: tuple[type[Raw], ...] = (Samples, Order, Lot, Shift, Reason, Inspection, Acknowledge, Tick)
FACT_TYPES: tuple[type[Fact], ...] = (Order, Lot, Shift, Reason, Inspection, Acknowledge)
DERIVED_TYPES: tuple[type[Derived], ...] = (
    State,
    Production,
    Downtime,
    Oee,
    Quality,
    Alert,
    Current,
    Kpi,
    Changeover,
    Cycle,
    Bottleneck,
    Pilot,
)
TYPES: dict[str, type[Record]] = {t.__name__: t for t in (*RAW_TYPES, *DERIVED_TYPES)}
