"""Options of a REST target."""

from pathlib import Path as FilePath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.records import DERIVED_TYPES, Derived
from sinks.base import SinkConfig
from sinks.rest.template import BadTemplate, check
from topology.vocabulary import checked_field

Method = Literal["POST", "PUT", "PATCH"]
RECORDS: dict[str, type[Derived]] = {}
for _kind in DERIVED_TYPES:
    RECORDS.setdefault(_kind.message_class, _kind)
"""Class → its record type; of `kpi` it is `Kpi`, the others are asked for by name."""
BY_NAME = {kind.__name__: kind for kind in DERIVED_TYPES}
EXTRA = {"natural_id", "remote_id"}
"""What templates may name besides the record's own fields; `remote_id` only once the target has given one."""


class Auth(SinkConfig):
    """How the target knows us. The secret comes from a file, or from the environment by ${NAME}."""

    kind: Literal["bearer", "basic", "header"] = Field(
        description="bearer token, user and password, or a header of its own"
    )
    header: str = Field("Authorization", description="name of the header, for kind header")
    username: str | None = Field(None, description="user, for kind basic", examples=["uns"])
    secret: SecretStr | None = Field(None, description="the secret; prefer the file", examples=["${MES_TOKEN}"])
    secret_file: FilePath | None = Field(None, description="file with the secret", examples=["/run/secrets/mes"])

    @model_validator(mode="after")
    def _complete(self) -> "Auth":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give secret_file, or secret")
        if self.kind == "basic" and not self.username:
            raise ValueError("kind basic needs a username")
        return self

    def value(self) -> str:
        """The secret. Raises `OSError` when its file cannot be read."""
        if self.secret_file is not None:
            return self.secret_file.read_text(encoding="utf-8").strip()
        assert self.secret is not None
        return self.secret.get_secret_value()


class Call(SinkConfig):
    """One request; url and body are templates over the record's fields."""

    method: Method = Field("POST", description="HTTP method")
    url: str = Field(description="path below base_url", examples=["/work-orders", "/confirmations/{remote_id}"])
    body: dict[str, Any] = Field(default_factory=dict, description="JSON body")
    id_field: str = Field("id", description="where the answer carries the target's id; a.b for a nested one")


class Lookup(SinkConfig):
    """How to find what an earlier, unclear attempt may have created."""

    url: str = Field(
        description="path below base_url that answers with the matching objects",
        examples=["/confirmations?external_id={natural_id}"],
    )
    items_field: str | None = Field(
        None, description="where the answer carries the list; none: the answer is the list", examples=["data.items"]
    )
    id_field: str = Field("id", description="where each object carries its id")


class Mapping(SinkConfig):
    """Which records make which object."""

    message_class: str = Field(alias="class", description="message class of the records", examples=["oee"])
    record: Literal["Bottleneck"] | None = Field(None, description="record type, where it is not the class's first")
    when: dict[str, Any] = Field(
        default_factory=dict, description="field → value, or list of values, that a record must have"
    )
    create: Call = Field(description="makes the object")
    lookup: Lookup | None = Field(None, description="finds it; without one a lost answer may make it twice")
    update: Call | None = Field(
        None, description="changes it when the record is revised; none: later revisions are left out"
    )

    @property
    def kind(self) -> type[Derived]:
        """The record type."""
        return RECORDS[self.message_class] if self.record is None else BY_NAME[self.record]

    @model_validator(mode="after")
    def _known(self) -> "Mapping":
        if self.message_class not in RECORDS:
            raise ValueError(f"class {self.message_class!r} has no records; there are {', '.join(RECORDS)}")
        kind = self.kind
        if kind.message_class != self.message_class:
            raise ValueError(f"record {kind.__name__} is of class {kind.message_class}")
        known = set(kind.__struct_fields__)
        if unknown := sorted(set(self.when) - known):
            raise ValueError(
                f"when: {kind.__name__} has no field {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        for field, value in self.when.items():
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str):
                    checked_field(field, word)
        try:
            for call in (self.create, self.update):
                if call is not None:
                    allowed = known | (EXTRA if call is self.update else EXTRA - {"remote_id"})
                    check(call.url, allowed)
                    check(call.body, allowed)
            if self.lookup is not None:
                check(self.lookup.url, known | {"natural_id"})
        except BadTemplate as error:
            raise ValueError(str(error)) from None
        return self


class RestConfig(SinkConfig):
    """One target."""

    base_url: str = Field(description="http(s)://host[:port][/prefix]", examples=["https://mes.example.com/api"])
    auth: Auth | None = Field(None, description="how the target knows us")
    headers: dict[str, str] = Field(default_factory=dict, description="more headers for every request")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for an answer")
    ca_file: FilePath | None = Field(
        None,
        description="CA certificates (PEM) that signed the target's; the system's by default",
        examples=["/etc/uns/mes-ca.pem"],
    )
    requests: tuple[Mapping, ...] = Field(min_length=1, description="which records make which objects")

    @field_validator("base_url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{text!r} is no address; http://host or https://host is expected")
        if parts.password:
            raise ValueError("a password does not belong into the address, where logs would show it; use auth")
        return text.rstrip("/")
