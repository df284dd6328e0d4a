"""KPI definitions: shared, versioned data that says what machine time counts as. Every number carries `name@version`."""

import functools
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints, model_validator

from topology.frozen import FrozenModel
from topology.kpi.formula import parse
from topology.nearest import hint
from topology.vocabulary import checked_category, checked_mode, checked_state

ELEMENTS = ("APT", "AUST", "ADET", "ADOT", "PDOT", "unknown")
"""What planned busy time counts as in ISO 22400; the elements a definition has unless it lists its own."""
Planned = Literal["busy", "break", "unplanned"]
Loss = Literal["none", "availability", "performance", "quality", "outside"]


State = Annotated[str, AfterValidator(checked_state)]
Mode = Annotated[str, AfterValidator(checked_mode)]
Category = Annotated[str, AfterValidator(checked_category)]


class When(FrozenModel):
    """All that is given must hold."""

    state: tuple[State, ...] | None = Field(
        None, description="PackML states", examples=[["aborting", "aborted", "clearing"]]
    )
    mode: tuple[Mode, ...] | None = Field(None, description="unit modes", examples=[["setup"]])
    order: bool | None = Field(None, description="whether an order is on the machine")
    planned: tuple[Planned, ...] | None = Field(
        None, description="what the shift plan says: busy, break, unplanned", examples=[["break"]]
    )
    reason: tuple[Category, ...] | None = Field(
        None, description="categories of the stop's reason", examples=[["breakdown"]]
    )

    def holds(self, state: str, mode: str, order: bool, planned: Planned = "busy", reason: str | None = None) -> bool:
        return (
            (self.state is None or state in self.state)
            and (self.mode is None or mode in self.mode)
            and (self.order is None or order is self.order)
            and (self.planned is None or planned in self.planned)
            and (self.reason is None or reason in self.reason)
        )

    @property
    def always(self) -> bool:
        return all(getattr(self, name) is None for name in type(self).model_fields)


class Rule(FrozenModel):
    """What time counts as under a condition."""

    when: When = Field(default_factory=When, description="condition; none: always")
    element: str = Field(description="time element that the time counts as", examples=["ADET"])


class TimeElement(FrozenModel):
    """A part of the window; the elements of a definition share out all of it."""

    description: str = Field(description="what it is", examples=["running"])
    loss: Loss = Field(description="which factor it reduces; outside: not in the denominator of OEE")


def _formula(text: str) -> str:
    parse(text)
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
KpiId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
FormulaText = Annotated[str, AfterValidator(_formula)]


class KpiFormula(FrozenModel):
    """One KPI, with the attributes of an ISO 22400-2 KPI record."""

    name: str = Field(min_length=1, description="name", examples=["Availability"])
    description: str = Field("", description="what it tells")
    scope: tuple[
        Literal["work_unit", "work_center", "area", "site", "enterprise", "product", "order", "worker"], ...
    ] = Field(("work_unit", "work_center", "area", "site", "enterprise"), description="what it is computed for")
    formula: FormulaText = Field(
        description="arithmetic over elements, totals, quantities and other KPIs",
        examples=["APT / PBT", "sum(PRI * GQ) / PBT"],
    )
    unit: str = Field("1", description="unit of measure; 1: a ratio")
    lower: float | None = Field(0, description="lower end of the range; null: none")
    upper: float | None = Field(None, description="upper end of the range; null: none", examples=[1])
    trend: Literal["higher_is_better", "lower_is_better", "none"] = Field(description="which way is better")
    timing: tuple[Literal["on_demand", "periodically", "real_time"], ...] = Field(
        ("on_demand", "periodically"), description="when it is computed"
    )
    audience: tuple[Literal["operator", "supervisor", "management"], ...] = Field(
        ("supervisor", "management"), description="who it is for"
    )
    methodology: tuple[Literal["discrete", "batch", "continuous"], ...] = Field(
        ("discrete", "batch", "continuous"), description="production methodology"
    )
    notes: str = Field("", description="sources, doubts, differences to others")

    @model_validator(mode="after")
    def _range(self) -> "KpiFormula":
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self


