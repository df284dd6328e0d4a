"""One transactional producer for one worker slot: outputs, state, fences and offsets commit together or not at all."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Delivered
from faust.types import TP

from topology.namespace.classes import MessageClass
from topology.namespace.topics import PREFIX, parse_topic
from uns.engine import metrics
from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal, Fenced
from uns.engine.transport import Membership
from uns.kafka import clients
from uns.kafka.message import RECORD_REFUSED, REFUSED, SIZE_REFUSED, TOO_LARGE, Message, refused_output, size_of
from uns.runtime.settings import Settings

log = structlog.get_logger()

NOTHING: Mapping[str, int] = {}
AGAIN_MAX = 4
"""Aborts one after another in which nothing new was refused."""
BATCH_MAX_BYTES = 1_000_000
"""The client makes no larger batch of several records."""
MESSAGE_MAX_BYTES = 16_000_000
"""The producer refuses nothing that the topics take: a quarantined record is a little larger than it was in raw."""

_MOVED_ON = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
_TAKEN_BACK = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""What an abort says of all that it takes back."""
_FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})


class Place(NamedTuple):
    """What a delivery report names a record by."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Transactions:
    """Not thread-safe, and blocking: call it from one thread of its own. After `Fatal` it must not be used again.

    A derived record that the broker refuses for what it is goes to quarantine in its place, with the broker's words.
    """

    def __init__(
        self,
        settings: Settings,
        config: EngineConfig,
        transactional_id: str,
        prefix: str = PREFIX,
        limits: Mapping[str, int] = NOTHING,
    ) -> None:
        """`limits`: topic → bytes of a record, and so of a batch, that it takes; may change between two commits."""
        self._id, self._prefix, self._limits = transactional_id, prefix, limits
        self._timeout_s = config.transaction_timeout_s
        self._refused: str | None = None
        self._refusals: dict[Place, KafkaError] = {}
        self._skipped = False
        """Whether the broker expects another number than the client's next."""
        self._producer = clients.producer(
            settings,
            {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(config.transaction_timeout_s * 1000),
                "message.timeout.ms": int(config.transaction_timeout_s * 1000),
                "message.max.bytes": MESSAGE_MAX_BYTES,
                "batch.size": BATCH_MAX_BYTES,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 256 * 1024,
                "compression.type": "lz4",
                "linger.ms": 5,
                "delivery.report.only.error": True,
            },
        )

    def open(self) -> None:
        """Aborts what a predecessor of this slot left open and shuts it out. Raises `Fatal`."""
        try:
            self._producer.init_transactions(self._timeout_s * 2)
        except KafkaException as error:
            raise Fatal(
                Exit.TRANSACTION, f"{self._id}: no transactions from Kafka: {_text(error)}; is the broker up?"
            ) from error

    def commit(
        self,
        messages: Sequence[tuple[int, Message]],
        offsets: Mapping[TP, int],
        membership: Membership,
        notes: Mapping[TP, str] | None = None,
    ) -> None:
        """Writes (partition, message) pairs in order, and commits them with the group's offsets and what is noted there.

        Raises `Fenced` when the group has moved on (aborted, nothing was written), `Fatal` for any other failure:
        the outcome may then be unknown, and only a new process may find out.
        """
        alone: frozenset[Place] = frozenset()
        left = AGAIN_MAX
        while (refusals := self._try(messages, alone, offsets, membership, notes or {})) is not None:
            left = AGAIN_MAX if refusals else left - 1
            if not left:
                raise Fatal(Exit.TRANSACTION, f"{self._id}: {self._refused or 'records are refused without a word'}")
            # A broker refuses a batch as a whole: which record of it is meant shows once each has a batch of its own.
            culprits = refusals.keys() & alone
            messages = [
                (number, self._quarantined(number, message, refusals[place]) if place in culprits else message)
                for number, message in messages
                for place in (Place(message.topic, number, message.key, message.value),)
            ]
            alone |= refusals.keys()

    def _try(
        self,
        messages: Sequence[tuple[int, Message]],
        alone: frozenset[Place],
        offsets: Mapping[TP, int],
        membership: Membership,
        notes: Mapping[TP, str],
    ) -> dict[Place, KafkaError] | None:
        """One transaction; each of `alone` has a batch of its own. None once it is committed. Where it was aborted for what
        was refused in it: that, or nothing where the client must only begin anew.
        """
        producer = self._producer
        self._refusals, self._skipped = {}, False
        try:
            producer.begin_transaction()
            self._write(messages, alone)
            # All on the log before the offsets: whoever takes the partition over then sees this transaction open
            # in the changelog and waits for its end, however long this process sleeps before the next line.
            if left := producer.flush(self._timeout_s):
                raise Fatal(Exit.TRANSACTION, f"{self._id}: {left} messages not delivered in {self._timeout_s} s")
            if self._taken_back(bool(alone)):
                return self._refusals
            if self._refused is not None or self._skipped:
                raise Fatal(Exit.TRANSACTION, f"{self._id}: {self._refused or 'records came out of order'}")
        except (KafkaException, BufferError) as error:
            producer.poll(0)  # once a record was refused, the client takes no other: the reports say which
            self._skipped |= isinstance(error, KafkaException) and error.args[0].code() == KafkaError._STATE
            if self._taken_back(bool(alone)):
                return self._refusals
            raise self._fatal(error) from error
        except SystemError as error:  # the client loses a fatal error that it meets in `flush`, and says it when asked
            self._abort()
            raise self._fatal(error) from error
        self._end(offsets, membership, notes)
        return None

    def _write(self, messages: Sequence[tuple[int, Message]], alone: frozenset[Place]) -> None:
        """Gives the client all messages. No batch of it is larger than a topic takes whose limit is known to be small."""
        narrow = {topic: limit for topic, limit in self._limits.items() if limit < BATCH_MAX_BYTES}
        if not (narrow or alone):
            self._write_all(messages)
            return
        room: dict[str, int] = {}
        for partition, message in messages:
            by_itself = bool(alone) and Place(message.topic, partition, message.key, message.value) in alone
            if message.topic in narrow:
                size = size_of(message)
                by_itself |= size > room.get(message.topic, 0)
                room[message.topic] = (narrow if by_itself else room)[message.topic] - size
            if by_itself:
                self._producer.flush(self._timeout_s)
            self._produce(message, partition)
            if by_itself and alone:
                self._producer.flush(self._timeout_s)

    def _write_all(self, messages: Sequence[tuple[int, Message]]) -> None:
        """Gives the client all messages as they come; one that it does not take at once goes the long way."""
        produce, delivered = self._producer.produce, self._delivered
        for partition, message in messages:
            topic, key, value, headers = message
            try:
                # Arguments by place, and no timestamp: by name they take a quarter of the call.
                produce(topic, value, key, partition, delivered, None, 0, [*headers])
            except (KafkaException, BufferError):
                self._produce(message, partition)

    def _taken_back(self, again: bool) -> bool:
        """Aborts the transaction where the broker refused records for what they are, and nothing else went wrong.

        `again`: after such an abort. Then the client goes on with the number after those of the refused batch, which the
        broker does not know, and only one more abort has both begin anew.
        """
        if self._refused is not None or not (self._refusals or (again and self._skipped)):
            return False
        self._abort()
        return True

    def _end(self, offsets: Mapping[TP, int], membership: Membership, notes: Mapping[TP, str]) -> None:
        """Commits what has been written, with the offsets. Raises as `commit` does."""
        producer = self._producer
        try:
            producer.send_offsets_to_transaction(
                [TopicPartition(*tp, offset, metadata=notes.get(tp, "")) for tp, offset in offsets.items()],
                membership.metadata,
                self._timeout_s,
            )
        except KafkaException as error:
            failure: KafkaError = error.args[0]
            if failure.code() in _MOVED_ON and not failure.fatal():
                self._abort()
                raise Fenced(f"{self._id}: {failure.str()} (generation {membership.generation})") from error
            raise self._fatal(error) from error
        try:
            producer.commit_transaction(self._timeout_s)
        except KafkaException as error:
            raise self._fatal(error) from error

    def _quarantined(self, partition: int, message: Message, refusal: KafkaError) -> Message:
        """What is written in place of a refused derived record. Raises `Fatal`: quarantine and state have no other place."""
        _, message_class = parse_topic(message.topic, self._prefix)
        if message_class in (MessageClass.QUARANTINE, MessageClass.CHANGELOG):
            raise Fatal(
                Exit.TRANSACTION,
                f"{self._id}: {message.topic}[{partition}] refused a record of {len(message.value or b'')} bytes: "
                f"{refusal.str()}; `uns apply` mends topics",
            )
        reason = TOO_LARGE if refusal.code() in SIZE_REFUSED else REFUSED
        metrics.refused_outputs.labels(message_class, reason).inc()
        metrics.quarantined.labels(reason).inc()
        log.error(
            "a record went to quarantine: its topic refuses it",
            topic=message.topic,
            partition=partition,
            path=(message.key or b"").decode(errors="replace"),
            bytes=len(message.value or b""),
            why=refusal.str(),
            do="`uns apply` mends topics",
        )
        return refused_output(message, self._id, partition, reason, refusal.str(), self._prefix)

    def _produce(self, message: Message, partition: int) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    partition,
                    on_delivery=self._delivered,
                    headers=list(message.headers),
                )
                return
            except KafkaException as error:
                if error.args[0].code() not in SIZE_REFUSED:
                    raise
                self._refusals[Place(message.topic, partition, message.key, message.value)] = error.args[0]
                return
            except BufferError:
                if time.monotonic() > deadline:
                    raise
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: Delivered) -> None:
        if error is None or error.code() in _TAKEN_BACK:
            return
        if error.code() in RECORD_REFUSED:
            self._refusals[Place(message.topic(), message.partition(), message.key(), message.value())] = error
        elif error.code() == KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER:
            self._skipped = True
        elif self._refused is None:
            where = f"{message.topic()}[{message.partition()}]"
            if error.code() in (KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT):
                self._refused = f"{where} took no record for {self._timeout_s} s; is the broker up?"
            else:
                self._refused = f"{where} refused a record: {error.str()}; `uns apply` mends topics"

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(self._timeout_s)
        except KafkaException as error:
            raise self._fatal(error) from error

    def _fatal(self, error: Exception) -> Fatal:
        code = error.args[0].code() if isinstance(error, KafkaException) else None
        if code in _FENCED:
            return Fatal(
                Exit.FENCED, f"{self._id}: another process with this slot is running, or this one slept: {_text(error)}"
            )
        return Fatal(Exit.TRANSACTION, f"{self._id}: {self._refused or _text(error)}")


def _text(error: Exception) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else str(error)
