"""Which host reads a connector's source: each of its name says every other second in Kafka that it is there, and reads who
holds the name (`tenure`). While Kafka is away, what was so stays so.

A producer and a consumer of one partition in a thread: no consumer group, no transaction, no admin request, so that nothing
of it can end or hold up what reads the source.
"""

import platform
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from os import getpid
from pathlib import Path

import msgspec
import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from uns.kafka import clients
from uns.runners.connector.tenure import BEATS, Beat, Tenure, after
from uns.runtime.settings import Settings

log = structlog.get_logger()

IDENTITY = "identity"
POLL_S = 0.25
GOODBYE_S = 1.5
"""Longest wait for Kafka to take the last word."""
UNKNOWN_MS = 1_000
"""So long a topic may be unknown before it is said to be none: it was just made, perhaps."""
AGAIN_S = 30.0
"""How often a topic is looked for that is not there, or that may not be read."""
_NOT_OURS = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Beat).decode


class Lease:
    """A connector's place among those of its name. Its methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        topic: str,
        name: str,
        folder: Path,
        listened: Callable[[], int | None],
        alive: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        """`folder`: the spool's. `listened`: when the link to the source was last known good (µs). `alive`: whether what
        reads the source turns; while it hangs nothing is said. `changed`: the answer may be another."""
        self._settings, self._topic, self._name = settings, topic, name
        self._listened, self._alive, self._changed = listened, alive, changed
        self._me = Beat(uuid.uuid4().hex, identity(folder), platform.node(), getpid(), lease_s=settings.lease_s)
        self._beat_s = settings.lease_s / BEATS
        self._tenure = Tenure()
        self._echoed = False
        self.unseen: str | None = None
        """Why other hosts cannot be seen; None: they can, or Kafka has not answered yet."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def tenure(self) -> Tenure | None:
        """Who holds the name; None while Kafka has not said so."""
        return self._tenure if self._echoed else None

    @property
    def ours(self) -> bool | None:
        """Whether it is this process; None while Kafka has not said so."""
        return self._tenure.is_held_by(self._me.run) if self._echoed else None

    def words(self) -> str:
        """Who else holds the name, and what follows."""
        holder = self._tenure.holder
        if holder is None:
            return f"connector {self._name}: it is not known yet who reads its source"
        since = datetime.fromtimestamp(self._tenure.since // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
        return (
            f"connector {self._name} runs already, on {holder.host} (pid {holder.pid}) since {since}; this one stands by, and "
            f"takes over once that one has stopped or was not heard for {holder.lease_s:g} s"
        )

    def close(self) -> None:
        """Gives the name back, so that another may have it at once. Waits for it at most `GOODBYE_S` and a little."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(GOODBYE_S + 2 * POLL_S)

    # -- in its thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._stand()
        except KafkaException as error:
            self.unseen = str(error)
            log.exception("other hosts are not seen any more", connector=self._name)
            self._changed()

    def _stand(self) -> None:
        producer = clients.producer(
            self._settings,
            {
                "enable.idempotence": False,  # said twice is said once; and a beat must not wait for an older one
                "message.timeout.ms": round(self._beat_s * 2000),  # one that is late says nothing of now
                "queue.buffering.max.kbytes": 1024,
                "topic.metadata.propagation.max.ms": UNKNOWN_MS,
                "reconnect.backoff.max.ms": 2_000,
                "log_level": 2,
            },
        )
        consumer = clients.consumer(
            self._settings,
            f"uns-lease-{self._me.run}",  # never joined
            {
                "queued.max.messages.kbytes": 1024,
                "topic.metadata.propagation.max.ms": UNKNOWN_MS,
                "reconnect.backoff.max.ms": 2_000,
                "log_level": 2,
            },
        )
        try:
            consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
            self._beat_on(producer, consumer)
            if self._echoed:
                self._say(producer, msgspec.structs.replace(self._me, listened=self._listened(), ended=True))
                producer.flush(GOODBYE_S)
        finally:
            producer.purge(in_queue=True, in_flight=True)
            consumer.close()

    def _beat_on(self, producer: Producer, consumer: Consumer) -> None:
        due = 0.0
        while not self._stop.is_set():
            if (now := time.monotonic()) >= due:
                if self._alive():
                    self._say(producer, self._now())
                due = now + (self._beat_s if self.unseen is None else AGAIN_S)
            producer.poll(0)
            before = self.ours, self.unseen
            for message in consumer.consume(500, POLL_S):
                self._heard(message)
            if (self.ours, self.unseen) != before:
                self._changed()
            if self.unseen is not None:
                self._stop.wait(POLL_S)

    def _now(self) -> Beat:
        since = self._tenure.since if self.ours else None
        return msgspec.structs.replace(self._me, since=since, listened=self._listened() if self.ours else None)

    def _say(self, producer: Producer, beat: Beat) -> None:
        key = f"{self._name}/{self._me.run}".encode()
        try:
            producer.produce(self._topic, _encode(beat), key, 0, on_delivery=self._delivered)
        except (BufferError, KafkaException) as error:
            if isinstance(error, KafkaException):
                self._delivered(error.args[0], None)

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None and error.code() in _NOT_OURS:
            self._is_unseen(error)

    def _heard(self, message: Message) -> None:
        if (error := message.error()) is not None:
            if error.code() in _NOT_OURS:
                self._is_unseen(error)
            return
        name, _, run = (message.key() or b"").decode(errors="replace").rpartition("/")
        if name != self._name or message.value() is None:
            return
        try:
            beat = _decode(message.value() or b"")
        except msgspec.DecodeError:
            return  # of a later release, say; whoever wrote it reads ours
        self._tenure = after(self._tenure, beat, message.timestamp()[1])
        self.unseen = None
        if run == self._me.run:
            self._echoed = True

    def _is_unseen(self, error: KafkaError) -> None:
        if self.unseen is None:
            self.unseen = f"{self._topic}: {error.str()}"
            log.warning(
                "other hosts are not seen: a connector of this name elsewhere would read the source, too",
                connector=self._name,
                why=self.unseen,
                do="`uns apply` makes the topic; grant READ and WRITE on it",
            )


def identity(folder: Path) -> str:
    """What names a spool, wherever its folder is mounted; made once."""
    file = folder / IDENTITY
    if not file.exists():
        file.write_text(uuid.uuid4().hex, encoding="ascii")
    return file.read_text(encoding="ascii").strip()
