"""A model that predicts scrap from process values, as `uns quality train` writes it into the plant folder. Never edited by hand."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.text import micros
from topology.frozen import FrozenModel, Name

HASH_DIGITS = 16
FEATURES_MAX, TREES_MAX, NODES_MAX, KNOTS_MAX = 64, 500, 127, 1_000
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Feature(FrozenModel):
    """One process value."""

    characteristic: Name = Field(
        description="the characteristic whose mean in a production record's time is read", examples=["FillVolume"]
    )
    mean: Finite = Field(description="its usual value, taken where nothing was measured", examples=[500.0])
    scale: Finite = Field(gt=0, description="its standard deviation", examples=[5.0])
    low: Finite = Field(description="the least value that the model was trained on", examples=[480.0])
    high: Finite = Field(description="the greatest", examples=[520.0])
    weight: Finite = Field(0.0, description="log-odds a standard deviation; of a model of trees 0")


class Tree(FrozenModel):
    """One tree: nodes by number, the root is 0. A value goes left where it is at most the threshold."""

    feature: tuple[int, ...] = Field(
        max_length=NODES_MAX, description="number of the feature a node asks for; -1: a leaf", examples=[[0, -1, -1]]
    )
    threshold: tuple[Finite, ...] = Field(
        max_length=NODES_MAX, description="where it parts, on the standardised scale", examples=[[0.4, 0, 0]]
    )
    left: tuple[int, ...] = Field(
        max_length=NODES_MAX, description="the node for at most the threshold", examples=[[1, 0, 0]]
    )
    right: tuple[int, ...] = Field(max_length=NODES_MAX, description="the node for more", examples=[[2, 0, 0]])
    value: tuple[Finite, ...] = Field(
        max_length=NODES_MAX, description="log-odds that a node adds, as far as it knows", examples=[[0.0, -0.2, 0.9]]
    )

    @model_validator(mode="after")
    def _is_a_tree(self) -> "Tree":
        """Children come after their parent, so that every walk ends."""
        count = len(self.feature)
        if not count or {len(self.threshold), len(self.left), len(self.right), len(self.value)} != {count}:
            raise ValueError("the nodes of a tree have as many features, thresholds, children and values")
        for node, feature in enumerate(self.feature):
            if feature >= 0 and not (node < self.left[node] < count and node < self.right[node] < count):
                raise ValueError(f"node {node}: its children come after it")
        return self


class Calibration(FrozenModel):
    """From log-odds to a probability that comes true: Platt's line, or isotonic steps joined by lines."""

    kind: Literal["platt", "isotonic"] = Field(description="platt | isotonic")
    slope: Finite = Field(1.0, description="Platt: of the line over the log-odds")
    intercept: Finite = Field(0.0, description="Platt: the line at 0")
    at: tuple[Finite, ...] = Field((), max_length=KNOTS_MAX, description="isotonic: log-odds, rising")
    probability: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (), max_length=KNOTS_MAX, description="isotonic: what they come to"
    )

    @model_validator(mode="after")
    def _has_its_parts(self) -> "Calibration":
        if len(self.at) != len(self.probability) or (self.kind == "isotonic") != bool(self.at):
            raise ValueError("isotonic has as many log-odds as probabilities, platt has none")
        if any(first >= second for first, second in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("isotonic log-odds rise")
        return self


class QualityModel(FrozenModel):
    """Probability of scrap by process values, what it was trained on, and how it did in later time."""

    features: tuple[Feature, ...] = Field(min_length=1, max_length=FEATURES_MAX, description="process values")
    intercept: Finite = Field(description="log-odds of usual values", examples=[-3.0])
    trees: tuple[Tree, ...] = Field((), max_length=TREES_MAX, description="gradient boosting; none: a logistic model")
    calibration: Calibration = Field(description="from log-odds to probability")
    base_rate: float = Field(gt=0, lt=1, description="share of scrap in the history it was trained on", examples=[0.05])
    trained_from: str = Field(
        description="begin of that history, ISO time with offset", examples=["2026-10-01T00:00:00+00:00"]
    )
    trained_to: str = Field(description="its end, excluded", examples=["2026-11-01T00:00:00+00:00"])
    held_out: dict[str, float | str | None] = Field(
        default_factory=dict,
        description="how it did in the time after: log-loss and Brier score against the base rate, calibration error",
    )
    hash: str = Field(description="SHA-256 of all the rest, the first 16 hex digits", examples=["9f86d081884c7d65"])

    @field_validator("trained_from", "trained_to")
    @classmethod
    def _a_time(cls, text: str) -> str:
        micros(text)
        return text

    @model_validator(mode="after")
    def _untouched(self) -> "QualityModel":
        found = content_hash(self.model_dump(exclude={"hash"}))
        if found != self.hash:
            raise ValueError(
                f"its content has hash {found}, and it says {self.hash}: it was edited by hand; train it anew "
                "(`uns quality train`), under a version of its own"
            )
        if any(feature >= len(self.features) for tree in self.trees for feature in tree.feature):
            raise ValueError("a tree asks for a feature that is not there")
        return self

    @property
    def characteristics(self) -> tuple[str, ...]:
        return tuple(feature.characteristic for feature in self.features)


def content_hash(content: dict[str, Any]) -> str:
    """Of a model's content as JSON with sorted keys; numbers as Python writes them, which reads back the same."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
