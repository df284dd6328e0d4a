"""Options that say how a target knows us. Secrets come from files, or from the environment by ${NAME}."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from sinks.base import SinkConfig
from sinks.kit.template import BadTemplate, check, check_url
from topology.endpoint import SecretText, address, header_value, is_header_name, secret

SIGNED_NAMES = ("method", "url", "path", "body", "id", "timestamp_s", "timestamp_ms")
"""What the templates of a signature may name."""
LOGIN_NAMES = ("username", "secret")
"""What the body of a login may name."""


def _header_name(text: str) -> str:
    if not is_header_name(text):
        raise ValueError(f"{text[:40]!r} is no name of a header")
    return text


def _below(url: str) -> str:
    try:
        check_url(url, ())
    except BadTemplate as error:
        raise ValueError(str(error)) from None
    return url


HeaderName = Annotated[str, AfterValidator(_header_name)]
Below = Annotated[str, AfterValidator(_below)]


class Secret(SinkConfig):
    """The secret of a kind."""

    secret: SecretText | None = Field(None, description="the secret; prefer the file", examples=["${MES_TOKEN}"])
    secret_file: FilePath | None = Field(
        None, description="file with the secret; read again when it is refused", examples=["/run/secrets/mes"]
    )

    @model_validator(mode="after")
    def _complete(self) -> "Secret":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give secret_file, or secret")
        return self

    def value(self) -> str:
        """The secret. Raises `OSError` when its file cannot be read, `BadSecret` when it cannot be sent."""
        return secret(self.secret, self.secret_file) or ""


class _Carried(Secret):
    """A secret that a header carries as it is."""

    @model_validator(mode="after")
    def _sendable(self) -> "_Carried":
        if self.secret_file is None:
            header_value(self.value())
        return self


class Bearer(_Carried):
    """A token: `Authorization: Bearer …`."""

    kind: Literal["bearer"] = Field(description="a token in Authorization")


class Header(_Carried):
    """A header of its own, as API keys are sent."""

    kind: Literal["header"] = Field(description="a header of its own, e.g. an API key")
    header: HeaderName = Field("Authorization", description="name of the header", examples=["x-api-key"])
    prefix: str = Field("", description="what stands before the secret", examples=["token "])

    @field_validator("prefix")
    @classmethod
    def _plain(cls, prefix: str) -> str:
        if prefix:
            header_value(prefix + "x", "prefix")
        return prefix


class Query(_Carried):
    """A parameter of the address, as signed addresses of webhooks carry it. Words and logs show the address without it."""

    kind: Literal["query"] = Field(description="a parameter of the address")
    parameter: str = Field(min_length=1, description="its name", examples=["sig"])


class Basic(Secret):
    """User and password (RFC 7617)."""

    kind: Literal["basic"] = Field(description="user and password")
    username: str = Field(description="user", examples=["uns"])

    @field_validator("username")
    @classmethod
    def _sayable(cls, username: str) -> str:
        if not username or ":" in username or not username.isprintable():
            raise ValueError("no colon and no control character can stand in it, and it is not empty")
        return username


class OAuth2(Secret):
    """A token from a token endpoint, by client credentials (RFC 6749, 4.4). Fetched anew before it expires, and once when
    it is refused. `secret` is the client's."""

    kind: Literal["oauth2"] = Field(description="client credentials for a token endpoint")
    token_url: str = Field(description="token endpoint", examples=["https://login.example.com/oauth2/token"])
    client_id: str = Field(min_length=1, description="who we are there", examples=["uns"])
    client_auth: Literal["basic", "post"] = Field(
        "basic", description="whether id and secret go into the header or into the form"
    )
    scope: str | None = Field(None, description="scope that is asked for", examples=["api://mes/.default"])
    more: dict[str, str] = Field(
        default_factory=dict, description="more fields of the form", examples=[{"audience": "https://mes.example.com"}]
    )

    @field_validator("token_url")
    @classmethod
    def _url(cls, text: str) -> str:
        return address(text, ("http", "https"), "https://host/path", instead="secret_file")


