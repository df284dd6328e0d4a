"""A transaction that its coordinator has forgotten: found, proved, and ended. Blocking.

Kafka 4.3 and 4.4 take a partition without a leader for a deleted one (KAFKA-20734): a transaction that ends while the
broker goes or comes is complete for its coordinator, and some partitions have no marker of it. Nobody will write it, the
last stable offset stands for ever, and the same producer's next marker there would end these records as well.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from faust.types import TP

from uns.engine import metrics
from uns.engine.config import EngineConfig
from uns.engine.transport import security
from uns.runtime.settings import Settings

if TYPE_CHECKING:
    from uns.engine.markers import Admin

log = structlog.get_logger()
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer as a partition's leader knows it."""

    id: int
    epoch: int
    last_sequence: int
    last_timestamp_ms: int
    """Of the newest record, as all records of the topic are stamped."""
    coordinator_epoch: int
    start_offset: int
    """Where its open transaction begins; -1: it has none."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transactional id as its coordinator knows it."""

    producer_id: int
    producer_epoch: int
    partitions: frozenset[TP]
    """What has no marker yet; empty when all is complete."""


@dataclass(frozen=True, slots=True)
class Look:
    """What leaders say, and then what coordinators say."""

    producers: Mapping[TP, Sequence[Producer]]
    transactions: Mapping[str, Transaction]


@dataclass(frozen=True, slots=True)
class Hanging:
    """An open transaction that no coordinator will end."""

    partition: TP
    transactional_id: str
    producer: Producer


def hanging(earlier: Look, later: Look, group: str) -> Iterator[Hanging]:
    """Transactions of the group's own workers that hang, by two looks. The partitions are this worker's.

    Why ending them harms no live transaction:

    - The partition holds it open and its coordinator does not name the partition, which is what Kafka's `find-hanging`
      asks. A coordinator names a partition before the first record is there, and until the marker is.
    - Both looks say so of the very same transaction, nothing added in between. In one look it might just have ended:
      leaders are asked first. Then it would not be open in the next.
    - The coordinator knows the producer. One that is away, or that may not tell us, proves nothing.
    - The producer is a worker of this group: this one, which is asked between its transactions, or one that has lost
      the partition to it. If that one lives, the group refuses its offsets, and with them whatever it may write there.
    """
    for partition, producers in later.producers.items():
        for producer in producers:
            if producer.start_offset < 0 or producer not in earlier.producers.get(partition, ()):
                continue
            name = _forgotten_by(later, partition, producer)
            if name is not None and name == _forgotten_by(earlier, partition, producer) and _of(group, name):
                yield Hanging(partition, name, producer)


def _forgotten_by(look: Look, partition: TP, producer: Producer) -> str | None:
    for name, known in look.transactions.items():
        if known.producer_id == producer.id:
            forgotten = known.producer_epoch >= producer.epoch and partition not in known.partitions
            return name if forgotten else None
    return None


def _of(group: str, transactional_id: str) -> bool:
    head, _, slot = transactional_id.rpartition("-")
    return head == group and slot.isdecimal()


class Healer:
    """Called as often as somebody waits: looks once per transaction timeout, and ends what hung at two looks.

    It raises nothing for Kafka's sake: what it cannot see or may not end goes on standing.
    """

    def __init__(self, settings: Settings, config: EngineConfig, group: str, partitions: Iterable[TP]) -> None:
        """`partitions`: all that may be waited for. They are freed in this order: the changelogs, which decide, first."""
        self._settings, self._group, self._partitions = settings, group, list(partitions)
        self._every_s = config.transaction_timeout_s
        self._began = time.monotonic()
        self._next = self._began + self._every_s
        self._earlier: Look | None = None
        self._said: str | None = None

    def __call__(self, waiting: Collection[TP], committed: Callable[[Hanging], bool]) -> None:
        """`committed` says of a hanging transaction whether the fold's state has it."""
        if time.monotonic() < self._next:
            return
        from kafka.errors import AuthorizationError, KafkaError  # 8 MB that hardly any worker ever needs

        from uns.engine.markers import Admin

        try:
            with Admin(
                bootstrap_servers=str(self._settings.bootstrap).split(","),
                bootstrap_timeout_ms=int(ANSWER_S * 1000),
                request_timeout_ms=int(ANSWER_S * 1000),
                **security(self._settings),
            ) as admin:
                look = admin.look(self._partitions)
                found = hanging(self._earlier, look, self._group) if self._earlier is not None else ()
                for one in sorted(found, key=lambda one: self._partitions.index(one.partition)):
                    if one.partition in waiting:
                        self._end(admin, one, committed(one))
                self._earlier = look
        except AuthorizationError as error:
            self._say(
                "Kafka does not let this worker end a transaction that hangs",
                error,
                "allow it ALTER on the cluster, or end it by hand: docs/guarantees.md, What is not promised",
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._say("Kafka does not say whether a transaction hangs", error, "it is asked again")
        self._next = time.monotonic() + self._every_s

    def _end(self, admin: "Admin", found: Hanging, commit: bool) -> None:
        admin.mark(found, commit)
        outcome = "committed" if commit else "aborted"
        metrics.hanging_transactions.labels(outcome).inc()
        log.warning(
            "ended a transaction that its coordinator had forgotten",
            topic=found.partition.topic,
            partition=found.partition.partition,
            start_offset=found.producer.start_offset,
            outcome=outcome,
            transactional_id=found.transactional_id,
            producer_id=found.producer.id,
            producer_epoch=found.producer.epoch,
            waited_s=round(time.monotonic() - self._began, 1),
        )

    def _say(self, what: str, error: Exception, do: str) -> None:
        if self._said != what:
            self._said = what
            log.error(what, error=f"{type(error).__name__}: {error}", do=do)
