"""Options of the MQTT mirror."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.mqtt.topics import BadTopic, check_prefix
from topology.broker import BrokerUrl, Reach


class Sparkplug(SinkConfig):
    """Who the mirror is as an edge node of Sparkplug B."""

    group: str = Field(description="Sparkplug group", examples=["acme"])
    node: str = Field(description="edge node, one of its group for each sink", examples=["uns"])

    @field_validator("group", "node")
    @classmethod
    def _level(cls, text: str) -> str:
        if not text or {"/", "+", "#"} & set(text) or not text.isprintable():
            raise ValueError(f"{text!r} is no name of Sparkplug: one level of a topic, without /, + and #")
        return text


class MirrorConfig(Reach, SinkConfig):
    """One broker."""

    broker: BrokerUrl = Field(
        description="mqtt://host:port, mqtts:// for TLS, ws://host/path and wss:// for websockets",
        examples=["mqtt://10.0.0.8:1883", "wss://broker.example/mqtt"],
    )
    client_id: str = Field(
        min_length=1,
        description="names us at the broker: use it for nobody else",
        examples=["uns-mirror"],
    )
    version: Literal["5", "3.1.1"] = Field(
        "5",
        description="of MQTT; without 5 there are no properties, and a broker refuses without a word (the README says what "
        "is lost)",
    )
    prefix: str = Field(
        "",
        description="what stands before the paths; it ends with a /",
        examples=["plant/v1/"],
    )
    sparkplug: Sparkplug | None = Field(
        None,
        description="in place of JSON, be an edge node of Sparkplug B: each machine a device, with what `current` says as metrics",
        examples=[{"group": "acme", "node": "uns"}],
    )
    tags: bool = Field(
        False, description="each tag of `current` also has a retained topic of its own: PATH/_tags/TAG, when it changes"
    )
    expiry_s: int | None = Field(
        None,
        ge=1,
        le=0xFFFF_FFFF,
        description="how long the broker keeps a message, retained ones too; none: until it is replaced. Needs MQTT 5",
        examples=[604_800],
    )
    in_flight: int = Field(
        1_000,
        ge=1,
        le=10_000,
        description="messages that are sent before the first is acknowledged; the broker may allow less",
    )
    keep_alive_s: int = Field(15, ge=2, le=3600, description="a link that is silent for 1.5 times this is dead")
    connect_timeout_s: float = Field(10.0, gt=0, description="longest wait for the broker to take us")
    answer_timeout_s: float = Field(30.0, gt=0, description="longest wait for an acknowledgement while none comes")
    tries: int = Field(
        5, ge=1, description="so often a message is tried alone over which the broker ends the link; then to quarantine"
    )
    tries_s: float = Field(60.0, ge=0, description="and for so long at least")

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, given: Any) -> Any:
        return "5" if given in (5, 5.0) else given

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, text: str) -> str:
        try:
            check_prefix(text)
        except BadTopic as error:
            raise ValueError(str(error)) from None
        return text

    @model_validator(mode="after")
    def _goes_together(self) -> "MirrorConfig":
        self.check_reach(self.broker)
        if self.sparkplug is not None and (self.prefix or self.tags or self.expiry_s is not None):
            raise ValueError(
                "prefix, tags and expiry_s are for JSON; sparkplug has topics of its own, and retains nothing"
            )
        if self.expiry_s is not None and self.version != "5":
            raise ValueError("expiry_s needs `version: 5`: MQTT 3.1.1 has no message expiry")
        return self
