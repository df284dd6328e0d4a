"""Putting a record on the namespace from outside a connector or a fold: an operator's reason, an order, a pilot's report."""

import uuid
from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer

from schemas.codec import Codec
from schemas.records import Derived, Fact
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import key, partition, topic
from uns.kafka.message import message
from uns.runtime.settings import Settings

TIMEOUT_S = 10.0


class NotPublished(RuntimeError):
    """The record is not on the namespace; the message says why."""


def publish(settings: Settings, codec: Codec, path: Path, fact: Fact, source: str) -> int:
    """Writes one fact to the path's raw partition and waits until Kafka has it. Returns its offset. Raises `NotPublished`."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", uuid.uuid4().hex.encode()),
        ("ce_source", source.encode()),
        ("ce_type", f"uns.{type(fact).__name__}".encode()),
        ("content-type", b"application/avro"),
    ]
    what = f"{type(fact).__name__} for {path}"
    try:
        value = codec.encode(fact)
    except ValueError as error:
        raise NotPublished(f"{what}: {error}") from error
    return _send(settings, topic(path, MessageClass.RAW), path, value, headers, what)


def publish_derived(settings: Settings, codec: Codec, record: Derived) -> int:
    """Writes one derived record that no fold says, as folds write theirs. Returns its offset. Raises `NotPublished`."""
    what = f"{type(record).__name__} for {record.path}"
    try:
        found = message(record, codec)
    except ValueError as error:
        raise NotPublished(f"{what}: {error}") from error
    return _send(settings, found.topic, Path.parse(record.path), found.value, list(found.headers), what)


def _send(
    settings: Settings,
    name: str,
    path: Path,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    what: str,
) -> int:
    producer = Producer(
        settings.kafka(**{"enable.idempotence": True, "acks": "all", "message.timeout.ms": int(TIMEOUT_S * 1000)})
    )
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

    try:
        producer.produce(
            name,
            value,
            key(path),
            partition(path, len(known.partitions)),
            on_delivery=delivered,
            headers=list(headers),
        )
        left = producer.flush(TIMEOUT_S + 1)
    except KafkaException as error:
        raise NotPublished(f"{what}: {error}") from error
    if problems or left or not offsets:
        raise NotPublished(f"{what}: {problems[0] if problems else 'Kafka did not answer'}")
    return offsets[0]
