"""What was lost in a stretch of production, and what held during it: the rows that drivers are sought in. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from processors.analysis.association import Kind


class Of(StrEnum):
    """What is lost."""

    SCRAP = "scrap"
    FPY = "fpy"
    DOWNTIME = "downtime"
    CYCLE = "cycle"
    VALUE = "value"
    """A measured characteristic; nothing is lost, its mean differs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a loss is measured and said."""

    kind: Kind
    exposure_unit: str
    loss_unit: str
    value_unit: str
    words: str
    """What it is, as people say it."""
    worse: str
    """What a level with more of it is said to have."""


OUTCOMES: Mapping[Of, Outcome] = {
    Of.SCRAP: Outcome("share", "pieces", "pieces", "%", "scrap", "scrap"),
    Of.FPY: Outcome("share", "pieces", "pieces", "%", "pieces that were not good the first time", "such pieces"),
    Of.DOWNTIME: Outcome("rate", "h", "min", "min/h", "downtime", "downtime"),
    Of.CYCLE: Outcome("mean", "pieces", "s", "s", "cycle time", "time a piece"),
    Of.VALUE: Outcome("mean", "values", "", "", "the value", "of the value"),
}


def one_off(factor: str) -> bool:
    """Whether a factor's levels come once and go: of them one may be unlike the others, that they differ is no cause."""
    return factor in ("lot", "order") or factor.startswith("lot of ")


@dataclass(frozen=True, slots=True)
class Observation:
    """One stretch (a production record, a cycle record, a row of a table)."""

    exposure: float
    """Pieces, hours, or how many values."""
    loss: float
    """Pieces lost, minutes stood, or the sum of the values."""
    levels: Mapping[str, str]
    """Factor → level; a factor that is not known, or that changed within, is not in it."""
    period: str = ""
    """The shift, day or row: what happened within one is no independent evidence."""
    hour: str | None = None
    """The hour, where it is known. What has one is a stretch of a history: differences without repetition prove nothing there."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Process value → its mean in that stretch."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Factor → what carries its level (of a supplier the lot); the period where none is named."""