class MicroStop(FrozenModel):
    """Short stops that count as an element of their own."""

    below_s: float = Field(gt=0, description="a stop shorter than this is a micro stop", examples=[300])
    inclusive: bool = Field(False, description="whether one of exactly below_s is a micro stop too")
    only_without_reason: bool = Field(True, description="whether a stop with a reason keeps its element")
    element: str = Field(
        description="the element a micro stop counts as; its `loss` is the loss class", examples=["MINOR"]
    )


class NoiseFloor(FrozenModel):
    """What is too short to be believed; it counts as what was before it."""

    stop_s: float = Field(0, ge=0, description="a stop up to this long is running")
    run_s: float = Field(0, ge=0, description="a run up to this long is part of the stop")


class StartUp(FrozenModel):
    """Scrap that is start-up loss, the sixth of the big ones: what is made until a process is stable."""

    modes: tuple[Mode, ...] = Field(("setup",), description="scrap counted in these modes")
    of_order_s: float = Field(0, ge=0, description="and scrap counted so soon after the begin of its order")


class DefinitionOptions(FrozenModel):
    """What implementations do differently. Planned stops and changeover are the `loss` of their elements."""

    micro_stop: MicroStop | None = Field(None, description="none: a short stop is a stop")
    noise_floor: NoiseFloor = Field(default_factory=NoiseFloor, description="very short stops and runs")
    performance_above_1: Literal["raw", "cap_in_presentation"] = Field(
        "raw", description="stored values are never capped; cap_in_presentation: shown at the upper end of the range"
    )
    start_up: StartUp | None = Field(None, description="none: start-up scrap is scrap")
    rework: Literal["not_good", "good"] = Field("not_good", description="whether reworked pieces count in GQ")
    machine_reason: Literal["own_time", "whole_stop"] = Field(
        "own_time",
        description="what a code of the machine's explains: the stop from its sample to the next code (the first also what "
        "was before it), or, the last one, all of the stop",
    )
    aggregation: Literal["sum_over_sum"] = Field("sum_over_sum", description="how parts become a whole")
    zero_denominator: Literal["no_value"] = Field("no_value", description="a KPI whose denominator is zero")
    not_observed: Literal["outside", "as_unknown"] = Field(
        "outside",
        description="time in which nobody listened to the machine, or nothing of its state was known yet: in no "
        "denominator, or as what the time model makes of the state unknown",
    )


LATER_OPTIONS = ("machine_reason", "not_observed")
"""Options that came after definitions had been sealed: at its default such a one is no part of the fingerprint."""

NOT_OBSERVED = "not_observed"
OUTSIDE_OBSERVATION = TimeElement(
    description="nobody listened to the machine, or nothing of its state was known yet", loss="outside"
)
"""The element `not_observed`, which a definition has whether or not it lists it."""

ISO_ELEMENTS = {
    "APT": TimeElement(description="actual production time", loss="none"),
    "AUST": TimeElement(description="actual unit setup time", loss="availability"),
    "ADET": TimeElement(description="actual unit delay time: interrupted while an order runs", loss="availability"),
    "ADOT": TimeElement(description="actual unit down time: available, without an order", loss="availability"),
    "PDOT": TimeElement(description="planned down time", loss="outside"),
    "unplanned": TimeElement(description="outside planned operation time", loss="outside"),
    "unknown": TimeElement(description="nothing is known of the machine", loss="availability"),
}


class Decision(NamedTuple):
    """What an instant counts as, and what decided it."""

    element: str
    by: When | MicroStop | Planned | Literal["not_observed"]
    """The condition of a rule of the time model, the option micro_stop, the shift plan where no rule asks for it, or that
    nobody listened."""


