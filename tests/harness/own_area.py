"""One area of an enterprise of a test's own, one partition a topic, into which it writes what it likes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.admin import NewTopic

from schemas.records import Derived, Record
from tests.harness.records import PATH
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path as Place
from topology.namespace.topics import topic
from uns.kafka import clients
from uns.registry.client import RegistryClient
from uns.runtime.settings import Settings


class OwnArea:
    """`acme/dallas/packaging` of the examples, under another enterprise."""

    def __init__(self, kafka: str, registry: str, enterprise: str, folder: Path) -> None:
        self.settings = Settings(bootstrap=kafka, registry=registry, state_dir=folder / "writer")
        self.enterprise = enterprise
        self.codec = RegistryClient(registry, folder / "writer" / "schemas").codec()
        self.admin = clients.admin(self.settings)
        self._producer = clients.producer(self.settings)
        self.create(MessageClass)

    def create(self, classes: Iterable[MessageClass]) -> None:
        new = [NewTopic(self.topic(name), 1, 1, config={"retention.ms": "-1"}) for name in classes]
        for future in self.admin.create_topics(new).values():
            future.result(30)

    def topic(self, message_class: MessageClass) -> str:
        return topic(Place.parse(f"{self.enterprise}/dallas/packaging"), message_class)

    def own(self, record: Any) -> Any:
        """A record of the examples as it is written here."""
        if not isinstance(record, Derived):
            return record
        here = {name: getattr(record, name).replace("acme", self.enterprise, 1) for name in ("path", "id")}
        return msgspec.structs.replace(record, **here)

    def write(self, records: Sequence[Record], path: str = PATH) -> None:
        for example in records:
            record = self.own(example)
            message_class = MessageClass(record.message_class) if isinstance(record, Derived) else MessageClass.RAW
            headers = [("ce_id", record.id.encode())] if isinstance(record, Derived) else []
            self.put(message_class, self.codec.encode(record), headers, path=path)

    def put(
        self,
        message_class: MessageClass,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        key: bytes | None = None,
        path: str = PATH,
    ) -> None:
        """Any bytes, under the key of a path unless another is given; waits until they are there."""
        place = path.replace("acme", self.enterprise, 1).encode()
        self._producer.produce(
            self.topic(message_class), value, place if key is None else key, 0, headers=list(headers)
        )
        assert self._producer.flush(30) == 0
