"""Putting a fact on the namespace from outside a connector: an operator's reason, an acknowledgement, an order."""

import uuid

from confluent_kafka import KafkaException, Producer

from schemas.codec import Codec
from schemas.records import Fact
from topology.classes import MessageClass
from topology.path import Path
from topology.topics import key, partition, topic
from uns.settings import Settings

TIMEOUT_S = 10.0


class NotPublished(RuntimeError):
    """The fact is not on the namespace; the message says why."""


def publish(settings: Settings, codec: Codec, path: Path, fact: Fact, source: str) -> int:
    """Writes one fact to the path's raw partition and waits until Kafka has it. Returns its offset. Raises `NotPublished`."""
    producer = Producer(
        settings.kafka(**{"enable.idempotence": True, "acks": "all", "message.timeout.ms": int(TIMEOUT_S * 1000)})
    )
    name = topic(path, MessageClass.RAW)
    known = producer.list_topics(name, timeout=TIMEOUT_S).topics[name]
    if known.error is not None:
        raise NotPublished(f"{name}: {known.error.str()}; `uns apply` creates the plant's topics")
    offsets: list[int] = []
    problems: list[str] = []

    def delivered(error: object, message: object) -> None:
        if error is not None:
            problems.append(str(error))
        else:
            offsets.append(message.offset())  # type: ignore[attr-defined]

    record = type(fact).__name__
    try:
        producer.produce(
            name,
            codec.encode(fact),
            key(path),
            partition(path, len(known.partitions)),
            on_delivery=delivered,
            headers=[
                ("ce_specversion", b"1.0"),
                ("ce_id", uuid.uuid4().hex.encode()),
                ("ce_source", source.encode()),
                ("ce_type", f"uns.{record}".encode()),
                ("content-type", b"application/avro"),
            ],
        )
        left = producer.flush(TIMEOUT_S + 1)
    except (KafkaException, ValueError) as error:
        raise NotPublished(f"{record} for {path}: {error}") from error
    if problems or left or not offsets:
        raise NotPublished(f"{record} for {path}: {problems[0] if problems else 'Kafka did not answer'}")
    return offsets[0]
