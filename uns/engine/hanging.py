"""A transaction that its coordinator has forgotten: found and proved. Pure.

Kafka 4.3 and 4.4 take a partition without a leader for a deleted one (KAFKA-20734): a transaction that ends while the
broker goes or comes is complete for its coordinator, and some partitions have no marker of it. Nobody will write it, the
last stable offset stands for ever, and the same producer's next marker there would end these records as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faust.types import TP


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
class Observation:
    """What leaders say, and then what coordinators say."""

    producers: Mapping[TP, Sequence[Producer]]
    transactions: Mapping[str, Transaction]


@dataclass(frozen=True, slots=True)
class Hanging:
    """An open transaction that no coordinator will end."""

    partition: TP
    transactional_id: str
    producer: Producer


def hanging(earlier: Observation, later: Observation, group: str) -> Iterator[Hanging]:
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


def _forgotten_by(look: Observation, partition: TP, producer: Producer) -> str | None:
    for name, known in look.transactions.items():
        if known.producer_id == producer.id:
            forgotten = known.producer_epoch >= producer.epoch and partition not in known.partitions
            return name if forgotten else None
    return None


def _of(group: str, transactional_id: str) -> bool:
    head, _, slot = transactional_id.rpartition("-")
    return head == group and slot.isdecimal()
