"""Alarm rules of equipment types and machines, as data: what is judged, when it is an alarm, how it behaves (ISA-18.2)."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from topology.frozen import FrozenModel, Name
from topology.vocabulary import checked_mode, checked_state

AlarmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
"""Stands in ids: letters, digits, _ and -."""
Priority = Literal["low", "medium", "high", "critical"]
Level = Literal["hihi", "hi", "lo", "lolo"]
LEVELS: tuple[Level, ...] = ("hihi", "hi", "lo", "lolo")
State = Annotated[str, AfterValidator(checked_state)]
Mode = Annotated[str, AfterValidator(checked_mode)]
ALARMS_MAX = 2_000
"""Rules of a type."""


class _Rule(FrozenModel):
    """What every alarm rule can say."""

    priority: Priority = Field("medium", description="how soon somebody has to act", examples=["high"])
    message: str | None = Field(
        None,
        max_length=500,
        description="what the operator reads, in place of our words",
        examples=["check the cooler"],
    )
    on_delay_s: float = Field(
        0.0, ge=0, le=86_400, description="the condition must have held for so long before it is an alarm, in seconds"
    )
    off_delay_s: float = Field(
        0.0, ge=0, le=86_400, description="it must have been gone for so long before the alarm returns, in seconds"
    )
    latch: bool = Field(False, description="the alarm stays after its condition is gone, until a person resets it")
    group: AlarmName | None = Field(
        None, description="alarms of a machine with one cause: the first of them is marked", examples=["cooling"]
    )
    suppress_states: tuple[State, ...] = Field(
        (), description="states of the machine in which it is suppressed by design", examples=[["stopped", "idle"]]
    )
    suppress_modes: tuple[Mode, ...] = Field(
        (), description="modes in which it is suppressed by design", examples=[["maintenance"]]
    )

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags that it reads."""
        return ()


class _Valued(_Rule):
    """A rule about a tag's number."""

    tag: Name = Field(description="the tag, of any role or none", examples=["Temperature"])
    unit: str | None = Field(
        None, description="unit of the numbers here; none: the tag's; lint compares them", examples=["°C"]
    )
    deadband: float = Field(
        0.0, ge=0, description="how far back inside the limit the value must come before the alarm returns, in its unit"
    )

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag,)


class LimitRule(_Valued):
    """A value at or beyond a limit. Each limit is an alarm of its own: `NAME.hi`, `NAME.hihi`, `NAME.lo`, `NAME.lolo`."""

    kind: Literal["limit"] = Field(description="a value at or beyond a limit", examples=["limit"])
    hihi: float | None = Field(None, description="high high limit", examples=[95])
    hi: float | None = Field(None, description="high limit", examples=[85])
    lo: float | None = Field(None, description="low limit", examples=[40])
    lolo: float | None = Field(None, description="low low limit", examples=[30])
    priorities: dict[Level, Priority] = Field(
        default_factory=dict,
        description="priority of single limits; others have `priority`",
        examples=[{"hihi": "high"}],
    )

    @model_validator(mode="after")
    def _ordered(self) -> "LimitRule":
        told = [(name, value) for name in reversed(LEVELS) if (value := getattr(self, name)) is not None]
        if not told:
            raise ValueError("a limit rule needs at least one of hihi, hi, lo, lolo")
        for (below, low), (above, high) in pairwise(told):
            if low >= high:
                raise ValueError(f"{below} {low:g} is not below {above} {high:g}")
        highs, lows = [v for n, v in told if n.startswith("hi")], [v for n, v in told if n.startswith("lo")]
        if highs and lows and self.deadband > min(highs) - max(lows):
            raise ValueError(f"deadband {self.deadband:g} is wider than what lies between the limits")
        for level in self.priorities:
            if getattr(self, level) is None:
                raise ValueError(f"priorities has {level}, and there is no limit {level}")
        return self


class DeviationRule(_Valued):
    """A value too far from its set point."""

    kind: Literal["deviation"] = Field(description="a value too far from its set point", examples=["deviation"])
    setpoint: Name = Field(description="the tag that has the set point", examples=["TemperatureSetpoint"])
    limit: float = Field(gt=0, description="how far away it is an alarm, either side", examples=[5])

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag, self.setpoint)

    @model_validator(mode="after")
    def _can_return(self) -> "DeviationRule":
        if self.deadband >= self.limit:
            raise ValueError(
                f"deadband {self.deadband:g} is not below limit {self.limit:g}: the alarm could not return"
            )
        return self


