"""Toy: lines of text over TCP."""

from connectors.base import ConnectorSpec

from .config import ToyConfig
from .connector import ToyConnector

spec = ConnectorSpec(config=ToyConfig, build=ToyConnector, summary="lines `tag time value` over TCP")
