"""Real sources of the protocols we read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import paho.mqtt.client as paho
from asyncua import Server, ua
from paho.mqtt.enums import CallbackAPIVersion

from connectors.opcua.codec import moment
from tests.harness import MqttBroker
from topology.namespace.path import Path
from uns.runtime.ports import free_port
from uns.testing.connectors import T0

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
ALSO: tuple[tuple[str, Any], ...] = (("Speed", 1.5), ("Name", "ä"))


@dataclass
class OpcUaSource:
    server: Server
    config: dict[str, Any]
    path = PATH
    also = ALSO
    asks_again = True  # by history

    async def say(self, tag: str, at: int, value: object) -> None:
        kind = {
            bool: ua.VariantType.Boolean,
            int: ua.VariantType.Int64,
            float: ua.VariantType.Double,
            str: ua.VariantType.String,
        }[type(value)]
        data = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=moment(at), ServerTimestamp=moment(at))
        await self.server.write_attribute_value(ua.NodeId(f"filler.{tag}", 2), data)

    async def babble(self) -> None:
        """An array with more parts than a value may have."""
        data = ua.DataValue(ua.Variant(["a"] * 65, ua.VariantType.String), SourceTimestamp=moment(T0))
        await self.server.write_attribute_value(ua.NodeId("filler.Name", 2), data)

    async def vanish(self) -> None:
        await self.server.stop()


@asynccontextmanager
async def opcua() -> AsyncIterator[OpcUaSource]:
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("urn:test")
    machine = await server.nodes.objects.add_object(ua.NodeId("filler", 2), ua.QualifiedName("filler", 2))
    variables = []
    for tag, value in (
        ("State", ua.Variant(0, ua.VariantType.Int64)),
        ("Speed", ua.Variant(0.0)),
        ("Name", ua.Variant("")),
    ):
        variables.append(await machine.add_variable(ua.NodeId(f"filler.{tag}", 2), ua.QualifiedName(tag, 2), value))
    await server.start()
    await server.historize_node_data_change(variables, period=timedelta(days=36500), count=10_000)
    config = {
        "url": f"opc.tcp://127.0.0.1:{port}",
        "publish_interval_ms": 20,
        "timeout_s": 2,
        "machines": [{"path": str(PATH), "node": "ns=2;s=filler"}],
    }
    try:
        yield OpcUaSource(server, config)
    finally:
        await server.stop()


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
