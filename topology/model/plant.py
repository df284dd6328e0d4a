"""The plant model: what is where, what it is, and who reads and writes it. Frozen; unknown keys are refused."""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from topology.frozen import FrozenModel, Name
from topology.kpi.definition import KpiFormula, KpiId
from topology.model.alarms import AlarmName, AlarmRule
from topology.model.equipment import EquipmentType, Segment
from topology.model.pilot import PilotPlan
from topology.model.quality_model import QualityModel
from topology.model.shifts import Calendar
from topology.model.tags import CharacteristicTag, CountTag, EnergyTag, FeatureTag
from topology.model.timing import Time
from topology.model.wiring import Access, ConnectorEntry, Retention, SinkEntry
from topology.namespace.filters import Filter
from topology.namespace.path import Level, Path
from topology.nearest import hint


class WorkUnit(FrozenModel):
    """A work unit: one machine."""

    type: str = Field(description="its equipment type", examples=["filler"])
    alarms: dict[AlarmName, AlarmRule | None] = Field(
        default_factory=dict,
        description="its own alarm rules: a new one, one in place of its type's, or null: it has not that one",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class WorkCenter(FrozenModel):
    """A work center: machines that the material passes one after the other."""

    cells: dict[Segment, WorkUnit] = Field(description="work units in the order of the material's flow")
    kpi_rule: Literal["end_of_line", "bottleneck"] = Field(
        "end_of_line",
        description="whose pieces are the line's: the good ones of the last work unit that counts, or the bottleneck's; "
        "its time is the bottleneck's",
    )
    bottleneck: Segment | None = Field(
        None,
        description="the work unit that paces the line; none: the one with the longest ideal cycle",
        examples=["filler"],
    )

    @model_validator(mode="after")
    def _has_its_bottleneck(self) -> "WorkCenter":
        if self.bottleneck is not None and self.bottleneck not in self.cells:
            raise ValueError(
                f"bottleneck {self.bottleneck!r} is no cell of the line; {hint(self.bottleneck, self.cells)}"
            )
        return self


class Area(FrozenModel):
    """A part of a site; its lines share their topics."""

    partitions: int = Field(
        1,
        ge=1,
        le=1000,
        description="Kafka partitions of the area's topics; a line never splits, so more partitions than lines are of no use",
    )
    lines: dict[Segment, WorkCenter] = Field(description="its work centers")


class Site(FrozenModel):
    """A place of production."""

    areas: dict[Segment, Area] = Field(description="its areas")
    kpis: dict[KpiId, KpiFormula] = Field(
        default_factory=dict, description="KPIs that the site adds to the shared ones"
    )


class Namespace(FrozenModel):
    """What is where: enterprise, sites, areas, lines, cells, as ISA-95 has them."""

    enterprise: Segment = Field(description="first level of every path", examples=["acme"])
    sites: dict[Segment, Site] = Field(description="its sites")


class KpiSelection(FrozenModel):
    """By what all numbers are computed."""

    definition: Name = Field(
        "iso22400@1",
        description="KPI definition that all sites use, name@version; the default has the four ratios of the OEE record, iso22400@2 all KPIs",
    )
    oee_target: float | None = Field(
        None,
        gt=0,
        le=1,
        description="OEE that the screens compare with, 0 to 1; none: they show no target",
        examples=[0.75],
    )


def _with_alarms(equipment: EquipmentType, own: Mapping[str, AlarmRule | None]) -> EquipmentType:
    """The type as one machine has it: the very type, where it has no alarm rules of its own."""
    if not own:
        return equipment
    rules = {name: rule for name, rule in {**equipment.alarms, **own}.items() if rule is not None}
    return equipment.model_copy(update={"alarms": rules})


class Plant(FrozenModel):
    """The whole model. Several files of a folder may share it out; only a place may not be defined twice."""

    namespace: Namespace = Field(description="what is where")
    types: dict[str, EquipmentType] = Field(description="equipment types")
    time: Time = Field(default_factory=Time, description="when things close")
    kpi: KpiSelection = Field(default_factory=KpiSelection, description="shared KPI definition")
    shifts: dict[Segment, Calendar] = Field(default_factory=dict, description="shift calendars: who works when")
    kpi_definitions: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="the enterprise's own definitions: name@version → definition"
    )
    quality_models: dict[str, QualityModel] = Field(
        default_factory=dict, description="models that `uns quality train` wrote: name@version → model"
    )
    pilot: dict[Segment, PilotPlan] = Field(
        default_factory=dict, description="trials: a baseline, targets, what came of them"
    )
    retention: Retention = Field(default_factory=Retention, description="how long topics keep records")
    connectors: dict[Segment, ConnectorEntry] = Field(default_factory=dict, description="who publishes")
    sinks: dict[Segment, SinkEntry] = Field(default_factory=dict, description="who receives")
    access: tuple[Access, ...] = Field((), description="who may read or write what")

    @model_validator(mode="after")
    def _spread_within_the_horizon(self) -> "Plant":
        for name, equipment in self.types.items():
            for tag, spec in equipment.tags.items():
                if isinstance(spec, CountTag | EnergyTag) and (spec.spread_s or 0) > self.time.horizon_h * 3600:
                    raise ValueError(
                        f"type {name}, tag {tag}: amounts are spread over {spec.spread_s:g} s, and numbers corrected for "
                        f"{self.time.horizon_h:g} h; state a shorter spread_max_s"
                    )
        return self

    @model_validator(mode="after")
    def _models_of_types(self) -> "Plant":
        for name, equipment in self.types.items():
            if equipment.quality_model is None:
                continue
            model = self.quality_models.get(equipment.quality_model)
            if model is None:
                known = hint(equipment.quality_model, self.quality_models)
                raise ValueError(f"type {name}: no quality model {equipment.quality_model!r}; {known}")
            equipment._predicts = model
        return self

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
                    cells[path] = _with_alarms(self.types[model.type], model.alarms)
        return MappingProxyType(cells)

    def _areas(self) -> list[tuple[str, str, Area]]:
        return [
            (site, area, model) for site, sites in self.namespace.sites.items() for area, model in sites.areas.items()
        ]

    def cells(self) -> Mapping[Path, EquipmentType]:
        """Every work unit and its type, in the order of the model."""
        return self._cells

    @cached_property
    def type_names(self) -> Mapping[Path, str]:
        """Every work unit and the name of its type."""
        return {
            path: self.namespace.sites[site].areas[area].lines[line].cells[cell].type
            for path in self._cells
            for _, site, area, line, cell in (path.segments,)
        }

    @cached_property
    def units(self) -> Mapping[tuple[str, str], str]:
        """(path, tag) → unit of measure, of the tags that have one."""
        return {
            (str(path), name): tag.unit
            for path, model in self._cells.items()
            for name, tag in model.tags.items()
            if isinstance(tag, CharacteristicTag | EnergyTag | FeatureTag) and tag.unit is not None
        }

    @cached_property
    def targets(self) -> Mapping[tuple[str, str], float]:
        """(path, characteristic) → value to aim at, of those that have one."""
        return {
            (str(path), name): tag.target
            for path, model in self._cells.items()
            for name, tag in model.tags.items()
            if isinstance(tag, CharacteristicTag) and tag.target is not None
        }

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
