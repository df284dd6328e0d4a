"""The MQTT broker a session has."""

from typing import NamedTuple


class MqttBroker(NamedTuple):
    url: str
    """mqtt://host:port"""
    persistent: bool
    """Whether messages at QoS 1 wait for an offline persistent session."""

    @property
    def version(self) -> str:
        """Of MQTT: amqtt, which keeps nothing, speaks no other than 3.1.1."""
        return "5" if self.persistent else "3.1.1"
