"""Every confluent-kafka client is made here: with our security settings, and with limits that hold for all.

What a caller adds or overrides comes last, under librdkafka's own names.
"""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from uns.runtime.settings import Settings

NOTHING: Mapping[str, Any] = {}

READ = {
    "enable.auto.commit": False,  # a position is committed when what follows from it is safe, never by a timer
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "queued.max.messages.kbytes": 32 * 1024,  # the default is 64 MB, and more than one client runs in a process
}
WRITE = {
    "enable.idempotence": True,
    "acks": "all",
    "message.max.bytes": 4_000_000,  # the topic's own limit decides, not the client's 1 MB
    "queue.buffering.max.kbytes": 64 * 1024,
}


def consumer(settings: Settings, group: str, more: Mapping[str, Any] = NOTHING) -> Consumer:
    """Reads committed records and commits nothing by itself. `group` is joined only by who subscribes."""
    return Consumer(settings.kafka(**{"group.id": group, **READ, **more}))


def producer(settings: Settings, more: Mapping[str, Any] = NOTHING) -> Producer:
    """Idempotent, confirmed by all replicas in sync; with `transactional.id` among `more` a transactional one."""
    return Producer(settings.kafka(**{**WRITE, **more}))


def admin(settings: Settings, more: Mapping[str, Any] = NOTHING) -> AdminClient:
    return AdminClient(settings.kafka(**more))


def is_fatal(error: KafkaError) -> bool:
    """Whether this client is of no use any more. What comes by a message or a commit says so by its code alone."""
    return error.fatal() or error.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)
