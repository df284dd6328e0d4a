"""Options of a webhook."""

from pathlib import Path as FilePath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.derived import BY_CLASS
from schemas.envelope import Derived
from sinks.base import SinkConfig
from sinks.kit.template import BadTemplate, check
from sinks.webhook.signature import key
from topology.endpoint import HttpAuth, SecretText, Trust, address, header_value, secret
from topology.nearest import hint
from topology.vocabulary import checked_field


class Auth(HttpAuth, SinkConfig):
    """How the receiver knows us, beside the signature. The secret comes from a file, or from the environment by ${NAME}."""


class Events(SinkConfig):
    """Which records are events."""

    message_class: str = Field(alias="class", description="message class of the records", examples=["downtime"])
    when: dict[str, Any] | str = Field(
        default_factory=dict,
        description="field → value, or list of values, that a record must have; or an expression",
        examples=[{"category": ["breakdown"]}, "{{ severity == 'high' }}"],
    )

    @property
    def kind(self) -> type[Derived]:
        return BY_CLASS[self.message_class]

    @model_validator(mode="after")
    def _known(self) -> "Events":
        if self.message_class not in BY_CLASS:
            raise ValueError(f"class {self.message_class!r} has no records; there are {', '.join(BY_CLASS)}")
        known = {*self.kind.__struct_fields__, "natural_id"}
        if isinstance(self.when, str):
            try:
                check(self.when, known)
            except BadTemplate as error:
                raise ValueError(str(error)) from None
            return self
        if unknown := sorted(set(self.when) - known):
            raise ValueError(
                f"when: {self.kind.__name__} has no field {', '.join(unknown)}; {hint(unknown[0], sorted(known))}"
            )
        for field, value in self.when.items():
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str):
                    checked_field(field, word)
        return self


class WebhookConfig(Trust, SinkConfig):
    """One receiver."""

    url: str = Field(description="where events are posted to", examples=["https://hooks.example.com/uns"])
    mode: Literal["structured", "binary", "batch"] = Field(
        "structured",
        description="structured: one event a request, its attributes in the JSON; binary: attributes in headers, the record "
        "as body; batch: a list of structured ones",
    )
    secret: SecretText | None = Field(
        None, description="whsec_… that requests are signed with; prefer the file", examples=["${WEBHOOK_SECRET}"]
    )
    secret_file: FilePath | None = Field(None, description="file with it", examples=["/run/secrets/webhook"])
    old_secret: SecretText | None = Field(
        None,
        description="the one before, while receivers change over: requests are signed with both",
        examples=["${WEBHOOK_OLD_SECRET}"],
    )
    old_secret_file: FilePath | None = Field(None, description="file with that", examples=["/run/secrets/webhook-old"])
    auth: Auth | None = Field(None, description="how else the receiver knows us")
    headers: dict[str, str] = Field(default_factory=dict, description="more headers for every request")
    events: tuple[Events, ...] = Field((), description="which records; none: all that the sink subscribes")
    batch_max: int = Field(100, ge=1, le=2_000, description="events of a request in mode batch")
    parallel: int = Field(
        4, ge=1, le=64, description="requests at once, of different paths; those of one path follow each other"
    )
    timeout_s: float = Field(20.0, gt=0, description="longest wait for an answer")
    tries: int = Field(
        8, ge=1, description="so often an event is tried that fails while others are taken; then to quarantine"
    )
    tries_s: float = Field(300.0, ge=0, description="and for so long at least")
    remembered_days: int = Field(
        400, ge=1, description="how long it is known what was told: a later revision is then told, whatever `when` says"
    )

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        if urlsplit(address(text, ("http", "https"), "https://host/path", instead="auth")).fragment:
            raise ValueError("url: no # belongs into it")
        return text

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name.isascii() or not name.replace("-", "").isalnum():
                raise ValueError(f"headers: {name[:40]!r} is no name of a header")
            if name.lower().startswith(("webhook-", "ce-", "content-")):
                raise ValueError(f"headers: {name} is one that we send")
            header_value(value, f"headers: the value of {name}")
        return headers

    @model_validator(mode="after")
    def _consistent(self) -> "WebhookConfig":
        for name in ("secret", "old_secret"):
            given, file = getattr(self, name), getattr(self, f"{name}_file")
            if given is not None and file is not None:
                raise ValueError(f"give {name}_file, or {name}")
            if given is not None:
                key(given.get_secret_value().strip())
        if self.old_secret_is_there and self.secret is None and self.secret_file is None:
            raise ValueError("old_secret goes with a new one")
        return self

    @property
    def old_secret_is_there(self) -> bool:
        return self.old_secret is not None or self.old_secret_file is not None

    def keys(self) -> list[bytes]:
        """What requests are signed with, the newest first. Raises `OSError` when a file cannot be read, `BadSecret`."""
        texts = (secret(self.secret, self.secret_file), secret(self.old_secret, self.old_secret_file))
        return [key(text) for text in texts if text is not None]
