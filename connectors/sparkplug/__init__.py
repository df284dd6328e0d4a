"""Sparkplug B: a host application, with the whole session of edge nodes and devices."""

from connectors.base import ConnectorSpec
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.connector import SparkplugConnector

spec = ConnectorSpec(
    config=SparkplugConfig,
    build=SparkplugConnector,
    summary="Sparkplug B host application over MQTT 3.1.1: births, deaths, order, rebirths, several brokers",
    paths=SparkplugConfig.literal_paths,
)
