"""A broker that the mirror writes to, and a reader that stood there before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness import MqttBroker
from tests.harness.mirrored import Listener
from tests.harness.mosquitto import mosquitto
from uns.local.mqtt import find_mosquitto
from uns.testing import sink_contract
from uns.testing.component import SECRET
from uns.testing.sinks import Target

PACKET_MAX = 50_000


@dataclass
class MqttTarget:
    """`content` is what was told, once for each id, and what is retained."""

    url: str
    version: str
    refused: str
    words: str
    listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        self.listener = Listener(self.url)

    @property
    def config(self) -> dict[str, Any]:
        return {"broker": self.url, "client_id": "mirror", "version": self.version, "answer_timeout_s": 10}

    def content(self) -> Any:
        self.listener.settle()
        return self.listener.told(), Listener.retained(self.url)


@contextmanager
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """mosquitto says no in words; amqtt, which knows no MQTT 5, is what a record itself must fit."""
    if find_mosquitto() is not None:
        folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("broker")
        with mosquitto(
            folder, ["allow_anonymous true"], f"max_packet_size {PACKET_MAX}\nmax_queued_messages 0"
        ) as broker:
            yield from _with(MqttTarget(broker.url(), "5", "x" * PACKET_MAX, "Packet too large"))
    else:
        broker_of_session: MqttBroker = request.getfixturevalue("mqtt_broker")
        yield from _with(MqttTarget(broker_of_session.url, "3.1.1", "\udc00", "JSON"))


def _with(there: MqttTarget) -> Iterator[Target]:
    try:
        yield there
    finally:
        there.listener.close()


def away(port: int) -> dict[str, Any]:
    return {
        "broker": f"mqtt://127.0.0.1:{port}",
        "client_id": "mirror",
        "username": "uns",
        "password": SECRET,
    }


CONTRACT = sink_contract("mqtt", target, away)
