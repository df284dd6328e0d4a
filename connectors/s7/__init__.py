"""Siemens S7: data blocks, flags, inputs and outputs of S7-300, 400, 1200 and 1500 controllers, by absolute address."""

from connectors.base import ConnectorSpec
from connectors.s7.config import S7Config
from connectors.s7.connector import S7Connector
from connectors.s7.inventory import browse, listing

spec = ConnectorSpec(
    config=S7Config,
    build=S7Connector,
    summary="Siemens S7 controllers: data blocks, flags, inputs and outputs by absolute address (beta)",
    browse=browse,
    listing=listing,
    paths=S7Config.literal_paths,
)
