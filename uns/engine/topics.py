"""Whether the topics that the engine needs are there, before it starts."""

from collections.abc import Sequence

from confluent_kafka import KafkaException

from topology.namespace.topics import PREFIX
from uns.engine.step import AreaTopics
from uns.kafka import clients
from uns.runtime.settings import Settings


def check_topics(settings: Settings, topics: Sequence[str], prefix: str = PREFIX) -> list[str]:
    """What is wrong with the topics the engine needs, one line each: missing, or not co-partitioned."""
    try:
        known = clients.admin(settings).list_topics(timeout=10).topics
    except KafkaException as error:
        return [f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}"]
    problems = []
    for raw in topics:
        area = AreaTopics(raw, prefix)
        if raw not in known:
            problems.append(f"topic {raw} is missing: run `uns apply`")
            continue
        partitions = len(known[raw].partitions)
        for other in (area.changelog, area.quarantine):
            if other not in known:
                problems.append(f"topic {other} is missing: run `uns apply`")
            elif (n := len(known[other].partitions)) != partitions:
                problems.append(f"topic {other} has {n} partitions, {raw} has {partitions}: they must be equal")
    return problems
