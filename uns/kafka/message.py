"""A Kafka message of ours: what is written, and the headers that say what it is (CloudEvents) or what is wrong with it.

No other module spells a header's name.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from confluent_kafka import KafkaError

from schemas.codec import Codec
from schemas.records import Derived, Record
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import PREFIX, parse_topic, topic

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = b"application/avro"
_BATCH_BYTES, _HEADER_BYTES = 61 + 40, 10
"""What Kafka adds to a record in a batch of its own, and to a header, at most (batch header 61, lengths as varints)."""

CAUSE = "uns.offset"
"""Header of a derived record: the raw offset at which the fold said it, nearly always a tick's."""
REASON = "uns.reason"
"""Header of a quarantined record: the bounded label that metrics use, too."""
CUT = "uns.cut"
"""Header of a quarantined record whose value was cut: its whole length in bytes."""
TAG = "uns.tag"
RETRY_OF = "uns.retry-of"
"""Header of a record that was quarantined and is given again: the id of the quarantined one."""
RETRY_TO, RETRY_FROM = "uns.retry-to", "uns.retry-from"
"""In class `retry`: the sink that is meant, and the topic, partition and offset that it was read from at first."""
TOO_LARGE, UNWRITABLE, REFUSED = OUTPUT_REASONS = ("output_too_large", "output_unwritable", "output_refused")
"""Why a derived record is in quarantine: its topic takes none so large, its schema holds none such, the broker said no."""
SIZE_REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE})
CONTENT_REFUSED = SIZE_REFUSED | {KafkaError.INVALID_RECORD, KafkaError.POLICY_VIOLATION}
"""What may be so of a record's part and not of the rest of it."""
RECORD_REFUSED = CONTENT_REFUSED | {KafkaError.INVALID_TIMESTAMP}
"""What a broker says of a record, or of the batch that it is in, and not of the topic or of us."""
WORDS_MAX_BYTES = 2_000
"""Of an error's words in a header; a record with them must still fit its topic."""
ORIGIN_MAX_BYTES = 500
QUARANTINED_MAX_BYTES = 2_000_000
"""Of a quarantined value: no quarantine topic takes a longer one whole."""


class ConsumedRecord(Protocol):
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


def cloud_event(source: str, kind: type[Record]) -> Headers:
    """CloudEvents binary mode but for `ce_id`; nothing in it but what follows from the record: a replay says the same."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_source", source.encode()),
        ("ce_type", f"uns.{kind.__name__}".encode()),
        ("content-type", CONTENT_TYPE),
    )


def identified(id_: str, event: Headers) -> Headers:
    """`event` with the id of the record it belongs to."""
    return (("ce_id", id_.encode()), *event)


def event_id(headers: Sequence[tuple[str, bytes | None]] | None) -> str | None:
    """The CloudEvents id among the headers of a record that was read; None where there is none."""
    return next((value.decode(errors="replace") for name, value in headers or () if name == "ce_id" and value), None)


def error_headers(
    *,
    connector: str,
    stage: str,
    reason: str,
    words: str,
    topic: str,
    partition: int | None = None,
    offset: int | None = None,
    class_name: str | None = None,
    exception: str | None = None,
    tag: str | None = None,
    cut_bytes: int | None = None,
) -> Headers:
    """Why a record is in quarantine: Kafka Connect's own header names, so that its tools read them, and ours beside.

    `topic` says where it came from; for a record that came from no topic, what its source calls the place. `stage` is
    one of Connect's (KEY_CONVERTER, VALUE_CONVERTER, TRANSFORMATION, TASK_PUT, KAFKA_PRODUCE). Total: any text has a header, texts that
    are no Unicode with their halves escaped, long ones cut.
    """
    texts = (
        ("__connect.errors.topic", clipped(topic, ORIGIN_MAX_BYTES)),
        ("__connect.errors.partition", None if partition is None else b"%d" % partition),
        ("__connect.errors.offset", None if offset is None else b"%d" % offset),
        ("__connect.errors.connector.name", connector.encode()),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.class.name", None if class_name is None else class_name.encode()),
        ("__connect.errors.exception.class.name", None if exception is None else exception.encode()),
        ("__connect.errors.exception.message", clipped(words, WORDS_MAX_BYTES)),
        (REASON, reason.encode()),
        (TAG, None if tag is None else clipped(tag, ORIGIN_MAX_BYTES)),
        (CUT, None if cut_bytes is None else b"%d" % cut_bytes),
    )
    return tuple((name, value) for name, value in texts if value is not None)


def size_of(written: Message) -> int:
    """Bytes that a record takes in a batch of its own, at most, before it is compressed: what a topic's limit is about."""
    named = sum(len(name) + len(value) + _HEADER_BYTES for name, value in written.headers)
    return _BATCH_BYTES + len(written.key or b"") + len(written.value or b"") + named


