"""A machine that publishes JSON through a real MQTT broker."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from connectors.kit.message import FACTS
from connectors.mqtt.codec import Decoder
from connectors.mqtt.config import Subscription
from connectors.opcua.codec import moment
from tests.contract.payloads import PAYLOADS
from tests.contract.sources import ALSO, PATH
from tests.harness import MqttBroker
from uns.testing import Codec, connector_contract


@dataclass
class MqttSource:
    client: paho.Client
    config: dict[str, Any]
    asks_again: bool
    topic: str
    path = PATH
    also = ALSO

    async def say(self, tag: str, at: int, value: object) -> None:
        payload = json.dumps({"at": moment(at).isoformat(), "values": {tag: value}})
        self.client.publish(self.topic, payload, qos=1).wait_for_publish(5)

    async def babble(self) -> None:
        """No JSON; a tag and a value that are no text; a bad value beside a good one."""
        for payload in (
            b"\xff{",
            b'{"\\ud800": 1}',
            b'{"at": 1795413600001, "values": {"\\ud800": 1, "Name": "\\udfff", "On": true}}',
        ):
            self.client.publish(self.topic, payload, qos=1).wait_for_publish(5)

    async def vanish(self) -> None:
        """A second client with our id: the broker must drop the first (MQTT 3.1.1, 3.1.4-2)."""
        host, _, port = self.config["broker"].removeprefix("mqtt://").partition(":")
        rival = paho.Client(CallbackAPIVersion.VERSION2, client_id=self.config["client_id"], clean_session=False)
        rival.connect(host, int(port))
        rival.loop_start()
        rival.disconnect()
        rival.loop_stop()


@asynccontextmanager
async def mqtt(broker: MqttBroker, name: str) -> AsyncIterator[MqttSource]:
    host, _, port = broker.url.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"machine-{name}")
    client.connect(host, int(port))
    client.loop_start()
    topic = f"{name}/data"
    config = {
        "broker": broker.url,
        "client_id": f"uns-{name}",
        "version": broker.version,
        "keep_alive_s": 2,
        "subscriptions": [{"topic": topic, "path": str(PATH)}],
    }
    try:
        yield MqttSource(client, config, broker.persistent, topic)
    finally:
        client.disconnect()
        client.loop_stop()


DECODER = Decoder(
    [
        Subscription.model_validate({"topic": f"+/+/{kind}", "path": "acme/dallas/{0}/{1}", "payload": kind})
        for kind in ("samples", *FACTS)
    ]
)
TOPICS = st.sampled_from([f"packaging/line-1/{kind}" for kind in ("samples", *FACTS)]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)

CONTRACT = connector_contract(
    "mqtt",
    lambda request: mqtt(request.getfixturevalue("mqtt_broker"), request.getfixturevalue("enterprise")),
    Codec(st.tuples(TOPICS, PAYLOADS), lambda message: DECODER.decode(*message)),
)
