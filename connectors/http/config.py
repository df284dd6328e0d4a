"""Options of the HTTP connector."""

import re
from pathlib import Path as FilePath
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from connectors.base import ConnectorConfig
from connectors.kit.documents import DocumentShape
from connectors.kit.levels import Levels, PathText, checked_template
from topology.endpoint import BadSecret, SecretText, address, is_header_name, secret
from topology.namespace.path import Path

PLACE = re.compile(r"\{([^{}]+)\}")
"""A name of a template."""


class Token(ConnectorConfig):
    """Who may post, and below which path."""

    prefix: PathText = Field(
        description="the path that this token may post to, and all below it", examples=["acme/dallas"]
    )
    token: SecretText | None = Field(None, description="the token; prefer the file", examples=["${HTTP_TOKEN}"])
    token_file: FilePath | None = Field(
        None, description="file with the token", examples=["/run/secrets/uns-http-dallas"]
    )

    requests_per_s_max: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="requests of this token each second; more are answered 429. None: no limit",
        examples=[50],
    )

    @model_validator(mode="after")
    def _one(self) -> "Token":
        if (self.token is None) == (self.token_file is None):
            raise ValueError("a token needs one of `token` and `token_file`")
        return self

    @property
    def secret(self) -> str:
        """The token. Raises `OSError` when its file cannot be read, `BadSecret` when it cannot be sent."""
        return secret(self.token, self.token_file) or ""


class Lines(Levels):
    """Where the points of InfluxDB's line protocol belong. {measurement}, or {NAME} for a tag of the point."""

    path: str = Field(description="path of a point", examples=["acme/dallas/packaging/{line}/{measurement}"])
    tag: str = Field("{field}", description="tag of a field; {field} is its name", examples=["{measurement}.{field}"])

    @field_validator("path")
    @classmethod
    def _path(cls, text: str) -> str:
        return checked_template(text, PLACE)

    @field_validator("tag")
    @classmethod
    def _tag(cls, text: str) -> str:
        if "{field}" not in text:
            raise ValueError("`tag` must hold {field}, or the fields of a point could not be told apart")
        return text


class Form(ConnectorConfig):
    """The page on which a person counts by hand."""

    machines: tuple[PathText, ...] = Field(
        min_length=1,
        description="paths that are offered, to a token those that it may post to",
        examples=[["acme/dallas/packaging/line-1/filler"]],
    )
    tags: dict[str, str] = Field(
        {"Good": "Good", "Scrap": "Scrap"},
        min_length=1,
        max_length=8,
        description="tags that are counted, and the words by which the page asks for them; `counts: increments` in the plant model",
    )

    @field_validator("tags")
    @classmethod
    def _named(cls, tags: dict[str, str]) -> dict[str, str]:
        if not all(tag and words for tag, words in tags.items()):
            raise ValueError("a tag has a name, and words")
        return tags


