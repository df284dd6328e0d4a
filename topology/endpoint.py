"""How a system outside is reached: its address, our secret there, whom we trust. Stands here because connectors and
sinks, which never meet, both need it, and `topology` is the room below both that parses configuration.
"""

import re
from base64 import b64encode
from pathlib import Path as FilePath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator, model_validator

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class BadSecret(ValueError):
    """A secret that cannot be sent. The words say what is wrong and where it stands, and never repeat any of it."""


def address(text: str, schemes: tuple[str, ...], example: str, instead: str = "password_file") -> str:
    """`text` when it is an URL of one of the schemes with a host; `instead` names the option that a password belongs to.

    Raises `ValueError` whose words repeat no password.
    """
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise ValueError(f"an address holds no spaces, line breaks or control characters; {example} is expected")
    parts = urlsplit(text)
    if parts.password:
        raise ValueError(f"a password does not belong into the address, where logs would show it; use {instead}")
    if parts.scheme not in schemes or not parts.hostname:
        after_user = text.rpartition("@")[2]
        raise ValueError(f"{after_user!r} is no address; {example} is expected")
    _ = parts.port  # raises ValueError with good words
    return text


def _checked(text: str, origin: str) -> str:
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text):
        raise BadSecret(f"{origin} has a line break or another control character inside; write it on one line")
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise BadSecret(f"{origin} is no text: half of a surrogate pair stands in it")
    return text


def _checked_option(secret: SecretStr) -> SecretStr:
    _checked(secret.get_secret_value().strip(), "the secret")
    return secret


SecretText = Annotated[SecretStr, AfterValidator(_checked_option)]
"""A secret written into the configuration, or filled in from the environment."""


def secret(given: SecretStr | None, file: FilePath | None) -> str | None:
    """The file's text, else the given one, without white space around it; None without either.

    Raises `OSError` when the file cannot be read, `BadSecret` when it holds what cannot be sent.
    """
    if file is None:
        return None if given is None else _checked(given.get_secret_value().strip(), "the secret")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # its words repeat a part of what was read
        raise BadSecret(f"the secret in {file} is not UTF-8 text") from None
    return _checked(text.strip(), f"the secret in {file}")


def header_value(text: str, origin: str = "the secret") -> bytes:
    """A text as an HTTP header carries it (RFC 9110: latin-1, one line). Raises `BadSecret`."""
    if not text or text != text.strip():
        raise BadSecret(f"{origin} is empty, or has white space around it; a header can carry neither")
    try:
        return _checked(text, origin).encode("latin-1")
    except UnicodeEncodeError:  # its words repeat a part of it
        raise BadSecret(f"{origin} has a letter outside latin-1, which a header cannot carry") from None


class Login(BaseModel):
    """Options: who we are. To be mixed into a configuration."""

    username: str | None = Field(None, description="user", examples=["uns"])
    password: SecretText | None = Field(None, description="password; prefer the file", examples=["${PASSWORD}"])
    password_file: FilePath | None = Field(None, description="file with the password", examples=["/run/secrets/uns"])

    @property
    def secret(self) -> str | None:
        """The password. Raises `OSError` when its file cannot be read, `BadSecret` when it cannot be sent."""
        return secret(self.password, self.password_file)


class Trust(BaseModel):
    """Options: whose certificates are believed. To be mixed into a configuration."""

    ca_file: FilePath | None = Field(
        None,
        description="CA certificates (PEM) that signed the other side's; the system's by default",
        examples=["/etc/uns/ca.pem"],
    )


DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}
"""Scheme of a database's address → SQLAlchemy's dialect and driver. The drivers of the last two are not installed with us."""
_DATABASE = "postgresql://10.0.0.9:5432/mes"


class Database(Login, Trust):
    """Options: an SQL database. To be mixed into a configuration."""

    url: str = Field(
        description="postgresql://, mariadb:// or mysql://HOST:PORT/DATABASE; sqlite:////FILE; mssql and oracle are untested",
        examples=[_DATABASE],
    )
    connect_timeout_s: float = Field(10.0, gt=0, le=600, description="longest wait for a connection; then it is away")
    timeout_s: float = Field(30.0, gt=0, le=3_600, description="longest time of one request; the database then ends it")

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        if text.startswith("sqlite:"):
            if not text.startswith("sqlite:////") or len(text) == len("sqlite:////"):
                raise ValueError("of SQLite a file is named from the root on: sqlite:////var/lib/lims.db")
            return text
        text = address(text, tuple(DRIVERS), _DATABASE)
        parts = urlsplit(text)
        if parts.username or parts.query:
            raise ValueError("user and options do not belong into the address; use `username`, and `ca_file` for TLS")
        if not parts.path.strip("/"):
            raise ValueError(f"the address names no database; {_DATABASE} does")
        return text

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def database(self) -> str:
        """The name of the database; of SQLite its file."""
        path = unquote(urlsplit(self.url).path)
        return path.removeprefix("//").join(("/", "")) if self.scheme == "sqlite" else path.strip("/")


def is_header_name(text: str) -> bool:
    """Whether HTTP has room for a header of this name (RFC 9110)."""
    return _HEADER_NAME.fullmatch(text) is not None


class HttpAuth(BaseModel):
    """How an HTTP server knows us. The secret comes from a file, or from the environment by ${NAME}."""

    kind: Literal["bearer", "basic", "header"] = Field(
        description="bearer token, user and password, or a header of its own"
    )
    header: str = Field("Authorization", description="name of the header, for kind header")
    username: str | None = Field(None, description="user, for kind basic", examples=["uns"])
    secret: SecretText | None = Field(None, description="the secret; prefer the file", examples=["${MES_TOKEN}"])
    secret_file: FilePath | None = Field(None, description="file with the secret", examples=["/run/secrets/mes"])

    @model_validator(mode="after")
    def _complete(self) -> "HttpAuth":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give secret_file, or secret")
        if self.kind == "basic" and not self.username:
            raise ValueError("kind basic needs a username")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("username: no colon and no control character can stand in it")
        if not is_header_name(self.header):
            raise ValueError("header: this is no name of a header")
        if self.secret_file is None:
            self.header_line()
        return self

    def value(self) -> str:
        """The secret. Raises `OSError` when its file cannot be read, `BadSecret` when it cannot be sent."""
        return secret(self.secret, self.secret_file) or ""

    def header_line(self) -> tuple[str, bytes]:
        """Name and value of the header that says who we are. Raises as `value` does."""
        text = self.value()
        match self.kind:
            case "basic":
                return "Authorization", b"Basic " + b64encode(f"{self.username}:{text}".encode())
            case "bearer":
                return "Authorization", b"Bearer " + header_value(text)
            case "header":
                return self.header, header_value(text)
