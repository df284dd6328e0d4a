"""Who publishes, who receives, who may, and how long topics keep it: the parts of a plant model around its machines."""

from typing import Any, Literal

from pydantic import Field, model_validator

from topology.frozen import FilterText, FrozenModel
from topology.model.shaping import DerivedTag, TagRule
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.filters import REST
from topology.namespace.path import Level


class Suppress(FrozenModel):
    """What a connector's runner leaves out, and counts."""

    unchanged: bool = Field(False, description="a value equal to the one before")
    deadband: dict[str, float] = Field(default_factory=dict, description="tag → smallest change that is published")


class SpoolLimits(FrozenModel):
    """The buffer on disk, for when Kafka is away."""

    max_mb: int = Field(256, ge=1, description="size at which the spool is full, in MB")
    when_full: Literal["block", "drop_oldest"] = Field(
        "block",
        description="stop reading the source, or drop what is oldest and count it; nothing is lost unless you say so",
    )


class ConnectorEntry(FrozenModel):
    """A source: what is read from it, and how. Its own options: [connectors](README.md)."""

    protocol: str = Field(description="name of a registered connector", examples=["opcua", "mqtt"])
    suppress: Suppress = Field(default_factory=Suppress, description="what is left out")
    tags: tuple[TagRule, ...] = Field(
        (), description="what is made of the values of some tags; of those that fit a tag the first is its own"
    )
    derived: tuple[DerivedTag, ...] = Field(
        (), description="tags that are worked out from others; one may rest on another before it"
    )
    stale_after_s: float | None = Field(
        None,
        gt=0,
        description="health names a machine that has had no value for so long, in seconds, though its source is connected. "
        "None: three cycles, at least 30 s, of a source that speaks in cycles (modbus); of others never, they may be silent "
        "by nature",
        examples=[300],
    )
    spool: SpoolLimits = Field(default_factory=SpoolLimits, description="the buffer on disk")
    config: dict[str, Any] = Field(
        description="the protocol's own options", examples=[{"url": "opc.tcp://10.0.0.7:4840", "machines": ["…"]}]
    )


class Subscribe(FrozenModel):
    """Which records a sink receives."""

    filter: FilterText = Field(description="MQTT filter over paths", examples=["acme/#", "acme/+/packaging/#"])
    classes: tuple[MessageClass, ...] = Field(min_length=1, description="message classes", examples=[["oee", "kpi"]])


class SinkEntry(FrozenModel):
    """A target: what it receives, and how. Its own options: [sinks](README.md)."""

    kind: str = Field(description="name of a registered sink", examples=["historian", "rest"])
    subscribe: Subscribe = Field(description="what it receives")
    config: dict[str, Any] = Field(default_factory=dict, description="the kind's own options")


class Access(FrozenModel):
    """Who may read or write what; `uns apply` makes Kafka ACLs of it."""

    principal: str = Field(
        pattern=r"^User:.+", description="Kafka principal, e.g. User:historian", examples=["User:historian"]
    )
    filter: FilterText = Field(description="MQTT filter over paths", examples=["acme/dallas/#"])
    classes: tuple[MessageClass, ...] = Field(DERIVED, min_length=1, description="message classes")
    operation: Literal["read", "write"] = Field("read", description="what the principal may do")

    @model_validator(mode="after")
    def _whole_topics(self) -> "Access":
        levels = self.filter.split("/")
        if levels[-1] != REST or len(levels) - 1 > Level.AREA:
            raise ValueError(
                f"filter {self.filter!r}: Kafka grants whole topics, and all lines of an area share its topics; "
                "write at most enterprise/site/area, and end it with /#"
            )
        return self


class Retention(FrozenModel):
    """How long topics keep records."""

    raw_h: float | None = Field(
        24 * 30,
        gt=0,
        description="raw, in hours: what can be replayed; 30 days by default, a month's report can be computed again; null: for ever",
    )
    derived_h: float | None = Field(
        24 * 90, gt=0, description="derived classes, in hours; 90 days by default, a quarter; null: for ever"
    )
    quarantine_h: float | None = Field(
        24 * 30,
        gt=0,
        description="quarantine, in hours; as long as raw by default, so that what is mended can be replayed; null: for ever",
    )
