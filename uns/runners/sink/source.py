"""The Kafka side of a sink: a consumer of committed records, its place, and the way to quarantine. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec, Undecodable
from schemas.records import Record
from sinks.base import Delivery, Positions, Rejected, Removed
from topology.cluster import desired
from topology.model.plant import Plant
from topology.model.wiring import Subscribe
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter, topics
from topology.namespace.path import BadPath, Path
from topology.namespace.topics import parse_topic, topic
from uns.kafka import clients
from uns.kafka.message import error_headers, fitted, original, retried
from uns.kafka.offsets import at_times
from uns.runners.sink.held import Place, Waiting
from uns.runtime.settings import Settings

log = structlog.get_logger()

TIMEOUT_S = 10.0
BYTES_MAX = 16_000_000
ENDS_S = 2.0
STEP = 200
"""Records that are taken before their bytes are looked at."""
BAD_KEY = "bad_key"
TopicAndPartition = tuple[str, int]


class SourceLost(RuntimeError):
    """Kafka refuses what no retry mends; the process ends and begins anew."""


def _lost(error: KafkaError) -> SourceLost:
    """After a broker that was killed, our own joining anew can fence a commit that is under way, too."""
    return SourceLost(f"{error.str()}; does another process run this sink?")


@dataclass
class Fetched:
    """What one poll brought: records in order, what cannot be read, and where to go on."""

    waiting: list[Waiting] = field(default_factory=list)
    retries: list[Waiting] = field(default_factory=list)
    """Records that were quarantined for this sink, and are given again: as they were read at first."""
    unreadable: list[tuple[Message, Undecodable]] = field(default_factory=list)
    positions: dict[TopicAndPartition, int] = field(default_factory=dict)
    begins: dict[TopicAndPartition, int] = field(default_factory=dict)
    """Offsets of the first of them."""
    retry_positions: dict[TopicAndPartition, int] = field(default_factory=dict)
    """Of the topic of retries. They are the group's alone: a target that keeps positions keeps none of them."""
    bytes: int = 0
    passed_over: int = 0
    """Removals that the sink does not take."""


