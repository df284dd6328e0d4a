"""The session's real services and the harness itself."""

import time

import psycopg
import pytest
from confluent_kafka import KafkaException, Producer

from tests.harness import MqttBroker, consume_all, eventually, topic
from uns.local import mqtt


def test_consume_all_reads_what_was_committed(kafka: str) -> None:
    name = topic(kafka, "harness", partitions=2)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": name})
    producer.init_transactions(20)
    for number, outcome in ((0, "commit"), (1, "abort"), (2, "commit"), (3, "abort")):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(name, f"{number}".encode(), partition=partition)
        producer.flush(20)
        getattr(producer, f"{outcome}_transaction")(20)
    assert sorted(m.value() for m in consume_all(kafka, [name])) == [b"0", b"0", b"2", b"2"]
    assert len(consume_all(kafka, [name], isolation="read_uncommitted")) == 8
    assert consume_all(kafka, [topic(kafka, "harness-empty")]) == []


def test_unknown_topics_are_not_created(kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka, "message.timeout.ms": 2000})
    failed: list[object] = []
    producer.produce("harness-nobody-made-this", b"x", on_delivery=lambda error, message: failed.append(error))
    producer.flush(10)
    assert failed[0] is not None


def test_idempotent_write_without_key_to_a_compacted_topic_is_refused(kafka: str) -> None:
    """A property of real brokers, which mocks and look-alikes lack."""
    name = topic(kafka, "harness-compacted", config={"cleanup.policy": "compact"})
    producer = Producer({"bootstrap.servers": kafka})
    failed: list[object] = []
    producer.produce(name, b"x", on_delivery=lambda error, message: failed.append(error))
    producer.flush(10)
    assert failed[0] is not None


def test_postgres_answers(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        (version,) = connection.execute("SELECT current_setting('server_version_num')::int").fetchone() or (0,)
    assert version >= 140000


def test_mqtt_answers(mqtt_broker: MqttBroker) -> None:
    assert mqtt.probe(mqtt_broker.url)


def test_eventually_says_what_it_last_saw() -> None:
    with pytest.raises(AssertionError, match=r"rows.*last seen: 0"):
        eventually(lambda: 0, timeout_s=0.1, what="rows")
    started = time.monotonic()
    assert eventually(lambda: time.monotonic() - started > 0.05) is True
    with pytest.raises(KafkaException):
        eventually(_broken, timeout_s=5)


def _broken() -> bool:
    raise KafkaException("an error of another kind ends the wait")


def test_enterprise_names_are_paths_and_differ(enterprise: str) -> None:
    from topology.namespace.path import Path

    assert Path.parse(enterprise).segments == (enterprise,)
