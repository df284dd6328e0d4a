"""What a comparison takes from the plant model, and what it does without one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from topology.kpi.definition import Definition, KpiFormula
from topology.model.plant import Plant
from uns.model.kpi import known
from uns.model.plant import load_plant
from uns.runtime import clock
from uns.runtime.running import environment
from uns.runtime.settings import Settings


@dataclass(frozen=True)
class Known:
    definitions: Mapping[str, Definition]
    """By label."""
    plant: Plant | None = None
    more: Mapping[str, KpiFormula] = field(default_factory=dict)
    """KPIs that sites add, without those that two sites define differently."""

    @property
    def preferred(self) -> str | None:
        """Label of the definition that binds the plant."""
        return None if self.plant is None else self.plant.kpi.definition

    @staticmethod
    def now(settings: Settings) -> int:
        return clock.from_spec(settings.clock)()


def known_to(folder: Path, given: bool) -> Known:
    """A folder that nobody named may be missing: then only shipped definitions are known. Raises `UserError`."""
    definitions = {label: entry.definition for label, entry in known(folder, environment()).items()}
    if not given and not folder.exists():
        return Known(definitions)
    plant = load_plant(folder)
    sites = [site.kpis for site in plant.namespace.sites.values()]
    more = {name: formula for kpis in sites for name, formula in kpis.items()}
    # One name for two things at two sites is no KPI that could be compared.
    same = {
        name: formula for name, formula in more.items() if all(kpis.get(name, formula) == formula for kpis in sites)
    }
    return Known(definitions, plant, same)
