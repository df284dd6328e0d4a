"""A derived record that its topic refuses goes to quarantine, and a state value longer than a record lies in parts: live."""

import random
from pathlib import Path

import httpx2
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.records import State
from tests.harness.engine_process import Plant, Process
from topology.namespace.classes import MessageClass
from uns.engine.parts import PART_BYTES
from uns.engine.step import AreaTopics
from uns.kafka import clients
from uns.kafka.message import quarantined

SMALL, LARGE = "small", random.Random(1).randbytes(30_000).hex()
"""Noise, which no compression makes small: a broker looks at what arrives."""


@pytest.fixture
def plant(kafka: str) -> Plant:
    return Plant(kafka)


def limit(plant: Plant, message_class: MessageClass, max_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, plant.topic(message_class), incremental_configs=[entry])
    for answer in plant.admin.incremental_alter_configs([resource]).values():
        answer.result(20)


def states(plant: Plant) -> list[str]:
    records = [plant.codec.decode(record.value) for record in plant.written(MessageClass.STATE, 0)]
    return [record.state if len(record.state) < 100 else "large" for record in records if isinstance(record, State)]


def reasons(plant: Plant) -> list[str | None]:
    return [quarantined(record.headers).reason for record in plant.written(MessageClass.QUARANTINE, 0)]


def counted(worker: Process, reason: str) -> float:
    said = httpx2.get(worker.log()[0]["metrics"]).text
    start = f'uns_engine_refused_outputs_total{{message_class="state",reason="{reason}"}} '
    return float(next(line for line in said.splitlines() if line.startswith(start)).removeprefix(start))


def test_a_limit_that_is_known_at_start(plant: Plant, tmp_path: Path) -> None:
    limit(plant, MessageClass.STATE, 20_000)
    for value in (SMALL, LARGE, 3):
        plant.put(*plant.samples(value))
    for number in range(200):  # together they are more than the topic takes in a batch
        plant.put(*plant.samples("y" * 1_000 + str(number)))
    plant.flush()
    with Process(plant, tmp_path) as worker:
        plant.processed()
        assert worker.running()
        assert counted(worker, "output_too_large") == 1
        assert counted(worker, "output_refused") == 0
    assert states(plant)[:3] == [SMALL, "3", "large"]
    assert len(states(plant)) == 202
    (refused,) = plant.written(MessageClass.QUARANTINE, 0)
    why = quarantined(refused.headers)
    assert (why.reason, why.stage, why.topic) == ("output_too_large", "KAFKA_PRODUCE", plant.topic(MessageClass.STATE))
    assert why.words is not None
    assert "the topic takes 20000" in why.words
    record = plant.codec.decode(refused.value)
    assert isinstance(record, State)
    assert record.state == LARGE, "as it would have been written"
    assert dict(refused.headers)["ce_id"].decode() == record.id


def test_a_limit_that_shrinks_under_a_worker(plant: Plant, tmp_path: Path) -> None:
    plant.put(*plant.samples(1))
    plant.flush()
    with Process(plant, tmp_path) as worker:
        plant.processed()
        limit(plant, MessageClass.STATE, 20_000)
        for value in (SMALL, LARGE, 3, LARGE + "2", 4):
            plant.put(*plant.samples(value))
        plant.flush()
        plant.processed()
        for number in range(100):
            plant.put(*plant.samples("y" * 1_000 + str(number)))
        plant.flush()
        plant.processed()
        assert worker.running(), worker.text()
        assert counted(worker, "output_too_large") == 2
    assert states(plant)[:4] == ["1", SMALL, "3", "4"]
    assert len(states(plant)) == 104
    assert reasons(plant) == ["output_too_large"] * 2
    with Process(plant, tmp_path) as again:
        plant.put(*plant.samples(LARGE + "3", 5))
        plant.flush()
        plant.processed()
        assert again.running()
    assert states(plant)[-1] == "5"
    assert reasons(plant) == ["output_too_large"] * 3


@pytest.mark.long
def test_state_longer_than_a_record_survives_restarts(plant: Plant, tmp_path: Path) -> None:
    """The fold keeps the value: 2.5 parts, then 1.5, then none, then 1.5 again."""
    for message_class in (MessageClass.RAW, MessageClass.STATE, MessageClass.QUARANTINE):
        limit(plant, message_class, 5_000_000)
    topics, producer = AreaTopics(plant.raw), clients.producer(plant.settings)
    parts: list[int] = []

    def put(size: float) -> None:
        key, value = plant.samples("z" * int(size * PART_BYTES))
        producer.produce(plant.raw, value, key, 0)
        assert producer.flush(30) == 0

    for size in (2.5, 1.5, 0.01, 1.5):
        put(size)
        with Process(plant, tmp_path) as worker:
            plant.processed()
            worker.kill()
        last = {record.key: record.value for record in plant.written(MessageClass.CHANGELOG, 0)}
        live = {key: value for key, value in last.items() if value is not None}
        assert max(map(len, live.values())) <= PART_BYTES
        parts.append(sum(topics.parts().owns(key) and topics.state_name(key) is None for key in live if key))
        restored = dict(topics.parts().join({key: value for key, value in live.items() if key}))
        assert f"{'z' * int(size * PART_BYTES)}".encode() in restored[f"path/{plant.path()}"]
    assert parts == [3, 2, 0, 2]
    with Process(plant, tmp_path) as worker:
        put(1.5)  # no change: it must know what it said before
        plant.processed()
        assert worker.running()
    assert len(states(plant)) == 4
