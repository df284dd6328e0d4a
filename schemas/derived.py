"""What the folds make of it: one type a message class, each with the shared fields of `Derived`. Times are integer microseconds UTC."""

import re

import msgspec

from schemas.envelope import Derived
from schemas.judged import Alert, Capability, Condition, Driver, Prediction, Quality
from schemas.raw import Sample


class State(Derived, frozen=True, gc=False, kw_only=True):
    """A state of a work unit, from when until when."""

    message_class = "state"

    state: str
    mode: str
    element: str


class Production(Derived, frozen=True, gc=False, kw_only=True):
    """Pieces made in one interval, from counter differences."""

    message_class = "production"

    good: int
    scrap: int
    rework: int = 0
    resets: int
    order: str | None
    product: str | None


class Downtime(Derived, frozen=True, gc=False, kw_only=True):
    """A stop of a work unit; one record for each part of it that has a reason of its own, or that a break parts."""

    message_class = "downtime"

    kind: str
    state: str
    reason_code: int | None
    reason: str | None
    category: str | None
    order: str | None
    stop_started_at: int | None = None
    reason_by: str | None = None
    new_reason: bool = True
    new_category: bool = True


class Oee(Derived, frozen=True, gc=False, kw_only=True):
    """OEE and its time elements for one window of one work unit; times in microseconds, ratios null where a denominator is 0."""

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
    observed_us: int | None = None
    elapsed_us: int | None = None
    coverage: float | None = None
    why_null: str | None = None


CurrentTag = Sample
"""The newest value of a tag, as its source said it."""


class Current(Derived, frozen=True, gc=False, kw_only=True):
    """The newest snapshot of a work unit; its topic is compacted."""

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
    coverage: float | None = None
    why_null: str | None = None


class KpiPieces(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was made of one product at one ideal cycle."""

    product: str | None
    ideal_cycle_us: int
    good: int
    scrap: int
    rework: int
    start_up: int = 0
    unseen: bool = False


class KpiStops(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The stops of one reason within a window."""

    reason_code: int | None
    reason: str | None
    category: str | None
    count: int
    stopped_us: int


class Kpi(Derived, frozen=True, gc=False, kw_only=True):
    """All KPIs of a definition for one window of a place of any level, with what they rest on; times in microseconds."""

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
    observed_us: int | None = None
    elapsed_us: int | None = None
    coverage: float | None = None
    why_null: str | None = None


class PilotEstimate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A value with its interval, and how many windows it rests on."""

    value: float | None
    low: float | None
    high: float | None
    windows: int


class PilotTarget(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One target of a pilot and what came of it."""

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
    """What a pilot has come to on one day: each target before and after."""

    message_class = "pilot"

    name: str
    filter: str
    baseline_from: int
    baseline_to: int
    since: int
    until: int
    targets: tuple[PilotTarget, ...]
    warnings: tuple[str, ...]


class Changeover(Derived, frozen=True, gc=False, kw_only=True):
    """From the last good piece of one product to the first good piece of the next; its three parts sum to the interval."""

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
    """Cycle times of one work unit, product and hour."""

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
    """One work unit in the window; active, blocked, starved and other sum to its length so far."""

    path: str
    sole_us: int
    shifting_us: int
    active_us: int
    blocked_us: int
    starved_us: int
    other_us: int
    average_active_us: int | None


class Bottleneck(Derived, frozen=True, gc=False, kw_only=True):
    """Which work unit held a line up in a window."""

    message_class = "bottleneck"
    id_kind = "kpi.bottleneck"

    window: str
    window_name: str | None
    bottleneck: str | None
    turning_point: str | None
    agrees: bool | None
    cells: tuple[BottleneckCell, ...]


class Note(Derived, frozen=True, gc=False, kw_only=True):
    """What a person says of a place, and no number follows from. `ended_at`: a call was answered then; null: it stands."""

    message_class = "note"

    kind: str
    about: str | None = None
    text: str
    by: str
    ended_by: str | None = None


DERIVED_TYPES: tuple[type[Derived], ...] = (
    State,
    Production,
    Downtime,
    Oee,
    Quality,
    Capability,
    Alert,
    Condition,
    Current,
    Kpi,
    Changeover,
    Cycle,
    Bottleneck,
    Driver,
    Prediction,
    Pilot,
    Note,
)
BY_CLASS: dict[str, type[Derived]] = {kind.message_class: kind for kind in DERIVED_TYPES}
"""Message class → its one record type."""


def type_of(id_kind: str) -> type[Derived] | None:
    """The type whose ids have a kind such as `oee.hour`, `kpi.bottleneck.shift` or `pilot-smed`; None: no type's."""
    words = re.split(r"[.-]", id_kind)
    beginnings = {kind.id_kind or kind.message_class: kind for kind in DERIVED_TYPES}
    fitting = (name for name in beginnings if words[: name.count(".") + 1] == name.split("."))
    longest = max(fitting, key=len, default=None)
    return None if longest is None else beginnings[longest]
