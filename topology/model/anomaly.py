"""Rules of anomaly: what is learnt as usual of a type's tags, for how long, and how often it may alarm for nothing."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from topology.frozen import FrozenModel, Name

ANOMALIES_MAX = 16
"""Rules of an equipment type."""
TAGS_MAX = 16
"""Tags of a rule."""
LEARN_MAX = 8_192
"""Numbers that are kept while it learns: periods times tags."""
MONTH_S = 30 * 86_400


class _Rule(FrozenModel):
    """What every rule of anomaly can say."""

    every_s: float = Field(600.0, ge=1, le=86_400, description="length of a period, whose mean is judged, in seconds")
    running: bool = Field(True, description="whether only samples count that came while the machine ran")
    settle_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="so long after a stop samples do not count yet, in seconds: until it is warm again",
    )
    confirm: int = Field(
        3, ge=1, le=100, description="periods in a row that must be unusual, and usual until it is over"
    )
    budget: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="how often it may alarm in 30 days on one machine; a model that alarms more often says so itself",
    )
    hint: Name = Field("", description="what is usually the cause, in your words", examples=["worn belt"])

    @property
    def alpha(self) -> float:
        """Chance of a period to be unusual for nothing, at which limits with a formula stand."""
        return min(0.05, self.budget * self.every_s / MONTH_S)


class _Learnt(_Rule):
    learn: int = Field(
        288,
        ge=12,
        le=4_096,
        description="periods from which is learnt what is usual: two thirds for the model, a third for its limit",
    )
    by_product: bool = Field(False, description="whether each product has a model of its own (16 of them at most)")


class AnomalyTagRule(_Learnt):
    """A tag that leaves its usual values, or jumps."""

    kind: Literal["tag"] = Field(description="a tag that leaves its usual values, or jumps", examples=["tag"])
    tag: Name = Field(description="tag of role feature or characteristic", examples=["Vibration"])
    weight: float = Field(0.2, gt=0, le=1, description="λ of the EWMA that foretells the next value")

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags whose samples it reads."""
        return (self.tag,)


class _Grouped(_Learnt):
    tags: tuple[Name, ...] = Field(
        max_length=TAGS_MAX,
        description="tags of role feature or characteristic",
        examples=[["Vibration", "BearingTemperature"]],
    )

    @model_validator(mode="after")
    def _bounded(self) -> "_Grouped":
        if len(set(self.tags)) != len(self.tags):
            raise ValueError("a tag stands twice")
        if self.learn * len(self.tags) > LEARN_MAX:
            raise ValueError(
                f"{self.learn} periods of {len(self.tags)} tags are more than the {LEARN_MAX} numbers that are kept: "
                f"learn at most {LEARN_MAX // len(self.tags)}"
            )
        return self


class GroupRule(_Grouped):
    """Tags that do not go together as usual."""

    kind: Literal["group"] = Field(
        description="tags that do not go together as usual (PCA, T² and Q)", examples=["group"]
    )
    explained: float = Field(
        0.9, gt=0, lt=1, description="share of the variance that the principal components explain at least"
    )

    @model_validator(mode="after")
    def _a_group(self) -> "GroupRule":
        if len(self.tags) < 2:
            raise ValueError("a group has at least two tags; for one use kind: tag")
        if self.learn < 6 * len(self.tags):
            raise ValueError(f"{len(self.tags)} tags take at least {6 * len(self.tags)} periods to learn")
        return self


class TreesRule(_Grouped):
    """Combinations of values that were not seen before."""

    kind: Literal["trees"] = Field(
        description="combinations of values that were not seen before (half-space trees)", examples=["trees"]
    )
    by_product: bool = Field(True, description="whether each product has a model of its own (16 of them at most)")
    trees: int = Field(15, ge=1, le=50, description="how many trees")
    depth: int = Field(6, ge=2, le=8, description="how deep they are")

    @model_validator(mode="after")
    def _some(self) -> "TreesRule":
        if not self.tags:
            raise ValueError("trees need at least one tag")
        return self


class SeasonRule(_Rule):
    """A tag that is not what it usually is at that hour of the week."""

    kind: Literal["season"] = Field(
        description="a tag that is not what it usually is at that hour of the week", examples=["season"]
    )
    tag: Name = Field(description="tag of role feature or characteristic", examples=["Vibration"])
    every_s: float = Field(
        3_600.0, ge=60, le=86_400, description="length of a period, whose mean is judged, in seconds"
    )
    running: bool = Field(False, description="whether only samples count that came while the machine ran")
    weeks: int = Field(4, ge=2, le=26, description="weeks from which is learnt what is usual")

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags whose samples it reads."""
        return (self.tag,)

    @property
    def by_product(self) -> bool:
        """It knows of hours, not of products."""
        return False


AnomalyRule = Annotated[AnomalyTagRule | GroupRule | TreesRule | SeasonRule, Field(discriminator="kind")]
