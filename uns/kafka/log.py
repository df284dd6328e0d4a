"""Reads committed records: of one partition from one offset to another, or of many up to where they end now."""

import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from uns.kafka import clients
from uns.kafka.message import Headers
from uns.kafka.offsets import at_times, listed, watermarks
from uns.runtime.settings import Settings

READ_ALL_S = 0.2
LATER = 1 << 62
"""Beyond every offset."""
NOWHERE: Mapping[tuple[str, int], int] = {}


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
                yield _record(message)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}[{partition}]: nothing read for {timeout_s} s")
    finally:
        consumer.close()


def read_all(
    settings: Settings,
    places: Iterable[tuple[str, int]],
    begins: Mapping[tuple[str, int], int] = NOWHERE,
    timeout_s: float = 30.0,
) -> Generator[LogRecord, None, None]:
    """Committed records of many (topic, partition) from `begins` (default: the first there is) to their last stable offsets
    as of now, each partition in order. Raises as `read` does."""
    ends = listed(clients.admin(settings), places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, timeout_s)
    consumer = clients.consumer(
        settings,
        "uns-read",  # never joined
        {"enable.partition.eof": True, "fetch.wait.max.ms": 50},
    )
    try:
        left = {place for place, end in ends.items() if begins.get(place, 0) < end}
        consumer.assign([TopicPartition(*place, begins.get(place, 0)) for place in left])
        deadline = time.monotonic() + timeout_s
        while left:
            for message in consumer.consume(5_000, READ_ALL_S):
                place = message.topic(), message.partition()
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF and message.offset() >= ends[place]:
                        left.discard(place)
                    elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():
                        raise KafkaException(error)
                    continue
                deadline = time.monotonic() + timeout_s
                if message.offset() + 1 >= ends[place]:
                    left.discard(place)
                if message.offset() < ends[place]:
                    yield _record(message)
            if time.monotonic() > deadline:
                name, number = min(left)
                raise TimeoutError(f"{name}[{number}]: nothing read for {timeout_s:g} s")
    finally:
        consumer.close()


def begins_at(
    settings: Settings, places: Iterable[tuple[str, int]], at_ms: int, timeout_s: float = 30.0
) -> dict[tuple[str, int], int]:
    """The first offset of each (topic, partition) with a Kafka time of at least `at_ms`; `LATER` where there is no such record.
    Raises `KafkaException`."""
    consumer = clients.consumer(settings, "uns-read")
    try:
        asked = [TopicPartition(*place, at_ms) for place in places]
        found = at_times(consumer, asked, timeout_s)
        return {(part.topic, part.partition): part.offset if part.offset >= 0 else LATER for part in found}
    finally:
        consumer.close()


def _record(message: Message) -> LogRecord:
    headers = tuple(message.headers() or ())
    return LogRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        headers,
        message.timestamp()[1],
    )
