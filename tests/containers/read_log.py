"""Runs inside a container: each record of every topic that keeps its records, one line of JSON each, by its bytes."""

import json
import os
from hashlib import sha256

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

SERVERS = {"bootstrap.servers": os.environ["UNS_BOOTSTRAP"]}
admin = AdminClient(SERVERS)
topics = {name: topic for name, topic in admin.list_topics(timeout=20).topics.items() if not name.startswith("__")}
asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics])
kept = {resource.name for resource, answer in asked.items() if answer.result(20)["cleanup.policy"].value == "delete"}
consumer = Consumer(
    SERVERS
    | {"group.id": "read-log", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    | {"enable.partition.eof": True, "fetch.wait.max.ms": 10}  # the end may be a marker, which is no record
)
waiting = {(name, number) for name in kept for number in topics[name].partitions}
consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in sorted(waiting)])
while waiting:
    record = consumer.poll(30.0)
    if record is None:
        raise SystemExit(f"these do not answer: {sorted(waiting)}")
    if record.error() is None:
        digest = sha256(b"\0".join((record.key() or b"", record.value() or b""))).hexdigest()
        print(json.dumps([record.topic(), record.partition(), record.offset(), digest]))
    elif record.error().code() == KafkaError._PARTITION_EOF:
        waiting.discard((record.topic(), record.partition()))
    else:
        raise SystemExit(str(record.error()))
consumer.close()