class RateRule(_Valued):
    """A value that changes too fast: over at least `over_s`, between two samples."""

    kind: Literal["rate"] = Field(description="a value that changes too fast", examples=["rate"])
    per_min: float = Field(gt=0, description="change a minute from which it is an alarm", examples=[2.0])
    direction: Literal["rise", "fall", "either"] = Field("either", description="which change is meant")
    over_s: float = Field(
        60.0, ge=1, le=3_600, description="the change is taken over at least so long, against noise, in seconds"
    )

    @model_validator(mode="after")
    def _can_return(self) -> "RateRule":
        if self.deadband >= self.per_min:
            raise ValueError(f"deadband {self.deadband:g} is not below per_min {self.per_min:g}: it could not return")
        return self


class StateRule(_Rule):
    """The machine in one of some states for too long."""

    kind: Literal["state"] = Field(description="the machine in a state for too long", examples=["state"])
    states: tuple[State, ...] = Field(min_length=1, description="the states, taken together", examples=[["held"]])
    longer_s: float = Field(gt=0, le=604_800, description="for how long it may be, in seconds", examples=[600])


class CountRule(_Rule):
    """Something that happens too often: a state entered, or a tag that reaches a value."""

    kind: Literal["count"] = Field(description="something that happens too often", examples=["count"])
    states: tuple[State, ...] = Field((), description="each time the machine enters one of these", examples=[["held"]])
    tag: Name | None = Field(None, description="or each time this tag reaches `reaches`", examples=["JamSensor"])
    reaches: float = Field(1.0, description="the value that the tag must reach from below; true is 1")
    times: int = Field(ge=2, le=1_000, description="so many times are an alarm", examples=[5])
    window_s: float = Field(gt=0, le=86_400, description="within so long, in seconds", examples=[3600])

    @property
    def tags(self) -> tuple[str, ...]:
        return () if self.tag is None else (self.tag,)

    @model_validator(mode="after")
    def _one_thing(self) -> "CountRule":
        if bool(self.states) == (self.tag is not None):
            raise ValueError("a count rule has either states or a tag")
        return self


class MissingRule(_Rule):
    """A tag that is not heard of: no good sample for too long. From its first sample on."""

    kind: Literal["missing"] = Field(description="no good sample of a tag for too long", examples=["missing"])
    tag: Name = Field(description="the tag", examples=["Temperature"])
    after_s: float = Field(gt=0, le=86_400, description="for how long, in seconds", examples=[120])

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag,)


class KpiRule(_Rule):
    """A KPI of the machine beyond its target, as a window closes."""

    kind: Literal["kpi"] = Field(description="a KPI beyond its target as a window closes", examples=["kpi"])
    kpi: str = Field(description="id of the KPI in the plant's definition", examples=["oee"])
    window: Literal["hour", "shift", "day"] = Field("hour", description="which windows are judged")
    below: float | None = Field(None, description="an alarm where the value is below", examples=[0.6])
    above: float | None = Field(None, description="an alarm where the value is above", examples=[0.05])

    @model_validator(mode="after")
    def _one_side(self) -> "KpiRule":
        if (self.below is None) == (self.above is None):
            raise ValueError("a kpi rule has either below or above")
        return self


AlarmRule = Annotated[
    LimitRule | DeviationRule | RateRule | StateRule | CountRule | MissingRule | KpiRule, Field(discriminator="kind")
]
AlarmRules = dict[AlarmName, AlarmRule]


class Alarm(NamedTuple):
    """One alarm of a machine: a rule, or one limit of it."""

    name: str
    rule: LimitRule | DeviationRule | RateRule | StateRule | CountRule | MissingRule | KpiRule
    priority: Priority
    level: Level | None = None

    @property
    def kind(self) -> str:
        """Kind of its records: `alert.limit.temperature.hi`."""
        return f"alert.{self.rule.kind}.{self.name}"

    @property
    def limit(self) -> float | None:
        """The number that it is judged by, where it has one."""
        match self.rule:
            case LimitRule():
                limit: float | None = getattr(self.rule, self.level or "hi")
                return limit
            case DeviationRule():
                return self.rule.limit
            case RateRule():
                return self.rule.per_min
            case KpiRule():
                return self.rule.below if self.rule.below is not None else self.rule.above
            case CountRule():
                return float(self.rule.times)
            case StateRule():
                return self.rule.longer_s
            case MissingRule():
                return self.rule.after_s


def alarms_of(rules: Mapping[str, AlarmRule]) -> dict[str, Alarm]:
    """The alarms that rules make, by name."""
    made = []
    for name, rule in rules.items():
        if isinstance(rule, LimitRule):
            made += [
                Alarm(f"{name}.{level}", rule, rule.priorities.get(level, rule.priority), level)
                for level in LEVELS
                if getattr(rule, level) is not None
            ]
        else:
            made.append(Alarm(name, rule, rule.priority))
    return {alarm.name: alarm for alarm in made}
