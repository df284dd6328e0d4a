"""The demo plant and its MES as the processes they are: what is simulated reaches clients of every protocol, exactly."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import paho.mqtt.client as paho
import pytest
from asyncua import Client
from paho.mqtt.enums import CallbackAPIVersion

from schemas.catalog import source
from tests.harness.brokers import MqttBroker
from tests.harness.demo_plant_process import BEGIN_S, SEED, SITES, Plant, plant
from tests.harness.waiting import eventually
from uns.demo.mes import received
from uns.demo.plant.events import MINUTE, SECOND, Fact, Said
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import Truth
from uns.runtime.ports import free_port

BEGIN, END = BEGIN_S * SECOND, BEGIN_S * SECOND + 25 * MINUTE
RATE = 300
OVER_MQTT = "acme/dallas/packaging/line-2"
CELLS = ("filler", "capper", "labeler", "packer")
GOOD = 0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat()


def micros(at: datetime) -> int:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


@dataclass
class Recorded:
    """One run as clients saw it: (site, node, value, time) of what was good, and messages by topic."""

    before: set[tuple[int, Any]] = field(default_factory=set)
    """(status, value) of every variable before the first event."""
    subscribed: list[tuple[str, str, Any, int]] = field(default_factory=list)
    history: list[tuple[str, str, Any, int]] = field(default_factory=list)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ended: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    truth: Truth = field(default_factory=Truth)


@contextmanager
def listening(url: str) -> Iterator["queue.Queue[tuple[str, dict[str, Any]]]"]:
    heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    subscribed: queue.Queue[bool] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="test-demo-plant")
    client.on_message = lambda _c, _u, message: heard.put((message.topic, json.loads(message.payload)))
    client.on_connect = lambda c, *_: c.subscribe("acme/#", qos=1)
    client.on_subscribe = lambda *_: subscribed.put(True)
    client.connect(urlsplit(url).hostname or "", urlsplit(url).port or 1883)
    client.loop_start()
    try:
        assert subscribed.get(timeout=10)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


class _Notified:
    def __init__(self, site: str, record: Recorded) -> None:
        self.site, self.record = site, record

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        seen = data.monitored_item.Value
        if seen.StatusCode.value == GOOD:
            self.record.subscribed.append((self.site, node.nodeid.Identifier, value, micros(seen.SourceTimestamp)))
        else:
            self.record.before.add((seen.StatusCode.value, value))


@asynccontextmanager
async def subscribed(site: str, port: int, record: Recorded) -> AsyncIterator[list[Any]]:
    async with Client(f"opc.tcp://127.0.0.1:{port}") as client:
        subscription = await client.create_subscription(100, _Notified(site, record))
        variables = [variable for cell in CELLS for variable in await client.get_node(f"ns=2;s={cell}").get_variables()]
        await subscription.subscribe_data_change(variables, queuesize=1_000)
        yield variables


async def remembered(variable: Any) -> list[tuple[str, Any, int]]:
    """Good values in the server's history: (node, value, time)."""
    history = await variable.read_raw_history(_EPOCH, datetime(2100, 1, 1, tzinfo=UTC))
    name = variable.nodeid.Identifier
    return [(name, one.Value.Value, micros(one.SourceTimestamp)) for one in history if one.StatusCode.value == GOOD]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, mqtt_broker: MqttBroker) -> Recorded:
    folder, record = tmp_path_factory.mktemp("plant"), Recorded()
    clock = folder / "clock"

    async def run(running: Plant) -> None:
        async with (
            subscribed("dallas", running.ports["dallas"], record) as dallas,
            subscribed("leipzig", running.ports["leipzig"], record) as leipzig,
        ):
            part = clock.with_suffix(".part")
            part.write_text(f"{time.time()},{BEGIN_S},{RATE}")
            part.rename(clock)
            record.ended = await asyncio.to_thread(running.line)
            for site, variables in (("dallas", dallas), ("leipzig", leipzig)):
                for variable in variables:
                    record.history += [(site, *one) for one in await remembered(variable)]
            count = len(record.history)
            await asyncio.to_thread(eventually, lambda: len(record.subscribed) >= count, what="every notification")
            running.process.send_signal(signal.SIGTERM)  # with its clients still there
            record.exit_code = await asyncio.to_thread(running.process.wait, 10)

    arguments = ("--clock", f"0,{BEGIN_S},{RATE}", "--clock-file", str(clock), "--until", str(BEGIN_S + 25 * 60))
    with listening(mqtt_broker.url) as heard, plant(folder, mqtt_broker.url, *arguments) as running:
        assert running.line()["ready"] is True
        asyncio.run(run(running))
        record.truth = Truth.read(running.truth)
        last = simulated()[-1].at

        def complete() -> bool:
            record.messages += [heard.get_nowait() for _ in range(heard.qsize())]
            ends = {topic for topic, content in record.messages if content.get("at") == moment(last)}
            return len(ends) == len(CELLS)  # each machine's last word: a broker keeps the order

        eventually(complete, what="every message of the line over MQTT")
    return record


def simulated() -> list[Said]:
    """What the machines say, the last heartbeats before the end included."""
    simulation = Simulation(SEED, BEGIN)
    events = [*simulation.events(END), *simulation.farewell(END - 1)]
    return [event for event in events if isinstance(event, Said)]


