"""Options of the toy connector."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from connectors.base import ConnectorConfig
from topology.endpoint import address
from topology.namespace.path import Path


class ToyConfig(ConnectorConfig):
    """One server."""

    url: str = Field(description="toy://host:port")
    path: str = Field(description="path of the machine")

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        return address(text, ("toy",), "toy://host:4711")

    @field_validator("path")
    @classmethod
    def _path(cls, text: str) -> str:
        Path.parse(text)
        return text

    @property
    def host(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 4711