class Definition(FrozenModel):
    """One version of a definition. A changed rule is a new version, so that last month's numbers keep their meaning."""

    name: str = Field(pattern=r"^[a-z][a-z0-9.-]*$", description="name", examples=["acme"])
    version: int = Field(ge=1, description="version", examples=[1])
    description: str = Field(
        description="what it measures and where it comes from", examples=["OEE as acme computes it"]
    )
    scope: str = Field("work units and all that they are part of", description="what it is meant for")
    running: tuple[State, ...] = Field(
        description="states that count as producing, in mode production", examples=[["execute"]]
    )
    elements: dict[Name, TimeElement] = Field(
        default_factory=lambda: dict(ISO_ELEMENTS), description="the parts a window is shared out to"
    )
    time_model: tuple[Rule, ...] = Field(description="time to elements; the first rule that holds decides")
    totals: dict[Name, FormulaText] = Field(default_factory=dict, description="sums of elements that have a name")
    options: DefinitionOptions = Field(
        default_factory=DefinitionOptions, description="what implementations do differently"
    )
    kpis: dict[KpiId, KpiFormula] = Field(default_factory=dict, description="id → KPI")
    seal: str | None = Field(
        None,
        description="fingerprint; given, any later change of this version is refused",
        examples=["0123456789abcdef"],
    )

    _decisions: dict[tuple[str, str, bool, Planned, str | None], Decision] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> "Definition":
        if not self.time_model or not self.time_model[-1].when.always:
            raise ValueError("the last rule of the time model must hold always, or some time would count as nothing")
        used = {rule.element for rule in self.time_model}
        if self.options.micro_stop is not None:
            used.add(self.options.micro_stop.element)
        if not self.plans:
            used |= {"unplanned", "PDOT"}
        if strangers := sorted(used - set(self.elements) - {NOT_OBSERVED}):
            raise ValueError(f"{', '.join(strangers)}: no element; {hint(strangers[0], self.elements)}")
        if NOT_OBSERVED in used or self.elements.get(NOT_OBSERVED, OUTSIDE_OBSERVATION).loss != "outside":
            raise ValueError(
                "not_observed is time outside, and no rule gives it: to count it as what the state unknown counts as, "
                "write options: {not_observed: as_unknown}"
            )
        self.elements.setdefault(NOT_OBSERVED, OUTSIDE_OBSERVATION)  # last: the others keep their order
        return self

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def plans(self) -> bool:
        """Whether the time model itself says what breaks and unplanned time count as."""
        return any(rule.when.planned is not None for rule in self.time_model)

    @property
    def fingerprint(self) -> str:
        """The same for the same content, whatever its layout; `seal` is not part of it."""
        told = self.model_dump(mode="json", exclude={"seal"})
        for name in LATER_OPTIONS:
            if getattr(self.options, name) == DefinitionOptions.model_fields[name].default:
                del told["options"][name]
        if self.elements.get(NOT_OBSERVED) == OUTSIDE_OBSERVATION:
            del told["elements"][NOT_OBSERVED]
        content = json.dumps(told, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def blind(self, order: bool, planned: Planned) -> Decision:
        """What time counts as in which nobody listened. What the plan alone decides, it decides of such time too: a break
        stays a break, and time outside every shift stays unplanned."""
        told = self.rule("unknown", "unknown", order, planned)
        by_plan = isinstance(told.by, str) or (isinstance(told.by, When) and told.by.planned is not None)
        if self.options.not_observed == "as_unknown" or (planned != "busy" and by_plan):
            return told
        return Decision(NOT_OBSERVED, "not_observed")

    def element(self, state: str, mode: str, order: bool, planned: Planned = "busy", reason: str | None = None) -> str:
        """What time counts as in this state and mode, with or without an order, by plan and by reason category."""
        return self.rule(state, mode, order, planned, reason).element

    def rule(
        self,
        state: str,
        mode: str,
        order: bool,
        planned: Planned = "busy",
        reason: str | None = None,
        micro: bool = False,
    ) -> Decision:
        """The same with what decided it. `micro`: the time is part of a stop for which the option micro_stop holds."""
        if micro and self.options.micro_stop is not None:
            return Decision(self.options.micro_stop.element, self.options.micro_stop)
        key = state, mode, order, planned, reason
        if key not in self._decisions:
            if not self.plans and planned != "busy":
                self._decisions[key] = Decision("PDOT" if planned == "break" else "unplanned", planned)
            else:
                rule = next(rule for rule in self.time_model if rule.when.holds(*key))
                self._decisions[key] = Decision(rule.element, rule.when)
        return self._decisions[key]


@functools.cache
def shipped() -> Mapping[str, Definition]:
    """Label → every definition that comes with the package."""
    folder = importlib.resources.files("topology") / "kpi" / "definitions"
    definitions = [
        Definition.model_validate(yaml.safe_load(entry.read_text(encoding="utf-8")))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    ]
    return {definition.label: definition for definition in definitions}


def definition(label: str) -> Definition:
    """Raises `LookupError` that names what there is."""
    try:
        return shipped()[label]
    except KeyError:
        raise LookupError(f"KPI definition {label!r} is not known; {hint(label, shipped())}") from None