def changes(site: str) -> set[tuple[str, str, Any, int]]:
    """What OPC UA shows of it: a value that is the same again is no change."""
    found, last = set(), dict[tuple[str, str], Any]()
    for one in simulated():
        line, _, cell = one.path.rpartition("/")
        if line == f"acme/{site}/packaging/line-1" and last.get((cell, one.tag)) != one.value:
            found.add((site, f"{cell}.{one.tag}", one.value, one.at))
            last[cell, one.tag] = one.value
    return found


def test_before_the_first_event_nothing_false_is_shown(recorded: Recorded) -> None:
    bad_waiting_for_initial_data = 0x80320000
    assert {status for status, _ in recorded.before} == {bad_waiting_for_initial_data}


@pytest.mark.parametrize("site", SITES)
def test_a_subscriber_gets_every_change_once_at_its_own_time(recorded: Recorded, site: str) -> None:
    got = [one for one in recorded.subscribed if one[0] == site]
    assert len(got) > 1_000
    assert len(got) == len(set(got))
    assert set(got) == changes(site)


@pytest.mark.parametrize("site", SITES)
def test_history_has_every_change_for_one_that_was_away(recorded: Recorded, site: str) -> None:
    got = [one for one in recorded.history if one[0] == site]
    assert len(got) == len(set(got))
    assert set(got) == changes(site)


def test_mqtt_has_every_value_and_no_other_line(recorded: Recorded) -> None:
    got = set()
    for topic, content in recorded.messages:
        if topic.endswith("/data"):
            path = topic.removesuffix("/data")
            at = datetime.fromisoformat(content["at"])
            assert at.utcoffset() == timedelta(0)
            got |= {(path, tag, value, micros(at)) for tag, value in content["values"].items()}
    expected = {(one.path, one.tag, one.value, one.at) for one in simulated() if one.path.startswith(OVER_MQTT)}
    assert got == expected


def test_orders_and_shifts_of_every_line_come_over_mqtt_with_the_fields_of_the_records(recorded: Recorded) -> None:
    got: dict[str, int] = {}
    for topic, content in recorded.messages:
        kind = topic.rpartition("/")[2]
        if kind != "data":
            schema = json.loads(source(kind.capitalize()))
            names = [one["name"] for one in schema["fields"]]
            assert list(content) == [name for name in names if name != "attributes"]  # this MES has none
            assert datetime.fromisoformat(content["started_at"]).tzinfo is not None
            got[topic] = got.get(topic, 0) + 1
    expected: dict[str, int] = {}
    for event in Simulation(SEED, BEGIN).events(END):
        if isinstance(event, Fact):
            expected[f"{event.line}/{event.kind}"] = expected.get(f"{event.line}/{event.kind}", 0) + 1
    assert got == expected
    assert {topic.rpartition("/")[2] for topic in got} == {"order", "shift", "lot"}


def test_it_ends_when_told_with_everything_acknowledged_and_the_truth_whole(recorded: Recorded) -> None:
    assert recorded.ended == {"ended": True, "not_acknowledged": 0}
    assert recorded.exit_code == 0
    truth = recorded.truth
    assert (truth.start_us, truth.end_us) == (BEGIN, END)
    assert len(truth.machines) == 12
    assert [path for path, _, _ in truth.breakdowns] == ["acme/dallas/packaging/line-1/capper"]
    assert sum(truth.state_us(truth.machines[0], BEGIN, END).values()) == END - BEGIN


def test_a_plant_stopped_in_mid_run_leaves_a_whole_truth_and_needs_no_broker_for_it(tmp_path: Path) -> None:
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    with plant(tmp_path, nobody, "--clock", f"{time.time()},{BEGIN_S},300") as running:
        assert running.line()["ready"] is True
        eventually(lambda: running.truth.exists() and '"count"' in running.truth.read_text(), what="the first piece")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0
        truth = Truth.read(running.truth)
    assert truth.end_us > truth.start_us
    assert any(sum(truth.counts(path, truth.start_us, truth.end_us)) for path in truth.machines)


@contextmanager
def mes(file: Path, port: int) -> Iterator[tuple["subprocess.Popen[bytes]", httpx2.Client]]:
    process = subprocess.Popen([sys.executable, "-m", "uns.demo.mes", "--port", str(port), "--db", str(file)])
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:

            def up() -> bool:
                try:
                    return client.get("/stats").status_code == 200
                except httpx2.TransportError:
                    return False

            eventually(up, what="the MES answers")
            yield process, client
    finally:
        process.kill()
        process.wait()


def test_the_mes_keeps_what_it_said_it_has_through_a_kill(tmp_path: Path) -> None:
    file, port = tmp_path / "mes.sqlite", free_port()
    body = {"order": "DAL-1001", "operation": "acme/x", "yield": 10, "scrap": 1, "external_id": "e1"}
    with mes(file, port) as (process, client):
        assert client.post("/mes/confirmations", json=body).status_code == 201
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert received(file, "confirmations") == ["e1"]
    with mes(file, port) as (_, client):
        (found,) = client.get("/mes/confirmations", params={"external_id": "e1"}).json()
        assert client.patch(f"/mes/confirmations/{found['id']}", json={"yield": 11}).json()["yield"] == 11
