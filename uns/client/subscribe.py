"""Reading the namespace: MQTT filters over paths plus message classes, resolved to Kafka topics, decoded.

The blocking reader below `uns.client`, `uns tail`, `uns get`, `uns tree` and the page. Programs use `uns.client.connect`.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec, Undecodable
from schemas.records import Current, Record
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import BadPath, Path
from topology.namespace.topics import parse_topic
from uns.errors import UserError
from uns.kafka import clients
from uns.kafka.message import Headers, event_id
from uns.kafka.offsets import at_times, watermarks
from uns.runtime.settings import Settings

log = structlog.get_logger()

POLL_S = 0.2
LATER = 1 << 62
METADATA_S = 10.0
REFRESH_S = 30.0
"""So often topics and partitions that are new are looked for."""
COMMIT_S = 1.0
"""So often, at least, a group's positions are committed while items are handled."""

Begin = int | str
"""`now`, `beginning`, or an ingest time in milliseconds."""
TopicAndPartition = tuple[str, int]


class NothingMatches(LookupError):
    """No topic of the cluster is named by the filters and classes."""


class RecordsLost(UserError):
    """Retention has removed records before they were read; says of which partition. Nothing was passed over silently."""


@dataclass(frozen=True, slots=True)
class Received:
    """One record of the namespace and where it lies. `record` is None when its bytes cannot be read, and `problem` then
    says why; when the subscription decodes nothing; and where `removed`. `ingested_at`: Kafka's time, µs UTC."""

    topic: str
    partition: int
    offset: int
    path: Path
    message_class: MessageClass
    ingested_at: int
    value: bytes | None
    record: Record | None
    problem: str | None
    headers: Headers = ()

    @property
    def removed(self) -> bool:
        """Whether it says that its path is no longer one of the plant: a snapshot without a value."""
        return self.value is None and self.message_class is MessageClass.CURRENT

    @property
    def id(self) -> str | None:
        """Of its CloudEvents header: known without decoding, so one may choose which to decode."""
        return event_id(self.headers)


def topics_for(available: Sequence[str], filters: Sequence[Filter], classes: Sequence[MessageClass]) -> list[str]:
    """The topics among `available` that can hold a path some filter matches, of one of the classes."""
    matching = []
    for name in available:
        try:
            place, message_class = parse_topic(name)
        except BadPath:
            continue
        if message_class in classes and any(wanted.may_match_under(place) for wanted in filters):
            matching.append(name)
    return sorted(matching)


