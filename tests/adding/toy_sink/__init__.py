"""Toy: stops in a SQLite file."""

from sinks.base import SinkSpec

from .config import ToyConfig
from .sink import ToySink

spec = SinkSpec(config=ToyConfig, build=ToySink, summary="stops in a SQLite file, with their offsets")
