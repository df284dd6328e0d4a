"""Options of the MQTT connector."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import Levels, checked_template
from connectors.kit.shape import Shape
from topology.endpoint import Login, Trust, address
from topology.namespace.path import BadPath, Path

_LEVEL = re.compile(r"\{(\d+)\}")


class Subscription(Levels, Shape):
    """One topic filter, and where its messages belong."""

    topic: str = Field(
        description="MQTT topic filter, with + and # as MQTT has them; `$share/group/…` shares it with others",
        examples=["acme/+/+/+/+/data"],
    )
    path: str = Field(
        description="path of the messages; {n} is the n-th level of the topic, counted from 0 behind a share's group",
        examples=["acme/{1}/{2}/{3}/{4}"],
    )
    tag: str | None = Field(
        None,
        description="of a value its tag, of an object what stands before the names of its fields; {n} as in path",
        examples=["{5}"],
    )

    @field_validator("topic")
    @classmethod
    def _filter(cls, text: str) -> str:
        levels = text.split("/")
        if levels[0] == "$share":
            if len(levels) < 3 or not levels[1] or {"+", "#"} & set(levels[1]):
                raise ValueError(f"{text!r} is no shared subscription; $share/group/topic is expected")
            levels = levels[2:]
        if not text or "#" in levels[:-1] or any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
            raise ValueError(f"{text!r} is no MQTT topic filter: + and # stand for whole levels, # is the last")
        return text

    @model_validator(mode="after")
    def _path(self) -> "Subscription":
        levels = self.plain_topic.split("/")
        for option in (self.path, self.tag or ""):
            for number in map(int, _LEVEL.findall(option)):
                if number >= len(levels) and levels[-1] != "#":
                    raise ValueError(f"{option!r}: topic {self.topic!r} has no level {number}, they count from 0")
        checked_template(self.path, _LEVEL)
        return self

    @model_validator(mode="after")
    def _goes_with_the_payload(self) -> "Subscription":
        self.check_tag(self.tag)
        return self

    @property
    def plain_topic(self) -> str:
        """The filter without `$share/group/`."""
        return self.topic.split("/", 2)[2] if self.topic.startswith("$share/") else self.topic

    def path_of(self, topic: str) -> Path:
        """Raises `BadPath`."""
        return Path.parse(self._filled(self.path, topic, self.level))

    def tag_of(self, topic: str) -> str:
        """Raises `BadPath`."""
        return self._filled(self.tag or "", topic, str)

    def _filled(self, template: str, topic: str, spell: Callable[[str], str]) -> str:
        levels = topic.split("/")

        def level(match: re.Match[str]) -> str:
            number = int(match[1])
            if number >= len(levels):
                raise BadPath(f"topic {topic!r} has no level {number}")
            return spell(levels[number])

        return _LEVEL.sub(level, template)


class MqttConfig(Login, Trust, ConnectorConfig):
    """One broker, one session."""

    broker: str = Field(description="mqtt://host:port, or mqtts://host:port for TLS", examples=["mqtt://10.0.0.8:1883"])
    client_id: str = Field(
        min_length=1,
        description="names the session at the broker: keep it, and never use it twice at once",
        examples=["uns-dallas"],
    )
    keep_alive_s: int = Field(15, ge=2, le=3600, description="a link that is silent for 1.5 times this is dead")
    connect_timeout_s: float = Field(
        10.0, gt=0, description="longest wait for the broker and its answer to each subscription"
    )
    subscriptions: tuple[Subscription, ...] = Field(min_length=1, description="what is read")

    @field_validator("broker")
    @classmethod
    def _address(cls, text: str) -> str:
        return address(text, ("mqtt", "mqtts"), "mqtt://host:1883 or mqtts://host:8883")

    @property
    def host(self) -> str:
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.broker)
        return parts.port or (8883 if parts.scheme == "mqtts" else 1883)

    @property
    def tls(self) -> bool:
        return self.broker.startswith("mqtts:")

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(Path.parse(entry.path) for entry in self.subscriptions if not _LEVEL.search(entry.path))
