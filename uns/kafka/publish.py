"""Putting a record on the namespace from outside a connector or a fold: an operator's reason, an order, a pilot's report."""

import uuid

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Delivered

from schemas.codec import Codec
from schemas.records import Derived, Fact, Samples
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import key, partition, topic
from uns.kafka import clients
from uns.kafka.message import Message, cloud_event, identified, message
from uns.runtime.settings import Settings

TIMEOUT_S = 10.0


class NotPublished(RuntimeError):
    """The record is not on the namespace; the message says why, and what of a series is there already."""


class Publisher:
    """One producer for any number of facts. Each call waits for Kafka's confirmation; any thread may call."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._codec = codec
        self._producer = clients.producer(settings, {"message.timeout.ms": int(TIMEOUT_S * 1000)})

    def fact(self, path: Path, fact: Fact | Samples, source: str) -> int:
        """Writes one fact, or pieces that a person counted, to the path's raw partition. `source`: who says it, for its CloudEvents headers.

        Returns its offset. Raises `NotPublished`.
        """
        what = f"{type(fact).__name__} for {path}"
        headers = identified(uuid.uuid4().hex, cloud_event(source, type(fact)))
        try:
            value = self._codec.encode(fact)
        except ValueError as error:
            raise NotPublished(f"{what}: {error}") from error
        return self._send(Message(topic(path, MessageClass.RAW), key(path), value, headers), path, what)

    def derived(self, record: Derived) -> int:
        """Writes one derived record that no fold says, as folds write theirs. Returns its offset. Raises `NotPublished`."""
        what = f"{type(record).__name__} for {record.path}"
        try:
            written = message(record, self._codec)
        except ValueError as error:
            raise NotPublished(f"{what}: {error}") from error
        return self._send(written, Path.parse(record.path), what)

    def _send(self, written: Message, path: Path, what: str) -> int:
        reports: list[tuple[KafkaError | None, int]] = []

        def delivered(error: KafkaError | None, report: Delivered) -> None:
            reports.append((error, report.offset()))

        try:
            # Of the whole cluster: asking for a topic by its name may create it.
            known = self._producer.list_topics(timeout=TIMEOUT_S).topics.get(written.topic)
            if known is None:
                raise NotPublished(f"{what}: no topic {written.topic}; `uns apply` creates the plant's topics")
            self._producer.produce(
                written.topic,
                written.value,
                written.key,
                partition(path, len(known.partitions)),
                on_delivery=delivered,
                headers=list(written.headers),
            )
            self._producer.flush(TIMEOUT_S + 1)
        except KafkaException as error:
            raise NotPublished(f"{what}: {error.args[0].str()}") from error
        if not reports:
            raise NotPublished(f"{what}: Kafka did not answer in {TIMEOUT_S:g} s")
        refusal, offset = reports[0]
        if refusal is not None:
            raise NotPublished(f"{what}: {refusal.str()}")
        return offset


def publish(settings: Settings, codec: Codec, path: Path, fact: Fact, source: str) -> int:
    """Writes one fact and waits until Kafka has it. Returns its offset. Raises `NotPublished`."""
    return Publisher(settings, codec).fact(path, fact, source)


def publish_derived(settings: Settings, codec: Codec, record: Derived) -> int:
    """Writes one derived record and waits until Kafka has it. Returns its offset. Raises `NotPublished`."""
    return Publisher(settings, codec).derived(record)
