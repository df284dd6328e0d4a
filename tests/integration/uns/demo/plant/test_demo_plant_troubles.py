"""The demo plant in trouble: behind its clock, its broker away, its link cut, its port taken. It loses nothing and ends."""

import asyncio
import json
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from asyncua import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.harness.brokers import MqttBroker
from tests.harness.demo_plant_process import BEGIN_S, SEED, SITES, Plant, plant
from tests.harness.waiting import eventually
from uns.demo.plant.events import MINUTE, SECOND, Event, Fact, Said
from uns.demo.plant.events import Truth as Told
from uns.demo.plant.simulation import Simulation
from uns.demo.plant.truth import Truth
from uns.runtime.ports import free_port

BEGIN = BEGIN_S * SECOND
OVER_MQTT = "acme/dallas/packaging/line-2"
SOON_S = 30
"""Shorter than anything that a stopped plant could still be waiting for."""


@pytest.fixture
def nobody() -> str:
    return f"mqtt://127.0.0.1:{free_port()}"


def happened(until: int) -> list[Event]:
    return list(Simulation(SEED, BEGIN).events(until))


def stopped(running: Plant) -> Truth:
    """The truth that a plant leaves when it is told to stop, checked against everything that happened until then."""
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(SOON_S) == 0
    truth = Truth.read(running.truth)
    made = {path: [0, 0] for path in truth.machines}
    for event in happened(truth.end_us):
        if isinstance(event, Told) and event.kind == "count":
            made[event.content["path"]][0] += event.content["good"]
            made[event.content["path"]][1] += event.content["scrap"]
    silent = {path for path, _, _ in truth.silences}  # its pieces count when it speaks again
    counted = {path: list(truth.counts(path, BEGIN, truth.end_us)) for path in truth.machines}
    assert {path: counted[path] for path in counted.keys() - silent} == {p: made[p] for p in made.keys() - silent}
    return truth


def heartbeat(running: Plant) -> int:
    """As an OPC UA client reads it."""

    async def read() -> int:
        async with Client(f"opc.tcp://127.0.0.1:{running.ports['dallas']}", timeout=SOON_S) as client:
            return int(await client.get_node("ns=2;s=filler.Heartbeat").read_value())

    return asyncio.run(read())


def test_a_plant_far_behind_its_clock_answers_and_ends_when_told(tmp_path: Path, nobody: str) -> None:
    # Decades behind: it never gets there.
    arguments = ("--clock", f"0,{BEGIN_S},60", "--mqtt-waiting-max", "1000000000")
    with plant(tmp_path, nobody, *arguments) as running:
        assert running.line()["ready"] is True
        eventually(lambda: '"count"' in running.truth.read_text(), what="the first piece")
        assert heartbeat(running) > 0
        assert stopped(running).end_us > BEGIN


def test_a_broker_away_too_long_stops_the_machines_but_not_the_servers(tmp_path: Path, nobody: str) -> None:
    arguments = ("--clock", f"{time.time()},{BEGIN_S},600", "--mqtt-waiting-max", "50")
    with plant(tmp_path, nobody, *arguments) as running:
        assert running.line()["ready"] is True
        eventually(lambda: "the plant stands still" in running.errors.read_text(), what="a word of what is wrong")
        before = heartbeat(running)
        assert heartbeat(running) == before
        truth = stopped(running)
    waiting = {(event.path, event.at) for event in happened(truth.end_us) if isinstance(event, Said)}
    over_mqtt = sum(path.startswith(OVER_MQTT) for path, _ in waiting)
    facts = sum(isinstance(event, Fact) for event in happened(truth.end_us))
    one_step = sum(path.startswith(OVER_MQTT) and at >= truth.end_us - MINUTE for path, at in waiting)
    assert 50 <= over_mqtt + facts < 50 + one_step
    assert running.errors.read_text().count("\n") == 1


def test_at_its_end_it_waits_for_the_broker_but_not_when_told_to_stop(tmp_path: Path, nobody: str) -> None:
    end = BEGIN_S + 60
    with plant(tmp_path, nobody, "--clock", f"{time.time()},{BEGIN_S},600", "--until", str(end)) as running:
        assert running.line()["ready"] is True
        eventually(lambda: '"end"' in running.truth.read_text(), what="the end in the truth")
        assert stopped(running).end_us == end * SECOND
        ended = running.line()
    assert ended["ended"] is True
    assert ended["not_acknowledged"] > 0


@pytest.mark.parametrize("site", SITES)
def test_a_port_in_use_is_said_in_words(tmp_path: Path, nobody: str, site: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        plant(tmp_path, nobody, f"--opcua-{site}", str(port := taken.getsockname()[1])) as running,
    ):
        assert running.process.wait(SOON_S) == 1
        said = running.errors.read_text()
    assert said == f"--opcua-{site}: cannot serve OPC UA on 127.0.0.1:{port}: Address already in use\n"


class Link:
    """A TCP link to a broker that can be cut and mended."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._whole = True
        self._ends: list[socket.socket] = []
        self.used = 0
        """How many times the plant has connected."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        self._whole = False
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._server.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                self.used += 1
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def hearing(host: str, port: int) -> Iterator["queue.Queue[tuple[str, bytes]]"]:
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    subscribed = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="test-demo-plant-troubles")
    client.on_message = lambda _c, _u, message: heard.put((message.topic, bytes(message.payload)))
    client.on_connect = lambda c, *_: c.subscribe("acme/#", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(host, port)
    client.loop_start()
    try:
        assert subscribed.wait(SOON_S)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.long
def test_what_is_said_while_the_link_is_cut_arrives_when_it_is_mended(tmp_path: Path, mqtt_broker: MqttBroker) -> None:
    parts = urlsplit(mqtt_broker.url)
    broker = (parts.hostname or "", parts.port or 1883)
    arguments = ("--clock", f"{time.time()},{BEGIN_S},300")
    with (
        hearing(*broker) as heard,
        Link(broker) as link,
        plant(tmp_path, f"mqtt://127.0.0.1:{link.port}", *arguments) as running,
    ):
        assert running.line()["ready"] is True
        for time_cut in (1, 2):
            already = heard.qsize()
            eventually(lambda already=already: heard.qsize() > already + 50, what="messages over a whole link")  # type: ignore[misc]
            link.cut()
            cut = told_until(running)
            eventually(lambda cut=cut: told_until(running) > cut + MINUTE, what="the plant goes on")  # type: ignore[misc]
            link.mend()
            eventually(lambda used=time_cut: link.used > used, what="the plant connects again")  # type: ignore[misc]
        until = told_until(running)
        said = {(e.path, e.at) for e in happened(until) if isinstance(e, Said) and e.path.startswith(OVER_MQTT)}
        expected = {(f"{path}/data", at) for path, at in said if at < until}
        got: set[tuple[str, int]] = set()

        def complete() -> bool:
            for topic, payload in [heard.get_nowait() for _ in range(heard.qsize())]:
                if topic.endswith("/data"):
                    at = datetime.fromisoformat(json.loads(payload)["at"])
                    got.add((topic, round(at.timestamp() * SECOND)))
            return expected <= got

        eventually(complete, what="every message, some perhaps twice")
        assert {(topic, at) for topic, at in got if at < until} == expected


def told_until(running: Plant) -> int:
    """Plant time of the last that it has written down; everything before has been said."""
    whole = [line for line in running.truth.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return int(json.loads(whole[-1])["at"])