class SinkSource:
    """Used by one thread at a time. Partitions move only inside `poll`."""

    def __init__(
        self,
        settings: Settings,
        plant: Plant,
        subscribe: Subscribe,
        group: str,
        name: str,
        codec: Codec,
        takes_removals: bool = False,
    ) -> None:
        self._name, self._codec = name, codec
        self._filter, self._classes = Filter.parse(subscribe.filter), frozenset(subscribe.classes)
        self._takes_removals = takes_removals
        wanted = (*subscribe.classes, MessageClass.CURRENT) if takes_removals else subscribe.classes
        there = desired(plant).topics  # not every class has topics at every level
        self.topics = [name for name in topics([self._filter], dict.fromkeys(wanted), plant.places()) if name in there]
        self.retry_topic = topic(plant.enterprise, MessageClass.RETRY)
        self._warned = False
        self._area_partitions = plant.areas()
        self._own: dict[TopicAndPartition, int] | None = None
        self.assigned: set[TopicAndPartition] = set()
        self._consumer = clients.consumer(
            settings,
            group,
            {
                # One process reads for a sink: its successor after a crash goes on at once, and of two the older ends.
                "group.instance.id": name,
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 10_000,
                "max.poll.interval.ms": 300_000,
                "fetch.wait.max.ms": 100,
                "topic.metadata.refresh.interval.ms": 10_000,
            },
        )
        self._producer = clients.producer(settings)

    def open(self, own: Positions | None) -> None:
        """Begins: where `own` says, and at the beginning of a partition that it does not name; None: where the group stands."""
        self._own = None if own is None else dict(own)
        self._consumer.subscribe(
            [*self.topics, self.retry_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for part in partitions:
            self.assigned.add((part.topic, part.partition))
            if self._own is not None and part.topic != self.retry_topic:
                part.offset = self._own.get((part.topic, part.partition), OFFSET_BEGINNING)
        consumer.incremental_assign(partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.assigned.difference_update((part.topic, part.partition) for part in partitions)
        consumer.incremental_unassign(partitions)

    @property
    def reads(self) -> bool:
        """Whether there is a partition to read from, that of the retries aside."""
        return any(name != self.retry_topic for name, _ in self.assigned)

    def poll(self, most: int, timeout_s: float) -> Fetched:
        """At most `most` records, and not many more bytes than `BYTES_MAX`. Raises `SourceLost`."""
        fetched, taken = Fetched(), 0
        while taken < most and fetched.bytes < BYTES_MAX:
            messages = self._consumer.consume(min(STEP, most - taken), 0 if taken else timeout_s)
            self._take_all(messages, fetched)
            taken += len(messages)
            if not messages:
                break
        return fetched

    def _take_all(self, messages: list[Message], fetched: Fetched) -> None:
        for message in messages:
            if (error := message.error()) is not None:
                if message.topic() == self.retry_topic and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    self._without_retries(error)
                elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
                    raise SourceLost(f"{error.str()}; may this user read {', '.join(self.topics[:3])}?")
                elif clients.is_fatal(error):
                    raise _lost(error)
                elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    log.warning(
                        "topic missing", sink=self._name, error=error.str(), hint="uns apply creates the plant's topics"
                    )
                continue  # librdkafka reconnects by itself
            self._take(message, fetched)

    def _without_retries(self, error: KafkaError) -> None:
        """The sink goes on: only `uns dlq retry` does not reach it."""
        if not self._warned:
            hint = f"access: filter {self.retry_topic.split('.')[1]}/#, classes: [retry]"
            log.warning("retries cannot be read", sink=self._name, error=error.str(), hint=hint)
        self._warned = True

    def _take(self, message: Message, fetched: Fetched) -> None:
        place = (message.topic(), message.partition())
        fetched.begins.setdefault(place, message.offset())
        fetched.bytes += len(message.value() or b"")
        if message.topic() == self.retry_topic:
            fetched.retry_positions[place] = message.offset() + 1
            to = retried(message.headers())
            if to is not None and to[0] == self._name and (found := self._read(message, to[1], fetched)) is not None:
                logged = (*place, message.offset())
                given_again = replace(found, again=logged)
                fetched.retries.append(Waiting(given_again, message, len(message.value() or b""), logged))
            return
        fetched.positions[place] = message.offset() + 1
        if (found := self._read(message, (*place, message.offset()), fetched)) is not None:
            fetched.waiting.append(Waiting(found, message, len(message.value() or b"")))

    def _read(self, message: Message, place: Place, fetched: Fetched) -> Delivery | None:
        """The record as it lies, or lay, at a place; None for what is not wanted, and for what cannot be read."""
        _, message_class = parse_topic(place[0])
        try:
            key = (message.key() or b"").decode()
            path = Path.parse(key)
        except (BadPath, UnicodeDecodeError) as error:
            fetched.unreadable.append((message, Undecodable(BAD_KEY, f"the key is no path: {error}")))
            return None
        if not self._filter.matches(path):
            return None
        ingested_at = message.timestamp()[1] * 1000
        record: Record
        if message.value() is None and message_class is MessageClass.CURRENT:
            if not self._takes_removals:
                fetched.passed_over += 1
                return None
            record = Removed.at(key, *place, ingested_at)
        elif message_class not in self._classes:
            return None  # of its topic only removals are wanted
        else:
            try:
                record = self._codec.decode(message.value())
            except Undecodable as error:
                fetched.unreadable.append((message, error))
                return None
        return Delivery(*place, key, message_class, record, ingested_at)

    def commit(self, positions: Positions) -> None:
        """Where the group goes on. A failure is no loss: the records come again, and writing them twice is writing once.
        Raises `SourceLost`."""
        if self._own is not None:
            self._own.update(positions)  # a partition that goes and comes back does not begin anew
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items() if place in self.assigned]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if clients.is_fatal(error.args[0]):
                raise _lost(error.args[0]) from None
            log.warning("commit failed", sink=self._name, error=error.args[0].str())

    def idle_positions(self) -> dict[TopicAndPartition, int]:
        """Where the consumer stands, past transaction markers: committed when idle, so that lag reads 0."""
        positions = self._consumer.position([TopicPartition(*place) for place in self.assigned])
        return {(part.topic, part.partition): part.offset for part in positions if part.offset >= 0}

    def ends(self) -> dict[TopicAndPartition, tuple[int, int]]:
        """Where the consumer stands in each partition, and where that ends; none while Kafka does not answer."""
        places = list(self.assigned)
        try:
            stand = self._consumer.position([TopicPartition(*place) for place in places])
            ends = at_times(self._consumer, [TopicPartition(*place, OFFSET_END) for place in places], ENDS_S)
        except KafkaException:
            return {}
        known = {(part.topic, part.partition): part.offset for part in ends if part.offset >= 0}
        return {
            (part.topic, part.partition): (part.offset, known[part.topic, part.partition])
            for part in stand
            if (part.topic, part.partition) in known
        }

    def hold(self, held: bool) -> None:
        """While held, polling keeps the membership and brings nothing."""
        parts = [TopicPartition(*place) for place in self.assigned]
        if parts:
            (self._consumer.pause if held else self._consumer.resume)(parts)

    def again(self, positions: Positions) -> None:
        """Goes back: the next poll brings what begins there."""
        for (name, number), offset in positions.items():
            if (name, number) in self.assigned:
                self._consumer.seek(TopicPartition(name, number, offset))

    def quarantine_unreadable(self, unreadable: Sequence[tuple[Message, Undecodable]]) -> None:
        """Returns once Kafka has them, bytes unchanged. Raises `SourceLost`."""
        self._quarantine([(message, error.reason, "VALUE_CONVERTER", str(error)) for message, error in unreadable])

    def quarantine(self, rejected: Sequence[tuple[Message, Rejected]]) -> None:
        """Returns once Kafka has them, bytes unchanged. Raises `SourceLost`."""
        self._quarantine([(message, refusal.reason, "TASK_PUT", refusal.message) for message, refusal in rejected])

    def _quarantine(self, wanted: Sequence[tuple[Message, str, str, str]]) -> None:
        errors: list[str] = []
        for message, reason, stage, words in wanted:
            self._produce(message, reason, stage, words, errors)
        if wanted and (self._producer.flush(TIMEOUT_S) or errors):
            raise SourceLost(
                f"quarantine does not take records: {errors[0] if errors else 'no answer from Kafka'}; `uns apply` creates it"
            )

    def _produce(self, message: Message, reason: str, stage: str, words: str, errors: list[str]) -> None:
        to = retried(message.headers()) if message.topic() == self.retry_topic else None
        origin = (message.topic(), message.partition(), message.offset()) if to is None else to[1]
        area, _ = parse_topic(origin[0])
        value, cut_bytes = fitted(message.value())
        before = tuple(message.headers() or ()) if to is None else original(message.headers())
        errors_of = error_headers(
            connector=self._name,
            stage=stage,
            reason=reason,
            words=words,
            topic=origin[0],
            partition=origin[1],
            offset=origin[2],
            cut_bytes=cut_bytes,
        )

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                errors.append(error.str())

        self._producer.produce(
            topic(area, MessageClass.QUARANTINE),
            value,
            message.key(),
            origin[1] if area in self._area_partitions else 0,
            on_delivery=delivered,
            headers=[*before, *errors_of],
        )

    def close(self) -> None:
        self._consumer.close()
