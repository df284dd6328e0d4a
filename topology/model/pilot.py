"""A pilot in the plant model: what was, what is to be reached, and from when it is measured. Pure."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.text import micros_of
from topology.kpi.definition import KpiFormula, Name
from topology.model.shifts import zone_name
from topology.namespace.filters import ONE, REST, Filter
from topology.namespace.path import Path

Trend = Literal["higher", "lower"]
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*%")
DOWN = ("ADET", "ADOT")
"""Elements of a machine that is down unplanned, in ISO 22400's model."""


class Kind(NamedTuple):
    """What a target may measure beside the KPIs of the definition."""

    description: str
    unit: str
    better: Trend
    formula: str | None
    """Over the facts of windows; none: from records of their own."""


MEASURES = {
    "throughput": Kind("good pieces per planned hour", "1/h", "higher", "GQ / (base / hour)"),
    "scrap": Kind("scrap of all pieces", "1", "lower", "SQ / PQ"),
    "unplanned_downtime": Kind(
        "minutes down per 24 planned hours, by the elements that the target names",
        "min/d",
        "lower",
        f"({' + '.join(DOWN)}) / minute / (base / (24 * hour))",
    ),
    "changeover": Kind("mean length of the changeovers that ended in the time", "min", "lower", None),
    "schedule_adherence": Kind(
        "orders that ended with their planned quantity, of all that had one", "1", "higher", None
    ),
}
Measured = Literal["throughput", "scrap", "unplanned_downtime", "changeover", "schedule_adherence"]


def _filter(text: str) -> str:
    if Filter.parse(text).levels[0] in (ONE, REST):
        raise ValueError(f"filter {text!r}: a pilot is of one enterprise; begin with its name")
    return text


def _percent(value: Any) -> Any:
    """`-20 %` → -0.2."""
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value.strip())):
        return float(found[1]) / 100
    if isinstance(value, str):
        raise ValueError(f'{value!r} is no change; write "-20 %" or -0.2')
    return value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Model):
    """One number that is to change: which, and to what."""

    kpi: str | None = Field(None, description="a KPI of the definition or the site", examples=["availability"])
    measure: Measured | None = Field(None, description=f"or one of {', '.join(MEASURES)}")
    value: float | None = Field(
        None, description="value to reach, in the KPI's own unit: 0.02 for 2 %", examples=[0.02]
    )
    change: Annotated[float, BeforeValidator(_percent)] | None = Field(
        None, description='or the relative change to reach, e.g. "-20 %"', examples=["-20 %", -0.2]
    )
    direction: Trend | None = Field(None, description="which way is better; none: as the KPI's trend says")
    elements: tuple[Name, ...] | None = Field(
        None,
        min_length=1,
        description=f"for unplanned_downtime: elements that count as down (default: {', '.join(DOWN)})",
        examples=[["ADET", "T_T"]],
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> "Target":
        if (self.kpi is None) == (self.measure is None):
            raise ValueError("a target names either a kpi or a measure")
        if (self.value is None) == (self.change is None):
            raise ValueError(f"target {self.name}: give either value or change")
        if self.elements is not None and self.measure != "unplanned_downtime":
            raise ValueError(f"target {self.name}: elements belong to measure unplanned_downtime")
        if self.change is not None and self.change <= -1:
            raise ValueError(
                f"target {self.name}: change {self.change:.0%}: nothing falls by all of itself; give a value"
            )
        if self.change == 0:
            raise ValueError(f"target {self.name}: a change of 0 is none")
        if self.change is not None and (self.change > 0) != (self.better == "higher") and self.better is not None:
            raise ValueError(f"target {self.name}: change {self.change:+.0%}, but {self.better} is better")
        return self

    @property
    def name(self) -> str:
        return self.kpi or self.measure or ""

    @property
    def better(self) -> Trend | None:
        """Which way is better, as far as it is known without the definition."""
        if self.direction is not None:
            return self.direction
        return MEASURES[self.measure].better if self.measure is not None else None

    @property
    def formula(self) -> KpiFormula | None:
        """Of a measure over windows; None for a KPI of the definition, and for what has records of its own."""
        kind = MEASURES.get(self.measure or "")
        if kind is None or kind.formula is None:
            return None
        text = kind.formula
        if self.elements is not None:
            text = text.replace(" + ".join(DOWN), " + ".join(self.elements))
        trend: Literal["higher_is_better", "lower_is_better"] = (
            "higher_is_better" if kind.better == "higher" else "lower_is_better"
        )
        return KpiFormula(name=kind.description, formula=text, unit=kind.unit, trend=trend)


Moment = date | datetime
"""A day means its first instant in the pilot's zone; a time without offset is of that zone."""


class Span(_Model):
    """A stretch of time."""

    begin: Moment = Field(alias="from", description="first day, or a time", examples=["2026-09-01"])
    end: Moment = Field(alias="to", description="the day after the last, or a time; excluded", examples=["2026-10-01"])


class Pilot(_Model):
    """A trial of something new: a baseline, the begin of the measured time, and targets."""

    filter: Annotated[str, AfterValidator(_filter)] = Field(
        description="MQTT filter over the paths it is about", examples=["acme/dallas/packaging/line-1/#"]
    )
    zone: Annotated[str, AfterValidator(zone_name)] = Field(
        "UTC", description="time zone of its days, e.g. Europe/Berlin"
    )
    baseline: Span = Field(description="the time before, for comparison")
    since: Moment = Field(description="begin of the measured time", examples=["2026-10-01", "2026-10-01T06:00:00"])
    until: Moment | None = Field(None, description="its end, excluded; none: it goes on", examples=["2026-11-01"])
    window: Literal["day", "shift"] = Field(
        "day", description="sampling unit: the windows whose spread is the uncertainty"
    )
    level: Literal["line", "cell", "area", "site", "enterprise"] | None = Field(
        None, description="whose records; none: lines, else cells"
    )
    definition: str | None = Field(None, description="KPI definition; none: the plant's", examples=["iso22400@2"])
    targets: tuple[Target, ...] = Field(min_length=1, description="what is to be reached")

    @model_validator(mode="after")
    def _ordered(self) -> "Pilot":
        start, end = self.before
        if start >= end:
            raise ValueError(f"baseline: from {self.baseline.begin} is not before to {self.baseline.end}")
        if self.begin < end:
            raise ValueError(
                f"since {self.since} is before the baseline's end {self.baseline.end}: they may not overlap"
            )
        if self.until is not None and self.at(self.until) <= self.begin:
            raise ValueError(f"until {self.until} is not after since {self.since}")
        names = [target.name for target in self.targets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"targets: {', '.join(twice)} twice")
        return self

    def at(self, moment: Moment) -> int:
        """µs UTC."""
        if not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day)
        return micros_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(self.zone)))

    @property
    def before(self) -> tuple[int, int]:
        """The baseline, [start, end), µs UTC."""
        return self.at(self.baseline.begin), self.at(self.baseline.end)

    @property
    def begin(self) -> int:
        """Of the measured time, µs UTC."""
        return self.at(self.since)

    def day(self, now: int) -> tuple[int, int]:
        """The day of the pilot's zone that holds `now`, [start, end), µs UTC."""
        today = datetime.fromtimestamp(now // 1_000_000, ZoneInfo(self.zone)).date()
        return self.at(today), self.at(today + timedelta(days=1))

    @property
    def path(self) -> Path:
        """The place that all paths of the filter are in."""
        fixed = []
        for level in Filter.parse(self.filter).levels:
            if level in (ONE, REST):
                break
            fixed.append(level)
        return Path(tuple(fixed))
