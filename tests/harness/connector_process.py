"""A connector as a process of its own, beside a machine that publishes: what it read, kept and gave to Kafka."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import paho.mqtt.client as paho
import yaml
from confluent_kafka import Message
from paho.mqtt.enums import CallbackAPIVersion

from schemas.codec import Codec
from schemas.records import Sample, Samples
from tests.harness import MqttBroker, consume_all, eventually
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.model.apply import apply_plant
from uns.model.plant import load_plant
from uns.registry.client import RegistryClient
from uns.runners.connector.ledger import Ledger, read_ledgers
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.testing.patience import patient
from uns.testing.source import T0

DEADLINE_S = 60.0
NAME = "plc"


@dataclass
class World:
    """One plant folder with one connector, its topics on a Kafka, and what came out of them."""

    settings: Settings
    folder: Path
    cell: Place
    codec: Codec

    @classmethod
    def make(cls, folder: Path, kafka: str, registry: str, enterprise: str, connector: dict[str, Any]) -> Self:
        cell = Place.parse(f"{enterprise}/dallas/packaging/line-1/filler")
        model = {
            "namespace": {
                "enterprise": enterprise,
                "sites": {
                    "dallas": {"areas": {"packaging": {"lines": {"line-1": {"cells": {"filler": "f", "capper": "f"}}}}}}
                },
            },
            "types": {"f": {"tags": {"State": {"role": "state", "map": "packml"}}, "ideal_cycle_s": 6.0}},
            "connectors": {NAME: connector},
        }
        (folder / "plant").mkdir()
        (folder / "plant" / "plant.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
        settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "state", plant=folder / "plant")
        apply_plant(load_plant(settings.plant), settings)
        return cls(settings, folder, cell, RegistryClient(registry, folder / "schemas").codec())

    def process(self) -> "Process":
        return Process(self)

    def ledger(self) -> Ledger:
        return read_ledgers(self.settings.state_dir).get(NAME, Ledger())

    def messages(self, message_class: MessageClass, place: Place | None = None) -> list[Message]:
        assert self.settings.bootstrap
        return consume_all(self.settings.bootstrap, [topic(place or self.cell, message_class)])

    def records(self) -> list[Samples]:
        """The records of the cell, each once. Fails on a gap, a change of order, or a repetition that is not byte for byte."""
        found: dict[int, bytes] = {}
        for message in self.messages(MessageClass.RAW):
            assert message.key() == str(self.cell).encode()
            record = self.codec.decode(message.value())
            if isinstance(record, Samples):
                assert record.sequence <= len(found) + 1, f"a gap before {record.sequence}"
                assert found.setdefault(record.sequence, message.value() or b"") == message.value()
        records = [self.codec.decode(found[number]) for number in range(1, len(found) + 1)]
        return [record for record in records if isinstance(record, Samples)]

    def samples(self, tag: str) -> list[Sample]:
        return [sample for record in self.records() for sample in record.samples if sample.tag == tag]

    def settled(self) -> Ledger:
        """The ledger, once Kafka has everything; it must agree with the topics."""

        def nothing_pending() -> Ledger | None:
            ledger = self.ledger()
            return ledger if ledger.read and not ledger.pending else None

        ledger = eventually(nothing_pending, DEADLINE_S, "nothing pending")
        assert ledger is not None
        assert ledger.lost == 0
        return ledger


class Process:
    """`uns run connector` in a process of its own."""

    def __init__(self, world: World) -> None:
        settings, port = world.settings, free_port()
        self.url, self._world = f"http://127.0.0.1:{port}", world
        self._log = world.folder / f"connector-{port}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("UNS_")} | {
            "UNS_BOOTSTRAP": str(settings.bootstrap),
            "UNS_REGISTRY": str(settings.registry),
            "UNS_STATE_DIR": str(settings.state_dir),
            "UNS_PLANT": str(settings.plant),
            "UNS_METRICS_PORT": str(port),
            "UNS_LEASE_S": str(settings.lease_s),
        }
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "uns", "run", "connector", NAME],
                env=environ,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._child.pid

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def reasons(self) -> list[str]:
        """Why it is not ready; empty when it is. Raises `AssertionError` while it does not answer."""
        assert self._child.poll() is None, self.log()
        try:
            answer = httpx2.get(f"{self.url}/health/ready", timeout=5)
        except httpx2.TransportError as error:
            raise AssertionError(str(error)) from None
        found: list[str] = answer.json().get("reasons", [])
        assert (answer.status_code == 200) == (not found)
        return found

    def ready(self) -> Self:
        def check() -> bool:
            reasons = self.reasons()
            assert not reasons, f"{reasons} {self.log()}"
            return True

        try:
            eventually(check, DEADLINE_S, "ready")
        except BaseException:
            self.kill()
            raise
        return self

    def metrics(self) -> str:
        return httpx2.get(f"{self.url}/metrics", timeout=5).text

    def ended(self) -> int:
        """The exit code of one that ends by itself."""
        return self._child.wait(patient(DEADLINE_S))

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        self._child.send_signal(signal.SIGTERM)
        return self._child.wait(15)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")


@dataclass
class Machine:
    """A machine that speaks MQTT."""

    client: paho.Client
    name: str
    said: int = 0

    def publish(self, payload: bytes, kind: str = "data") -> None:
        self.client.publish(f"{self.name}/{kind}", payload, qos=1).wait_for_publish(10)

    def say(self, times: int) -> None:
        """Values 1, 2, 3, … of `State`, a millisecond apart."""
        for _ in range(times):
            self.said += 1
            self.publish(json.dumps({"at": T0 // 1000 + self.said, "values": {"State": self.said}}).encode())

    def everything(self) -> list[Sample]:
        return [Sample("State", T0 + number * 1000, number) for number in range(1, self.said + 1)]


@contextmanager
def machine(broker: MqttBroker, name: str) -> Iterator[Machine]:
    host, _, port = broker.url.removeprefix("mqtt://").partition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"machine-{name}")
    client.max_inflight_messages_set(1000)
    client.connect(host, int(port))
    client.loop_start()
    try:
        yield Machine(client, name)
    finally:
        client.disconnect()
        client.loop_stop()


def mqtt(broker: MqttBroker, name: str, **more: Any) -> dict[str, Any]:
    path = f"{name}/dallas/packaging/line-1/filler"
    return {
        "protocol": "mqtt",
        "config": {
            "broker": broker.url,
            "client_id": f"uns-{name}",
            "version": broker.version,
            "subscriptions": [
                {"topic": f"{name}/data", "path": path},
                {"topic": f"{name}/order", "path": path, "payload": "order"},
                {"topic": f"{name}/+/away", "path": f"{name}/dallas/packaging/line-1/{{1}}"},
            ],
        },
        **more,
    }
