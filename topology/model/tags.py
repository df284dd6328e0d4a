"""What a tag of an equipment type means to the folds: one model a role, so that a role has no option it does not read.

A new option of a role is a field of its class. A new role is a class of its own, a member of `Tag`, and a case where the
cell makes what reads it.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from topology.frozen import FrozenModel, Name
from topology.model.charts import ChartPlan
from topology.namespace.packml import CODE_MAPS
from topology.nearest import hint
from topology.vocabulary import checked_mode, checked_state

Code = int | str
"""What a machine says for a state, a mode or a reason: a number or a text; true and false are 1 and 0."""


Falls = Literal["reset", "correction", "glitch"]
"""What a fall of a cumulative counter or meter is."""


Spread = Literal["point", "since_last"]
"""When an amount was made or used: at its sample's time, or evenly over the time since the tag's last sample."""
SPREAD_S = 86_400.0
"""Over how long an amount is spread at most where the tag says nothing: after a weekend it is of the last day."""


class _Tag(FrozenModel):
    single: ClassVar[bool] = True
    """Whether an equipment type has one tag of the role at most."""


class _Amount(_Tag):
    """A tag that says how much there was since it spoke last."""

    spread: Spread = Field(
        "point",
        description="when the amount of a sample was made or used: `point`, at the sample's time; `since_last`, evenly over "
        "the time since the tag's last sample, for what is booked or read by the hour or shift",
    )
    spread_max_s: float | None = Field(
        None,
        ge=1,
        description="over how long an amount is spread at most, in seconds; none: over a day",
        examples=[28_800],
    )

    @property
    def spread_s(self) -> float | None:
        """Over how long an amount is spread at most; None: it is not spread."""
        if self.spread == "point":
            return None
        return SPREAD_S if self.spread_max_s is None else self.spread_max_s

    @model_validator(mode="after")
    def _at_most_of_a_spread(self) -> "_Amount":
        if self.spread == "point" and self.spread_max_s is not None:
            raise ValueError("spread_max_s belongs to spread: since_last; at a point nothing is spread")
        return self


def _code_map(value: str | dict[Code, str]) -> str | dict[Code, str]:
    if isinstance(value, str):
        if value not in CODE_MAPS:
            raise ValueError(f"map {value!r} is not known; {hint(value, CODE_MAPS)} Or give code: state pairs")
        return value
    for code, word in value.items():
        try:
            checked_state(word)
        except ValueError as error:
            raise ValueError(f"code {code}: {error}") from None
    return value


def _modes(value: dict[Code, str]) -> dict[Code, str]:
    if not value:
        raise ValueError("no code is mapped; role mode needs a map, e.g. {1: production, 4: setup}")
    for code, word in value.items():
        try:
            checked_mode(word)
        except ValueError as error:
            raise ValueError(f"code {code}: {error}") from None
    return value


class StateTag(_Tag):
    """The machine's PackML state."""

    role: Literal["state"] = Field(description="the machine's PackML state", examples=["state"])
    map: Annotated[str | dict[Code, str], AfterValidator(_code_map)] = Field(
        "packml",
        description="name of a code map, or code → PackML state; by default the numbers and names of ISA-TR88.00.02",
        examples=["packml", {0: "stopped", 1: "execute", 2: "held"}, {True: "execute", False: "stopped"}],
    )

    @property
    def codes(self) -> Mapping[Code, str]:
        """Code → state."""
        return CODE_MAPS[self.map] if isinstance(self.map, str) else self.map


class ModeTag(_Tag):
    """The machine's unit mode. Without such a tag the mode is production."""

    role: Literal["mode"] = Field(description="the machine's unit mode", examples=["mode"])
    map: Annotated[dict[Code, Name], AfterValidator(_modes)] = Field(
        description="code → mode: production, setup, maintenance, manual, or a word of your own",
        examples=[{1: "production", 2: "maintenance", 4: "setup"}],
    )

    @property
    def codes(self) -> Mapping[Code, str]:
        """Code → mode."""
        return self.map


