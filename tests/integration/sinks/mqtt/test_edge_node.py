"""The mirror as a Sparkplug edge node on a real broker: our host reads it, and so does a library that nobody here wrote."""

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from connectors.base import Reading
from schemas.records import Current, CurrentTag
from sinks.base import Delivery, LeftBehind, Retryable, Sink
from sinks.mqtt import spec
from tests.harness.mosquitto import mosquitto
from tests.harness.records import EXAMPLES
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from topology.sparkplug.schema import Payload
from uns.local.mqtt import find_mosquitto
from uns.model.components import connector_spec
from uns.testing import delivery, downtime
from uns.testing.patience import patient
from uns.testing.sinks import removal

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")

T = 1_795_000_000_000_000
PATHS = [f"acme/dallas/packaging/line-1/cell-{number}" for number in range(3)]
EXAMPLE = next(record for record in EXAMPLES if isinstance(record, Current))
NODE_READER = """
const mqtt = require('mqtt'), payload = require('sparkplug-payload').get('spBv1.0');
const client = mqtt.connect(process.argv[2]);
client.on('connect', () => client.subscribe('spBv1.0/acme/#', () => console.log('"ready"')));
client.on('message', (topic, message) => console.log(JSON.stringify({topic, payload: payload.decodePayload(message)},
  (key, value) => value !== null && typeof value === 'object' && value.low !== undefined ? Number(value) : value)));
"""


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mosquitto(tmp_path_factory.mktemp("broker"), ["allow_anonymous true"]) as broker:
        yield broker.url()


def snapshot(path: str, number: int, speed: Any) -> Delivery:
    at = T + number * 1_000_000
    tags = (CurrentTag(tag="Speed", at=at, value=speed, quality=0),)
    record = msgspec.structs.replace(EXAMPLE, path=path, at=at, started_at=at, good=number, tags=tags)
    return Delivery("uns.acme.dallas.packaging.current", 0, number, path, MessageClass.CURRENT, record, at)


def edge(url: str, folder: Path) -> Sink:
    config = {"broker": url, "client_id": "edge", "sparkplug": {"group": "acme", "node": "uns"}, "keep_alive_s": 2}
    return spec.build("edge", spec.config.model_validate(config), folder)


