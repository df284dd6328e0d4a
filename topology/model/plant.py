"""The plant model: what is where, what it is, and who reads and writes it. Frozen; unknown keys are refused."""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from topology.kpi.definition import KpiFormula, KpiId
from topology.model.pilot import Pilot
from topology.model.shifts import Calendar
from topology.model.tags import Role, Tag
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.filters import REST, Filter
from topology.namespace.path import Level, Path
from topology.nearest import hint
from topology.vocabulary import CATEGORIES, checked_category


def _segment(text: str) -> str:
    Path.parse(text)
    if "/" in text:
        raise ValueError(f"{text!r} is a path; one name is expected here")
    return text


def _filter(text: str) -> str:
    Filter.parse(text)
    return text


Segment = Annotated[str, AfterValidator(_segment)]
FilterText = Annotated[str, AfterValidator(_filter)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(_Model):
    """One entry of an equipment type's reason tree."""

    name: str = Field(description="what an operator calls it")
    category: Annotated[str, AfterValidator(checked_category)] = Field(
        "",
        description=f"{', '.join(CATEGORIES)}, or a word of your own; breakdown opens a work order; none: its parent's",
        examples=["breakdown"],
    )
    parent: int | None = Field(None, description="code of the reason that it is a kind of; none: a root of the tree")


class EquipmentType(_Model):
    """What all machines of a kind share, at every site."""

    tags: dict[str, Tag] = Field(description="tags that a fold reads; all other tags are carried on unread")
    ideal_cycle_s: float = Field(
        gt=0, description="planned run time per item (PRI) where the order gives none, in seconds"
    )
    silent_after_s: float | None = Field(
        60.0, gt=0, description="without any sample for so long the state is unknown; null: never"
    )
    micro_stop_s: float = Field(300.0, ge=0, description="a shorter stop is a micro stop")
    slow_cycle_factor: float = Field(
        1.5, ge=1, description="a cycle longer than so many times its ideal cycle is a slow one"
    )
    changeover_target_s: float | None = Field(
        None, gt=0, description="what a changeover should take, last good piece to first good piece, in seconds"
    )
    reasons: dict[int, Reason] = Field(default_factory=dict, description="reason code → name and category")

    @field_validator("reasons")
    @classmethod
    def _tree(cls, reasons: dict[int, Reason]) -> dict[int, Reason]:
        """Every reason with the category that it says or inherits."""
        complete = {}
        for code, reason in reasons.items():
            chain = [code]
            while (parent := reasons[chain[-1]].parent) is not None:
                if parent not in reasons:
                    raise ValueError(f"reason {chain[-1]}: parent {parent} is no reason of this type")
                chain.append(parent)
                if parent in chain[:-1]:
                    raise ValueError(f"reason {code}: its parents go round in a circle ({' → '.join(map(str, chain))})")
            inherited = next((reasons[above].category for above in chain if reasons[above].category), None)
            if inherited is None:
                raise ValueError(f"reason {code} ({reason.name}) has no category, and no parent that has one")
            complete[code] = reason.model_copy(update={"category": inherited})
        return complete

    @model_validator(mode="after")
    def _one_tag_a_role(self) -> "EquipmentType":
        names: dict[str, list[str]] = {}
        for name, tag in self.tags.items():
            if tag.single:
                names.setdefault(tag.role, []).append(name)
        for role, tags in names.items():
            if len(tags) > 1:
                raise ValueError(f"role {role} has {len(tags)} tags ({', '.join(tags)}); one is possible")
        return self

    def tag(self, role: Role) -> str | None:
        """Name of the tag with a role that only one tag can have."""
        return next((name for name, tag in self.tags.items() if tag.role == role), None)


class Cell(_Model):
    """A work unit: one machine."""

    type: str = Field(description="its equipment type")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class Line(_Model):
    cells: dict[Segment, Cell] = Field(description="work units in the order of the material's flow")
    kpi_rule: Literal["end_of_line", "bottleneck"] = Field(
        "end_of_line",
        description="whose pieces are the line's: the good ones of the last work unit that counts, or the bottleneck's; "
        "its time is the bottleneck's",
    )
    bottleneck: Segment | None = Field(
        None, description="the work unit that paces the line; none: the one with the longest ideal cycle"
    )

    @model_validator(mode="after")
    def _has_its_bottleneck(self) -> "Line":
        if self.bottleneck is not None and self.bottleneck not in self.cells:
            raise ValueError(
                f"bottleneck {self.bottleneck!r} is no cell of the line; {hint(self.bottleneck, self.cells)}"
            )
        return self


class Area(_Model):
    partitions: int = Field(1, ge=1, le=1000, description="Kafka partitions of the area's topics; a line never splits")
    lines: dict[Segment, Line] = Field(description="work centers")


class Site(_Model):
    areas: dict[Segment, Area] = Field(description="areas")
    kpis: dict[KpiId, KpiFormula] = Field(
        default_factory=dict, description="KPIs that the site adds to the shared ones"
    )


class Namespace(_Model):
    enterprise: Segment = Field(description="first level of every path")
    sites: dict[Segment, Site] = Field(description="sites")


class Time(_Model):
    """When things close. Event time, but for `tick_s`."""

    lateness_s: float = Field(10.0, ge=0, description="how long a window waits for late samples")
    horizon_h: float = Field(48.0, gt=0, description="how far back a late record still corrects results")
    future_s: float = Field(
        300.0,
        gt=0,
        description="a sample further ahead of the last tick and of its own record in the log is quarantined",
    )
    production_s: int = Field(60, ge=1, description="length of a production record")
    provisional_s: float = Field(
        60.0, gt=0, description="how often an open window and each snapshot are published, changed or not"
    )
    kpi_s: float = Field(300.0, gt=0, description="how often the Kpi record of an open window is published")
    tick_s: float = Field(1.0, gt=0, description="wall seconds between ticks")

    @model_validator(mode="after")
    def _ordered(self) -> "Time":
        if self.lateness_s >= self.horizon_h * 3600:
            raise ValueError(f"lateness_s {self.lateness_s} is not below the horizon of {self.horizon_h:g} h")
        return self


class Kpi(_Model):
    definition: str = Field("iso22400@1", description="KPI definition that all sites use, name@version")


class Suppress(_Model):
    """What a connector's runner leaves out, and counts."""

    unchanged: bool = Field(False, description="a value equal to the one before")
    deadband: dict[str, float] = Field(default_factory=dict, description="tag → smallest change that is published")


class Spool(_Model):
    max_mb: int = Field(256, ge=1, description="size at which the spool is full")
    when_full: Literal["block", "drop_oldest"] = Field(
        "block", description="stop reading the source, or drop what is oldest and count it"
    )


class Connector(_Model):
    protocol: str = Field(description="name of a registered connector")
    suppress: Suppress = Field(default_factory=Suppress, description="what is left out")
    spool: Spool = Field(default_factory=Spool, description="the buffer on disk")
    config: dict[str, Any] = Field(description="the protocol's own options")


class Subscribe(_Model):
    filter: FilterText = Field(description="MQTT filter over paths")
    classes: tuple[MessageClass, ...] = Field(min_length=1, description="message classes")


class Sink(_Model):
    kind: str = Field(description="name of a registered sink")
    subscribe: Subscribe = Field(description="what it receives")
    config: dict[str, Any] = Field(default_factory=dict, description="the kind's own options")


class Access(_Model):
    """Who may read or write what; `uns apply` makes Kafka ACLs of it."""

    principal: str = Field(pattern=r"^User:.+", description="Kafka principal, e.g. User:historian")
    filter: FilterText = Field(description="MQTT filter over paths")
    classes: tuple[MessageClass, ...] = Field(DERIVED, min_length=1, description="message classes")
    operation: Literal["read", "write"] = Field("read", description="read or write")

    @model_validator(mode="after")
    def _whole_topics(self) -> "Access":
        levels = self.filter.split("/")
        if levels[-1] != REST or len(levels) - 1 > Level.AREA:
            raise ValueError(
                f"filter {self.filter!r}: Kafka grants whole topics, and all lines of an area share its topics; "
                "write at most enterprise/site/area, and end it with /#"
            )
        return self


class Retention(_Model):
    """How long topics keep records."""

    raw_h: float | None = Field(24 * 30, gt=0, description="raw, in hours: what can be replayed; null: for ever")
    derived_h: float | None = Field(24 * 90, gt=0, description="derived classes, in hours; null: for ever")
    quarantine_h: float | None = Field(24 * 30, gt=0, description="quarantine, in hours; null: for ever")


class Plant(_Model):
    """The whole model, as `topology.model.loader.load` reads it."""

    namespace: Namespace = Field(description="what is where")
    types: dict[str, EquipmentType] = Field(description="equipment types")
    time: Time = Field(default_factory=Time, description="when things close")
    kpi: Kpi = Field(default_factory=Kpi, description="shared KPI definition")
    shifts: dict[Segment, Calendar] = Field(default_factory=dict, description="shift calendars: who works when")
    kpi_definitions: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="the enterprise's own definitions: name@version → definition"
    )
    pilot: dict[Segment, Pilot] = Field(
        default_factory=dict, description="trials: a baseline, targets, what came of them"
    )
    retention: Retention = Field(default_factory=Retention, description="how long topics keep records")
    connectors: dict[Segment, Connector] = Field(default_factory=dict, description="who publishes")
    sinks: dict[Segment, Sink] = Field(default_factory=dict, description="who receives")
    access: tuple[Access, ...] = Field((), description="who may read or write what")

    @cached_property
    def enterprise(self) -> Path:
        return Path.parse(self.namespace.enterprise)

    @cached_property
    def _cells(self) -> Mapping[Path, EquipmentType]:
        cells = {}
        for site, area, area_model in self._areas():
            for line, line_model in area_model.lines.items():
                for cell, model in line_model.cells.items():
                    path = Path.parse(f"{self.namespace.enterprise}/{site}/{area}/{line}/{cell}")
                    cells[path] = self.types[model.type]
        return MappingProxyType(cells)

    def _areas(self) -> list[tuple[str, str, Area]]:
        return [
            (site, area, model) for site, sites in self.namespace.sites.items() for area, model in sites.areas.items()
        ]

    def cells(self) -> Mapping[Path, EquipmentType]:
        """Every work unit and its type, in the order of the model."""
        return self._cells

    @cached_property
    def calendars(self) -> Mapping[Path, str]:
        """Lines for which a calendar holds, and its name."""
        lines = dict.fromkeys(path.at(Level.LINE) for path in self._cells)
        return MappingProxyType(
            {line: names[0] for line in lines if (names := self.calendars_of(line))},
        )

    def calendars_of(self, line: Path) -> list[str]:
        """Names of the calendars whose filter names a line; the loader refuses more than one."""
        return [name for name, calendar in self.shifts.items() if Filter.parse(calendar.filter).matches(line)]

    def areas(self) -> Mapping[Path, int]:
        """Every area and its number of partitions."""
        return {
            Path.parse(f"{self.namespace.enterprise}/{site}/{area}"): model.partitions
            for site, area, model in self._areas()
        }

    def places(self) -> tuple[Path, ...]:
        """Every place that has topics: the enterprise, its sites, their areas."""
        sites = tuple(Path.parse(f"{self.namespace.enterprise}/{site}") for site in self.namespace.sites)
        return (self.enterprise, *sites, *self.areas())
