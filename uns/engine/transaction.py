"""One transactional producer for one worker slot: outputs, state, fences and offsets commit together or not at all."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from faust.types import TP

from uns.engine.config import EngineConfig
from uns.engine.failure import Exit, Fatal, Fenced
from uns.engine.transport import Membership
from uns.kafka import clients
from uns.kafka.message import Message
from uns.runtime.settings import Settings

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
_FENCED = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})


class Transactions:
    """Not thread-safe, and blocking: call it from one thread of its own. After `Fatal` it must not be used again."""

    def __init__(self, settings: Settings, config: EngineConfig, transactional_id: str) -> None:
        self._id = transactional_id
        self._timeout_s = config.transaction_timeout_s
        self._refused: str | None = None
        self._producer = clients.producer(
            settings,
            {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(config.transaction_timeout_s * 1000),
                "message.timeout.ms": int(config.transaction_timeout_s * 1000),
                "message.max.bytes": MESSAGE_MAX_BYTES,
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
        messages: Iterable[tuple[int, Message]],
        offsets: Mapping[TP, int],
        membership: Membership,
        notes: Mapping[TP, str] | None = None,
    ) -> None:
        """Writes (partition, message) pairs in order, and commits them with the group's offsets and what is noted there.

        Raises `Fenced` when the group has moved on (aborted, nothing was written), `Fatal` for any other failure:
        the outcome may then be unknown, and only a new process may find out.
        """
        producer = self._producer
        try:
            producer.begin_transaction()
            for partition, message in messages:
                self._produce(message, partition)
            # All on the log before the offsets: whoever takes the partition over then sees this transaction open
            # in the changelog and waits for its end, however long this process sleeps before the next line.
            if left := producer.flush(self._timeout_s):
                raise Fatal(Exit.TRANSACTION, f"{self._id}: {left} messages not delivered in {self._timeout_s} s")
            if self._refused is not None:
                raise Fatal(Exit.TRANSACTION, f"{self._id}: {self._refused}")
        except (KafkaException, BufferError) as error:
            raise self._fatal(error) from error
        except SystemError as error:  # the client loses a fatal error that it meets in `flush`, and says it when asked
            self._abort()
            raise self._fatal(error) from error
        try:
            producer.send_offsets_to_transaction(
                [TopicPartition(*tp, offset, metadata=(notes or {}).get(tp, "")) for tp, offset in offsets.items()],
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
            except BufferError:
                if time.monotonic() > deadline:
                    raise
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaError | None, message: object) -> None:
        if error is not None and self._refused is None:
            where = f"{message.topic()}[{message.partition()}]"  # type: ignore[attr-defined]
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
