"""Corrections onto the derived topics, in transactions of their own: all of a batch, or nothing of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.codec import Codec
from schemas.records import Derived
from uns.kafka import clients
from uns.kafka.message import message
from uns.kafka.publish import NotPublished
from uns.runtime.settings import Settings

BATCH = 1_000
"""Corrections in one transaction."""
TIMEOUT_S = 30.0

Correction = tuple[int, Derived]
"""A record and the partition it goes to: the raw partition's number."""


def publish(
    settings: Settings, codec: Codec, corrections: Sequence[Correction], enterprise: str, batch: int = BATCH
) -> Iterator[int]:
    """Writes them in order; yields how many are committed after each batch.

    Raises `NotPublished`: the batch that failed is not on the namespace, those before are.

    Closing the iterator, or an interrupt, takes back the batch that is open and keeps those before.
    """
    if not corrections:
        return
    name = f"uns-replay-{enterprise}"
    producer = clients.producer(
        settings,
        {
            "transactional.id": name,
            "transaction.timeout.ms": int(TIMEOUT_S * 1000),
            "message.timeout.ms": int(TIMEOUT_S * 1000),
            "compression.type": "lz4",
        },
    )
    left, done = iter(corrections), 0
    try:
        producer.init_transactions(TIMEOUT_S)
        while part := list(islice(left, batch)):
            _commit(producer, codec, part)
            done += len(part)
            yield done
    except ValueError as error:  # a value that its schema cannot hold
        raise NotPublished(f"{done} of {len(corrections)} corrections published, then: {error}") from error
    except KafkaException as error:
        failure: KafkaError = error.args[0]
        fenced = failure.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)
        why = "another `uns replay --publish` has taken over" if fenced else failure.str()
        raise NotPublished(f"{done} of {len(corrections)} corrections published, then: {why}; run it again") from error


def _commit(producer: Producer, codec: Codec, part: Sequence[Correction]) -> None:
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            refused.append(error)

    producer.begin_transaction()
    try:
        for partition, record in part:
            encoded = message(record, codec)
            producer.produce(
                encoded.topic,
                encoded.value,
                encoded.key,
                partition,
                on_delivery=delivered,
                headers=list(encoded.headers),
            )
        deadline = time.monotonic() + TIMEOUT_S
        while producer.flush(0.5) and time.monotonic() < deadline and not refused:
            pass
        if refused:
            raise KafkaException(refused[0])
        producer.commit_transaction(TIMEOUT_S)
    except BaseException as error:
        if not (isinstance(error, KafkaException) and error.args[0].fatal()):
            with suppress(KafkaException):  # the broker aborts it when its time is over
                producer.abort_transaction(TIMEOUT_S)
        raise
