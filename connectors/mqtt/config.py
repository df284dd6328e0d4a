"""Options of the MQTT connector."""

import functools
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import Levels, checked_template
from connectors.kit.shape import Shape
from connectors.kit.zone import Zoned
from connectors.mqtt.filters import fewest
from connectors.mqtt.pattern import Pattern, Template
from connectors.mqtt.profile import NAMES, ProfileName, profile
from topology.broker import BrokerUrl, Reach
from topology.namespace.path import Path

_PLACE = re.compile(r"\{\w+\}")
NEVER_S = 0xFFFF_FFFF
"""MQTT 5 for: the session never ends."""


class Subscription(Levels, Shape):
    """One topic filter, and where its messages belong."""

    topic: str = Field(
        description="MQTT topic filter, with + and # as MQTT has them; a level may have a name, {machine}, a rule, "
        "{machine:[A-Z0-9]+}, or stand for several, {tag+}, {tag*}; `$share/group/…` shares it with others",
        examples=["acme/+/+/+/+/data", "factory/{site}/{line}/{machine:[A-Z0-9]+}/{tag+}"],
    )
    path: str = Field(
        description="path of the messages; {name} is a named part of the topic, {n} its n-th level, counted from 0 behind "
        "a share's group",
        examples=["acme/{1}/{2}/{3}/{4}", "acme/{site}/packaging/{line}/{machine}"],
    )
    tag: str | None = Field(
        None,
        description="of a value its tag, of an object what stands before the names of its fields; {name} and {n} as in path",
        examples=["{5}", "{tag}"],
    )
    says: Literal["values", "availability", "nothing"] = Field(
        "values",
        description="what the messages are: values or facts by `payload`; whether the device is there (online, true, 1, or "
        "offline, false, 0, alone or as `state` of an object); or nothing that is read",
    )

    @model_validator(mode="after")
    def _parts(self) -> "Subscription":
        _ = self.pattern, self.path_template, self.tag_template  # raise ValueError
        checked_template(self.path, _PLACE)
        if self.says == "values":
            self.check_tag(self.tag)
        return self

    @functools.cached_property
    def pattern(self) -> Pattern:
        return Pattern(self.topic)

    @functools.cached_property
    def path_template(self) -> Template:
        return Template(self.path, self.pattern, "/")

    @functools.cached_property
    def tag_template(self) -> Template:
        return Template(self.tag or "", self.pattern, ".")

    def path_of(self, topic: str, parts: Mapping[str, str]) -> Path:
        """Raises `BadPath`."""
        return Path.parse(self.path_template.filled(topic, parts, self.level))

    def tag_of(self, topic: str, parts: Mapping[str, str]) -> str | None:
        """Raises `BadPath`."""
        return None if self.tag is None else self.tag_template.filled(topic, parts)


class Profile(Levels, Zoned):
    """Topics and payloads of a known source, without saying them one by one."""

    profile: ProfileName = Field(description=f"whose: {', '.join(NAMES)}", examples=["tasmota"])
    path: str | None = Field(
        None,
        description="path of a device; the parts that may stand in it are in the connector's README",
        examples=["acme/dallas/packaging/line-1/{device}"],
    )
    base: str | None = Field(
        None,
        description="what stands before the topics, if not what is usual",
        examples=["zigbee2mqtt", "plant/umh/v1"],
    )

    @functools.cached_property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Raises `ValueError`."""
        known = profile(self.profile)
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set - {"profile", "base"}}
        if missing := [name for name in known.needs if getattr(self, name) is None]:
            raise ValueError(f"profile {self.profile} needs {' and '.join(missing)}: {known.why(missing)}")
        base = known.base if self.base is None else self.base
        subscriptions = []
        for entry in known.subscriptions:
            topic = f"{base}/{entry['topic']}" if base else entry["topic"]
            subscriptions.append(Subscription.model_validate({"path": known.path, **entry, **given, "topic": topic}))
        return tuple(subscriptions)

    @model_validator(mode="after")
    def _whole(self) -> "Profile":
        _ = self.subscriptions
        return self


class MqttConfig(Reach, ConnectorConfig):
    """One broker, one session."""

    broker: BrokerUrl = Field(
        description="mqtt://host:port, mqtts:// for TLS, ws://host/path and wss:// for websockets",
        examples=["mqtt://10.0.0.8:1883", "wss://broker.example/mqtt"],
    )
    client_id: str = Field(
        min_length=1,
        description="names the session at the broker: keep it, and never use it twice at once",
        examples=["uns-dallas"],
    )
    version: Literal["5", "3.1.1"] = Field("5", description="of MQTT, as the broker speaks it")
    session_expiry_s: int = Field(
        7 * 86_400,
        ge=1,
        le=NEVER_S,
        description=f"how long the broker keeps our session while we are away; {NEVER_S}: for ever. MQTT 3.1.1 leaves it to "
        "the broker",
    )
    receive_max: int = Field(
        5_000,
        ge=1,
        le=5_000,  # as many wait in memory; more would stop paho's thread, and with it our pings
        description="messages that the broker may send before the first is acknowledged. MQTT 3.1.1 leaves it to the broker",
    )
    keep_alive_s: int = Field(15, ge=2, le=3600, description="a link that is silent for 1.5 times this is dead")
    connect_timeout_s: float = Field(
        10.0, gt=0, description="longest wait for the broker and its answer to each subscription"
    )
    subscriptions: tuple[Subscription, ...] = Field(
        (), description="what is read; of those that fit a topic the first counts"
    )
    profiles: tuple[Profile, ...] = Field((), description="what else is read, after `subscriptions`")

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, given: Any) -> Any:
        return "5" if given in (5, 5.0) else given

    @model_validator(mode="after")
    def _goes_together(self) -> "MqttConfig":
        self.check_reach(self.broker)
        if not self.filters:
            raise ValueError("nothing is read: neither `subscriptions` nor `profiles` name a topic")
        return self

    @functools.cached_property
    def every_subscription(self) -> tuple[Subscription, ...]:
        return (*self.subscriptions, *(one for each in self.profiles for one in each.subscriptions))

    @functools.cached_property
    def filters(self) -> list[str]:
        """What the broker is asked for."""
        return fewest(one.pattern.filter for one in self.every_subscription if one.says != "nothing")

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(
            dict.fromkeys(
                Path.parse(one.path)
                for one in self.every_subscription
                if one.says == "values" and not one.path_template
            )
        )
