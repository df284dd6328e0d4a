"""Options: how an MQTT broker is reached, and who we are there. To be mixed into a configuration."""

from pathlib import Path as FilePath
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from topology.endpoint import Login, SecretText, Trust, address, header_value

PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
WEBSOCKET_PATH = "/mqtt"
"""Where brokers listen, if the address does not say."""


class Address(NamedTuple):
    """The parts of a broker's address."""

    host: str
    port: int
    tls: bool
    path: str | None
    """Of a websocket; None: plain TCP."""

    @classmethod
    def of(cls, url: str) -> "Address":
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        path = (parts.path or WEBSOCKET_PATH) + query if parts.scheme in ("ws", "wss") else None
        return cls(parts.hostname or "", parts.port or PORTS[parts.scheme], parts.scheme in ("mqtts", "wss"), path)


def _checked(text: str) -> str:
    address(text, tuple(PORTS), "mqtt://host:1883, mqtts://host:8883 or wss://host/mqtt")
    if urlsplit(text).path.strip("/") and urlsplit(text).scheme in ("mqtt", "mqtts"):
        raise ValueError(f"{text!r}: a path belongs to websockets, ws:// and wss://")
    return text


BrokerUrl = Annotated[str, AfterValidator(_checked)]
"""An option that is the address of a broker."""


class Reach(Login, Trust):
    """Certificate and headers beside user, password and the authorities that we believe."""

    certificate_file: FilePath | None = Field(
        None,
        description="our certificate and those above it (PEM), where the broker asks for one",
        examples=["/etc/uns/mqtt.pem"],
    )
    key_file: FilePath | None = Field(
        None, description="its key (PEM, without a password)", examples=["/run/secrets/mqtt.key"]
    )
    headers: dict[str, SecretText] = Field(
        default_factory=dict,
        description="of ws:// and wss://, headers of the request that opens the websocket",
        examples=[{"Authorization": "Bearer ${TOKEN}"}],
    )

    def check_reach(self, url: str) -> None:
        """Raises `ValueError` for options that do not go with the address."""
        parts = Address.of(url)
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("`certificate_file` and `key_file` go together")
        if self.certificate_file is not None and not parts.tls:
            raise ValueError("a certificate goes with mqtts:// or wss://: without TLS nobody sees it")
        if self.headers and parts.path is None:
            raise ValueError("`headers` go with ws:// or wss://")

    @model_validator(mode="after")
    def _headers(self) -> "Reach":
        for name, value in self.headers.items():
            header_value(name, "the name of a header")
            header_value(value.get_secret_value(), f"header {name}")
        return self
