"""The mirror as a process on real Kafka: killed in the middle of what it says, the broker has what the log says."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.records import Downtime
from tests.harness.mirrored import Listener
from tests.integration.uns.runners.sink.site import DEADLINE_S, Site
from topology.namespace.classes import MessageClass
from uns.local.mqtt import Mqtt
from uns.testing import downtime

RECORDS = 400


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mqtt]:
    with Mqtt(tmp_path / "broker") as running:
        yield running


@pytest.mark.long
def test_a_mirror_killed_in_midst_told_everything_and_retains_the_newest(tmp_path: Path, kafka: str, registry: str, enterprise: str, broker: Mqtt) -> None:  # fmt: skip
    (tmp_path / "site").mkdir()
    config = {"broker": broker.address, "client_id": "mirror", "version": "5" if broker.persistent else "3.1.1"}
    site = Site(tmp_path / "site", kafka, registry, enterprise, "mqtt", config)
    listener, chance = Listener(broker.address), random.Random(5)

    def written() -> int:
        return len(listener.messages)

    def say(numbers: range) -> None:
        for n in numbers:
            for cell in site.cells:
                site.tell(cell, downtime(n, path=str(cell)))
        site.producer.flush()

    try:
        for life in range(4):
            say(range(life * RECORDS // 4, (life + 1) * RECORDS // 4))
            if life < 3:
                site.kill_in_midst(written, chance, 0)
        site.start()
        site.drained()
        listener.settle()
        told: dict[str, dict[str, None]] = {}
        for message in listener.messages:
            record = json.loads(message.payload)
            told.setdefault(record["path"], {})[record["id"]] = None
        logged: dict[str, list[str]] = {}
        for entry in site.messages(MessageClass.DOWNTIME):
            record = site.codec.decode(entry.value())
            assert isinstance(record, Downtime)
            logged.setdefault(record.path, []).append(record.id)
        assert {path: list(ids) for path, ids in told.items()} == logged
        retained = {topic: one["id"] for topic, one in Listener.retained(broker.address).items()}
        assert retained == {f"{path}/_downtime": ids[-1] for path, ids in logged.items()}
        assert site.child is not None
        assert site.child.stop(DEADLINE_S) == 0, site.child.tail()
    finally:
        site.stop()
        listener.close()
