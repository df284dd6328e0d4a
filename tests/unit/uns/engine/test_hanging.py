"""What hangs and what does not, by two looks: a live transaction never does, whenever the looks come."""

from dataclasses import dataclass, field, replace

import msgspec
import pytest
from confluent_kafka import Message
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from uns.engine.hanging import Hanging, Observation, Producer, Transaction, hanging
from uns.engine.restore import ChangelogContent
from uns.engine.step import Fence

GROUP = "uns-processors-acme"
STATE, OEE = TP("uns.acme.dallas.packaging.state", 0), TP("uns.acme.dallas.packaging.oee", 0)
OPEN = Producer(id=7, epoch=3, last_sequence=9, last_timestamp_ms=1_000, coordinator_epoch=1, start_offset=40)
DONE = Transaction(7, 3, frozenset())


def look(producer: Producer = OPEN, transaction: Transaction = DONE, name: str = f"{GROUP}-1") -> Observation:
    return Observation({STATE: [producer]}, {name: transaction})


def test_open_at_its_partition_and_not_at_its_coordinator_hangs() -> None:
    assert list(hanging(look(), look(), GROUP)) == [Hanging(STATE, f"{GROUP}-1", OPEN)]
    later = look(transaction=Transaction(7, 4, frozenset({OEE})))  # its successor has another one open elsewhere
    assert list(hanging(look(), later, GROUP)) == [Hanging(STATE, f"{GROUP}-1", OPEN)]


@pytest.mark.parametrize(
    "other",
    [
        look(transaction=Transaction(7, 3, frozenset({STATE}))),  # its coordinator will end it
        look(replace(OPEN, last_sequence=10)),  # it is still writing
        look(replace(OPEN, start_offset=41)),  # another one by now
        look(replace(OPEN, epoch=4)),
        look(replace(OPEN, start_offset=-1)),  # over
        look(transaction=Transaction(7, 2, frozenset())),  # the coordinator is behind the partition: it cannot be
        look(transaction=Transaction(8, 3, frozenset())),  # another producer's
        Observation({STATE: [OPEN]}, {}),  # the coordinator is away, or may not tell us
        Observation({}, {f"{GROUP}-1": DONE}),  # the leader is
        look(name=f"{GROUP}-berlin-1"),  # another group's worker
        look(name="uns-replay-acme"),
    ],
)
def test_one_look_that_says_less_is_no_proof(other: Observation) -> None:
    assert not list(hanging(other, look(), GROUP))
    assert not list(hanging(look(), other, GROUP))


@pytest.mark.parametrize(
    ("worker", "fenced_ms", "has"),
    [
        (f"{GROUP}-1", 1_000, True),  # the fence is the last record of its transaction
        (f"{GROUP}-1", 2_000, True),
        (f"{GROUP}-1", 999, False),  # of the one before
        (f"{GROUP}-2", 2_000, False),  # of the owner before, by another clock
    ],
)
def test_the_fence_says_whether_the_state_has_a_transaction(worker: str, fenced_ms: int, has: bool) -> None:
    kept = ChangelogContent(b"raw/fence")
    assert not kept.has(Hanging(STATE, f"{GROUP}-1", OPEN))
    fence = msgspec.msgpack.encode(Fence(30, 0, worker=worker))
    kept.put(Message(key=b"raw/fence", value=fence, timestamp=(1, fenced_ms)))
    kept.put(Message(key=b"raw/state/x", value=b"newer than the fence", timestamp=(1, 9_000)))
    assert kept.has(Hanging(STATE, f"{GROUP}-1", OPEN)) is has


@dataclass
class Cluster:
    """One producer, its partitions and its coordinator, as Kafka's protocol has them. `lost`: markers never written."""

    lost: frozenset[TP] = frozenset()
    epoch: int = 0
    named: set[TP] = field(default_factory=set)
    open_at: dict[TP, int] = field(default_factory=dict)
    ends: dict[TP, int] = field(default_factory=dict)
    sequences: dict[TP, int] = field(default_factory=dict)
    ending: list[TP] = field(default_factory=list)
    begun: bool = False

    def write(self, partition: TP) -> None:
        if not self.ending:
            self.begun = True
            self.named.add(partition)  # at the coordinator before the first record is at the partition
            self.sequences[partition] = self.sequences.get(partition, 0) + 1
            self.open_at.setdefault(partition, self.ends.get(partition, 0))
            self.ends[partition] = self.ends.get(partition, 0) + 1

    def end(self) -> None:
        if self.begun and not self.ending:
            self.ending = sorted(self.named)
            self.begun = False

    def mark(self) -> None:
        """One partition at a time; it is forgotten when its marker is written, or is taken for deleted."""
        if self.ending:
            partition = self.ending.pop()
            if partition not in self.lost:
                self.open_at.pop(partition)
                self.ends[partition] += 1
            self.named.discard(partition)

    def restart(self) -> None:
        """The next process of the slot aborts what is open, and gets an epoch of its own."""
        self.end()
        while self.ending:
            self.mark()
        self.epoch += 1

    def leaders(self) -> dict[TP, list[Producer]]:
        return {
            tp: [Producer(7, self.epoch, sequence, sequence, 0, self.open_at.get(tp, -1))]
            for tp, sequence in self.sequences.items()
        }

    def coordinators(self) -> dict[str, Transaction]:
        return {f"{GROUP}-0": Transaction(7, self.epoch, frozenset(self.named))}


STEPS = st.lists(st.sampled_from(["state", "oee", "end", "mark", "restart"]), max_size=8)


def act(cluster: Cluster, steps: list[str]) -> None:
    for step in steps:
        if step in ("state", "oee"):
            cluster.write(STATE if step == "state" else OEE)
        else:
            getattr(cluster, step)()


def looked(cluster: Cluster, between: list[str]) -> Observation:
    producers = cluster.leaders()
    act(cluster, between)
    return Observation(producers, cluster.coordinators())


@given(STEPS, STEPS, STEPS, STEPS)
def test_no_transaction_hangs_where_markers_are_written(
    before: list[str], first: list[str], between: list[str], second: list[str]
) -> None:
    cluster = Cluster()
    act(cluster, before)
    earlier = looked(cluster, first)
    act(cluster, between)
    assert not list(hanging(earlier, looked(cluster, second), GROUP))


@given(STEPS)
def test_a_lost_marker_is_seen_once_all_is_still(before: list[str]) -> None:
    cluster = Cluster(lost=frozenset({OEE}))
    act(cluster, before)
    cluster.end()
    while cluster.ending:
        cluster.mark()
    found = {h.partition for h in hanging(looked(cluster, []), looked(cluster, []), GROUP)}
    assert found == cluster.open_at.keys()
