"""What is judged of machines and of what they made: charts, alerts, condition, drivers of a loss, predictions."""

import msgspec

from schemas.envelope import Derived
from schemas.parts import Contribution, DriverFactor


class Quality(Derived, frozen=True, gc=False, kw_only=True):
    """One point of a control chart, with the limits that judged it and the rules it completes."""

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
    beyond: str | None = None
    limits_warning: str | None = None
    chart: str = "individuals"
    plotted: float | None = None
    plotted_low: float | None = None
    size: float | None = None
    spread: float | None = None
    spread_mean: float | None = None
    spread_lcl: float | None = None
    sigma: float | None = None
    alert_lcl: float | None = None
    alert_ucl: float | None = None
    alarming: tuple[int, ...] = ()
    limits_by: str | None = None
    limits_since: int | None = None
    limits_points: int | None = None
    outliers: tuple[int, ...] = ()
    contributions: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def withdrawn(self) -> bool:
        """A point lasts no time in any case: its phase says it."""
        return self.phase == "withdrawn"


class Capability(Derived, frozen=True, gc=False, kw_only=True):
    """How well a characteristic fitted its specification in a shift, an order, a day or a lot."""

    message_class = "capability"

    characteristic: str
    window: str
    window_name: str | None = None
    order: str | None = None
    product: str | None = None
    points: int
    out_of_specification: int
    subgroups: int
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    sigma_within: float | None = None
    sigma_overall: float | None = None
    lsl: float | None = None
    usl: float | None = None
    target: float | None = None
    confidence: float
    cp: float | None = None
    cp_low: float | None = None
    cp_high: float | None = None
    cpk: float | None = None
    cpk_low: float | None = None
    cpk_high: float | None = None
    pp: float | None = None
    pp_low: float | None = None
    pp_high: float | None = None
    ppk: float | None = None
    ppk_low: float | None = None
    ppk_high: float | None = None
    cpm: float | None = None
    cpm_low: float | None = None
    cpm_high: float | None = None
    normality: float | None = None
    normal_p: float | None = None
    quantile_low: float | None = None
    median: float | None = None
    quantile_high: float | None = None
    pp_quantile: float | None = None
    ppk_quantile: float | None = None
    method: str


class Alert(Derived, frozen=True, gc=False, kw_only=True):
    """What somebody should see to: raised, acknowledged, cleared; `alarm_state` has the states of ISA-18.2."""

    message_class = "alert"

    kind: str
    severity: str
    state: str
    subject: str
    message: str
    acknowledged_by: str | None
    cause: str
    value: float | None = None
    limit: float | None = None
    order: str | None = None
    product: str | None = None
    alarm: str | None = None
    alarm_state: str | None = None
    returned_at: int | None = None
    annunciated_at: int | None = None
    acknowledged_at: int | None = None
    comment: str | None = None
    hidden_by: str | None = None
    hidden_until: int | None = None
    group: str | None = None
    first_out: bool | None = None


class Condition(Derived, frozen=True, gc=False, kw_only=True):
    """What is wrong with a machine before it stops, by cause; times in microseconds, but for the remaining life."""

    message_class = "condition"

    kind: str
    name: str
    subject: str
    severity: str
    state: str
    message: str
    value: float | None = None
    baseline: float | None = None
    limit: float | None = None
    zone: str | None = None
    slope_per_h: float | None = None
    slope_low_per_h: float | None = None
    slope_high_per_h: float | None = None
    no_trend: float | None = None
    remaining_s: float | None = None
    remaining_low_s: float | None = None
    remaining_high_s: float | None = None
    confidence: float | None = None
    fails_at: int | None = None
    fails_from: int | None = None
    fails_to: int | None = None
    act_by: int | None = None
    points: int | None = None
    evidence_from: int | None = None
    evidence_to: int | None = None
    score: float | None = None
    model: str | None = None
    trained_from: int | None = None
    trained_to: int | None = None
    details: dict[str, float] = msgspec.field(default_factory=dict)
    order: str | None = None
    product: str | None = None


class Driver(Derived, frozen=True, gc=False, kw_only=True):
    """What a loss hung together with, as of one day: factors by their evidence."""

    message_class = "driver"

    of: str
    filter: str
    history_from: int
    history_to: int
    exposure: float
    exposure_unit: str
    loss: float
    loss_unit: str
    observations: int
    factors: tuple[DriverFactor, ...]


class Prediction(Derived, frozen=True, gc=False, kw_only=True):
    """How likely a piece of an interval is scrap, by its process values and a model."""

    message_class = "prediction"

    model: str
    model_hash: str
    trained_from: int
    trained_to: int
    probability: float
    base_rate: float
    pieces: int
    expected_scrap: float
    order: str | None
    product: str | None
    contributions: tuple[Contribution, ...]
    unusual: tuple[str, ...]
