"""Which control chart a characteristic or a group of them has, and which signals of it count."""

from typing import Literal

from pydantic import Field, model_validator

from topology.frozen import FrozenModel, Name

ChartKind = Literal["individuals", "mean_range", "mean_sd", "p", "np", "c", "u", "laney_p", "laney_u", "ewma", "cusum"]
COUNTED = ("p", "np", "c", "u", "laney_p", "laney_u")
"""Charts of counts."""
RuleName = Literal[
    "nelson-1",
    "nelson-2",
    "nelson-3",
    "nelson-4",
    "nelson-5",
    "nelson-6",
    "nelson-7",
    "nelson-8",
    "western-electric-1",
    "western-electric-2",
    "western-electric-3",
    "western-electric-4",
]
SUBGROUP_MAX = 1_000


class SubgroupPlan(FrozenModel):
    """Which values are taken together."""

    by: Literal["count", "time", "piece", "lot"] = Field(
        "count",
        description="`count`: so many in a row; `time`: those of one stretch of the clock; `piece`: those measured while no "
        "counter of the machine moved; `lot`: those measured while the same lots were in use. A new product ends it",
    )
    size: int = Field(1, ge=1, le=SUBGROUP_MAX, description="values of a subgroup by count", examples=[5])
    every_s: int | None = Field(
        None,
        ge=1,
        le=86_400,
        description="length of a subgroup by time, in seconds, from full hours on",
        examples=[900],
    )

    @model_validator(mode="after")
    def _complete(self) -> "SubgroupPlan":
        if (self.by == "time") != (self.every_s is not None):
            raise ValueError("every_s belongs to a subgroup by time, and only to one")
        if self.by != "count" and self.size != 1:
            raise ValueError(f"size belongs to a subgroup by count, not by {self.by}")
        return self


class ProductStandard(FrozenModel):
    """What one product is measured against on a short-run chart."""

    target: float = Field(description="its value to aim at, in the unit of measure", examples=[330])
    sigma: float | None = Field(
        None, gt=0, description="its standard deviation, for charts of `z`, in the unit of measure", examples=[1.2]
    )


