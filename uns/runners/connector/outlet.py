"""From the spool to Kafka: in order, idempotent, a bounded number under way; says which entries Kafka has."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException

from uns.kafka import clients
from uns.kafka.message import CONTENT_REFUSED, RECORD_REFUSED, Message, refused_output
from uns.runners.connector.spool import Spool, SpoolRow
from uns.runtime.settings import Settings

log = structlog.get_logger()

IN_FLIGHT_MAX = 5_000
"""Records given to the client and not yet confirmed."""
IN_FLIGHT_MAX_KB = 64_000
IN_FLIGHT_MIN_KB = 4_000
"""Enough for the largest record there is, however small the spool."""
CHUNK = 500
REFUSED_BY_TOPIC = "refused_by_topic"
"""Why a record of ours is in quarantine: larger than its topic takes, or against a rule of the broker's."""
PROBE_S = 0.5


class OutletBroken(RuntimeError):
    """The producer is beyond use, or Kafka refuses all records; the process ends and a new one begins anew."""


class Outlet:
    """`feed` and `collect` belong to the runner's thread; deliveries arrive on a thread of its own.

    A broker that is away is waited for without end: the spool holds what comes meanwhile, and it is bounded. A record that
    Kafka refuses for what is in it goes in halves, and those again, until the one sample that is meant stands alone: it goes
    to quarantine in its place.
    """

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        wake: Callable[[], None],
        split: Callable[[SpoolRow], Sequence[int]] = lambda row: (),
        observe: Callable[[float], None] = lambda latency_s: None,
    ) -> None:
        """`split` puts parts in the place of an entry and returns their ids, none where it cannot be parted. `observe` is
        told the seconds from the client to Kafka's confirmation, for a sample of the records."""
        self._spool, self._wake, self._split, self._observe = spool, wake, split, observe
        self._producer = clients.producer(
            settings,
            {
                "message.timeout.ms": 0,  # never give up on a record: the spool, not the client, says what is too much
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": IN_FLIGHT_MAX * 2,
                "queue.buffering.max.kbytes": max(IN_FLIGHT_MIN_KB, min(spool.max_bytes // 2000, IN_FLIGHT_MAX_KB)),
                "reconnect.backoff.max.ms": 2_000,
                "error_cb": self._on_error,
                "log_level": 2,  # what matters comes through error_cb, into our own log
            },
        )
        self.cursor = 0
        """Id of the newest entry that was given to the client."""
        self.in_flight = 0
        self._refused: dict[int, bool] = {}
        """Id of an entry that was refused → whether it was alone. A broker refuses a batch as a whole: each goes again, by
        itself, and the one that is meant shows."""
        self.problem: str | None = None
        self._done: deque[tuple[int, float, KafkaError | None]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="deliveries", daemon=True)
        self._thread.start()

    def feed(self) -> None:
        """Gives the client what it has room for."""
        if self._refused:
            id_ = min(self._refused)
            if self.in_flight == 0 and self._produce(self._spool.read(id_ - 1, 1)[0]):
                self._refused[id_], self.in_flight = True, 1
            return
        while self.in_flight < IN_FLIGHT_MAX:
            rows = self._spool.read(self.cursor, CHUNK)
            for row in rows:
                if not self._produce(row):
                    return
                self.cursor = row.id
                self.in_flight += 1
            if len(rows) < CHUNK:
                return

    def _produce(self, row: SpoolRow) -> bool:
        entry = row.entry

        def delivered(
            error: KafkaError | None, _message: object, id_: int = row.id, began: float = time.monotonic()
        ) -> None:
            self._done.append((id_, began, error))

        try:
            self._producer.produce(
                entry.topic, entry.value, entry.key, entry.partition, on_delivery=delivered, headers=list(entry.headers)
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise OutletBroken(
                f"{entry.topic}[{entry.partition}]: {error.args[0].str()}; `uns apply` creates the plant's topics"
            ) from error
        return True

    def collect(self) -> list[int]:
        """Ids that Kafka has confirmed since the last call; they have left the spool. Raises `OutletBroken`."""
        ids: list[int] = []
        while self._done:
            id_, began, error = self._done.popleft()
            self.in_flight -= 1
            if error is not None:
                self._refuse(id_, error)
                continue
            self._refused.pop(id_, None)
            if not ids:
                self._observe(time.monotonic() - began)
            ids.append(id_)
        if ids:
            if self.problem is not None:
                log.info("kafka back", waiting=self._spool.pending)
            self.problem = None
            self._spool.delivered(ids)
        return ids

    def _refuse(self, id_: int, error: KafkaError) -> None:
        row = self._spool.read(id_ - 1, 1)[0]
        entry = row.entry
        if error.code() not in RECORD_REFUSED or (entry.quarantine and self._refused.get(id_)):
            raise OutletBroken(
                f"entry {id_}: Kafka refuses it: {error.str()}; `uns apply` makes the topics as the plant needs them"
            )
        parts: Sequence[int] = ()
        if self._refused.get(id_) and error.code() in CONTENT_REFUSED:
            parts = self._split(row)
        if self._refused.get(id_) and not parts:
            log.error("a record went to quarantine: its topic refuses it", topic=entry.topic, why=error.str())
            written = Message(entry.topic, entry.key, entry.value, entry.headers)
            told = refused_output(written, "connector", entry.partition, REFUSED_BY_TOPIC, error.str())
            self._spool.replace(
                id_, entry._replace(topic=told.topic, headers=told.headers, quarantine=REFUSED_BY_TOPIC)
            )
        self._refused |= dict.fromkeys(parts or (id_,), False)
        self.cursor = max(self.cursor, *self._refused)

    def _poll(self) -> None:
        while not self._stop.is_set():
            if self._producer.poll(0.05) and self._done:
                self._wake()
            if self.problem is not None and self.in_flight == 0:
                self._look_again()

    def _look_again(self) -> None:
        """With nothing under way no delivery would tell that Kafka is back."""
        try:
            self._producer.list_topics(timeout=PROBE_S)
            self.problem = None
        except KafkaException:
            self._stop.wait(PROBE_S)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            if self.problem is None:
                log.warning("kafka away, spooling", error=error.str())
            self.problem = "Kafka is away; what is read waits in the spool"

    def close(self) -> None:
        """What is under way stays in the spool and goes out again next time, under the same sequence."""
        self._stop.set()
        self._thread.join(timeout=2)
        self._producer.purge(in_queue=True, in_flight=True)