class Session(Secret):
    """A login, once, and again when the session is over. Its token is carried in a header; without `token_field` the
    target's cookies are what it knows us by."""

    kind: Literal["session"] = Field(description="a login request, whose token or cookies are kept")
    username: str = Field("", description="user", examples=["uns@example.com"])
    url: Below = Field(description="path of the login below base_url", examples=["/auth"])
    body: dict[str, Any] = Field(
        default_factory=dict,
        description="body of the login, with {username} and {secret}",
        examples=[{"email": "{username}", "password": "{secret}"}],
    )
    form: bool = Field(False, description="the body goes out as a form, not as JSON")
    success: str | None = Field(
        None, description="what must be true of its answer, as in `create`", examples=["{{ body.result.uid }}"]
    )
    token_field: str | None = Field(
        None, description="where the answer carries the token, a.b for a nested one", examples=["result.token"]
    )
    header: HeaderName = Field("Authorization", description="header that carries it", examples=["Session-Token"])
    prefix: str = Field("", description="what stands before it", examples=["Bearer "])
    expired: str = Field(
        "{{ status == 401 }}",
        description="what is true of an answer when the session is over",
        examples=["{{ status == 401 or body.error.code == 100 }}"],
    )

    @model_validator(mode="after")
    def _sound(self) -> "Session":
        answer = ("status", "headers", "body", "text")
        try:
            check(self.body, LOGIN_NAMES)
            for test in (self.success, self.expired):
                check(test, answer)
        except BadTemplate as error:
            raise ValueError(str(error)) from None
        return self


class Hmac(Secret):
    """A signature over what is sent (HMAC), with the secret as its key. Its templates may name method, url (whole, without
    https://), path, body, id (the idempotency key), timestamp_s and timestamp_ms."""

    kind: Literal["hmac"] = Field(description="a signature over each request")
    header: HeaderName = Field("X-Signature", description="header that carries it", examples=["webhook-signature"])
    prefix: str = Field("", description="what stands before it", examples=["sha256=", "v1,"])
    algorithm: Literal["sha256", "sha384", "sha512"] = Field("sha256", description="hash")
    encoding: Literal["hex", "base64"] = Field("hex", description="how the signature is written")
    secret_encoding: Literal["text", "hex", "base64"] = Field("text", description="how the secret is written")
    signs: str = Field("{body}", description="what is signed", examples=["{id}.{timestamp_s}.{body}"])
    headers: dict[HeaderName, str] = Field(
        default_factory=dict,
        description="headers that go with it",
        examples=[{"webhook-id": "{id}", "webhook-timestamp": "{timestamp_s}"}],
    )
    query: dict[str, str] = Field(
        default_factory=dict, description="parameters added to the url before it is signed", examples=[{"v": "1"}]
    )

    @model_validator(mode="after")
    def _sound(self) -> "Hmac":
        try:
            check([self.signs, *self.headers.values()], SIGNED_NAMES)
            check(list(self.query.values()), ("timestamp_s", "timestamp_ms", "id"))
        except BadTemplate as error:
            raise ValueError(str(error)) from None
        if self.prefix:
            header_value(self.prefix + "x", "prefix")
        return self


AuthOptions = Annotated[Bearer | Basic | Header | Query | OAuth2 | Session | Hmac, Field(discriminator="kind")]


class CsrfOptions(SinkConfig):
    """A token against forged requests (SAP Gateway): fetched by a GET, carried by all that is no GET, with the cookies that
    came with it; fetched anew when the target asks for it."""

    url: Below = Field("/", description="path below base_url that gives it out")
    header: HeaderName = Field("x-csrf-token", description="header that asks for it, carries it, and refuses it")


def origin(url: str) -> str:
    """Scheme and host of an address, for words: a query may hold what logs should not show."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