class ChartPlan(FrozenModel):
    """The control chart of a characteristic."""

    kind: ChartKind = Field(
        "individuals",
        description="`individuals` (I-MR), `mean_range` (X̄-R), `mean_sd` (X̄-S), `ewma`, `cusum` of values; `p`, `np`, "
        "`laney_p` of nonconforming items, `c`, `u`, `laney_u` of defects",
    )
    rules: tuple[RuleName, ...] = Field(
        ("nelson-1", "western-electric-4"),
        description="rules that are looked at; each one more costs false alarms. A chart of its own limits (ewma, cusum) has "
        "none",
        examples=[["nelson-1", "nelson-2", "nelson-3"]],
    )
    subgroup: SubgroupPlan = Field(default_factory=SubgroupPlan, description="which values are taken together")
    size: float = Field(
        1.0, gt=0, description="items or area that one count tells of where its inspection does not say", examples=[50]
    )
    mean: float | None = Field(
        None, description="centre line that was decided; limits are not learnt then", examples=[500]
    )
    sigma: float | None = Field(
        None,
        ge=0,
        description="standard deviation of one value that was decided, with `mean`; charts of counts have none",
        examples=[2.0],
    )
    settled: int = Field(
        100,
        ge=2,
        le=2_000,
        description="while limits were learnt from fewer points than this, those in control are learnt from as well, each time "
        "that their number has doubled; not above `baseline`: the first limits stay",
    )
    budget: int | None = Field(
        None,
        ge=10,
        le=1_000_000,
        description="of how many points in control one may raise an alert; a chart that raises more than chance gives then says "
        "so in `limits_warning`. None: nobody counts",
        examples=[1000],
    )
    weight: float = Field(0.2, gt=0, le=1, description="λ of an EWMA: what the newest value weighs")
    width: float = Field(2.962, gt=0, description="L of an EWMA: its limits in standard errors")
    steady: bool = Field(False, description="whether an EWMA has its final limits from the first point on")
    slack: float = Field(0.5, ge=0, description="k of a CUSUM, in standard errors: half of the shift to be seen")
    decision: float = Field(5.0, gt=0, description="h of a CUSUM, in standard errors")
    head_start: float = Field(
        0.0, ge=0, lt=1, description="where a CUSUM begins, as a share of h; .5: fast initial response"
    )
    target: float | None = Field(None, description="what an EWMA or a CUSUM aims at; none: the mean", examples=[325])
    standardise: Literal["none", "deviation", "z"] = Field(
        "none",
        description="short runs of many products on one chart: each value less its product's target (`deviation`), and also "
        "over its product's standard deviation (`z`, limits ±3); such a chart goes on over a change of product",
    )
    products: dict[Name, ProductStandard] = Field(
        default_factory=dict, description="product → what it is measured against", examples=[{"cola": {"target": 500}}]
    )
    restart_on: tuple[Literal["product", "lot"], ...] = Field(
        ("product",), description="what starts the chart anew, beside a Limits fact", examples=[["product", "lot"]]
    )

    @model_validator(mode="after")
    def _fits(self) -> "ChartPlan":
        if self.kind in ("mean_range", "mean_sd") and self.subgroup.by == "count" and self.subgroup.size < 2:
            raise ValueError(f"{self.kind} needs subgroups: state subgroup, such as {{size: 5}}")
        if self.kind == "individuals" and self.subgroup.by == "count" and self.subgroup.size > 1:
            raise ValueError("individuals have no subgroups; use mean_range or mean_sd")
        if self.sigma is not None and (self.mean is None or self.kind in COUNTED):
            raise ValueError("sigma belongs to a mean, of measured values")
        if self.mean is not None and self.sigma is None and self.kind not in COUNTED:
            raise ValueError("a mean that was decided needs its sigma")
        if self.mean is not None and self.standardise == "z":
            raise ValueError("a chart of z has mean 0 and sigma 1 already")
        if (self.standardise == "none") != (not self.products):
            raise ValueError("standardise and products belong together")
        if self.standardise == "z" and (of := [n for n, p in self.products.items() if p.sigma is None]):
            raise ValueError(f"a chart of z needs sigma of {', '.join(of)}")
        if self.standardise != "none" and self.kind in COUNTED:
            raise ValueError(f"counts have no target; {self.kind} cannot be standardised")
        return self


GROUP_MAX = 12
"""Characteristics of one group."""


class GroupPlan(FrozenModel):
    """Characteristics that are judged together, by one distance from what is usual of all of them at once."""

    characteristics: tuple[Name, ...] = Field(
        min_length=2,
        max_length=GROUP_MAX,
        description="tags of role characteristic that hang together",
        examples=[["SealTemp", "SealPressure"]],
    )
    chart: Literal["t2", "mewma"] = Field(
        "t2", description="`t2` (Hotelling) for single large differences, `mewma` for small lasting ones"
    )
    baseline: int = Field(
        50,
        ge=10,
        le=1_000,
        description="points from which mean and covariance are learnt; more for many characteristics",
    )
    run_length: float = Field(
        370.4,
        ge=20,
        le=100_000,
        description="points to a false alarm of a process in control; the limit follows from it",
    )
    weight: float = Field(
        0.1, ge=0.02, lt=1, description="of `mewma`: how much the newest point counts, λ; smaller sees smaller shifts"
    )
    within_s: float = Field(
        1.0,
        ge=0,
        le=86_400,
        description="values of the characteristics make one point where all lie within so many seconds of the first",
    )
    restart_on: tuple[Literal["product"], ...] = Field(
        ("product",), description="what starts the chart anew, beside a Limits fact", examples=[[]]
    )

    @model_validator(mode="after")
    def _enough(self) -> "GroupPlan":
        if len(set(self.characteristics)) < len(self.characteristics):
            raise ValueError("a characteristic is named twice")
        if self.baseline < 2 * len(self.characteristics) + 2:
            raise ValueError(
                f"{len(self.characteristics)} characteristics cannot be learnt from {self.baseline} points; "
                f"state a baseline of {10 * len(self.characteristics)} or more"
            )
        return self
