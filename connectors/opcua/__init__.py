"""OPC UA: subscriptions, every change with its own source time, gaps filled from the server's history."""

from connectors.base import ConnectorSpec
from connectors.opcua.config import OpcUaConfig
from connectors.opcua.connector import OpcUaConnector
from connectors.opcua.inventory import browse, listing

spec = ConnectorSpec(
    config=OpcUaConfig,
    build=OpcUaConnector,
    summary="OPC UA subscriptions with history back-fill",
    paths=lambda config: tuple(machine.location for machine in config.machines),
    browse=browse,
    listing=listing,
)
