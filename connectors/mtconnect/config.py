"""Options of the MTConnect connector."""

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import PathText
from topology.endpoint import Login, Trust, address
from topology.namespace.path import Path

PLACE = re.compile(r"\{([^{}]*)\}")
PLACES = ("id", "name", "type", "subType", "component")
"""What a template of tags may name."""


class Machine(ConnectorConfig):
    """One device of an agent: all its data items, or those listed."""

    path: PathText = Field(
        description="path of the machine in the namespace", examples=["acme/dallas/machining/line-1/mill"]
    )
    device: str | None = Field(
        None,
        description="uuid, name or id of the device. None: the only one that the agent has",
        examples=["Mazak01", "000"],
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        description="tag → id or name of a data item; goes before `tag`",
        examples=[{"State": "execution", "Good": "part_count"}],
    )
    tag: str | None = Field(
        None,
        description="tag of every data item that is not listed; {id}, {name} (the id where it has none), {type}, {subType}, "
        "{component}. None: those listed in `tags` alone; where none are listed, {name}",
        examples=["{name}", "{component}.{name}"],
    )

    @field_validator("tag")
    @classmethod
    def _tag(cls, text: str | None) -> str | None:
        for place in PLACE.findall(text or ""):
            if place not in PLACES:
                raise ValueError(f"{{{place}}} is none of {', '.join(PLACES)}")
        if text is not None and not {"id", "name", "type"} & set(PLACE.findall(text)):
            raise ValueError("`tag` must hold {id}, {name} or {type}, or data items could not be told apart")
        return text

    @property
    def location(self) -> Path:
        return Path.parse(self.path)

    @property
    def template(self) -> str | None:
        """The tag of a data item that is not listed; None where it is not read."""
        return self.tag if self.tag is not None or self.tags else "{name}"


class AgentConfig(Login, Trust, ConnectorConfig):
    """One agent."""

    url: str = Field(description="address of the agent, http(s)://host:port", examples=["http://10.0.0.7:5000"])
    machines: tuple[Machine, ...] = Field(min_length=1, description="which of its devices are read")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), "http://host:5000"))
        if parts.query or parts.fragment:
            raise ValueError("the address of an agent takes no ? and no #: /probe, /current and /sample are appended")
        return text.rstrip("/")


class MtConnectConfig(ConnectorConfig):
    """Agents that are read beside each other."""

    agents: tuple[AgentConfig, ...] = Field(min_length=1, description="what is read")
    interval_ms: int = Field(100, ge=0, le=60_000, description="how often an agent sends what has changed")
    heartbeat_s: float = Field(2.0, ge=0.1, le=60, description="how often an agent without news says that it is alive")
    timeout_s: float = Field(
        5.0, gt=0, le=60, description="longest wait for any answer, and for a heartbeat that is late"
    )
    count: int = Field(1000, ge=1, le=100_000, description="observations that an agent sends in one go at most")
    poll_s: float = Field(1.0, gt=0, le=60, description="how often an agent is asked that does not stream")

    @model_validator(mode="after")
    def _once(self) -> "MtConnectConfig":
        seen: set[str] = set()
        for name in [agent.url for agent in self.agents] + [str(path) for path in self.paths()]:
            if name in seen:
                raise ValueError(f"{name} stands twice")
            seen.add(name)
        return self

    def paths(self) -> tuple[Path, ...]:
        return tuple(machine.location for agent in self.agents for machine in agent.machines)
