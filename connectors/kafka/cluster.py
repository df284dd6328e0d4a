"""The blocking side: a consumer of the cluster that is given its partitions by us, and the schemas of its records."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.base import RELINKED_MAX, SourceUnavailable
from connectors.kafka.codec import Record, schema_id
from connectors.kafka.config import KafkaConfig
from connectors.kafka.schemas import Schemas
from topology.endpoint import BadSecret

log = structlog.get_logger()

TAKE_MAX = 500
TAKE_S = 0.2
PARTITIONS_MAX = 10_000
FETCHED_KB = 32 * 1024
"""Fetched and not yet taken."""
LOOK_S = 10.0
"""How often it is looked whether there are topics or partitions more, or fewer."""


class Cluster:
    """One consumer. Every method blocks, for `timeout_s` at most, and is called by one thread at a time."""

    def __init__(
        self, name: str, config: KafkaConfig, wanted: Callable[[str], bool], cursor: Mapping[str, int]
    ) -> None:
        """`wanted`: which topics. `cursor`: "topic/partition" → the next offset. Raises `SourceUnavailable`."""
        self._name, self._config, self._wanted, self._cursor = name, config, wanted, cursor
        self._assigned: set[tuple[str, int]] = set()
        self._looked = 0.0
        self._error: KafkaError | None = None
        self.proved = 0.0
        """Monotonic time of the last answer."""
        self.topics: list[str] = []
        """Those that are read."""
        self._avro = [entry.topic_pattern for entry in config.records if entry.format == "avro"]
        self.relinked: deque[BaseException] = deque(maxlen=RELINKED_MAX)
        """What had been wrong, each time that librdkafka reached the cluster again."""
        self.lost: dict[str, str] = {}
        """Partition → what it had no more, of this connection."""
        self.schemas = Schemas(config.registry, config.timeout_s) if config.registry is not None else None
        try:
            self._consumer = Consumer(self._settings())
        except (KafkaException, OSError, BadSecret, ValueError) as error:
            raise SourceUnavailable(f"Kafka {config.bootstrap}: {_words(error)}") from error

    def _settings(self) -> dict[str, Any]:
        config, secret = self._config, self._config.secret
        settings: dict[str, Any] = {
            "bootstrap.servers": config.bootstrap,
            "group.id": config.group or f"uns-{self._name}",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "error",  # an offset that is gone is said, and not passed over
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": FETCHED_KB,
            "reconnect.backoff.max.ms": 2_000,
            "socket.timeout.ms": max(1_000, round(self._config.timeout_s * 1000)),
            "error_cb": self._on_error,
            "log_level": 0,  # what matters comes as an error, into our own log
        }
        if config.username is not None:
            settings |= {
                "sasl.mechanism": config.sasl_mechanism,
                "sasl.username": config.username,
                "sasl.password": secret or "",
            }
        settings["security.protocol"] = ("SASL_" if config.username is not None else "") + (
            "SSL" if config.tls else "PLAINTEXT"
        )
        if config.tls and config.ca_file is not None:
            settings["ssl.ca.location"] = str(config.ca_file)
        return settings

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN, KafkaError._SSL):
            self._error = error

    def look(self) -> None:
        """Takes in partitions that are new, and lets go those that are no more. Raises `SourceUnavailable` when nobody answers."""
        self._looked = time.monotonic()
        try:
            there = self._consumer.list_topics(timeout=self._config.timeout_s).topics
            partitions = {
                (topic, number)
                for topic, of_topic in there.items()
                if self._wanted(topic) and of_topic.error is None
                for number in of_topic.partitions
            }
            if len(partitions) > PARTITIONS_MAX:
                raise SourceUnavailable(
                    f"Kafka {self._config.bootstrap}: {len(partitions)} partitions are asked for; {PARTITIONS_MAX} are the most"
                )
            self._assign(partitions)
        except KafkaException as error:
            raise SourceUnavailable(
                f"Kafka {self._config.bootstrap} cannot be reached ({_words(self._error or error)}); is it up, are address, "
                "user and certificate right?"
            ) from error
        self._answers()
        self.topics = sorted({topic for topic, _ in self._assigned})

    def _answers(self) -> None:
        if self._error is not None:  # librdkafka has connected again by itself
            self.relinked.append(SourceUnavailable(_words(self._error)))
        self.proved, self._error = time.monotonic(), None

    def _assign(self, partitions: set[tuple[str, int]]) -> None:
        if gone := self._assigned - partitions:
            self._consumer.incremental_unassign([TopicPartition(*one) for one in sorted(gone)])
            self._assigned -= gone
        if new := sorted(partitions - self._assigned):
            committed = self._consumer.committed([TopicPartition(*one) for one in new], timeout=self._config.timeout_s)
            begin = OFFSET_BEGINNING if self._config.begin == "earliest" else OFFSET_END
            for one in committed:
                if one.error is not None:
                    raise KafkaException(one.error)
                known = self._cursor.get(f"{one.topic}/{one.partition}")
                one.offset = known if known is not None else one.offset if one.offset >= 0 else begin
            self._consumer.incremental_assign(committed)
            self._assigned |= set(new)

    def take(self) -> list[Record]:
        """What has come, after `TAKE_S` at the latest; the schemas that it needs are known, or why not. Raises
        `SourceUnavailable` when the cluster or the registry does not answer."""
        records = []
        for message in self._consumer.consume(TAKE_MAX, TAKE_S):
            if (error := message.error()) is None:
                records.append(_record(message))
            else:
                self._refused(message, error)
        if records:
            self._answers()
            if self.schemas is not None:
                self.schemas.learn(
                    {
                        number
                        for one in records
                        if self._is_avro(one.topic) and (number := schema_id(one.value)) is not None
                    }
                )
        if self._error is not None or time.monotonic() - self._looked > LOOK_S:
            self.look()
        return records

    def _is_avro(self, topic: str) -> bool:
        return any(pattern.fullmatch(topic) for pattern in self._avro)

    def _refused(self, message: Message, error: KafkaError) -> None:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._begin_again(message.topic() or "", message.partition() or 0)
        elif error.code() in (
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_PARTITION,
            KafkaError._UNKNOWN_TOPIC,
        ):
            self._looked = 0.0  # it is no more, or not yet
        elif error.code() != KafkaError._PARTITION_EOF:
            raise SourceUnavailable(f"Kafka {self._config.bootstrap}, {message.topic()}: {error.str()}")

    def _begin_again(self, topic: str, partition: int) -> None:
        """Retention went over what was not read, or the topic was made anew: it is read from its begin, and that is said."""
        name = f"{topic}/{partition}"
        self.lost[name] = f"{name} has no more what comes after the last record that was read; read on from its begin"
        log.error("records of a source are gone before they were read", connector=self._name, partition=name)
        self._consumer.incremental_unassign([TopicPartition(topic, partition)])
        self._consumer.incremental_assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])

    def commit(self, offsets: Iterable[tuple[str, int]]) -> None:
        """Shows the group how far we are. From any thread; it does not block: what counts is the cursor."""
        places = [TopicPartition(*_partition(name), offset) for name, offset in offsets]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except (KafkaException, RuntimeError) as error:  # a RuntimeError: it is closed
            log.debug("offsets are not shown", connector=self._name, error=_words(error))

    def close(self) -> None:
        self._consumer.close()
        if self.schemas is not None:
            self.schemas.close()


def _partition(name: str) -> tuple[str, int]:
    topic, _, number = name.rpartition("/")
    return topic, int(number)


def _record(message: Message) -> Record:
    kind, milliseconds = message.timestamp()
    key, value = message.key(), message.value()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        key.encode() if isinstance(key, str) else key,
        value.encode() if isinstance(value, str) else value,
        milliseconds * 1000 if kind and milliseconds > 0 else None,
    )


def _words(error: object) -> str:
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        error = error.args[0]
    return error.str() if isinstance(error, KafkaError) else str(error)
