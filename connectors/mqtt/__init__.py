"""MQTT: JSON messages of any broker, with a session that outlives us."""

from connectors.base import ConnectorSpec
from connectors.mqtt.browse import browse
from connectors.mqtt.config import MqttConfig
from connectors.mqtt.connector import MqttConnector
from connectors.mqtt.inventory import listing

spec = ConnectorSpec(
    config=MqttConfig,
    build=MqttConnector,
    summary="JSON over MQTT 5 and 3.1.1, QoS 1, persistent session, acknowledged after Kafka",
    paths=MqttConfig.literal_paths,
    browse=browse,
    listing=listing,
)