class Heard:
    """All Sparkplug messages of a broker, from now on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.messages: list[tuple[str, Any]] = []
        ready = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, Payload.FromString(message.payload))
        )
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.connect(parts.hostname or "", parts.port or 1883)
        self.client.subscribe("spBv1.0/acme/#")
        self.client.loop_start()
        assert ready.wait(patient(10))

    def kinds(self) -> list[str]:
        return [topic.split("/")[2] for topic, _ in self.messages]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def heard(url: str) -> Iterator[Heard]:
    one = Heard(url)
    yield one
    one.close()


async def eventually(done: Any) -> None:
    await asyncio.to_thread(until, done)


def test_births_data_rebirth_death_in_order(url: str, heard: Heard, tmp_path: Path) -> None:
    async def go() -> None:
        sink = edge(url, tmp_path)
        await sink.open()
        assert await sink.write([snapshot(path, 1, 1.5) for path in PATHS], {}) == []
        assert await sink.write([snapshot(PATHS[0], 2, 2.5)], {}) == []
        assert await sink.write([snapshot(PATHS[0], 2, 2.5), snapshot(PATHS[0], 1, 1.5)], {}) == [], "twice is once"
        await eventually(lambda: heard.kinds() == ["NBIRTH", "DBIRTH", "DBIRTH", "DBIRTH", "DDATA"])
        command = Payload()
        command.metrics.add(name="Node Control/Rebirth", datatype=11, boolean_value=True)
        heard.client.publish("spBv1.0/acme/NCMD/uns", command.SerializeToString(), 1)
        await eventually(lambda: heard.kinds()[6:] == ["NBIRTH", "DBIRTH", "DBIRTH", "DBIRTH"])
        assert await sink.write([removal(PATHS[1], 9)], {}) == []
        [left] = await sink.write([delivery(downtime(1), 1)], {})
        assert isinstance(left, LeftBehind)
        await sink.close()
        await eventually(lambda: heard.kinds()[-2:] == ["DDEATH", "NDEATH"])
        heard.messages.clear()
        again = edge(url, tmp_path)  # another process, with nothing new to say
        await again.open()
        await eventually(lambda: heard.kinds() == ["NBIRTH", "DBIRTH", "DBIRTH"])
        await again.close()

    asyncio.run(go())
    births = [payload for topic, payload in heard.messages if "NBIRTH" in topic]
    assert [metric.long_value for metric in births[0].metrics if metric.name == "bdSeq"] == [1]
    deaths = [payload for topic, payload in heard.messages if "NDEATH" in topic]
    assert [metric.long_value for metric in deaths[-1].metrics] == [1]
    known = {metric.name: metric for metric in heard.messages[1][1].metrics}
    assert (known["tags/Speed"].double_value, known["good"].long_value) == (2.5, 2)


def test_a_link_that_ends_is_a_death_by_will_and_a_birth_with_the_next_number(
    url: str, heard: Heard, tmp_path: Path
) -> None:
    async def go() -> None:
        sink: Any = edge(url, tmp_path)
        await sink.open()
        assert await sink.write([snapshot(PATHS[0], 1, 1.5)], {}) == []
        sink._link._client.socket().shutdown(2)
        await eventually(lambda: "NDEATH" in heard.kinds())
        await eventually(lambda: heard.kinds()[-2:] == ["NBIRTH", "DBIRTH"])
        assert await sink.write([snapshot(PATHS[0], 2, 2.5)], {}) == []
        await sink.close()

    asyncio.run(go())
    told = [(topic.split("/")[2], metric.long_value) for topic, payload in heard.messages for metric in payload.metrics if metric.name == "bdSeq"]  # fmt: skip
    assert told == [("NBIRTH", 0), ("NDEATH", 0), ("NBIRTH", 1), ("NDEATH", 1)]


def test_a_broker_that_is_away_is_named(tmp_path: Path) -> None:
    async def go() -> None:
        sink = edge("mqtt://127.0.0.1:1", tmp_path)
        with pytest.raises(Retryable, match=r"127\.0\.0\.1:1"):
            await sink.open()
        with pytest.raises(Retryable):
            await sink.write([snapshot(PATHS[0], 1, 1.5)], {})
        await sink.close()

    asyncio.run(go())


def test_our_host_reads_it_though_it_comes_later(url: str, tmp_path: Path) -> None:
    """It has missed all births, and asks for them."""
    sources = [{"edge": "acme/uns/+", "path": "acme/dallas/packaging/line-1"}]
    host = connector_spec("sparkplug")
    config = {"brokers": [{"url": url}], "host_id": "h", "sources": sources, "rebirth_interval_s": 1}

    async def go() -> dict[str, Any]:
        sink = edge(url, tmp_path)
        await sink.open()
        assert await sink.write([snapshot(PATHS[0], 1, 1.5)], {}) == []
        reader = host.build("h", host.config.model_validate(config))
        await reader.open({})
        known: dict[str, Any] = {}
        said = False
        async with asyncio.timeout(patient(60)):
            async for batch in reader.batches():
                known |= {one.sample.tag: one.sample.value for one in batch.readings if isinstance(one, Reading)}
                if not said:
                    said = True
                    assert await sink.write([snapshot(PATHS[0], 2, 2.5)], {}) == []
                if known.get("tags/Speed") == 2.5 and known.get("good") == 2:
                    break
        await reader.close()
        await sink.close()
        return known

    known = asyncio.run(go())
    assert known["state"] == EXAMPLE.state


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_a_library_that_nobody_here_wrote_reads_it(url: str, tmp_path: Path) -> None:
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "sparkplug-payload@1.0.3", "mqtt@5.15.0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if installed.returncode:
        pytest.skip(f"npm has not what is needed: {installed.stderr[-200:]}")
    (tmp_path / "read.js").write_text(NODE_READER, encoding="utf-8")
    reader = subprocess.Popen(["node", "read.js", url], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    lines: list[Any] = []
    assert reader.stdout is not None
    out = reader.stdout
    thread = threading.Thread(target=lambda: lines.extend(map(json.loads, out)), daemon=True)
    thread.start()
    until(lambda: lines == ["ready"])

    async def go() -> None:
        sink = edge(url, tmp_path / "state")
        await sink.open()
        assert await sink.write([snapshot(PATHS[0], 1, 1.5)], {}) == []
        assert await sink.write([snapshot(PATHS[0], 2, -2.5)], {}) == []
        await sink.close()

    try:
        asyncio.run(go())
        until(lambda: len(lines) == 5)
    finally:
        reader.kill()
        reader.wait()
    told = [(line["topic"].split("/")[2], line["payload"]) for line in lines[1:]]
    assert [kind for kind, _ in told] == ["NBIRTH", "DBIRTH", "DDATA", "NDEATH"]
    assert [payload.get("seq") for _, payload in told[:3]] == [0, 1, 2]
    born = {metric["name"]: (metric["type"], metric["value"]) for metric in told[1][1]["metrics"]}
    assert born["tags/Speed"] == ("Double", 1.5)
    assert born["good"] == ("Int64", 1)
    assert born["state"] == ("String", EXAMPLE.state)
    assert {metric["name"]: metric["value"] for metric in told[2][1]["metrics"]} == {"good": 2, "tags/Speed": -2.5}
