"""Topics of others on a real Kafka: each record once over kill -9, Avro by a registry, what retention took is said."""

import asyncio
import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import fastavro
import httpx2
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.base import Malformed, Reading
from connectors.kafka.config import KafkaConfig
from connectors.kafka.connector import KafkaConnector
from schemas.records import Sample
from tests.contract.source_kafka import AVRO
from tests.contract.sources import PATH
from tests.harness import eventually
from tests.harness.connector_process import DEADLINE_S, World
from uns.testing.patience import patient
from uns.testing.source import T0

SECOND = 1_000_000


@pytest.fixture
def topic(kafka: str, enterprise: str) -> Iterator[str]:
    admin, name = AdminClient({"bootstrap.servers": kafka}), f"umh.{enterprise}"
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(10)
    yield name
    admin.delete_topics([name])


def test_each_record_is_read_once_over_kill_9(
    kafka: str, registry: str, enterprise: str, topic: str, tmp_path: FilePath
) -> None:
    entry = {
        "topic": topic,
        "key": r"umh\.v1\.(?P<rest>.+)\._historian\.(?P<tag>.+)",
        "path": f"{enterprise}/dallas/packaging/line-1/filler",
        "payload": "object",
        "at": "timestamp_ms",
        "fields": {"": "value"},
        "tag": "{tag}",
    }
    world = World.make(
        tmp_path, kafka, registry, enterprise, {"protocol": "kafka", "config": {"bootstrap": kafka, "records": [entry]}}
    )
    producer, stop, said = Producer({"bootstrap.servers": kafka, "linger.ms": 0}), threading.Event(), 0
    chance = random.Random(enterprise)

    def talk() -> None:
        nonlocal said
        while not stop.is_set():
            said += 1
            key = f"umh.v1.acme.dallas.packaging.line.filler._historian.{chance.choice(('State', 'Other', 'More'))}"
            producer.produce(
                topic, json.dumps({"timestamp_ms": T0 // 1000 + said, "value": said}).encode(), key.encode()
            )
            producer.poll(0.002)
        producer.flush(10)

    process = world.process().ready()
    talker = threading.Thread(target=talk)
    talker.start()
    try:
        for _ in range(3):
            wanted = world.ledger().read + chance.randrange(50, 400)
            eventually(lambda wanted=wanted: world.ledger().read > wanted, DEADLINE_S, process.log())  # type: ignore[misc]
            process.kill()
            process = world.process()
        process.ready()
    finally:
        stop.set()
        talker.join()
    try:
        eventually(lambda: world.ledger().read >= said, DEADLINE_S, process.log())
        assert process.terminate() == 0
    finally:
        process.kill()
    ledger = world.settled()
    assert (ledger.read, ledger.published) == (said, said), "none twice"
    told = sorted(sample.value for record in world.records() for sample in record.samples)  # type: ignore[type-var]
    assert told == list(range(1, said + 1))


def test_avro_by_a_registry_and_what_it_does_not_know(kafka: str, registry: str, topic: str) -> None:
    answer = httpx2.post(f"{registry}/subjects/{topic}-value/versions", json={"schema": json.dumps(AVRO)})
    number = answer.json()["id"]
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})

    def put(value: dict[str, Any], id_: int, after: bytes = b"") -> None:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, fastavro.parse_schema(AVRO), value)
        producer.produce(topic, b"\0" + id_.to_bytes(4, "big") + body.getvalue() + after, partition=0)

    at = T0 // 1000
    put({"at": at, "speed": 12.5, "raw": {"bits": b"\xff\x00", "count": 7}}, number)
    put({"at": at, "speed": None, "raw": {}}, 999_999)
    put({"at": at, "speed": None, "raw": {}}, number, b"behind")
    producer.produce(topic, b"no avro", partition=0)
    put({"at": at + 1, "speed": None, "raw": {}}, number)
    assert producer.flush(10) == 0
    config = {
        "bootstrap": kafka,
        "group": topic,
        "registry": {"url": registry},
        "records": [{"topic": topic, "path": str(PATH), "payload": "object", "at": "at", "format": "avro"}],
    }
    readings, malformed, problems = converse(config, lambda readings, malformed: len(readings) + len(malformed) >= 7)
    assert [(r.sample.tag, r.sample.value) for r in readings if r.sample.at == T0] == [
        ("speed", 12.5),
        ("raw.bits", "ff00"),
        ("raw.count", 7),
    ]
    assert [(m.reason, m.origin) for m in malformed] == [
        ("unknown_schema", f"{topic}/0@1"),
        ("bad_avro", f"{topic}/0@2"),
        ("bad_avro", f"{topic}/0@3"),
    ]
    assert readings[-1].sample == Sample("speed", T0 + 1000, None)
    assert problems == []


def test_what_retention_took_before_it_was_read_is_said(kafka: str, topic: str) -> None:
    producer, admin = Producer({"bootstrap.servers": kafka, "linger.ms": 0}), AdminClient({"bootstrap.servers": kafka})
    for n in range(10):
        producer.produce(topic, json.dumps({"State": n}).encode(), partition=1)
    assert producer.flush(10) == 0
    admin.delete_records([TopicPartition(topic, 1, 6)])[TopicPartition(topic, 1, 6)].result(10)
    config = {
        "bootstrap": kafka,
        "group": topic,
        "records": [{"topic": f"^{topic}$", "path": str(PATH), "payload": "object"}],
    }
    readings, _, problems = converse(config, lambda readings, _: len(readings) >= 4, {f"{topic}/1": 2})
    assert [reading.sample.value for reading in readings] == [6, 7, 8, 9]
    assert {reading.time_of for reading in readings} == {"server"}, "Kafka's own time, for want of another"
    assert all(abs(reading.sample.at / SECOND - time.time()) < patient(600) for reading in readings)
    (problem,) = problems
    assert f"{topic}/1 has no more what comes after the last record" in problem


def test_where_it_was_goes_before_what_the_group_says(kafka: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    for n in range(5):
        producer.produce(topic, json.dumps({"State": n}).encode(), partition=2)
    assert producer.flush(10) == 0
    config = {"bootstrap": kafka, "group": topic, "records": [{"topic": topic, "path": str(PATH), "payload": "object"}]}
    readings, _, _ = converse(config, lambda readings, _: len(readings) >= 2, {f"{topic}/2": 3})
    assert [reading.sample.value for reading in readings] == [3, 4]


def converse(
    config: dict[str, Any],
    enough: Callable[[list[Reading], list[Malformed]], bool],
    cursor: dict[str, int] | None = None,
) -> tuple[list[Reading], list[Malformed], list[str]]:
    """What a connector reads until it is enough, and what it complains of then."""

    async def go() -> tuple[list[Reading], list[Malformed], list[str]]:
        connector = KafkaConnector("test", KafkaConfig.model_validate(config))
        connector.resume_at(cursor or {})
        await connector.open({})
        readings: list[Reading] = []
        malformed: list[Malformed] = []
        try:
            async with asyncio.timeout(patient(30)):
                async for batch in connector.batches():
                    readings += batch.readings
                    malformed += batch.malformed
                    if enough(readings, malformed):
                        break
            return readings, malformed, list(connector.problems())
        finally:
            await connector.close()

    return asyncio.run(go())
