"""What a connector's runner makes of the values of a source before they are published: by tag, whatever the protocol."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, model_validator

from topology.frozen import FilterText, FrozenModel, Name
from topology.kpi.formula import FormulaError, parse
from topology.namespace.filters import Filter
from topology.namespace.path import Path
from topology.units import conversion


class _OfMachines(FrozenModel):
    """Which machines something is meant for."""

    path: FilterText = Field(
        "#", description="MQTT filter over the machines that it is for", examples=["acme/dallas/#"]
    )
    type: Name | None = Field(None, description="equipment type that it is for; none: any", examples=["filler"])

    def fits(self, path: Path, kind: str | None) -> bool:
        """Whether it is for a machine of this path and equipment type."""
        return (self.type is None or self.type == kind) and Filter.parse(self.path).matches(path)


class TagRule(_OfMachines):
    """What is made of the values of some tags. Of several rules that fit a tag the first is its own."""

    tag: str = Field(
        min_length=1,
        description="name that the source gives, or a pattern: * any text, ? one character",
        examples=["Fill*"],
    )
    name: Name | None = Field(
        None, description="tag that it is published as; none: as the source names it", examples=["FillVolume"]
    )
    scale: float | None = Field(None, allow_inf_nan=False, description="numbers are multiplied by it", examples=[0.1])
    offset: float | None = Field(None, allow_inf_nan=False, description="added after that", examples=[-40])
    unit: str | None = Field(None, description="unit after scale and offset, as pint names it", examples=["degF"])
    to_unit: str | None = Field(None, description="unit that it is converted to", examples=["degC"])
    quality: Literal["good", "uncertain", "bad"] | None = Field(
        None,
        description="what every value is that the source does not call bad: for one that calls everything uncertain, or good; "
        "none: as the source says",
        examples=["good"],
    )
    bad_values: tuple[bool | int | FiniteFloat | str, ...] = Field(
        (),
        max_length=100,
        description="values, as the source gives them, by which it says that it has none: they become null, of quality "
        "BadNoData",
        examples=[[-9999, "n/a"]],
    )
    valid: tuple[FiniteFloat | None, FiniteFloat | None] | None = Field(
        None,
        description="least and greatest number that can be, after scale and conversion; null: no such limit. One beyond keeps "
        "its value and is of quality BadOutOfRange",
        examples=[[-40, 150]],
    )
    unchanged: bool | None = Field(
        None,
        description="whether a value equal to the one before is left out; none: as `suppress` says",
        examples=[True],
    )
    deadband: float | None = Field(
        None, gt=0, description="smallest change that is published; none: as `suppress` says", examples=[0.5]
    )
    heartbeat_s: float | None = Field(
        None,
        gt=0,
        description="what is left out as unchanged or within the deadband is published all the same once the last one is so "
        "old, in seconds of the source's time",
        examples=[60],
    )
    every_s: float | None = Field(
        None,
        gt=0,
        description="at most one value in so many seconds; the newest of those between is held back and follows. Not for "
        "states, modes, reasons and amounts: there each value counts",
        examples=[1],
    )
    max_age_s: float | None = Field(
        None, gt=0, description="a value that is older as it arrives is left out, in seconds", examples=[3600]
    )
    stale_after_s: float | None = Field(
        None,
        gt=0,
        description="health names a machine of which none of these tags has had a value for so long, in seconds, though its "
        "source is connected",
        examples=[120],
    )

    @model_validator(mode="after")
    def _units_go_together(self) -> "TagRule":
        if (self.unit is None) != (self.to_unit is None):
            raise ValueError("unit and to_unit go together")
        if self.valid is not None and None not in self.valid and self.valid[0] > self.valid[1]:  # type: ignore[operator]
            raise ValueError(f"valid: {self.valid[0]:g} is above {self.valid[1]:g}; the least comes first")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        _ = self.linear
        return self

    @property
    def linear(self) -> tuple[Fraction, Fraction]:
        """(factor, offset) of scale, offset and conversion together, exactly as written. Raises `ValueError`."""
        factor, offset = Fraction(str(self.scale or 1)), Fraction(str(self.offset or 0))
        if self.unit is None or self.to_unit is None:
            return factor, offset
        by, plus = conversion(self.unit, self.to_unit)
        return factor * by, offset * by + plus


def own_rule(rules: Iterable[TagRule], path: Path, kind: str | None, tag: str) -> TagRule | None:
    """Of the rules that fit a tag of a machine the first."""
    return next((rule for rule in rules if fnmatchcase(tag, rule.tag) and rule.fits(path, kind)), None)


def _formula(text: str) -> str:
    try:
        formula = parse(text)
    except FormulaError as error:
        raise ValueError(str(error)) from None
    if formula.summed:
        raise ValueError("sum(…) is for KPIs; a tag is made of single values")
    if not formula.names:
        raise ValueError("the formula names no tag")
    return text


class DerivedTag(_OfMachines):
    """A tag that is worked out from others of the same machine, whenever one of them is published."""

    tag: Name = Field(description="name of the tag", examples=["Power"])
    formula: Annotated[str, AfterValidator(_formula)] = Field(
        description="arithmetic over tags: + - * /, parentheses, numbers", examples=["Voltage * Current / 1000"]
    )
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="word of the formula → tag, for tags whose names are no words",
        examples=[{"u": "Voltage L1-N"}],
    )
