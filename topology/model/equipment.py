"""Equipment types: what all machines of a kind share. Frozen; unknown keys are refused."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from topology.frozen import FrozenModel, Name
from topology.model.alarms import ALARMS_MAX, AlarmRules
from topology.model.anomaly import ANOMALIES_MAX, AnomalyRule
from topology.model.charts import COUNTED, GroupPlan
from topology.model.condition import CONDITIONS_MAX, ConditionRule
from topology.model.quality_model import QualityModel
from topology.model.tags import Role, Tag
from topology.namespace.path import Path
from topology.nearest import hint
from topology.vocabulary import CATEGORIES, checked_category


def _segment(text: str) -> str:
    Path.parse(text)
    if "/" in text:
        raise ValueError(f"{text!r} is a path; one name is expected here")
    return text


Segment = Annotated[str, AfterValidator(_segment)]
GROUPS_MAX = 16
"""Groups of characteristics of a type."""
REASONS_MAX = 1_000
"""Reasons of a type: a Kpi record may have a stop of each."""


class StopReason(FrozenModel):
    """One entry of an equipment type's reason tree."""

    name: Name = Field(description="what an operator calls it", examples=["pump fault"])
    category: Annotated[Name, AfterValidator(checked_category)] = Field(
        "",
        description=f"{', '.join(CATEGORIES)}, or a word of your own; breakdown opens a work order; none: its parent's",
        examples=["breakdown"],
    )
    parent: int | None = Field(
        None, description="code of the reason that it is a kind of; none: a root of the tree", examples=[200]
    )


class EquipmentType(FrozenModel):
    """What all machines of a kind share, at every site."""

    tags: dict[Name, Tag] = Field(description="tags that a fold reads; all other tags are carried on unread")
    ideal_cycle_s: float = Field(
        gt=0, description="planned run time per item (PRI) where the order gives none, in seconds", examples=[6.0]
    )
    silent_after_s: float | None = Field(
        60.0,
        gt=0,
        description="without any sample for so long the state is unknown, in seconds; a minute is some cycles of most machines; null: never",
    )
    uncertain: Literal["use", "refuse"] = Field(
        "use",
        description="what a sample of uncertain quality is (OPC UA: 0x40000000 to 0x7FFFFFFF): as good as any other, or as "
        "bad as a bad one",
    )
    micro_stop_s: float = Field(
        300.0,
        ge=0,
        description="a shorter stop is a micro stop, in seconds; five minutes is what most secondary sources say",
    )
    slow_cycle_factor: float = Field(
        1.5,
        ge=1,
        description="a cycle longer than so many times its ideal cycle is a slow one; 1.5 is our own judgement",
    )
    changeover_target_s: float | None = Field(
        None,
        gt=0,
        description="what a changeover should take, last good piece to first good piece, in seconds",
        examples=[240],
    )
    text_max: int = Field(
        1_024,
        ge=1,
        le=16_000,
        description="characters of a tag's text value; a sample with a longer one goes to quarantine",
    )
    other_tags_max: int = Field(
        512,
        ge=0,
        le=10_000,
        description="how many tags that `tags` does not name the snapshot (`current`) of a machine shows: the first by name; "
        "all others are signs of life, cost nothing and are shown nowhere, but are in the raw log",
    )
    reasons: dict[int, StopReason] = Field(
        default_factory=dict, max_length=REASONS_MAX, description="reason code → name and category"
    )
    quality_model: Name | None = Field(
        None,
        description="one of `quality_models`, name@version, that predicts the scrap of these machines; none: nothing does",
        examples=["scrap@1"],
    )
    _predicts: QualityModel | None = PrivateAttr(None)

    @property
    def predicts(self) -> QualityModel | None:
        """What `quality_model` names."""
        return self._predicts

    alarms: AlarmRules = Field(
        default_factory=dict, max_length=ALARMS_MAX, description="alarm rules of its machines: name → rule"
    )
    conditions: dict[Segment, ConditionRule] = Field(
        default_factory=dict,
        max_length=CONDITIONS_MAX,
        description="cause → rule by which its condition is judged",
    )
    anomaly: dict[Segment, AnomalyRule] = Field(
        default_factory=dict,
        max_length=ANOMALIES_MAX,
        description="name → rule by which something is unusual, though no limit says so",
    )

    groups: dict[Segment, GroupPlan] = Field(
        default_factory=dict,
        max_length=GROUPS_MAX,
        description="characteristics that have a control chart together, beside each its own: name → group",
        examples=[{"seal": {"characteristics": ["SealTemp", "SealPressure"]}}],
    )

    @field_validator("reasons")
    @classmethod
    def _tree(cls, reasons: dict[int, StopReason]) -> dict[int, StopReason]:
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
    def _conditions_of_tags(self) -> "EquipmentType":
        measured = {name for name, tag in self.tags.items() if tag.role in ("feature", "characteristic")}
        for name, rule in self.conditions.items():
            for tag in rule.tags:
                if tag not in measured:
                    raise ValueError(
                        f"condition {name}: no tag {tag!r} of role feature or characteristic; {hint(tag, measured)}"
                    )
        for name, learnt in self.anomaly.items():
            if name in self.conditions:
                raise ValueError(f"anomaly {name}: there is a condition of that name; their records need two")
            for tag in learnt.tags:
                if tag not in measured:
                    raise ValueError(
                        f"anomaly {name}: no tag {tag!r} of role feature or characteristic; {hint(tag, measured)}"
                    )
        return self

    @model_validator(mode="after")
    def _groups_of_characteristics(self) -> "EquipmentType":
        measured = {
            name for name, tag in self.tags.items() if tag.role == "characteristic" and tag.chart.kind not in COUNTED
        }
        for name, group in self.groups.items():
            if name in self.tags:
                raise ValueError(f"group {name} has the name of a tag; choose another")
            for tag in group.characteristics:
                if tag not in measured:
                    raise ValueError(
                        f"group {name}: no tag {tag!r} of role characteristic that is measured; {hint(tag, measured)}"
                    )
        return self

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
