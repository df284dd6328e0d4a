"""A Sparkplug edge node with one device, as the specification has it: it waits for its primary host, and births on request."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import paho.mqtt.client as paho
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from connectors.base import Said
from connectors.sparkplug.config import SparkplugConfig
from connectors.sparkplug.host import Host
from tests.contract.sources import ALSO, PATH
from tests.harness import MqttBroker
from topology.sparkplug.schema import Payload
from uns.testing import Codec, connector_contract
from uns.testing.patience import patient
from uns.testing.source import T0

TYPES: dict[type, tuple[int, str]] = {
    int: (4, "long_value"),
    float: (10, "double_value"),
    str: (12, "string_value"),
    bool: (11, "boolean_value"),
}
"""Python type → Sparkplug's, and the field of its value."""


class EdgeNode:
    """`say` gives a value of the device; before the host is there it waits, as a store-and-forward edge node does."""

    def __init__(self, url: str, group: str, host_id: str) -> None:
        self.group, self.node, self.device, self.host_id = group, "Press-1", "filler", host_id
        self.births = 0
        self._types: dict[str, type] = {"State": int, **{tag: type(value) for tag, value in ALSO}}
        self._aliases = {tag: number for number, tag in enumerate(self._types, 10)}
        self._values: dict[str, tuple[int, Any]] = {}
        self._lock, self._seq, self._clock = threading.Lock(), 0, T0
        host, _, port = url.removeprefix("mqtt://").partition(":")
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"edge-{group}")
        death = Payload()
        death.metrics.add(name="bdSeq", datatype=4, long_value=0)
        self.client.will_set(self.topic("NDEATH"), death.SerializeToString(), qos=1)
        self.client.on_connect, self.client.on_message = self._on_connect, self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.connect(host, int(port))
        self.client.loop_start()
        assert subscribed.wait(patient(10)), "amqtt 0.12 drops who connects while another subscribes"

    def topic(self, kind: str) -> str:
        end = f"/{self.device}" if kind.startswith("D") else ""
        return f"spBv1.0/{self.group}/{kind}/{self.node}{end}"

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe([(f"spBv1.0/STATE/{self.host_id}", 1), (self.topic("NCMD"), 1)])

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if "/STATE/" in message.topic:
            if json.loads(message.payload)["online"]:
                self.birth()
            else:
                self.births = 0
        elif any(
            m.name == "Node Control/Rebirth" and m.boolean_value for m in Payload.FromString(message.payload).metrics
        ):
            self.birth()

    def birth(self) -> None:
        with self._lock:
            self._seq = 0
            node = self._payload()
            node.metrics.add(name="bdSeq", datatype=4, long_value=0)
            node.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=False)
            self._send("NBIRTH", node)
            device = self._payload()
            for tag, kind in self._types.items():
                metric = device.metrics.add(name=tag, alias=self._aliases[tag], datatype=TYPES[kind][0], timestamp=1_800_000_000_000)  # fmt: skip
                if tag in self._values:
                    at, value = self._values[tag]
                    metric.timestamp = at // 1000
                    setattr(metric, TYPES[kind][1], value % 2**64 if kind is int else value)
                else:
                    metric.is_null = True
            self._send("DBIRTH", device)
            self.births += 1

    def _payload(self, at: int = 0) -> Any:
        """Sent at a time of its own, which is never before that of a value in it."""
        self._clock = max(self._clock + 1000, at)
        return Payload(timestamp=self._clock // 1000)

    def _send(self, kind: str, payload: Any) -> None:
        payload.seq = self._seq
        self._seq = (self._seq + 1) % 256
        self.client.publish(self.topic(kind), payload.SerializeToString(), qos=0)

    def data(self, tag: str, at: int, value: Any) -> None:
        with self._lock:
            payload = self._payload(at)
            metric = payload.metrics.add(alias=self._aliases[tag], timestamp=at // 1000)
            setattr(metric, TYPES[self._types[tag]][1], value)
            self._values[tag] = at, value
            self._send("DDATA", payload)

    def say_named(self, tag: str, at: int, value: Any) -> None:
        """As edge nodes without aliases say it: by name and datatype."""
        with self._lock:
            payload = self._payload(at)
            kind, field = TYPES[self._types[tag]]
            metric = payload.metrics.add(name=tag, datatype=kind, timestamp=at // 1000)
            setattr(metric, field, value)
            self._values[tag] = at, value
            self._send("DDATA", payload)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class SparkplugSource:
    path = PATH
    also = ALSO
    asks_again = False  # QoS 0: what was missed is gone

    def __init__(self, broker: MqttBroker, name: str) -> None:
        self.edge = EdgeNode(broker.url, name, f"uns-{name}")
        self.config: dict[str, Any] = {
            "brokers": [{"url": broker.url}],
            "host_id": f"uns-{name}",
            "keep_alive_s": 2,
            "sources": [{"edge": f"{name}/Press-1/filler", "path": str(PATH)}],
        }

    async def say(self, tag: str, at: int, value: object) -> None:
        async with asyncio.timeout(patient(10)):
            while not self.edge.births:  # noqa: ASYNC110 - the edge node waits for its host
                await asyncio.sleep(0.01)
        self.edge.data(tag, at, value)

    async def babble(self) -> None:
        """No protobuf; a text that is no UTF-8; a datatype that is none."""
        for payload in (b"\xff{", bytes.fromhex("12040a02ffff1805")):
            self.edge.client.publish(self.edge.topic("DDATA"), payload)

    async def vanish(self) -> None:
        """A second client with our id: the broker must drop the first (MQTT 3.1.1, 3.1.4-2)."""
        host, _, port = self.config["brokers"][0]["url"].removeprefix("mqtt://").partition(":")
        rival = paho.Client(CallbackAPIVersion.VERSION2, client_id=self.config["host_id"], clean_session=False)
        rival.connect(host, int(port))
        rival.loop_start()
        rival.disconnect()
        rival.loop_stop()


@asynccontextmanager
async def sparkplug(broker: MqttBroker, name: str) -> AsyncIterator[SparkplugSource]:
    source = SparkplugSource(broker, name)
    try:
        yield source
    finally:
        source.edge.stop()


NAMES = st.sampled_from(["State", "a/b", "bdSeq", "Node Control/Rebirth", "Ä", "", "\0", "x" * 200])
INTEGERS = st.sampled_from([0, 1, 12, 2**31, 2**32 - 12, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
TIMES = st.sampled_from([T0 // 1000, T0 // 1000 + 1, 0, 1, 2**63, 2**64 - 1])
REALS = st.floats()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def _valued(holder: Any, value: tuple[str, Any]) -> None:
    kind, said = value
    setattr(holder, kind, said % 2**32 if kind == "int_value" else said)


VALUES = st.one_of(
    st.tuples(st.just("int_value"), INTEGERS),
    st.tuples(st.just("long_value"), INTEGERS),
    st.tuples(st.just("float_value"), st.floats(width=32)),
    st.tuples(st.just("double_value"), REALS),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), TEXTS),
)
BYTES = st.tuples(st.just("bytes_value"), st.binary(max_size=20))


@st.composite
def metrics(draw: st.DrawFn, depth: int = 2) -> Any:
    payload = Payload()
    metric = payload.metrics.add()
    if draw(st.booleans()):
        metric.name = draw(NAMES)
    if draw(st.booleans()):
        metric.alias = draw(st.integers(0, 3))
    if draw(st.booleans()):
        metric.timestamp = draw(TIMES)
    if draw(st.booleans()):
        metric.datatype = draw(st.integers(0, 36))
    metric.is_null, metric.is_historical = draw(st.booleans()), draw(st.booleans())
    if draw(st.booleans()):
        metric.properties.keys.append("Quality")
        if draw(st.booleans()):
            _valued(metric.properties.values.add(type=3), draw(VALUES))
    what = draw(st.integers(0, 4))
    if what < 2:
        _valued(metric, draw(VALUES | BYTES))
    elif what == 2:
        columns = draw(st.lists(TEXTS, max_size=3))
        metric.dataset_value.columns.extend(columns)
        metric.dataset_value.types.extend(draw(st.integers(0, 15)) for _ in columns)
        for _ in range(draw(st.integers(0, 2))):
            row = metric.dataset_value.rows.add()
            for _ in columns:
                _valued(row.elements.add(), draw(VALUES))
        metric.datatype = 16
    elif what == 3 and depth:
        metric.template_value.is_definition = draw(st.booleans())
        metric.template_value.metrics.extend(draw(st.lists(metrics(depth=depth - 1), max_size=2)))
        _valued(metric.template_value.parameters.add(name="P", type=draw(st.integers(0, 15))), draw(VALUES))
        metric.datatype = 19
    return metric


@st.composite
def sessions(draw: st.DrawFn) -> list[tuple[str, bytes, int]]:
    """Two births and data after them, numbered as they should be; what stands in them is anything."""
    kinds = ["NBIRTH/n", "DBIRTH/n/d", *draw(st.lists(st.sampled_from(["NDATA/n", "DDATA/n/d", "DDEATH/n/d"]), max_size=4))]  # fmt: skip
    messages = []
    for seq, kind in enumerate(kinds):
        payload = Payload(seq=seq, timestamp=T0 // 1000 + seq)
        for alias, metric in enumerate(draw(st.lists(metrics(), min_size=1, max_size=4))):
            metric.alias = alias
            if seq < 2:
                metric.name = metric.name or f"M{alias}"
            else:
                metric.ClearField("name")
            payload.metrics.append(metric)
        messages.append((f"spBv1.0/g/{kind}", bytes(payload.SerializeToString()), 1000))
    return messages


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    payload = Payload(seq=draw(st.integers(0, 3) | INTEGERS))
    if draw(st.booleans()):
        payload.timestamp = draw(TIMES)
    payload.metrics.extend(draw(st.lists(metrics(), max_size=3)))
    data = bytes(payload.SerializeToString())
    cut = draw(st.integers(0, 5))
    return data[:-cut] if cut and draw(st.booleans()) else data


TOPICS = st.sampled_from(
    [f"spBv1.0/g/{kind}/n{end}" for kind in ("NBIRTH", "NDEATH", "NDATA") for end in ("", "/d")]
    + [f"spBv1.0/g/{kind}/n/d" for kind in ("DBIRTH", "DDEATH", "DDATA")]
)
MESSAGES = sessions() | st.lists(
    st.tuples(TOPICS, payloads() | st.binary(max_size=30), st.integers(0, 3_000_000)), min_size=1, max_size=5
)
CONFIG = SparkplugConfig.model_validate(
    {
        "brokers": [{"url": "mqtt://127.0.0.1"}],
        "host_id": "fuzz",
        "sources": [
            {"edge": "g/n", "path": "acme/dallas/{0}", "levels": "spelled"},
            {"edge": "g/n/+", "path": "acme/dallas/packaging/{device}", "tag": "{metric}"},
        ],
    }
)


def _said(messages: list[tuple[str, bytes, int]]) -> list[Said]:
    """What a host makes of a conversation, time and its end included."""
    host, now, said = Host(CONFIG), T0, list[Said]()
    for topic, data, later in messages:
        now += later
        said += host.message(topic, data, now)
        said += host.tick(now)
        host.asks(now)
    return [*said, *host.tick(now + 60_000_000), *host.lost(0, now + 60_000_000)]


CONTRACT = connector_contract(
    "sparkplug",
    lambda request: sparkplug(request.getfixturevalue("mqtt_broker"), request.getfixturevalue("enterprise")),
    Codec(MESSAGES, _said),
    lambda port: {"brokers": [{"url": f"mqtt://127.0.0.1:{port}"}]},
)
