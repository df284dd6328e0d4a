"""The job that MQTT is measured by: one machine's JSON from a broker to Kafka, by the connector as a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from bench.cluster import Failed, cpu_s
from uns.model.apply import Applier
from uns.model.plant import load_plant
from uns.runners.connector.health import read_health
from uns.runners.connector.ledger import Ledger, read_ledgers
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings

MACHINE = "bench/site/area/line/machine"
RAW = "uns.bench.site.area.raw"
T0_MS = 1_795_413_600_000
DEADLINE_S = 300.0
POLL_S = 0.02


class Drained(NamedTuple):
    """Samples a second, from the first that was read to the last that Kafka has."""

    rate: float
    core_rate: float
    """Of CPU."""


@contextmanager
def client(broker: str, name: str) -> Iterator[paho.Client]:
    """Connected to `mqtt://host:port`, with room for all that is published."""
    host, _, port = broker.removeprefix("mqtt://").partition(":")
    connected = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
    connected.max_inflight_messages_set(1000)
    connected.max_queued_messages_set(0)
    connected.connect(host, int(port))
    connected.loop_start()
    try:
        yield connected
    finally:
        connected.disconnect()
        connected.loop_stop()


def payload(at_ms: float, number: int, pack: int) -> str:
    """`pack` samples of one time."""
    return json.dumps({"at": at_ms, "values": {f"T{n}": number + n / 7 for n in range(pack)}})


def fill(broker: str, topic: str, messages: int, pack: int) -> None:
    """Leaves messages at the broker for sessions that are away."""
    with client(broker, "filler") as filler:
        last = None
        for number in range(messages):
            last = filler.publish(topic, payload(T0_MS + number, number, pack), qos=1)
        if last is not None:
            last.wait_for_publish(DEADLINE_S)


class Job:
    """One plant of one machine, its topics, and the connector that reads `topic`."""

    def __init__(self, folder: Path, name: str, broker: str, environ: dict[str, str]) -> None:
        self.topic = f"ours/{name}"
        self.settings = Settings(
            bootstrap=environ["UNS_BOOTSTRAP"], registry=environ["UNS_REGISTRY"], state_dir=folder / "state", plant=folder
        )  # fmt: skip
        model = {
            "namespace": {"enterprise": "bench", "sites": {"site": {"areas": {"area": {"lines": {"line": {"cells": {"machine": "machine"}}}}}}}},
            "types": {"machine": {"tags": {}, "ideal_cycle_s": 1}},
            "connectors": {"plc": {"protocol": "mqtt", "config": {"broker": broker, "client_id": f"ours-{name}", "subscriptions": [{"topic": self.topic, "path": MACHINE}]}}},
        }  # fmt: skip
        folder.mkdir(parents=True)
        (folder / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
        applier = Applier(self.settings, load_plant(folder))
        applier.apply(applier.plan())

    @property
    def ledger(self) -> Ledger:
        return read_ledgers(self.settings.state_dir).get("plc", Ledger())

    @property
    def open(self) -> bool:
        """Whether it is read, and nothing is wrong."""
        health = read_health(self.settings.state_dir).get("plc")
        return health is not None and not health.problems

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The connector's process, open; ended afterwards."""
        environ = os.environ | {
            "UNS_BOOTSTRAP": str(self.settings.bootstrap),
            "UNS_REGISTRY": str(self.settings.registry),
            "UNS_STATE_DIR": str(self.settings.state_dir),
            "UNS_PLANT": str(self.settings.plant),
            "UNS_METRICS_PORT": str(free_port()),
        }
        command = [sys.executable, "-m", "uns", "run", "connector", "plc"]
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.terminate()

    def subscribe(self) -> None:
        """Leaves its session behind at the broker."""
        with self.running() as process:
            wait(lambda: self.open, process, "the connector is not open")

    def drain(self, wanted: int) -> Drained:
        """Until so many samples are published."""
        with self.running() as process:
            wait(lambda: self.ledger.read > 0, process, "nothing is read")
            begun, before, cpu = time.monotonic(), self.ledger.published, cpu_s(process.pid)
            wait(lambda: self.ledger.published >= wanted, process, f"not {wanted} samples are published")
            published, took_s = self.ledger.published - before, time.monotonic() - begun
            return Drained(published / took_s, published / max(cpu_s(process.pid) - cpu, POLL_S))


def wait(
    done: Callable[[], bool], process: "subprocess.Popen[bytes]", words: str, deadline_s: float = DEADLINE_S
) -> None:
    """Raises `Failed` where it does not come, or the process ends."""
    deadline = time.monotonic() + deadline_s
    while not done():
        if process.poll() is not None:
            raise Failed(f"the process ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise Failed(f"{words} after {deadline_s:.0f} s")
        time.sleep(POLL_S)
