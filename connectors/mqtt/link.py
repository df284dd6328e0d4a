"""What paho is told of a broker: which version of MQTT, which session, which subscriptions."""

from datetime import UTC, datetime

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from connectors.kit.mqtt_client import Client
from connectors.mqtt.config import MqttConfig
from topology.broker import Address
from topology.mqtt import identify, transport


def new_client(config: MqttConfig, client_id: str, keeps: bool = True) -> Client:
    """Not connected. `keeps`: its session outlives the connection. Raises `OSError` and `BadSecret` as `identify` does."""
    five = config.version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if five else not keeps,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        transport=transport(config.broker),
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = config.connect_timeout_s
    identify(client, config, config.broker, datetime.now(UTC))
    return client


def connect(client: paho.Client, config: MqttConfig, keeps: bool = True) -> None:
    """Blocks until the link stands; the broker's answer comes to `on_connect`."""
    parts = Address.of(config.broker)
    if config.version != "5":
        client.connect(parts.host, parts.port, config.keep_alive_s)
        return
    asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    # No topic aliases: paho does not know them.
    asked.SessionExpiryInterval = config.session_expiry_s if keeps else 0
    asked.ReceiveMaximum = config.receive_max
    client.connect(parts.host, parts.port, config.keep_alive_s, clean_start=not keeps, properties=asked)


def subscribe(client: paho.Client, config: MqttConfig, topic: str, qos: int) -> int | None:
    """The message id whose answer to await."""
    if config.version != "5":
        return client.subscribe(topic, qos)[1]
    # What the broker has retained comes once a session, and not again at each reconnection as if it were new.
    once = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
    return client.subscribe(topic, options=SubscribeOptions(qos, retainAsPublished=True, retainHandling=once))[1]
