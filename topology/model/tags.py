"""What a tag of an equipment type means to the folds: one model a role, so that a role has no option it does not read.

A new option of a role is a field of its class. A new role is a class of its own, a member of `Tag`, and a case where the
cell makes what reads it.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from topology.namespace.packml import CODE_MAPS
from topology.nearest import hint
from topology.vocabulary import checked_mode, checked_state

Code = int | str
"""What a machine says for a state or a mode: a number or a text."""


class _Tag(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    single: ClassVar[bool] = True
    """Whether an equipment type has one tag of the role at most."""


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
        examples=["packml", {0: "stopped", 1: "execute", 2: "held"}],
    )

    @property
    def codes(self) -> Mapping[Code, str]:
        """Code → state."""
        return CODE_MAPS[self.map] if isinstance(self.map, str) else self.map


class ModeTag(_Tag):
    """The machine's unit mode. Without such a tag the mode is production."""

    role: Literal["mode"] = Field(description="the machine's unit mode", examples=["mode"])
    map: Annotated[dict[Code, str], AfterValidator(_modes)] = Field(
        description="code → mode: production, setup, maintenance, manual, or a word of your own",
        examples=[{1: "production", 2: "maintenance", 4: "setup"}],
    )

    @property
    def codes(self) -> Mapping[Code, str]:
        """Code → mode."""
        return self.map


class CountTag(_Tag):
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
    counts: Literal["cumulative", "increments"] = Field(
        "cumulative", description="what a sample gives: the sum so far, or pieces of its own time"
    )

    @model_validator(mode="after")
    def _increments_have_no_end(self) -> "CountTag":
        if self.counts == "increments" and self.modulus is not None:
            raise ValueError("modulus belongs to a cumulative counter; increments do not roll over")
        return self


class EnergyTag(_Tag):
    """A meter that only rises."""

    role: Literal["energy"] = Field(description="a meter that only rises; KPIs know its rise as E", examples=["energy"])
    unit: str | None = Field(None, description="unit of the meter, shown beside its values", examples=["kWh"])


class ReasonTag(_Tag):
    """The machine's own stop reason."""

    role: Literal["reason"] = Field(description="code of the stop's reason; 0: none", examples=["reason"])


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
    lsl: float | None = Field(None, description="lower specification limit", examples=[490])
    usl: float | None = Field(None, description="upper specification limit", examples=[510])
    baseline: int = Field(
        25, ge=2, description="points from which control limits are learnt; 20 to 25 is what textbooks ask for"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "CharacteristicTag":
        if self.lsl is not None and self.usl is not None and self.lsl >= self.usl:
            raise ValueError(f"lsl {self.lsl} is not below usl {self.usl}")
        if self.target is not None and self.lsl is not None and self.target < self.lsl:
            raise ValueError(f"target {self.target} is below lsl {self.lsl}")
        if self.target is not None and self.usl is not None and self.target > self.usl:
            raise ValueError(f"target {self.target} is above usl {self.usl}")
        return self


Tag = Annotated[
    StateTag | ModeTag | CountTag | EnergyTag | ReasonTag | HeartbeatTag | CharacteristicTag,
    Field(discriminator="role"),
]
Role = Literal[
    "state", "mode", "good_count", "scrap_count", "rework_count", "energy", "reason", "heartbeat", "characteristic"
]
