"""Transactions that a real coordinator does not know of: the next worker ends them, and all comes out exact."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from faust.types import TP
from kafka.admin import KafkaAdminClient
from kafka.protocol.producer.produce import ProduceRequest
from kafka.record.memory_records import MemoryRecordsBuilder

from tests.harness.engine_process import Plant, Process
from tests.harness.waiting import until
from topology.namespace.classes import MessageClass
from uns.engine.failure import Exit
from uns.engine.step import AreaTopics, Fence

pytestmark = pytest.mark.long


@contextmanager
def unverified(plant: Plant) -> Iterator[None]:
    """Kafka takes transactional records without asking their coordinator, as it did before KIP-890."""

    def verify(value: str) -> None:
        entry = ConfigEntry(
            "transaction.partition.verification.enable", value, incremental_operation=AlterConfigOpType.SET
        )
        brokers = plant.admin.list_topics(timeout=10).brokers
        resources = [ConfigResource(ConfigResource.Type.BROKER, str(n), incremental_configs=[entry]) for n in brokers]
        for future in plant.admin.incremental_alter_configs(resources).values():
            future.result()

    verify("false")
    try:
        yield
    finally:
        verify("true")


def hang(plant: Plant, topic: str, key: bytes, value: bytes, at_ms: int) -> None:
    """One record of slot 0's producer in a transaction of which only the partition knows."""
    name = f"{plant.group}-0"
    with KafkaAdminClient(bootstrap_servers=[plant.bootstrap]) as admin:
        producer = admin.describe_transactions([name])[name]
        batch = MemoryRecordsBuilder(2, 0, 10_000)
        batch.set_producer_state(producer.producer_id, producer.producer_epoch, 0, True)
        batch.append(at_ms, key, value, [])
        batch.close()
        data = ProduceRequest.TopicProduceData
        records = data.PartitionProduceData(index=0, records=batch.buffer())
        request = ProduceRequest(
            transactional_id=name,
            acks=-1,
            timeout_ms=5000,
            topic_data=[data(name=topic, partition_data=[records])],
            max_version=8,  # later ones tell the coordinator
        )

        async def send() -> int:
            (leader,) = await admin._async_get_leader_for_partitions([TP(topic, 0)])
            answer = await admin._manager.send(request, node_id=leader)
            return int(answer.responses[0].partition_responses[0].error_code)

        assert admin._manager.run(send) == 0


def test_the_next_worker_ends_what_hangs_and_nothing_else(kafka: str, tmp_path: Path) -> None:
    plant, before_ms = Plant(kafka), int(time.time() * 1000)
    topics, alerts = AreaTopics(plant.raw), plant.topic(MessageClass.ALERT)
    plant.admin.create_topics([NewTopic(alerts, 1, 1)])[alerts].result()
    plant.load(200)
    with Process(plant, tmp_path) as worker:
        plant.processed()
        worker.send(signal.SIGTERM)
        assert worker.ended() == Exit.STOPPED
    live, next_one = (
        Producer(
            plant.settings.kafka(**{"transactional.id": f"{plant.group}-{slot}", "transaction.timeout.ms": 60_000})
        )
        for slot in (1, 0)
    )
    live.init_transactions(10)
    live.begin_transaction()
    live.produce(alerts, b"live", partition=0)
    live.flush(10)
    next_one.init_transactions(10)  # slot 0 began to write, and died
    with unverified(plant):
        now_ms = int(time.time() * 1000)
        fence = msgspec.msgpack.encode(Fence(10, 0, worker=f"{plant.group}-0"))
        hang(plant, topics.changelog, topics.fence_key, fence, now_ms)
        hang(plant, plant.topic(MessageClass.STATE), b"key", b"of no transaction that the fence has", now_ms)
        hang(plant, alerts, b"key", b"of one that it has", before_ms)
    plant.load(100, seed=2)
    with Process(plant, tmp_path, transaction_timeout_s=2.0) as worker:
        until(lambda: worker.text().count("had forgotten") == 3, 60, worker.text)
        assert "partitions restored" not in worker.text()
        live.commit_transaction(10)
        worker.restored()
        plant.processed()
        with unverified(plant):
            hang(plant, alerts, b"key", b"of the worker that lives", int(time.time() * 1000))
        until(lambda: worker.text().count("had forgotten") == 4, 60, worker.text)
        said = httpx2.get(worker.log()[0]["metrics"]).text
    assert 'uns_engine_hanging_transactions_total{outcome="aborted"} 2.0' in said
    assert 'uns_engine_hanging_transactions_total{outcome="committed"} 2.0' in said
    assert {r.value for r in plant.written(MessageClass.ALERT, 0)} == {
        b"live",
        b"of one that it has",
        b"of the worker that lives",
    }
    assert plant.same_as_oracle() > 100
