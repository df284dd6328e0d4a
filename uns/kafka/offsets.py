"""Where a partition begins and ends, asked until the partition has a leader."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

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
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            low, high = consumer.get_watermark_offsets(partition, timeout_s)
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return int(low), int(high)
