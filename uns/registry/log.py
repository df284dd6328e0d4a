"""The `_schemas` topic: one partition, compacted, one fenced writer, read back before a write is answered."""

import threading
import time
from collections.abc import Iterable

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from uns.errors import UserError
from uns.kafka import clients
from uns.registry.store import SchemaStore
from uns.runtime.settings import Settings

log = structlog.get_logger()

TOPIC = "_schemas"
TIMEOUT_S = 10.0
Record = tuple[bytes, bytes | None]


class NotWritten(RuntimeError):
    """The record is not on the topic; the message says why."""


class SchemaLog:
    """Keeps `store` equal to the topic. `write` is for one thread at a time and returns once `store` has it.

    A second process that opens the log for writing fences this one: `fenced` is then true and every write refused.
    So it is when nobody can say any more what is on the topic; the process must then end and begin again.
    `lock` guards the store; `writing` is held from the first look at the store until the write is read back.
    """

    def __init__(self, settings: Settings, topic: str = TOPIC) -> None:
        self.store = SchemaStore()
        self.lock = threading.RLock()
        self.writing = threading.Lock()
        self.fenced = False
        self.problem: str | None = "reading the topic"
        self._settings, self._topic = settings, topic
        self._read = 0
        self._moved = threading.Condition(self.lock)
        self._stop = threading.Event()
        self._producer: Producer | None = None
        self._thread = threading.Thread(target=self._follow, name="schemas", daemon=True)

    def open(self) -> None:
        """Creates the topic where it is missing, fences any other writer, and reads to the end.

        Raises `KafkaException`, and `UserError` for a topic that cannot keep schemas safe.
        """
        self._create()
        self._producer = clients.producer(
            self._settings,
            {"transactional.id": f"uns-registry-{self._topic}", "transaction.timeout.ms": 10_000},
        )
        self._producer.init_transactions(TIMEOUT_S * 2)
        self._thread.start()
        deadline = time.monotonic() + TIMEOUT_S * 2
        with self._moved:
            while self.problem is not None:
                if not self._moved.wait(0.2) and time.monotonic() > deadline:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{self._topic} was not read in time"))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def write(self, records: Iterable[Record]) -> None:
        """All or none, then read back. Raises `NotWritten`."""
        if self.fenced or self._producer is None:
            raise NotWritten(f"{self.problem}; this registry only reads")
        offsets: list[int] = []
        errors: list[str] = []

        def delivered(error: KafkaError | None, message: object) -> None:
            if error is not None:
                errors.append(error.str())
            else:
                offsets.append(message.offset())  # type: ignore[attr-defined]

        try:
            self._producer.begin_transaction()
            for key, value in records:
                self._producer.produce(self._topic, value, key, partition=0, on_delivery=delivered)
            self._producer.commit_transaction(TIMEOUT_S)
        except KafkaException as error:
            self._failed(error.args[0])
            raise NotWritten(f"Kafka did not take it: {error.args[0].str()}") from error
        if errors or not offsets:
            raise NotWritten(f"Kafka did not take it: {', '.join(errors) or 'no delivery report'}")
        deadline = time.monotonic() + TIMEOUT_S
        with self._moved:
            while self._read <= max(offsets):
                if not self._moved.wait(0.2) and time.monotonic() > deadline:
                    # The store is behind the topic: the next id given would be one that is taken.
                    self._end("what was written was not read back in time")
                    raise NotWritten("written, but not read back in time; ask again")

    def _failed(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in (
            KafkaError._FENCED,
            KafkaError.PRODUCER_FENCED,
            KafkaError.INVALID_PRODUCER_EPOCH,
        ):
            self._end("another registry has taken over the topic")
            return
        try:
            assert self._producer is not None
            self._producer.abort_transaction(TIMEOUT_S)
        except KafkaException as again:
            self._end(f"the writer failed: {again.args[0].str()}")

    def _end(self, problem: str) -> None:
        self.fenced, self.problem = True, problem
        log.error("registry writes no more", topic=self._topic, reason=problem)

    def _create(self) -> None:
        admin = clients.admin(self._settings)
        metadata = admin.list_topics(timeout=TIMEOUT_S)
        if self._topic in metadata.topics:
            self._check(admin, len(metadata.topics[self._topic].partitions))
            return
        replicas = min(3, len(metadata.brokers))
        config = {"cleanup.policy": "compact"} | ({"min.insync.replicas": "2"} if replicas == 3 else {})
        new = NewTopic(self._topic, 1, replicas, config=config)
        try:
            admin.create_topics([new])[self._topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _check(self, admin: AdminClient, partitions: int) -> None:
        resource = ConfigResource(ConfigResource.Type.TOPIC, self._topic)
        policy = admin.describe_configs([resource])[resource].result(TIMEOUT_S)["cleanup.policy"].value
        if policy != "compact":
            raise UserError(
                f"topic {self._topic} has cleanup.policy={policy}: Kafka would delete schemas that records still need. "
                f"Run: kafka-configs.sh --alter --entity-type topics --entity-name {self._topic} "
                "--add-config cleanup.policy=compact"
            )
        if partitions != 1:
            raise UserError(
                f"topic {self._topic} has {partitions} partitions; a registry needs exactly one to keep its order. "
                "Delete it if nothing is in it: the registry creates it anew"
            )

    def _follow(self) -> None:
        consumer = clients.consumer(
            self._settings,
            "uns-registry",  # never joined
            {"enable.partition.eof": True, "fetch.wait.max.ms": 20},
        )
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        try:
            while not self._stop.is_set():
                message = consumer.poll(0.1)
                if message is None:
                    continue
                error = message.error()
                with self._moved:
                    if error is None:
                        before = self.store.unreadable
                        self.store.apply(message.key(), message.value())
                        self._read = message.offset() + 1
                        if self.store.unreadable > before:
                            log.warning("record passed over", topic=self._topic, offset=message.offset())
                    elif error.code() == KafkaError._PARTITION_EOF and not self.fenced:
                        self.problem = None
                    self._moved.notify_all()
        except Exception as error:
            self._end(f"the topic cannot be read: {error}")
        finally:
            consumer.close()
