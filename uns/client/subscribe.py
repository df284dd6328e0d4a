"""Reading the namespace: MQTT filters over paths plus message classes, resolved to Kafka topics, decoded.

The library behind `uns tail`, `uns get`, `uns tree` and the page; anyone's Python program may use it the same way:

    with Subscription(settings(), ["acme/+/packaging/#"], [MessageClass.OEE], begin="beginning") as messages:
        for message in messages: ...
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec, Undecodable
from schemas.records import Record
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import BadPath, Path
from topology.namespace.topics import parse_topic
from uns.runtime.settings import Settings

POLL_S = 0.2
METADATA_S = 10.0


Begin = int | str
"""`now`, `beginning`, or an ingest time in milliseconds."""


class NothingMatches(LookupError):
    """No topic of the cluster is named by the filters and classes."""


@dataclass(frozen=True, slots=True)
class Received:
    """One record of the namespace. `record` is None when the bytes are none of ours, and `problem` then says why; or when
    nothing is decoded."""

    topic: str
    partition: int
    offset: int
    path: Path
    message_class: MessageClass
    ingested_at: int
    value: bytes | None
    record: Record | None
    problem: str | None
    id: str | None = None
    """Of its CloudEvents header, where records are not decoded: so one may choose which to decode."""


def topics_for(available: Sequence[str], filters: Sequence[Filter], classes: Sequence[MessageClass]) -> list[str]:
    """The topics among `available` that can hold a path some filter matches, of one of the classes."""
    found = []
    for name in available:
        try:
            place, message_class = parse_topic(name)
        except BadPath:
            continue
        if message_class in classes and any(wanted.may_match_under(place) for wanted in filters):
            found.append(name)
    return sorted(found)


def begin_at(text: str, now: datetime) -> Begin:
    """`now`, `beginning`, an ISO time, or a time back such as 90s, 15m, 8h, 2d → keyword or milliseconds. Raises ValueError."""
    if text in ("now", "beginning"):
        return text
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
        moment = now - timedelta(**{unit: int(match[1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"--from {text!r}: expected now, beginning, an ISO time or a span such as 15m") from None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


class Subscription:
    """Decoded records of every topic that the filters and classes name, in each partition's order, committed ones only.

    Without a consumer group: it leaves no trace on the cluster. Ends by itself at the topics' present end when
    `follow` is false. Raises `NothingMatches` and, when the broker is away for good, `KafkaException`.
    """

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        filters: Sequence[Filter],
        classes: Sequence[MessageClass],
        begin: Begin | Mapping[MessageClass, Begin] = "now",
        follow: bool = True,
        records: Collection[str] = (),
        decode: bool = True,
    ) -> None:
        """`records`: names of the only record types wanted, others are not even decoded; none: all."""
        self._codec, self._decode = codec, decode
        self._records = frozenset(records)
        self._filters = tuple(filters)
        self._follow = follow
        self._consumer = Consumer(
            settings.kafka(
                **{
                    "group.id": "uns-subscription",  # never joined: partitions are assigned by hand
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "auto.offset.reset": "earliest",
                }
            )
        )
        metadata = self._consumer.list_topics(timeout=METADATA_S)
        self.topics = topics_for(list(metadata.topics), self._filters, classes)
        if not self.topics:
            self._consumer.close()
            raise NothingMatches(
                f"no topic for {', '.join(map(str, self._filters))} with class {', '.join(classes)}; `uns tree` shows what is there"
            )
        partitions = [
            TopicPartition(name, number) for name in self.topics for number in metadata.topics[name].partitions
        ]
        self._open = {(part.topic, part.partition) for part in partitions}
        self._consumer.assign(self._placed(partitions, begin))

    def _placed(
        self, partitions: list[TopicPartition], begin: Begin | Mapping[MessageClass, Begin]
    ) -> list[TopicPartition]:
        placed, by_time = [], []
        for part in partitions:
            start = begin[parse_topic(part.topic)[1]] if isinstance(begin, Mapping) else begin
            if isinstance(start, int):
                by_time.append(TopicPartition(part.topic, part.partition, start))
            else:
                placed.append(
                    TopicPartition(part.topic, part.partition, OFFSET_END if start == "now" else OFFSET_BEGINNING)
                )
        return placed + (list(self._consumer.offsets_for_times(by_time, timeout=METADATA_S)) if by_time else [])

    def poll(self, most: int = 500, timeout_s: float = POLL_S) -> list[Received]:
        """What has come since the last call, at most `most` records; waits at most `timeout_s`."""
        received = []
        for message in self._consumer.consume(most, timeout_s):
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._open.discard((message.topic(), message.partition()))
                    continue
                if error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN:
                    continue  # librdkafka reconnects by itself
                raise KafkaException(error)
            if (one := self._received(message)) is not None:
                received.append(one)
        return received

    def __iter__(self) -> Iterator[Received]:
        while True:
            received = self.poll()
            yield from received
            if not self._follow and not self._open and not received:
                return

    @property
    def at_end(self) -> bool:
        """Whether every partition has been read to its end once."""
        return not self._open

    def _received(self, message: Message) -> Received | None:
        _, message_class = parse_topic(message.topic())
        key = message.key()
        try:
            path = Path.parse(key.decode() if key else "")
        except (BadPath, UnicodeDecodeError):
            return None  # a broken key belongs to no path: the engine's quarantine shows it
        if not any(wanted.matches(path) for wanted in self._filters):
            return None
        if self._records and self._codec.kind(message.value()) not in self._records:
            return None
        record, problem, id_ = None, None, None
        if self._decode:
            try:
                record = self._codec.decode(message.value())
            except Undecodable as error:
                problem = str(error)
        else:
            id_ = next((value.decode() for name, value in message.headers() or () if name == "ce_id"), None)
        return Received(
            message.topic(),
            message.partition(),
            message.offset(),
            path,
            message_class,
            message.timestamp()[1] * 1000,
            message.value(),
            record,
            problem,
            id_,
        )

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
