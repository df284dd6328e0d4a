"""A Kafka message of ours: what is written, and the CloudEvents headers that say what it is."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.codec import Codec
from schemas.records import Derived, Record
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import PREFIX, topic

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = b"application/avro"

CAUSE = "uns.offset"
"""Header of a derived record: the raw offset at which the fold said it, nearly always a tick's."""


class Source(Protocol):
    """A consumed record, as aiokafka gives it and as the replay rebuilds it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def timestamp(self) -> int:
        """Kafka's: when it was ingested, ms."""
        ...


class Message(NamedTuple):
    """One record to write; its partition is the raw partition's number."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def cloud_event(path: str, kind: type[Record]) -> Headers:
    """CloudEvents binary mode but for `ce_id`; nothing in it but what follows from the record: a replay says the same."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_source", path.encode()),
        ("ce_type", f"uns.{kind.__name__}".encode()),
        ("content-type", CONTENT_TYPE),
    )


def message(record: Derived, codec: Codec, prefix: str = PREFIX) -> Message:
    """As the engine writes it; the `traceparent` of an input is not kept, a correction has no single cause."""
    place = Path.parse(record.path)
    headers = (("ce_id", record.id.encode()), *cloud_event(record.path, type(record)))
    name = topic(place, MessageClass(record.message_class), prefix)
    return Message(name, record.path.encode(), codec.encode(record), headers)
