"""Options of a REST target."""

import re
from pathlib import Path as FilePath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.derived import BY_CLASS, Derived
from sinks.base import SinkConfig
from sinks.rest.template import BadTemplate, check, check_url
from topology.endpoint import SecretText, Trust, address, header_value, secret
from topology.vocabulary import checked_field

Method = Literal["POST", "PUT", "PATCH"]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
BY_NAME = {kind.__name__: kind.message_class for kind in BY_CLASS.values()}
"""Record type → its class."""
EXTRA = {"natural_id", "remote_id"}
"""What templates may name besides the record's own fields; `remote_id` only once the target has given one."""


class Auth(SinkConfig):
    """How the target knows us. The secret comes from a file, or from the environment by ${NAME}."""

    kind: Literal["bearer", "basic", "header"] = Field(
        description="bearer token, user and password, or a header of its own"
    )
    header: str = Field("Authorization", description="name of the header, for kind header")
    username: str | None = Field(None, description="user, for kind basic", examples=["uns"])
    secret: SecretText | None = Field(None, description="the secret; prefer the file", examples=["${MES_TOKEN}"])
    secret_file: FilePath | None = Field(None, description="file with the secret", examples=["/run/secrets/mes"])

    @model_validator(mode="after")
    def _complete(self) -> "Auth":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give secret_file, or secret")
        if self.kind == "basic" and not self.username:
            raise ValueError("kind basic needs a username")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("username: no colon and no control character can stand in it")
        if not _HEADER_NAME.fullmatch(self.header):
            raise ValueError("header: this is no name of a header")
        if self.secret_file is None and self.kind != "basic":
            self.header_line()
        return self

    def value(self) -> str:
        """The secret. Raises `OSError` when its file cannot be read, `BadSecret` when it cannot be sent."""
        return secret(self.secret, self.secret_file) or ""

    def header_line(self) -> tuple[str, bytes]:
        """Name and value of the header that says who we are, of kinds bearer and header. Raises as `value` does."""
        carried = header_value(self.value())
        return ("Authorization", b"Bearer " + carried) if self.kind == "bearer" else (self.header, carried)


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


class RequestMapping(SinkConfig):
    """Which records make which object."""

    message_class: str = Field(alias="class", description="message class of the records", examples=["oee"])
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
        return BY_CLASS[self.message_class]

    @model_validator(mode="before")
    @classmethod
    def _by_record(cls, options: Any) -> Any:
        """`record: Pilot` says what `class: pilot` says; a class has one record type."""
        if not isinstance(options, dict) or "record" not in options:
            return options
        name = options["record"]
        its = BY_NAME.get(name) if isinstance(name, str) else None
        if its is None:
            raise ValueError(f"record {name!r} is no derived record; there are {', '.join(BY_NAME)}")
        if options.get("class", its) != its:
            raise ValueError(f"record {name} has a class of its own: write class: {its}")
        return {key: value for key, value in options.items() if key != "record"} | {"class": its}

    @model_validator(mode="after")
    def _known(self) -> "RequestMapping":
        if self.message_class not in BY_CLASS:
            raise ValueError(f"class {self.message_class!r} has no records; there are {', '.join(BY_CLASS)}")
        kind = self.kind
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
                    check_url(call.url, allowed)
                    check(call.body, allowed)
            if self.lookup is not None:
                check_url(self.lookup.url, known | {"natural_id"})
        except BadTemplate as error:
            raise ValueError(str(error)) from None
        return self


class RestConfig(Trust, SinkConfig):
    """One target."""

    base_url: str = Field(description="http(s)://host[:port][/prefix]", examples=["https://mes.example.com/api"])
    auth: Auth | None = Field(None, description="how the target knows us")
    headers: dict[str, str] = Field(default_factory=dict, description="more headers for every request")
    timeout_s: float = Field(10.0, gt=0, description="longest wait for an answer")
    requests: tuple[RequestMapping, ...] = Field(min_length=1, description="which records make which objects")

    @field_validator("base_url")
    @classmethod
    def _url(cls, text: str) -> str:
        parts = urlsplit(address(text, ("http", "https"), "http://host or https://host", instead="auth"))
        if parts.query or parts.fragment or text[-1] in "?#":
            raise ValueError("base_url takes no ? and no #: the urls of the requests are appended to it")
        return text.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"headers: {name[:40]!r} is no name of a header")
            header_value(value, f"headers: the value of {name}")
        return headers
