"""What the engine must know of its topics: whether they are there, before it starts, and what they take."""

from collections.abc import Collection, Sequence

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from topology.namespace.topics import PREFIX
from uns.engine.step import AreaTopics
from uns.kafka import clients
from uns.runtime.settings import Settings

log = structlog.get_logger()
ANSWER_S = 10.0


def record_limits(admin: AdminClient, topics: Collection[str]) -> dict[str, int]:
    """Topic → bytes of a record that it takes. Empty where we may not ask: then a refusal tells, when it comes."""
    if not topics:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in sorted(topics)]
    limits: dict[str, int] = {}
    try:
        for resource, answer in admin.describe_configs(asked, request_timeout=ANSWER_S).items():
            limits[resource.name] = int(answer.result()["max.message.bytes"].value)
    except (KafkaException, KeyError, ValueError) as error:
        log.info("what topics take is not known, what `uns apply` gives them is taken for it", why=str(error))
    return limits


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
