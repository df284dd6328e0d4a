"""Topics of a test's own, and reading them from start to end."""

import secrets
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from uns.kafka.offsets import watermarks
from uns.testing.patience import patient


def topic(bootstrap: str, prefix: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
    """Creates a topic with a unique name and returns it."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1, config=dict(config or {}))])[name].result(20)
    return name


def consume_all(
    bootstrap: str, topics: Iterable[str], isolation: str = "read_committed", timeout_s: float = 30.0
) -> list[Message]:
    """Every record of `topics` up to their ends as they are now, in offset order within a partition.

    With `read_committed` the end is the last stable offset: records of open transactions are not waited for.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"consume-all-{secrets.token_hex(4)}",  # never joined or committed
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "isolation.level": isolation,
        }
    )
    try:
        ends: dict[tuple[str, int], int] = {}
        start = []
        for name in topics:
            for number in consumer.list_topics(name, timeout=timeout_s).topics[name].partitions:
                low, high = watermarks(consumer, TopicPartition(name, number), patient(timeout_s))
                if high > low:
                    ends[name, number] = high
                    start.append(TopicPartition(name, number, low))
        consumer.assign(start)
        records: list[Message] = []
        deadline = time.monotonic() + patient(timeout_s)
        while ends:
            for message in consumer.consume(500, timeout=0.05):
                if message.error():
                    raise AssertionError(f"{message.topic()}: {message.error()}")
                records.append(message)
            # The position, unlike the last record, also passes transaction markers and aborted records.
            for at in consumer.position([TopicPartition(*key) for key in ends]):
                if at.offset >= ends[at.topic, at.partition]:
                    del ends[at.topic, at.partition]
            if ends and time.monotonic() > deadline:
                raise AssertionError(f"{len(records)} records in {patient(timeout_s):.0f} s, not at the ends {ends}")
    finally:
        consumer.close()
    # A record written while we read may lie beyond the end that was promised; it is real, and kept.
    return records
