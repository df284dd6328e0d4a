"""Rules of condition: what shows that a machine wears, when that has become too much, and what is due by use."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from topology.frozen import FrozenModel, Name

Feature = Literal["mean", "rms", "std", "peak", "peak_to_peak", "crest", "kurtosis"]
"""What is made of the samples of a period."""
CONDITIONS_MAX = 32
"""Rules of an equipment type."""
ZONES = {
    "iso10816-1/I": (0.71, 1.8, 4.5),
    "iso10816-1/II": (1.12, 2.8, 7.1),
    "iso10816-1/III": (1.8, 4.5, 11.2),
    "iso10816-1/IV": (2.8, 7.1, 18.0),
    "iso20816-3/1-rigid": (2.3, 4.5, 7.1),
    "iso20816-3/1-flexible": (3.5, 7.1, 11.0),
    "iso20816-3/2-rigid": (1.4, 2.8, 4.5),
    "iso20816-3/2-flexible": (2.3, 4.5, 7.1),
}
"""Limits A|B, B|C, C|D of vibration velocity in mm/s RMS, by standard and class of machine. Taken from secondary sources: check
them against your edition, and state your own where it differs."""


class WearRule(FrozenModel):
    """Something that wears: a quantity that comes to a limit."""

    kind: Literal["wear"] = Field(description="a quantity that rises or falls towards a limit", examples=["wear"])
    tag: Name | None = Field(
        None, description="tag of role feature or characteristic that shows it", examples=["Vibration"]
    )
    of: Literal["cycle", "energy"] | None = Field(
        None,
        description="in place of a tag: the median cycle time by its ideal, or the energy by piece, each of an hour",
        examples=["cycle"],
    )
    feature: Feature = Field("mean", description="what is made of the samples of a period")
    every_s: float = Field(
        600.0, ge=1, description="length of a period, in seconds: long enough to even out what changes with each piece"
    )
    running: bool = Field(True, description="whether only samples count that came while the machine ran")
    rises: bool = Field(True, description="whether wear makes the value greater")
    limit: float | None = Field(
        None, description="value at which it has failed; none: no remaining life is foretold", examples=[7.1]
    )
    zones: str | tuple[float, float, float] | None = Field(
        None,
        description=f"limits A|B, B|C and C|D, or a name: {', '.join(ZONES)} (mm/s RMS; check them against your edition)",
        examples=["iso20816-3/2-flexible", (2.3, 4.5, 7.1)],
    )
    change: float | None = Field(
        None,
        gt=0,
        description="a change from the baseline by so much is said, as a share of the B|C limit, or of the baseline where "
        "there are no zones; 0.25 is what ISO 20816 has",
        examples=[0.25],
    )
    baseline: int = Field(
        30,
        ge=0,
        le=1000,
        description="periods from which is learnt what is normal, again after each repair; 0: the trend begins with the first",
    )
    shape: Literal["auto", "linear", "exponential"] = Field("auto", description="how it grows; auto: as it is seen to")
    confidence: float = Field(0.9, ge=0.5, le=0.99, description="of the interval of the remaining life")
    within_h: float = Field(
        336.0, gt=0, description="a failure that is not expected within so many hours is not said, in hours"
    )
    lead_h: float = Field(
        48.0, ge=0, description="how long before the earliest failure work must begin, in hours; then severity is high"
    )
    hint: Name = Field("", description="what is usually the cause, in your words", examples=["worn drive-end bearing"])

    @model_validator(mode="after")
    def _whole(self) -> "WearRule":
        if (self.tag is None) == (self.of is None):
            raise ValueError("a rule of wear has either a tag or `of`")
        if self.limit is None and self.zones is None and self.change is None:
            raise ValueError("nothing would ever be said: give a limit, zones or a change")
        if isinstance(self.zones, str) and self.zones not in ZONES:
            raise ValueError(f"zones {self.zones!r} are not known; there are {', '.join(ZONES)}, or give three limits")
        limits = self.zone_limits
        if limits is not None and list(limits) != sorted(set(limits)):
            raise ValueError(f"zones {list(limits)} do not rise")
        if limits is not None and not self.rises:
            raise ValueError("zones are of values that rise; use limit for one that falls")
        if self.shape == "exponential" and (not self.rises or self.limit is None or self.limit <= 0):
            raise ValueError("an exponential rises to a limit above 0")
        if self.change is not None and not self.baseline:
            raise ValueError("a change is measured from a baseline; baseline: 0 learns none")
        return self

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags whose samples it reads."""
        return () if self.tag is None else (self.tag,)

    @property
    def zone_limits(self) -> tuple[float, float, float] | None:
        """Limits A|B, B|C, C|D."""
        return ZONES[self.zones] if isinstance(self.zones, str) else self.zones


class UseRule(FrozenModel):
    """Maintenance that is due by use."""

    kind: Literal["use"] = Field(description="maintenance that is due by use", examples=["use"])
    counts: Literal["hours", "cycles", "starts"] = Field(
        description="what is counted: hours that the machine ran, pieces made (good or not), or how often it began to run"
    )
    every: float = Field(gt=0, description="after so much it is due", examples=[2000])
    warn_at: float = Field(0.9, gt=0, le=1, description="share of it from which on it is said")
    work: Name = Field("", description="what is to be done", examples=["change gearbox oil"])

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags whose samples it reads: none; what counts are the type's own."""
        return ()


ConditionRule = Annotated[WearRule | UseRule, Field(discriminator="kind")]
