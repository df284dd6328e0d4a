"""Real sources for the connector suite: one a protocol. A third-party connector adds its own here."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import paho.mqtt.client as paho
from asyncua import Server, ua
from paho.mqtt.enums import CallbackAPIVersion

from connectors.opcua.codec import moment
from tests.harness import MqttBroker
from topology.namespace.path import Path
from uns.runtime.ports import free_port

PATH = Path.parse("acme/dallas/packaging/line-1/filler")
T0 = 2_000_000_000_000_000
"""Later than any value that a server gives its variables by itself at start."""


class Source(Protocol):
    """What the suite needs of a source: a configuration that reads it, and a way to make it say something."""

    config: dict[str, Any]
    asks_again: bool
    """Whether what was not acknowledged comes again after a reopen."""

    async def say(self, tag: str, at: int, value: object) -> None: ...
    async def vanish(self) -> None:
        """Drops the link, or the whole source."""


@dataclass
class OpcUaSource:
    server: Server
    config: dict[str, Any]
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

    async def vanish(self) -> None:
        await self.server.stop()


@asynccontextmanager
async def opcua(broker: MqttBroker, name: str) -> AsyncIterator[Source]:
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

    async def say(self, tag: str, at: int, value: object) -> None:
        payload = json.dumps({"at": moment(at).isoformat(), "values": {tag: value}})
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
async def mqtt(broker: MqttBroker, name: str) -> AsyncIterator[Source]:
    host, _, port = broker.url.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"machine-{name}")
    client.connect(host, int(port))
    client.loop_start()
    topic = f"{name}/data"
    config = {
        "broker": broker.url,
        "client_id": f"uns-{name}",
        "keep_alive_s": 2,
        "subscriptions": [{"topic": topic, "path": str(PATH)}],
    }
    try:
        yield MqttSource(client, config, broker.persistent, topic)
    finally:
        client.disconnect()
        client.loop_stop()


SOURCES: dict[str, Callable[[MqttBroker, str], AbstractAsyncContextManager[Source]]] = {"opcua": opcua, "mqtt": mqtt}