def fitting(written: Message, max_bytes: int) -> Message:
    """A record for quarantine as its topic takes it: too long a value is cut and says so; what its headers said at its
    source goes before the whole of its value does."""
    over = size_of(written) - max_bytes
    if over <= 0:
        return written
    value = written.value or b""
    mark = (CUT, b"%d" % len(value))
    kept = len(value) - over - _HEADER_BYTES - len(CUT) - len(mark[1])
    if kept >= 0:
        return written._replace(value=value[:kept], headers=(*written.headers, mark))
    ours = tuple(header for header in written.headers if header[0].startswith(("__connect.", "uns.", "ce_")))
    bare = written._replace(value=b"", headers=(*ours, mark))
    return bare._replace(value=value[: max(0, max_bytes - size_of(bare))])


def refused_output(
    written: Message, writer: str, partition: int, reason: str, words: str, prefix: str = PREFIX
) -> Message:
    """A derived record that cannot be written, for the quarantine of its place: as it is, with why."""
    place, _ = parse_topic(written.topic, prefix)
    why = error_headers(
        connector=writer,
        stage="KAFKA_PRODUCE",
        reason=reason,
        words=words,
        topic=written.topic,
        partition=partition,
    )
    return Message(topic(place, MessageClass.QUARANTINE, prefix), written.key, written.value, (*written.headers, *why))


def plain_json(record: Record) -> bytes:
    """A record that no schema holds, for who looks into quarantine: JSON, whatever is in it."""
    return json.dumps(msgspec.to_builtins(record), default=repr).encode()


def fitted(value: bytes | None) -> tuple[bytes | None, int | None]:
    """A value as quarantine takes it, and its whole length where it had to be cut."""
    if value is None or len(value) <= QUARANTINED_MAX_BYTES:
        return value, None
    return value[:QUARANTINED_MAX_BYTES], len(value)


def clipped(text: str, max_bytes: int) -> bytes:
    """UTF-8 of at most so many bytes, cut between characters; what is no Unicode is escaped."""
    return text.encode(errors="backslashreplace")[:max_bytes].decode(errors="ignore").encode()


def message(record: Derived, codec: Codec, prefix: str = PREFIX) -> Message:
    """As the engine writes it; the `traceparent` of an input is not kept, a correction has no single cause."""
    place = Path.parse(record.path)
    headers = identified(record.id, cloud_event(record.path, type(record)))
    name = topic(place, MessageClass(record.message_class), prefix)
    return Message(name, record.path.encode(), codec.encode(record), headers)


class Quarantined(NamedTuple):
    """What the headers of a quarantined record say of it; None for what they do not say."""

    reason: str | None
    stage: str | None
    connector: str | None
    words: str | None
    topic: str | None
    partition: str | None
    offset: str | None
    tag: str | None
    cut_bytes: str | None


def original(headers: Sequence[tuple[str, bytes | None]] | None) -> Headers:
    """The headers that a quarantined or retried record had before, with what it is a retry of."""
    ours = (REASON, TAG, CUT, RETRY_TO, RETRY_FROM)
    return tuple(
        (name, value)
        for name, value in headers or ()
        if value is not None and name not in ours and not name.startswith("__connect.errors.")
    )


def retry_headers(of: str, to: str, origin: tuple[str, int, int]) -> Headers:
    """Of a record in class `retry`: of which quarantined one, for which sink, and where that had read it."""
    return (
        (RETRY_OF, of.encode()),
        (RETRY_TO, to.encode()),
        (RETRY_FROM, "/".join(map(str, origin)).encode()),
    )


def retried(headers: Sequence[tuple[str, bytes | None]] | None) -> tuple[str, tuple[str, int, int]] | None:
    """(sink, place where that had read it) of a record in class `retry`; None where the headers do not say it."""
    told = {name: value.decode(errors="replace") for name, value in headers or () if value is not None}
    try:
        topic, partition, offset = told[RETRY_FROM].split("/")
        return told[RETRY_TO], (topic, int(partition), int(offset))
    except (KeyError, ValueError):
        return None


def quarantined(headers: Sequence[tuple[str, bytes | None]] | None) -> Quarantined:
    """The inverse of `error_headers`; of a record that was quarantined twice, what was said last."""
    told = {name: value.decode(errors="replace") for name, value in headers or () if value is not None}
    return Quarantined(
        told.get(REASON),
        told.get("__connect.errors.stage"),
        told.get("__connect.errors.connector.name"),
        told.get("__connect.errors.exception.message"),
        told.get("__connect.errors.topic"),
        told.get("__connect.errors.partition"),
        told.get("__connect.errors.offset"),
        told.get(TAG),
        told.get(CUT),
    )
