"""Options of the Kafka connector."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.levels import Levels, checked_template
from connectors.kit.shape import Shape
from topology.endpoint import Login, Trust, address
from topology.namespace.path import Path

_NAME = re.compile(r"\{(\w+)\}")
_BROKER = re.compile(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


class Records(Levels, Shape):
    """Records of some topics, and where they belong."""

    topic: str = Field(
        min_length=1,
        max_length=500,
        description="name of a topic; with ^ in front a regular expression of names, whose groups may be used below",
        examples=["umh.messages", r"^plant\.(?P<line>[\w-]+)\.events$"],
    )
    key: str | None = Field(
        None,
        max_length=500,
        description="regular expression of whole keys, whose groups may be used below; a record with another key is none of these",
        examples=[
            r"umh\.v1\.acme\.(?P<site>[^.]+)\.(?P<area>[^.]+)\.(?P<line>[^.]+)\.(?P<cell>[^.]+)\._historian\.(?P<tag>.+)"
        ],
    )
    path: str = Field(
        description="path of the records, of fixed text and {groups}", examples=["acme/{site}/{area}/{line}/{cell}"]
    )
    tag: str | None = Field(
        None,
        description="of a value its tag, of an object what stands before the names of its fields; {groups} as in path",
        examples=["{tag}"],
    )
    format: Literal["json", "avro"] = Field(
        "json", description="what values are; `avro`: in Confluent's wire format, schemas from `registry`"
    )

    @model_validator(mode="after")
    def _groups(self) -> "Records":
        groups = {*self.topic_pattern.groupindex, *(self.key_pattern.groupindex if self.key_pattern else ())}
        for option in (self.path, self.tag or ""):
            for name in _NAME.findall(option):
                if name not in groups:
                    raise ValueError(f"{option!r}: neither topic nor key has a group (?P<{name}>…)")
        checked_template(self.path, _NAME)
        self.check_tag(self.tag)
        return self

    @property
    def topic_pattern(self) -> re.Pattern[str]:
        return _pattern(self.topic if self.topic.startswith("^") else re.escape(self.topic))

    @property
    def key_pattern(self) -> re.Pattern[str] | None:
        return None if self.key is None else _pattern(self.key)

    def path_of(self, groups: Mapping[str, str]) -> Path:
        """Raises `BadPath`."""
        return Path.parse(_filled(self.path, groups, self.level))

    def tag_of(self, groups: Mapping[str, str]) -> str | None:
        return None if self.tag is None else _filled(self.tag, groups, str)


def _filled(template: str, groups: Mapping[str, str], spell: Callable[[str], str]) -> str:
    return _NAME.sub(lambda match: spell(groups.get(match[1]) or ""), template)


class SchemaRegistry(Login, Trust, ConnectorConfig):
    """Where the schemas of Avro records are."""

    url: str = Field(
        description="address of a registry with Confluent's REST contract", examples=["http://10.0.0.9:8081"]
    )

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        return address(text, ("http", "https"), "http://host:8081").rstrip("/")


class KafkaConfig(Login, Trust, ConnectorConfig):
    """One cluster."""

    bootstrap: str = Field(description="brokers, host:port, commas between", examples=["10.0.0.9:9092"])
    group: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="consumer group whose offsets show there how far we are; none: uns-NAME. It is not joined",
        examples=["uns-umh"],
    )
    begin: Literal["earliest", "latest"] = Field(
        "earliest", description="where a partition begins of which nothing was read yet"
    )
    tls: bool = Field(False, description="whether the link is encrypted")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how username and password are proved, where they are given"
    )
    timeout_s: float = Field(10.0, gt=0, le=300, description="longest wait for an answer of the cluster")
    registry: SchemaRegistry | None = Field(
        None, description="where the schemas of Avro records are", examples=[{"url": "http://10.0.0.9:8081"}]
    )
    records: tuple[Records, ...] = Field(
        min_length=1, description="what is read; the first that a record fits is its own"
    )

    @field_validator("bootstrap")
    @classmethod
    def _brokers(cls, text: str) -> str:
        brokers = [part.strip() for part in text.split(",")]
        for broker in brokers:
            if not _BROKER.fullmatch(broker):
                raise ValueError("host:port is expected, commas between several; no scheme, no password")
        return ",".join(brokers)

    @model_validator(mode="after")
    def _has_a_registry(self) -> "KafkaConfig":
        if self.registry is None and any(records.format == "avro" for records in self.records):
            raise ValueError("records in format avro need `registry`")
        return self

    def literal_paths(self) -> tuple[Path, ...]:
        return tuple(Path.parse(entry.path) for entry in self.records if not _NAME.search(entry.path))
