"""A topic of another team, in a real Kafka."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import strategies as st

from connectors.base import Said
from connectors.kafka.codec import Decoder, Record, parsed
from connectors.kafka.config import Records
from connectors.opcua.codec import moment
from tests.contract.sources import ALSO, PATH
from uns.testing import Codec, connector_contract
from uns.testing.text import TEXTS

AVRO = {
    "type": "record",
    "name": "Telemetry",
    "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "speed", "type": ["null", "double"]},
        {"name": "raw", "type": {"type": "map", "values": ["bytes", "long"]}},
    ],
}
DECODER = Decoder(
    [
        Records.model_validate({"topic": "json", "key": r"(?P<line>.+)\.(?P<tag>.*)", "path": "acme/dallas/packaging/{line}", "payload": "object", "tag": "{tag}", "levels": "spelled"}),
        Records.model_validate({"topic": "avro", "path": str(PATH), "payload": "object", "at": "at", "format": "avro"}),
    ],
    {1: parsed(json.dumps(AVRO), "AVRO"), 2: "schema id 2 is not in the registry"},
)  # fmt: skip
RECORDS = st.builds(
    Record,
    st.sampled_from(["json", "avro", "other"]),
    st.just(0),
    st.just(1),
    st.none() | st.binary(max_size=9) | TEXTS.map(lambda text: f"line-1.{text}".encode("utf-8", "replace")),
    st.none()
    | st.binary(max_size=40)
    | st.binary(max_size=40).map(lambda body: b"\0\0\0\0\1" + body)
    | st.binary(max_size=9).map(lambda body: b"\0\0\0\0\2" + body)
    | st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | st.floats() | TEXTS, max_size=4).map(
        lambda fields: json.dumps(fields).encode()
    ),
    st.none() | st.integers(0, 2**42),
)


def _said(record: Record) -> list[Said]:
    return DECODER.decode(record, 2_000_000_000_000_000)


@dataclass
class KafkaSource:
    producer: Producer
    admin: AdminClient
    topic: str
    config: dict[str, Any]
    path = PATH
    also = ALSO
    asks_again = True

    def put(self, value: bytes) -> None:
        self.producer.produce(self.topic, value)
        assert self.producer.flush(10) == 0

    async def say(self, tag: str, at: int, value: object) -> None:
        self.put(json.dumps({"at": moment(at).isoformat(), "values": {tag: value}}).encode())

    async def babble(self) -> None:
        for value in (b"\xff{", b'{"\\ud800": 1}', b'{"at": 1, "values": {"Name": 1}}'):
            self.put(value)

    async def vanish(self) -> None:
        """The topic is deleted."""
        self.admin.delete_topics([self.topic])[self.topic].result(10)


@asynccontextmanager
async def kafka(bootstrap: str, name: str) -> AsyncIterator[KafkaSource]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = f"foreign.{name}"
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    config = {"bootstrap": bootstrap, "timeout_s": 5, "records": [{"topic": topic, "path": str(PATH)}]}
    yield KafkaSource(Producer({"bootstrap.servers": bootstrap, "linger.ms": 0}), admin, topic, config)


CONTRACT = connector_contract(
    "kafka",
    lambda request: kafka(request.getfixturevalue("kafka"), request.getfixturevalue("enterprise")),
    Codec(RECORDS, _said),
    lambda port: {"bootstrap": f"127.0.0.1:{port}", "timeout_s": 1},
    cut_by_relay=False,  # the broker tells its own address
)
