"""How far a consumer group is behind: what any Kafka tool would show, from the broker alone."""

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel
from confluent_kafka.admin import OffsetSpec

from uns.kafka import clients
from uns.kafka.offsets import listed
from uns.runtime.settings import Settings

TIMEOUT_S = 10.0


def by_partition(settings: Settings, group: str) -> dict[tuple[str, int], int]:
    """Records between the group's committed offset and the last stable offset, for each partition it has committed.

    Raises `KafkaException` when the broker does not answer.
    """
    admin = clients.admin(settings)
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)
    committed = [part for part in asked[group].result().topic_partitions if part.offset >= 0]
    if not committed:
        return {}
    places = {(part.topic, part.partition): part.offset for part in committed}
    ends = listed(admin, places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, TIMEOUT_S)
    return {place: max(0, ends[place] - offset) for place, offset in places.items()}


def total(settings: Settings, group: str) -> int:
    return sum(by_partition(settings, group).values())
