"""KPI definitions: shared, versioned data that says what machine time counts as. Every number carries `name@version`."""

import functools
import importlib.resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from topology.packml import STATES

Element = Literal["APT", "AUST", "ADET", "ADOT", "PDOT", "unknown"]
ELEMENTS: tuple[Element, ...] = ("APT", "AUST", "ADET", "ADOT", "PDOT", "unknown")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Model):
    """All that is given must hold."""

    state: tuple[str, ...] | None = Field(None, description="PackML states")
    mode: tuple[str, ...] | None = Field(None, description="unit modes")
    order: bool | None = Field(None, description="whether an order is on the machine")

    def holds(self, state: str, mode: str, order: bool) -> bool:
        return (
            (self.state is None or state in self.state)
            and (self.mode is None or mode in self.mode)
            and (self.order is None or order is self.order)
        )

    @property
    def always(self) -> bool:
        return self.state is None and self.mode is None and self.order is None


class Rule(_Model):
    when: When = Field(default_factory=When, description="condition; none: always")
    element: Element = Field(description="ISO 22400 time element that the time counts as")


class Definition(_Model):
    """One version of a definition. A changed rule is a new version, so that last month's numbers keep their meaning."""

    name: str = Field(description="name")
    version: int = Field(ge=1, description="version")
    description: str = Field(description="what it measures and where it comes from")
    running: tuple[str, ...] = Field(description="states that count as producing, in mode production")
    time_model: tuple[Rule, ...] = Field(description="planned busy time to elements; the first rule that holds decides")

    _elements: dict[tuple[str, str, bool], Element] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> "Definition":
        if not self.time_model or not self.time_model[-1].when.always:
            raise ValueError("the last rule of the time model must hold always, or some time would count as nothing")
        named = {state for rule in self.time_model for state in rule.when.state or ()} | set(self.running)
        if strangers := sorted(named - STATES):
            raise ValueError(f"{', '.join(strangers)}: no PackML state; there are {', '.join(sorted(STATES))}")
        return self

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def element(self, state: str, mode: str, order: bool) -> Element:
        """What planned busy time in this state, mode and with or without an order counts as."""
        key = state, mode, order
        if key not in self._elements:
            self._elements[key] = next(rule.element for rule in self.time_model if rule.when.holds(state, mode, order))
        return self._elements[key]


@functools.cache
def shipped() -> dict[str, Definition]:
    """Label → every definition that comes with the package."""
    folder = importlib.resources.files("topology") / "kpi_definitions"
    found = [
        Definition.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    ]
    return {definition.label: definition for definition in found}


def definition(label: str) -> Definition:
    """Raises `LookupError` that names what there is."""
    try:
        return shipped()[label]
    except KeyError:
        raise LookupError(f"KPI definition {label!r} is not known; there are {', '.join(shipped())}") from None
