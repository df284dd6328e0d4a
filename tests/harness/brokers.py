"""The MQTT broker a session has."""

from typing import NamedTuple


class MqttBroker(NamedTuple):
    url: str
    """mqtt://host:port"""
    persistent: bool
    """Whether messages at QoS 1 wait for an offline persistent session."""
