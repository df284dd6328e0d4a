"""Settings of every process: environment (`UNS_*`), secrets by file, then defaults."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from topology.endpoint import BadSecret, SecretText, secret
from uns.errors import UserError


def _lower(word: object) -> object:
    return word.lower() if isinstance(word, str) else word


def _upper(word: object) -> object:
    return word.upper() if isinstance(word, str) else word


class Environment(BaseSettings):
    """Settings whose fields are variables of the environment, named with the class's prefix.

    A wrong value is a `UserError` that names the variable and what is expected, never the value.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError("; ".join(map(self._in_words, error.errors()))) from None

    @classmethod
    def _in_words(cls, details: ErrorDetails) -> str:
        from topology.model.explain import in_words

        variables = [cls.variable(str(field)) for field in details["loc"][:1]]
        return ": ".join([*variables, in_words(details)])

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return f"{cls.model_config['env_prefix']}{field}".upper()


class Settings(Environment):
    """Where the services are and how to reach them. Passwords may come by file so that they never show in a process list."""

    model_config = SettingsConfigDict(env_prefix="UNS_")

    plant: Path = Field(Path("plant"), description="folder of the plant model")
    bootstrap: str | None = Field(
        None, description="Kafka bootstrap servers; none: the embedded broker", examples=["kafka-1:9092,kafka-2:9092"]
    )
    registry: str | None = Field(
        None, description="schema registry URL; none: the embedded registry", examples=["http://registry:8081"]
    )
    postgres: str | None = Field(
        None,
        description="PostgreSQL connection string; none: the embedded server",
        examples=["postgresql://uns@db:5432/uns"],
    )
    mqtt: str | None = Field(
        None,
        description="MQTT broker URL for demo and tests; none: the embedded broker",
        examples=["mqtt://broker:1883"],
    )
    state_dir: Path = Field(Path.home() / ".local" / "state" / "uns", description="spools, caches and embedded data")
    users: Path | None = Field(
        None,
        description="file of the page's users; none: users.yaml in the state folder",
        examples=["/etc/uns/users.yaml"],
    )
    clock: str | None = Field(
        None,
        description="scaled plant clock `<wall epoch s>,<plant epoch s>,<rate>`; none: the system's",
        examples=["1795000000,1790000000,60"],
    )
    lease_s: float = Field(
        15, ge=1, le=600, description="a connector of the same name on another host takes over after so long a silence"
    )
    bind: str = Field("127.0.0.1", description="address that metrics, registry and page listen on")
    metrics_port: int = Field(0, description="port of /metrics and /health; 0: a free one")
    metrics: str | None = Field(
        None,
        description="addresses of the processors' metrics for `uns top`, comma-separated; none: what runs here",
        examples=["worker-1:9400,worker-2:9400"],
    )
    log_format: Annotated[Literal["console", "json", "auto"], BeforeValidator(_lower)] = Field(
        "auto", description="how logs look; auto: json when not a terminal"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "warn", "error", "critical"], BeforeValidator(_lower)] = (
        Field("info", description="the least that is logged")
    )
    security_protocol: Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)] = (
        Field("PLAINTEXT", description="how Kafka is spoken to; the default is for the embedded broker only")
    )
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="SASL mechanism")
    sasl_username: str | None = Field(None, description="SASL user", examples=["uns"])
    sasl_password: SecretText | None = Field(None, description="SASL password; prefer the file", examples=["…"])
    sasl_password_file: Path | None = Field(
        None, description="file with the SASL password", examples=["/run/secrets/kafka"]
    )
    ssl_ca: Path | None = Field(
        None, description="CA certificates (PEM) that signed the brokers'", examples=["/etc/uns/ca.pem"]
    )
    ssl_certificate: Path | None = Field(None, description="client certificate (PEM)", examples=["/etc/uns/client.pem"])
    ssl_key: Path | None = Field(None, description="client key (PEM)", examples=["/etc/uns/client.key"])

    @property
    def users_file(self) -> Path:
        """The file of the page's users, which need not exist."""
        return self.users if self.users is not None else self.state_dir / "users.yaml"

    @property
    def password(self) -> str | None:
        """The SASL password, the file's before the given one. Raises `UserError` when the file holds none."""
        try:
            return secret(self.sasl_password, self.sasl_password_file)
        except (OSError, BadSecret) as error:
            raise UserError(f"{self.variable('sasl_password_file')}: {error}") from error

    def kafka(self, **more: Any) -> dict[str, Any]:
        """Configuration for any confluent-kafka client. Needs `bootstrap`."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "log_level": 4,  # warnings and worse: librdkafka's own chatter is not for an operator
        }
        if self.security_protocol.startswith("SASL"):
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.password,
            }
        if self.security_protocol.endswith("SSL"):
            config |= {
                name: str(path)
                for name, path in (
                    ("ssl.ca.location", self.ssl_ca),
                    ("ssl.certificate.location", self.ssl_certificate),
                    ("ssl.key.location", self.ssl_key),
                )
                if path
            }
        return config | more


@cache
def settings() -> Settings:
    """This process's settings, read once. Raises `UserError`."""
    return Settings()


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings as a process with that environment would read them."""
    named: dict[str, Any] = {name.upper(): value for name, value in environ.items()}
    return Settings(
        **{field: named[key] for field in Settings.model_fields if (key := Settings.variable(field)) in named}
    )
