"""STATE: how a host says at a real broker that it is there, and that it is gone. Packets are read off the wire."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from connectors.base import Connector, SourceUnavailable
from tests.contract.source_sparkplug import EdgeNode
from tests.harness import MqttBroker
from tests.harness.mqtt_wire import CONNECT, DISCONNECT, PUBLISH, SUBSCRIBE, Packet, Wire
from tests.harness.waiting import eventually
from uns.local.mqtt import Mqtt
from uns.model.components import connector_spec
from uns.testing.connectors import drain
from uns.testing.patience import patient
from uns.testing.source import T0

SPEC = connector_spec("sparkplug")


@pytest.fixture
def wire(mqtt_broker: MqttBroker) -> Iterator[Wire]:
    wire = Wire(mqtt_broker.url)
    yield wire
    wire.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Wire]:
    """At a second broker."""
    with Mqtt(tmp_path / "second") as broker:
        wire = Wire(broker.address)
        yield wire
        wire.close()


class Listener:
    """Anybody at the broker who hears STATE; `kept` is what is retained for whoever comes later."""

    def __init__(self, url: str, host_id: str) -> None:
        self.heard: list[tuple[dict[str, Any], bool]] = []
        self.topic = f"spBv1.0/STATE/{host_id}"
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.heard.append((json.loads(message.payload), bool(message.retain)))  # fmt: skip
        self.client.on_connect = lambda client, *_: client.subscribe(self.topic, 1)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect(host, int(port))
        self.client.loop_start()
        assert subscribed.wait(patient(10))

    def online(self) -> bool:
        """What the last STATE said."""
        return bool(self.heard) and self.heard[-1][0]["online"] is True

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listener(mqtt_broker: MqttBroker, enterprise: str) -> Iterator[Listener]:
    listener = Listener(mqtt_broker.url, enterprise)
    yield listener
    listener.close()


def config(name: str, *urls: str, **options: Any) -> dict[str, Any]:
    return {
        "brokers": [{"url": url} for url in urls],
        "host_id": name,
        "keep_alive_s": 2,
        "sources": [{"edge": f"{name}/+/+", "path": "acme/dallas/packaging/line-1/{device}"}],
        **options,
    }


@asynccontextmanager
async def host(*urls: str, name: str, **options: Any) -> AsyncIterator[Connector]:
    """An open host, whose batches are read."""
    connector = SPEC.build("sparkplug", SPEC.config.model_validate(config(name, *urls, **options)))
    await connector.open({})
    reading = asyncio.create_task(drain(connector.batches()))
    try:
        yield connector
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await connector.close()


async def true(condition: Any, what: str) -> None:
    async with asyncio.timeout(patient(15)):
        while not condition():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.02)
    assert condition(), what


def states(wire: Wire) -> list[Packet]:
    return [packet for packet in wire.of(PUBLISH) if "/STATE/" in packet.topic]


def document(packet: Packet) -> dict[str, Any]:
    return dict(json.loads(packet.payload.decode("utf-8")))


def test_the_will_is_the_death(wire: Wire, enterprise: str) -> None:
    """tck-id-operational-behavior-host-application-connect-will
    tck-id-operational-behavior-host-application-connect-will-topic
    tck-id-operational-behavior-host-application-connect-will-payload
    tck-id-operational-behavior-host-application-connect-will-qos
    tck-id-operational-behavior-host-application-connect-will-retained
    tck-id-payloads-state-will-message
    tck-id-payloads-state-will-message-qos
    tck-id-payloads-state-will-message-retain
    tck-id-payloads-state-will-message-payload
    tck-id-message-flow-phid-sparkplug-clean-session-311
    tck-id-message-flow-phid-sparkplug-clean-session-50
    tck-id-host-topic-phid-death-required
    tck-id-host-topic-phid-death-topic
    tck-id-host-topic-phid-death-qos
    tck-id-host-topic-phid-death-retain
    tck-id-host-topic-phid-death-payload
    tck-id-host-topic-phid-death-payload-timestamp-connect
    """

    async def go() -> None:
        before = time.time_ns() // 1_000_000
        async with host(wire.url, name=enterprise):
            after = time.time_ns() // 1_000_000
        (will,) = wire.of(CONNECT)
        assert (will.topic, will.qos, will.retained) == (f"spBv1.0/STATE/{enterprise}", 1, True)
        assert (will.level, will.clean) == (4, True), "MQTT 3.1.1; what goes for 5.0 goes for nobody here"
        said = document(will)
        assert set(said) == {"online", "timestamp"}
        assert said["online"] is False
        assert before <= said["timestamp"] <= after

    asyncio.run(go())


def test_subscriptions_come_first_and_then_the_birth(wire: Wire, listener: Listener, enterprise: str) -> None:
    """tck-id-host-topic-phid-birth-message
    tck-id-host-topic-phid-birth-sub-required
    tck-id-host-topic-phid-birth-required
    tck-id-host-topic-phid-birth-topic
    tck-id-host-topic-phid-birth-qos
    tck-id-host-topic-phid-birth-retain
    tck-id-host-topic-phid-birth-payload
    tck-id-host-topic-phid-birth-payload-timestamp
    tck-id-operational-behavior-host-application-connect-birth
    tck-id-operational-behavior-host-application-connect-birth-topic
    tck-id-operational-behavior-host-application-connect-birth-payload
    tck-id-operational-behavior-host-application-connect-birth-qos
    tck-id-operational-behavior-host-application-connect-birth-retained
    tck-id-message-flow-phid-sparkplug-subscription
    tck-id-message-flow-phid-sparkplug-state-publish
    tck-id-message-flow-phid-sparkplug-state-publish-payload
    tck-id-message-flow-phid-sparkplug-state-publish-payload-timestamp
    tck-id-payloads-state-subscribe
    tck-id-payloads-state-birth
    tck-id-payloads-state-birth-payload
    tck-id-operational-behavior-primary-application-state-with-multiple-servers-state
    """

    async def go() -> None:
        async with host(wire.url, name=enterprise):
            await true(listener.online, "the birth is at the broker")
            first = wire.sent[:3]
            assert [packet.kind for packet in first] == [CONNECT, SUBSCRIBE, PUBLISH]
            will, subscribed, birth = first
            assert subscribed.filters[0] == f"spBv1.0/STATE/{enterprise}"
            assert f"spBv1.0/{enterprise}/NBIRTH/+" in subscribed.filters
            assert (birth.topic, birth.qos, birth.retained) == (f"spBv1.0/STATE/{enterprise}", 1, True)
            assert document(birth) == {"online": True, "timestamp": document(will)["timestamp"]}
            assert listener.heard[-1] == (document(birth), False)

    asyncio.run(go())


def test_state_says_at_any_time_whether_it_is_there(
    wire: Wire, mqtt_broker: MqttBroker, listener: Listener, enterprise: str
) -> None:
    """tck-id-components-ph-state
    tck-id-intro-sparkplug-host-state
    tck-id-conformance-primary-host
    """

    async def go() -> None:
        async with host(wire.url, name=enterprise):
            await true(listener.online, "there")
            late = Listener(mqtt_broker.url, enterprise)
            await true(late.online, "there, for who comes later")
            assert late.heard[-1][1], "retained"
            wire.cut()
            await true(lambda: not listener.online(), "gone, by the will")
            late.close()

    asyncio.run(go())


def test_whoever_says_that_it_is_gone_is_contradicted(wire: Wire, listener: Listener, enterprise: str) -> None:
    """tck-id-message-flow-hid-sparkplug-state-message-delivered"""

    async def go() -> None:
        async with host(wire.url, name=enterprise):
            await true(listener.online, "there")
            (will,) = wire.of(CONNECT)
            before = len(listener.heard)
            listener.client.publish(listener.topic, json.dumps({"online": False, "timestamp": 1}), 1, retain=True)
            await true(lambda: len(listener.heard) >= before + 2 and listener.online(), "answered")
            assert listener.heard[-1][0] == {"online": True, "timestamp": document(will)["timestamp"]}
            for nonsense in (b"\xff", b"[]", b'{"online": "false"}', b'{"online": true, "timestamp": 5}'):
                listener.client.publish(listener.topic + "/x", nonsense, 1)
            assert (states(wire)[-1].qos, states(wire)[-1].retained) == (1, True)

    asyncio.run(go())


def test_a_host_that_ends_says_so_at_the_time_of_its_end(wire: Wire, listener: Listener, enterprise: str) -> None:
    """tck-id-operational-behavior-host-application-termination
    tck-id-operational-behavior-host-application-death-topic
    tck-id-operational-behavior-host-application-death-payload
    tck-id-operational-behavior-host-application-death-qos
    tck-id-operational-behavior-host-application-death-retained
    tck-id-operational-behavior-host-application-disconnect-intentional
    tck-id-host-topic-phid-death-payload-timestamp-disconnect-clean
    tck-id-host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet
    """

    async def go() -> None:
        async with host(wire.url, name=enterprise):
            await true(listener.online, "there")
            ending = time.time_ns() // 1_000_000
        ended = time.time_ns() // 1_000_000
        await true(lambda: not listener.online(), "gone")
        last, goodbye = [packet for packet in wire.sent if packet.kind in (PUBLISH, DISCONNECT)][-2:]
        assert goodbye.kind == DISCONNECT, "after the death was said"
        assert (last.topic, last.qos, last.retained) == (f"spBv1.0/STATE/{enterprise}", 1, True)
        said = document(last)
        assert set(said) == {"online", "timestamp"}
        assert said["online"] is False
        assert ending <= said["timestamp"] <= ended
        assert listener.heard[-1][0] == said

    asyncio.run(go())


def test_each_connection_at_each_broker_has_a_time_of_its_own(wire: Wire, other: Wire, enterprise: str) -> None:
    """tck-id-operational-behavior-host-application-multi-server-timestamp
    tck-id-operational-behavior-primary-application-state-with-multiple-servers-state
    """

    async def go() -> None:
        async with host(wire.url, other.url, name=enterprise) as connector:
            await true(lambda: states(wire) and states(other), "there at both")
            other.cut()
            await true(lambda: connector.problems(), "away from one")
            assert connector.healthy()
            await true(lambda: len(states(other)) >= 2, "there again")
            await true(lambda: not connector.problems(), "at both")
        for one, connections in ((wire, 1), (other, 2)):
            packets = [packet for packet in one.sent if packet.kind in (CONNECT, SUBSCRIBE, PUBLISH)]
            wills = [number for number, packet in enumerate(packets) if packet.kind == CONNECT]
            assert len(wills) == connections
            for begin, end in zip(wills, [*wills[1:], len(packets)], strict=True):
                will, subscribed, *births = packets[begin:end]
                assert subscribed.kind == SUBSCRIBE
                births = births if end < len(packets) else births[:-1]  # the last of all is our death
                online = {"online": True, "timestamp": document(will)["timestamp"]}
                assert births
                assert all(document(birth) == online for birth in births)
        times = [document(packet)["timestamp"] for packet in other.of(CONNECT)]
        assert times == sorted(set(times))

    asyncio.run(go())


def test_a_rebirth_is_asked_at_qos_0_and_nothing_else_is_commanded(
    wire: Wire, mqtt_broker: MqttBroker, enterprise: str
) -> None:
    """tck-id-topics-ncmd-mqtt
    tck-id-payloads-ncmd-qos
    tck-id-payloads-ncmd-retain
    tck-id-topics-dcmd-topic
    tck-id-topics-dcmd-mqtt
    tck-id-topics-dcmd-timestamp
    tck-id-topics-dcmd-payload
    tck-id-payloads-dcmd-timestamp
    tck-id-payloads-dcmd-seq
    tck-id-payloads-dcmd-qos
    tck-id-payloads-dcmd-retain
    tck-id-operational-behavior-data-commands-dcmd-verb
    tck-id-operational-behavior-data-commands-dcmd-metric-name
    tck-id-operational-behavior-data-commands-dcmd-metric-value

    Commands to devices there are none, so none that could be otherwise.
    """
    edge = EdgeNode(mqtt_broker.url, enterprise, "another-host")

    async def go() -> None:
        async with host(wire.url, name=enterprise, reorder_timeout_s=0) as connector:
            edge.birth()
            edge.data("State", T0, 1)
            edge._seq += 1  # one that nobody ever gets
            edge.data("State", T0 + 1000, 2)
            await true(lambda: edge.births == 2, "born again")
            assert connector.problems() == []
        commands = [packet for packet in wire.of(PUBLISH) if "/STATE/" not in packet.topic]
        assert {packet.topic for packet in commands} == {f"spBv1.0/{enterprise}/NCMD/Press-1"}
        assert {(packet.qos, packet.retained) for packet in commands} == {(0, False)}

    try:
        asyncio.run(go())
    finally:
        edge.stop()


def test_a_link_on_which_nothing_passes_is_noticed(wire: Wire, enterprise: str) -> None:
    async def go() -> None:
        connector = SPEC.build("sparkplug", SPEC.config.model_validate(config(enterprise, wire.url)))
        await connector.open({})
        assert connector.healthy()
        wire.freeze()
        with pytest.raises(SourceUnavailable, match="link was lost"):
            async with asyncio.timeout(patient(10)):
                await drain(connector.batches())
        assert not connector.healthy()
        await connector.close()

    asyncio.run(go())


def test_a_broker_that_says_nothing_is_away(enterprise: str, mqtt_broker: MqttBroker) -> None:
    wire = Wire(mqtt_broker.url)
    wire.freeze()
    connector = SPEC.build("sparkplug", SPEC.config.model_validate(config(enterprise, wire.url, connect_timeout_s=0.5)))

    async def go() -> None:
        with pytest.raises(SourceUnavailable, match="does not answer"):
            await connector.open({})
        assert not connector.healthy()
        await connector.close()

    asyncio.run(go())
    wire.close()
    eventually(lambda: not connector.healthy())
