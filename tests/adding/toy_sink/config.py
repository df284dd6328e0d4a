"""Options of the toy sink."""

from pathlib import Path

from pydantic import Field

from sinks.base import SinkConfig


class ToyConfig(SinkConfig):
    """One file."""

    file: Path = Field(description="SQLite file; its folder must be there")
