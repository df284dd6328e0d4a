"""Settings of every process: environment (`UNS_*`), secrets by file, then defaults."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the services are and how to reach them. Passwords may come by file so that they never show in a process list."""

    model_config = SettingsConfigDict(env_prefix="UNS_", extra="ignore", frozen=True)

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
    clock: str | None = Field(
        None,
        description="scaled plant clock `<wall epoch s>,<plant epoch s>,<rate>`; none: the system's",
        examples=["1795000000,1790000000,60"],
    )
    bind: str = Field("127.0.0.1", description="address that metrics, registry and page listen on")
    metrics_port: int = Field(0, description="port of /metrics and /health; 0: a free one")
    metrics: str | None = Field(
        None,
        description="addresses of the processors' metrics for `uns top`, comma-separated; none: what runs here",
        examples=["worker-1:9400,worker-2:9400"],
    )
    log_format: str = Field("auto", description="console | json | auto (json when not a terminal)")
    log_level: str = Field("info", description="debug | info | warning | error")
    security_protocol: str = Field("PLAINTEXT", description="PLAINTEXT | SSL | SASL_PLAINTEXT | SASL_SSL")
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="SASL mechanism")
    sasl_username: str | None = Field(None, description="SASL user", examples=["uns"])
    sasl_password: SecretStr | None = Field(None, description="SASL password; prefer the file", examples=["…"])
    sasl_password_file: Path | None = Field(
        None, description="file with the SASL password", examples=["/run/secrets/kafka"]
    )
    ssl_ca: Path | None = Field(
        None, description="CA certificates (PEM) that signed the brokers'", examples=["/etc/uns/ca.pem"]
    )
    ssl_certificate: Path | None = Field(None, description="client certificate (PEM)", examples=["/etc/uns/client.pem"])
    ssl_key: Path | None = Field(None, description="client key (PEM)", examples=["/etc/uns/client.key"])

    @property
    def password(self) -> str | None:
        if self.sasl_password_file is not None:
            return self.sasl_password_file.read_text(encoding="utf-8").strip()
        return self.sasl_password.get_secret_value() if self.sasl_password else None

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
    """This process's settings, read once."""
    return Settings()


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings as a process with that environment would read them."""
    prefix = str(Settings.model_config["env_prefix"])
    named = {name.upper(): value for name, value in environ.items()}
    return Settings(
        **{field: named[key] for field in Settings.model_fields if (key := f"{prefix}{field}".upper()) in named}  # type: ignore[arg-type]
    )
