"""Options of the Sparkplug connector."""

import re

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import Levels, checked_template
from topology.broker import BrokerUrl, Reach
from topology.namespace.path import Path

WORD = re.compile(r"\{(?:(?P<name>group|node|device|metric)|(?P<level>\d+)(?P<rest>:)?)\}")
"""A placeholder of a template."""
_ANY_BRACES = re.compile(r"\{[^{}]*\}")


class Source(Levels):
    """Of which edge nodes and devices which metrics are read, and where they belong."""

    edge: str = Field(
        description="GROUP/NODE for the own metrics of edge nodes, GROUP/NODE/DEVICE for those of devices; + for any one",
        examples=["Dallas/Press-1/+", "Dallas/Press-1"],
    )
    metric: str = Field(
        "#",
        description="which metrics, by the levels of their names between slashes: + for any one, a final # for all below",
        examples=["Filler/#"],
    )
    path: str = Field(
        description="path of the metrics, with {group}, {node}, {device}, and {n}: the n-th level of the metric, from 0",
        examples=["acme/{group}/packaging/line-1/{device}"],
    )
    tag: str = Field(
        "{metric}", description="tag of a metric; {n:} is what follows from its n-th level on", examples=["{1:}"]
    )
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="tag → name of the metric; these alone are read. None: all that `metric` matches, named by `tag`",
        examples=[{"State": "Status/State"}],
    )

    @field_validator("edge")
    @classmethod
    def _edge(cls, text: str) -> str:
        levels = text.split("/")
        if len(levels) not in (2, 3) or not all(levels) or any(len(level) > 1 and {"+", "#"} & set(level) for level in levels) or "#" in levels:  # fmt: skip
            raise ValueError(f"{text!r} is neither GROUP/NODE nor GROUP/NODE/DEVICE; + stands for any one of them")
        return text

    @field_validator("metric")
    @classmethod
    def _metric(cls, text: str) -> str:
        levels = text.split("/")
        if not text or "#" in levels[:-1]:
            raise ValueError(f"{text!r} matches no metric: + stands for a whole level, # is the last one")
        return text

    @field_validator("path", "tag")
    @classmethod
    def _words(cls, text: str) -> str:
        for match in _ANY_BRACES.finditer(text):
            if not WORD.fullmatch(match[0]):
                raise ValueError(f"{match[0]} is none of {{group}}, {{node}}, {{device}}, {{metric}}, {{0}} and {{0:}}")
        return text

    @model_validator(mode="after")
    def _path(self) -> "Source":
        for template in (self.path, self.tag):
            if "{device}" in template and self.device is None:
                raise ValueError(f"{template!r}: the metrics of an edge node have no device; say GROUP/NODE/DEVICE")
        checked_template(self.path, WORD)
        if not self.tag:
            raise ValueError("`tag` is empty")
        return self

    @property
    def group(self) -> str:
        return self.edge.split("/")[0]

    @property
    def node(self) -> str:
        return self.edge.split("/")[1]

    @property
    def device(self) -> str | None:
        """None: the metrics of the edge node itself."""
        levels = self.edge.split("/")
        return levels[2] if len(levels) == 3 else None


class Broker(Reach, ConnectorConfig):
    """One MQTT broker, and who we are there."""

    url: BrokerUrl = Field(
        description="mqtt://host:port, mqtts:// for TLS, ws://host/path and wss:// for websockets",
        examples=["mqtt://10.0.0.8:1883"],
    )

    @model_validator(mode="after")
    def _goes_together(self) -> "Broker":
        self.check_reach(self.url)
        return self


class SparkplugConfig(ConnectorConfig):
    """One host application, at one or more brokers."""

    brokers: tuple[Broker, ...] = Field(
        min_length=1, max_length=16, description="the brokers; the host is at all of them at once, an edge node at one"
    )
    host_id: str = Field(
        min_length=1,
        max_length=200,
        description="our Sparkplug host id, which nobody else may have; edge nodes that wait for a primary host name it",
        examples=["uns-dallas"],
    )
    client_id: str | None = Field(
        None, min_length=1, description="names us at the brokers. None: the host id", examples=["uns-dallas-sparkplug"]
    )
    sources: tuple[Source, ...] = Field(
        min_length=1, description="what is read; the first that matches a metric counts"
    )
    keep_alive_s: int = Field(5, ge=2, le=3600, description="a link that is silent for twice this is dead")
    connect_timeout_s: float = Field(10.0, gt=0, description="longest wait for a broker and for each of its answers")
    reorder_timeout_s: float = Field(
        2.0, ge=0, le=60, description="how long a message that came too early waits for those before it; then a rebirth"
    )
    rebirth_interval_s: float = Field(
        10.0,
        ge=1,
        le=3600,
        description="shortest time between two rebirth requests to an edge node; doubles up to 300 s while they do not help",
    )

    @field_validator("host_id")
    @classmethod
    def _host_id(cls, text: str) -> str:
        if {"/", "+", "#"} & set(text) or not text.isprintable():
            raise ValueError("a host id is one level of a topic: no /, + or #")
        return text

    @model_validator(mode="after")
    def _each_once(self) -> "SparkplugConfig":
        urls = [broker.url for broker in self.brokers]
        if len(set(urls)) < len(urls):
            raise ValueError("a broker stands there twice: the second link would end the first, for ever")
        return self

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(Path.parse(source.path) for source in self.sources if not WORD.search(source.path))