class Hook(DocumentShape):
    """A webhook at /v1/hooks/NAME: whose it is, and what a row of its body is."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="the last part of its address", examples=["cmms"]
    )
    secret: SecretText | None = Field(None, description="what signs it; prefer the file", examples=["${CMMS_SECRET}"])
    secret_file: FilePath | None = Field(
        None, description="file with the secret", examples=["/run/secrets/uns-cmms-hook"]
    )
    header: str = Field("X-Hub-Signature-256", description="the header that carries the signature")
    prefix: str = Field("", description="what stands before it there", examples=["sha256="])
    algorithm: Literal["sha256", "sha512", "sha1", "plain"] = Field(
        "sha256", description="HMAC of the body by this; plain: the header carries the secret itself"
    )
    encoding: Literal["hex", "base64"] = Field("hex", description="how the signature is written")
    signed: str = Field(
        "{body}", description="what is signed: text, {body} once, and {timestamp}", examples=["v0:{timestamp}:{body}"]
    )
    timestamp_header: str | None = Field(
        None,
        description="the header that carries {timestamp}, seconds since 1970; an old one is refused, so that nobody repeats it",
        examples=["X-Request-Timestamp"],
    )
    age_max_s: float = Field(300.0, gt=0, description="how far {timestamp} may be from our clock")

    @model_validator(mode="after")
    def _signs(self) -> "Hook":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError(f"hook {self.name} needs one of `secret` and `secret_file`: anybody could post to it")
        for header in filter(None, (self.header, self.timestamp_header)):
            if not is_header_name(header):
                raise ValueError(f"hook {self.name}: {header[:40]!r} is no name of a header")
        if self.signed.count("{body}") != 1:
            raise ValueError(
                f"hook {self.name}: `signed` has {{body}} once, or anything could be posted with a signature"
            )
        if ("{timestamp}" in self.signed) != (self.timestamp_header is not None):
            raise ValueError(f"hook {self.name}: {{timestamp}} in `signed` and `timestamp_header` go together")
        return self

    def key(self) -> bytes:
        """The secret. Raises `OSError` when its file cannot be read, `BadSecret` when it is none."""
        text = secret(self.secret, self.secret_file)
        if not text:
            raise BadSecret(f"the secret of hook {self.name} is empty")
        return text.encode()


class HttpConfig(ConnectorConfig):
    """One port that is listened on."""

    url: str = Field(
        "http://127.0.0.1:8087",
        description="address to listen on; https needs `certificate_file` and `key_file`",
        examples=["https://0.0.0.0:8443"],
    )
    certificate_file: FilePath | None = Field(
        None, description="our certificate and those above it (PEM)", examples=["/etc/uns/http.pem"]
    )
    key_file: FilePath | None = Field(None, description="its key (PEM)", examples=["/run/secrets/uns-http.key"])
    tokens: tuple[Token, ...] = Field(min_length=1, description="who may post")
    lines: Lines | None = Field(None, description="InfluxDB's line protocol; without it /write is answered 404")
    hooks: tuple[Hook, ...] | None = Field(
        None, min_length=1, max_length=64, description="webhooks in the words of others, at /v1/hooks/NAME; signed"
    )
    form: Form | None = Field(None, description="a page to count by hand, at /form; without it that is answered 404")
    connections_max: int = Field(
        500, ge=1, le=100_000, description="connections at once; a further one is answered 503. Each is an open file"
    )
    head_timeout_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="longest time that the head of a request takes to come, from the connection's begin or the answer before; then the connection is closed",
    )
    body_max_bytes: int = Field(
        1_000_000, ge=1_000, le=1_000_000, description="largest body, unpacked; a larger one is answered 413"
    )
    body_timeout_s: float = Field(10.0, gt=0, le=600, description="longest time a body takes to come; then 408")
    requests_max: int = Field(64, ge=1, le=10_000, description="requests held at once; a further one is answered 503")
    answer_s: float = Field(10.0, gt=0, le=600, description="longest wait for Kafka; then 503")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        text = address(text, ("http", "https"), "http://127.0.0.1:8087", instead="tokens")
        if urlsplit(text).port is None:
            raise ValueError("the address to listen on names no port; http://127.0.0.1:8087 is expected")
        return text

    @model_validator(mode="after")
    def _tls(self) -> "HttpConfig":
        given = (self.certificate_file is not None, self.key_file is not None)
        if given != (self.tls, self.tls):
            raise ValueError("https goes with `certificate_file` and `key_file`, http with neither")
        return self

    @field_validator("hooks")
    @classmethod
    def _once(cls, hooks: tuple[Hook, ...] | None) -> tuple[Hook, ...] | None:
        names = [hook.name for hook in hooks or ()]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two hooks are called {', '.join(sorted(twice))}")
        return hooks

    def literal_paths(self) -> tuple[Path, ...]:
        """Paths that are named as they are."""
        named = () if self.form is None else self.form.machines
        if self.lines is not None and PLACE.search(self.lines.path) is None:
            named = (*named, self.lines.path)
        hooked = (path for hook in self.hooks or () for path in hook.literal_paths())
        return tuple(dict.fromkeys((*map(Path.parse, named), *hooked)))

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def tls(self) -> bool:
        return self.url.startswith("https:")
