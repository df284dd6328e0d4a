"""Reads a partition's committed records from one offset to another."""

import time
from collections.abc import Generator
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from uns.kafka import clients
from uns.kafka.message import Headers
from uns.kafka.offsets import watermarks
from uns.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0


def read(
    settings: Settings,
    topic: str,
    partition: int,
    start: int | None = None,
    end: int | None = None,
    timeout_s: float = 30.0,
) -> Generator[LogRecord, None, None]:
    """Committed records of one partition from `start` (default: the first there is) to before `end` (default: the
    last stable offset now), in order. A record that retention removes meanwhile is passed over.

    Raises `TimeoutError` when nothing comes for `timeout_s`, and `KafkaException` for what no retry mends.
    """
    consumer = clients.consumer(
        settings,
        "uns-replay",  # never joined
        {"enable.partition.eof": True, "fetch.wait.max.ms": 50},
    )
    try:
        low, high = watermarks(consumer, TopicPartition(topic, partition), timeout_s)
        position = max(low, start or 0)
        last = high if end is None else min(end, high)
        if position >= last:
            return
        consumer.assign([TopicPartition(topic, partition, position)])
        deadline = time.monotonic() + timeout_s
        while True:
            for message in consumer.consume(5_000, 0.05):  # waits so long at the end of the log, too
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        if message.offset() >= last:
                            return
                    elif not error.retriable():
                        raise KafkaException(error)
                    continue
                if message.offset() >= last:
                    return
                deadline = time.monotonic() + timeout_s
                headers = tuple(message.headers() or ())
                yield LogRecord(
                    topic, partition, message.offset(), message.key(), message.value(), headers, message.timestamp()[1]
                )
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}[{partition}]: nothing read for {timeout_s} s")
    finally:
        consumer.close()