class CountTag(_Amount):
    """A counter of pieces."""

    role: Literal["good_count", "scrap_count", "rework_count"] = Field(
        description="which pieces it counts", examples=["good_count"]
    )
    modulus: int | None = Field(
        None,
        gt=1,
        description="the value at which the counter rolls over to 0; none: a fall is a reset, as most counters are never "
        "seen to roll over",
        examples=[65536],
    )
    falls: Falls | None = Field(
        None,
        description="what every fall of the counter is: it began again (reset), somebody took pieces back (correction), or "
        "the reading is wrong (glitch); none: each fall is judged by what the machine can have made",
        examples=["reset", "glitch"],
    )
    max_rate: float | None = Field(
        None,
        gt=0,
        description="pieces an hour that the machine can make at most; a greater rise is not counted, and is said; none: "
        "ten times as many as the ideal cycle of what runs",
        examples=[7200],
    )
    counts: Literal["cumulative", "increments"] = Field(
        "cumulative", description="what a sample gives: the sum so far, or pieces of its own time"
    )
    border: Literal["start", "end"] | None = Field(
        None,
        description="of increments: what an amount stamped exactly with the border of an hour, order or shift belongs to: "
        "what starts there (start), or what ends there (end), as when 800 pieces are booked for an order as it ends; none: start",
        examples=["end"],
    )

    @model_validator(mode="after")
    def _increments_do_not_fall(self) -> "CountTag":
        if self.counts == "increments" and (self.falls is not None or self.max_rate is not None):
            name = "falls" if self.falls is not None else "max_rate"
            raise ValueError(f"{name} belongs to a cumulative counter; each sample of increments stands for itself")
        return self

    @model_validator(mode="after")
    def _border_of_a_point(self) -> "CountTag":
        if self.border is not None and self.counts == "cumulative":
            raise ValueError(
                "border belongs to increments; what a total has risen by was made before its sample, always"
            )
        if self.border == "start" and self.spread == "since_last":
            raise ValueError("an amount that is spread over the time before its sample ends there; leave border out")
        return self

    @model_validator(mode="after")
    def _increments_have_no_end(self) -> "CountTag":
        if self.counts == "increments" and self.modulus is not None:
            raise ValueError("modulus belongs to a cumulative counter; increments do not roll over")
        return self


class EnergyTag(_Amount):
    """A meter that only rises."""

    role: Literal["energy"] = Field(description="a meter that only rises; KPIs know its rise as E", examples=["energy"])
    unit: str | None = Field(None, description="unit of the meter, shown beside its values", examples=["kWh"])
    falls: Falls | None = Field(
        None,
        description="what every fall of the meter is: it began again (reset), it was set back (correction), or the "
        "reading is wrong (glitch); none: each fall is judged by what follows",
        examples=["reset", "glitch"],
    )
    max_rate: float | None = Field(
        None,
        gt=0,
        description="units an hour that can be used at most; a greater rise is not counted, and is said; none: any rise is "
        "believed",
        examples=[45.0],
    )


class ReasonTag(_Tag):
    """The machine's own stop reason."""

    role: Literal["reason"] = Field(
        description="code of the stop's reason; 0 and an empty text: none", examples=["reason"]
    )
    map: dict[Code, Annotated[int, Field(ge=0, lt=1 << 40)]] = Field(
        default_factory=dict,
        description="what the machine says → code of the stop's reason, for a machine that says texts, or other numbers than "
        "yours; a number that is not in it is the code itself",
        examples=[{"E-STOP": 101, "Jam infeed": 204}],
    )


class HeartbeatTag(_Tag):
    """A tag that only shows life."""

    role: Literal["heartbeat"] = Field(
        description="a sign of life: any sample of it, as of every other tag, shows that the machine is not silent "
        "(`silent_after_s`); its value is shown and never counted",
        examples=["heartbeat"],
    )


class CharacteristicTag(_Tag):
    """A measured value with a control chart."""

    single: ClassVar[bool] = False

    role: Literal["characteristic"] = Field(
        description="a measured value; each sample is a point of its control chart", examples=["characteristic"]
    )
    unit: str | None = Field(None, description="unit of measure, shown beside the values", examples=["ml"])
    target: float | None = Field(
        None, description="value to aim at, drawn on the control chart; within the limits", examples=[500]
    )
    lsl: float | None = Field(
        None, description="lower specification limit; a value below it raises an alert", examples=[490]
    )
    usl: float | None = Field(
        None, description="upper specification limit; a value above it raises an alert", examples=[510]
    )
    baseline: int = Field(
        25,
        ge=2,
        description="points (or subgroups) from which control limits are learnt, at most a tenth of them out of specification; "
        "20 to 25 is what textbooks ask for",
    )
    chart: ChartPlan = Field(default_factory=ChartPlan, description="its control chart, and which signals count")

    @model_validator(mode="after")
    def _ordered(self) -> "CharacteristicTag":
        if self.lsl is not None and self.usl is not None and self.lsl >= self.usl:
            raise ValueError(f"lsl {self.lsl} is not below usl {self.usl}")
        if self.target is not None and self.lsl is not None and self.target < self.lsl:
            raise ValueError(f"target {self.target} is below lsl {self.lsl}")
        if self.target is not None and self.usl is not None and self.target > self.usl:
            raise ValueError(f"target {self.target} is above usl {self.usl}")
        return self


class FeatureTag(_Tag):
    """A measured value that shows a machine's condition; it has no control chart."""

    single: ClassVar[bool] = False

    role: Literal["feature"] = Field(
        description="a measured value that rules of `conditions` and `anomaly` read: vibration, temperature, a feature of a spectrum",
        examples=["feature"],
    )
    unit: str | None = Field(None, description="unit of measure, shown beside the values", examples=["mm/s"])


Tag = Annotated[
    StateTag | ModeTag | CountTag | EnergyTag | ReasonTag | HeartbeatTag | CharacteristicTag | FeatureTag,
    Field(discriminator="role"),
]
Role = Literal[
    "state",
    "mode",
    "good_count",
    "scrap_count",
    "rework_count",
    "energy",
    "reason",
    "heartbeat",
    "characteristic",
    "feature",
]
