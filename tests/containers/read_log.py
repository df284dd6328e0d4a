"""Runs inside a container: each record of every topic that keeps its records, one line of JSON each, by its bytes."""

import json
import os
from hashlib import sha256

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

SERVERS = {"bootstrap.servers": os.environ["UNS_BOOTSTRAP"]}
admin = AdminClient(SERVERS)
topics = {name: topic for name, topic in admin.list_topics(timeout=20).topics.items() if not name.startswith("__")}
asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics])
kept = {resource.name for resource, answer in asked.items() if answer.result(20)["cleanup.policy"].value == "delete"}
consumer = Consumer(
    SERVERS | {"group.id": "read-log", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
)
for name in sorted(kept):
    for number in topics[name].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=20)
        place = TopicPartition(name, number, low)
        consumer.assign([place])
        while (position := consumer.position([place])[0].offset) < high:
            record = consumer.poll(1.0)
            if record is None:
                if position >= 0:
                    continue  # a marker at the end has an offset and no record: the position passes it by itself
                position = low
            elif record.error():
                raise SystemExit(str(record.error()))
            elif record.offset() < high:
                digest = sha256(b"\0".join((record.key() or b"", record.value() or b""))).hexdigest()
                print(json.dumps([name, number, record.offset(), digest]))
consumer.close()