class Subscription:
    """Committed records of the filters and classes, each partition in its order. `poll` it, or iterate; close it.

    Without a `group` it leaves no trace on the cluster, and begins where `begin` says. With one, processes that share
    its name share the partitions, and it goes on after what was handled (at least once: an item is handled when the
    next one is asked for; what was not comes again); `begin` then holds for a partition that the group has not begun.
    It ends by itself at the topics' present end when `follow` is false. Topics and partitions that are created later
    are read from their beginning.

    One thread at a time. A record that cannot be read is an item with a `problem`, and ends nothing. Raises
    `NothingMatches`, `RecordsLost`, what the registry's client raises when it cannot be asked (the record then comes with the
    next `poll`) and, when Kafka refuses what no retry mends, `KafkaException`.
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
        group: str | None = None,
    ) -> None:
        """`records`: names of the only record types wanted, others are not even decoded; none: all.

        Raises `ValueError` for a group that is not to follow: a group's positions are for going on.
        """
        if group is not None and not follow:
            raise ValueError("a group goes on where it stopped: it follows, and has no end")
        self._codec, self._decode = codec, decode
        self._records = frozenset(records)
        self._filters, self._classes, self._begin = tuple(filters), tuple(classes), begin
        self._follow, self._group = follow, group
        self._consumer = clients.consumer(
            settings,
            group or "uns-subscription",  # the latter is never joined: partitions are assigned by hand
            {
                "enable.partition.eof": True,
                "auto.offset.reset": "error",  # where records are gone it is said, not passed over
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 10_000,
                "max.poll.interval.ms": 1_800_000,  # a batch may be worked on so long before the group takes it away
            },
        )
        self._assigned: set[TopicAndPartition] = set()
        self._ends: dict[TopicAndPartition, int] = {}
        """Where the log ended as it was assigned, if this does not follow. A busy log is never seen at its end."""
        self._unread: set[TopicAndPartition] = set()
        """Partitions that have not been read to their end yet."""
        self._handled: dict[TopicAndPartition, int] = {}
        """With a group: where to go on, not yet committed."""
        self._polled: dict[TopicAndPartition, int] = {}
        self._committed_at = self._refreshed_at = time.monotonic()
        self.topics: list[str] = []
        try:
            partitions = self._look()
            if not partitions:
                raise NothingMatches(
                    f"no topic for {', '.join(map(str, self._filters))} with class {', '.join(classes)}; "
                    "`uns tree` shows what is there"
                )
            if group is None:
                self._assign(self._placed(partitions))
            else:
                self._consumer.subscribe(
                    self.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
                )
        except BaseException:
            self._consumer.close()
            raise

    def poll(self, most: int = 500, timeout_s: float = POLL_S) -> list[Received]:
        """What has come since the last call, at most `most` records; waits at most `timeout_s`."""
        self._refresh()
        received: list[Received] = []
        messages = self._consumer.consume(most, timeout_s)
        for count, message in enumerate(messages):
            if (error := message.error()) is not None:
                self._failed(message, error)
                continue
            try:
                item = self._received(message)
            except Exception:  # the registry is away: no verdict on the record, so it comes again
                self._seek_back(messages[count:])
                if not received:
                    raise
                return received
            place = message.topic(), message.partition()
            self._polled[place] = message.offset() + 1
            if message.offset() + 1 >= self._ends.get(place, LATER):
                self._unread.discard(place)
            if item is not None:
                received.append(item)
        return received

    def _seek_back(self, messages: Sequence[Message]) -> None:
        first: dict[TopicAndPartition, int] = {}
        for message in messages:
            place = message.topic(), message.partition()
            if message.error() is None:
                first.setdefault(place, message.offset())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                self._unread.discard(place)
        for (name, number), offset in first.items():
            self._unread.add((name, number))
            self._consumer.seek(TopicPartition(name, number, offset))

    def __iter__(self) -> Iterator[Received]:
        while True:
            received = self.poll()
            for item in received:
                yield item
                self.handled(item)
                if self.commit_due:
                    self.commit()
            self.all_handled()
            if self.commit_due:
                self.commit()
            if self.ended:  # even while more comes: on a busy topic it always does
                return

    def handled(self, item: Received) -> None:
        """With a group: the item, and what came before it in its partition, need not come again. Iterating says it itself."""
        if self._group is None:
            return
        self._handled[item.topic, item.partition] = item.offset + 1

    def all_handled(self) -> None:
        """With a group: all that `poll` has brought need not come again, nor what it passed over for the filters' sake."""
        if self._group is None:
            return
        self._handled |= self._polled
        self._polled.clear()

    @property
    def commit_due(self) -> bool:
        """Whether something was handled that is to be committed by now."""
        return bool(self._handled) and time.monotonic() - self._committed_at > COMMIT_S

    def commit(self) -> None:
        """With a group: writes down what was handled. A failure is no loss: the items come again, and it is logged."""
        self._committed_at = time.monotonic()
        offsets = [TopicPartition(*at, offset) for at, offset in self._handled.items() if at in self._assigned]
        self._handled.clear()
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                log.warning("positions not committed", group=self._group, error=error.args[0].str())

    @property
    def ended(self) -> bool:
        """Whether it does not follow and has nothing left to read."""
        return not self._follow and not self._unread

    @property
    def at_end(self) -> bool:
        """Whether every partition has been read to its end once."""
        return not self._unread

    def close(self) -> None:
        """Commits what was handled, and leaves the group. Idempotent."""
        if self._group is not None:
            self.commit()
        self._consumer.close()

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- partitions --------------------------------------------------------------------------------------------

    def _look(self) -> list[TopicPartition]:
        """Partitions of the topics that match now and were not known before."""
        available = self._consumer.list_topics(timeout=METADATA_S).topics
        self.topics = topics_for(list(available), self._filters, self._classes)
        places = ((name, number) for name in self.topics for number in available[name].partitions)
        return [TopicPartition(*place) for place in places if place not in self._assigned]

    def _assign(self, placed: list[TopicPartition]) -> None:
        self._assigned.update((part.topic, part.partition) for part in placed)
        self._unread.update((part.topic, part.partition) for part in placed)
        if not self._follow and placed:
            latest = [TopicPartition(part.topic, part.partition, OFFSET_END) for part in placed]
            for end in at_times(self._consumer, latest, METADATA_S):
                if end.offset >= 0:
                    self._ends[end.topic, end.partition] = end.offset
        self._consumer.incremental_assign(placed)

    def _placed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        placed, by_time = [], []
        for part in partitions:
            begin = self._begin
            start = begin[parse_topic(part.topic)[1]] if isinstance(begin, Mapping) else begin
            if isinstance(start, int):
                by_time.append(TopicPartition(part.topic, part.partition, start))
            else:
                placed.append(
                    TopicPartition(part.topic, part.partition, OFFSET_END if start == "now" else OFFSET_BEGINNING)
                )
        return placed + at_times(self._consumer, by_time, METADATA_S)

    def _refresh(self) -> None:
        """Takes in what was created since; a broker that does not answer now is asked again."""
        if not self._follow or time.monotonic() - self._refreshed_at < REFRESH_S:
            return
        self._refreshed_at = time.monotonic()
        known = self.topics
        try:
            fresh = self._look()
        except KafkaException:
            return
        if self._group is None:
            if fresh:
                self._assign([TopicPartition(part.topic, part.partition, OFFSET_BEGINNING) for part in fresh])
        elif self.topics != known:
            self._consumer.subscribe(
                self.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        placed = []
        for part in consumer.committed(partitions, METADATA_S):
            if part.offset < 0:
                placed += self._placed([part])
                continue
            low, _ = watermarks(consumer, part, METADATA_S)
            if low > part.offset:
                raise self._lost(part, f"the group {self._group} had read up to {part.offset}, the log begins at {low}")
            placed.append(part)
        self._assign(placed)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.commit()
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {(part.topic, part.partition) for part in partitions}
        self._assigned -= gone
        self._unread -= gone
        consumer.incremental_unassign(partitions)

    # -- records -----------------------------------------------------------------------------------------------

    def _failed(self, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self._unread.discard((message.topic(), message.partition()))
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise self._lost(message, error.str())
        elif error.fatal() or not (error.retriable() or error.code() in _PASSING):
            raise KafkaException(error)  # librdkafka reconnects by itself after all others

    def _lost(self, where: Message | TopicPartition, words: str) -> RecordsLost:
        name = where.topic if isinstance(where, TopicPartition) else where.topic()
        number = where.partition if isinstance(where, TopicPartition) else where.partition()
        return RecordsLost(
            f"{name}[{number}]: records are gone that were not read ({words}); begin anew to go on without them"
        )

    def _received(self, message: Message) -> Received | None:
        place, message_class = parse_topic(message.topic())
        key = message.key()
        try:
            path = Path.parse(key.decode() if key else "")
        except (BadPath, UnicodeDecodeError):
            if message_class is not MessageClass.QUARANTINE:
                return None  # a broken key belongs to no path: the engine's quarantine shows it
            path = place  # shown as the topic's, or nobody would see it at all
        if message_class is MessageClass.QUARANTINE and not place.contains(path):
            path = place  # so is a key of another place: the topic's people have it
        if not any(wanted.matches(path) for wanted in self._filters):
            return None
        removed = message.value() is None and message_class is MessageClass.CURRENT
        kind = Current.__name__ if removed else self._codec.kind(message.value()) if self._records else None
        if self._records and kind not in self._records:
            return None
        record, problem = None, None
        if self._decode and not removed:
            try:
                record = self._codec.decode(message.value())
            except Undecodable as error:
                problem = str(error)
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
            tuple(message.headers() or ()),
        )


_PASSING = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError.UNKNOWN_TOPIC_OR_PART)
"""Errors that end by themselves though the client does not call them retriable: a broker away, a topic just made or gone."""
