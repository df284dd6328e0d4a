"""Where a partition begins, ends, or stood at a time: asked until the partition has a leader."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

AnswerT = TypeVar("AnswerT")

_NO_LEADER = (
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
)
"""Of a partition that is just made, or moves: it passes."""


def watermarks(consumer: Consumer, partition: TopicPartition, timeout_s: float) -> tuple[int, int]:
    """(first offset kept, end) of a partition; the end is the last stable one where the consumer reads committed records.

    Raises `KafkaException` for any other error, and for a partition without a leader after `timeout_s`.
    """

    def ask() -> tuple[int, int]:
        low, high = consumer.get_watermark_offsets(partition, timeout_s)
        return int(low), int(high)

    return _until_led(ask, timeout_s)


def at_times(consumer: Consumer, times: Sequence[TopicPartition], timeout_s: float) -> list[TopicPartition]:
    """For each partition the first offset with a Kafka time of at least its `offset`, read as milliseconds.

    `OFFSET_END` stands where there is no such record, and asks for the end. Raises as `watermarks` does, for an error of
    one partition too.
    """

    def ask() -> list[TopicPartition]:
        # librdkafka writes its answer into what it was given: a second try needs the question once more.
        asked = [TopicPartition(part.topic, part.partition, part.offset) for part in times]
        answers: list[TopicPartition] = consumer.offsets_for_times(asked, timeout=timeout_s)
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        return answers

    return _until_led(ask, timeout_s) if times else []


def listed(
    admin: AdminClient,
    places: Iterable[tuple[str, int]],
    spec: OffsetSpec,
    level: IsolationLevel,
    timeout_s: float,
) -> dict[tuple[str, int], int]:
    """The offset of each (topic, partition) by `spec`. Raises as `watermarks` does, for an error of one partition too."""
    asked = {TopicPartition(*place): spec for place in places}

    def ask() -> dict[tuple[str, int], int]:
        answers = admin.list_offsets(asked, isolation_level=level, request_timeout=timeout_s)
        return {(part.topic, part.partition): int(found.result().offset) for part, found in answers.items()}

    return _until_led(ask, timeout_s) if asked else {}


def _until_led(ask: Callable[[], AnswerT], timeout_s: float) -> AnswerT:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
