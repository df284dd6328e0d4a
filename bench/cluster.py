"""The one broker that all engines of a run share, its topics, and when what they write becomes visible."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from topology.namespace.classes import MessageClass
from topology.namespace.topics import parse_topic, topic
from uns.kafka.offsets import watermarks
from uns.runtime.settings import Settings

POLL_S = 0.02


class Failed(Exception):
    """A measurement that came to nothing. The message says why."""


def cpu_s(pid: int) -> float:
    """CPU seconds of a process up to now; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Machine:
    """What the whole machine does from now on, other people's work included."""

    def __init__(self) -> None:
        self._before, self._begun = self._idle_s(), time.monotonic()

    def idle_cores(self) -> float:
        """Cores that were idle since, on average."""
        return (self._idle_s() - self._before) / max(time.monotonic() - self._begun, 1e-9)

    def _idle_s(self) -> float:
        times = psutil.cpu_times()
        return float(times.idle + getattr(times, "iowait", 0.0))


@dataclass(frozen=True)
class Cluster:
    """A broker on this machine. `broker_pid` is None for one that runs elsewhere (`UNS_BOOTSTRAP`)."""

    settings: Settings
    folder: Path
    broker_pid: int | None
    admin: AdminClient

    @property
    def bootstrap(self) -> str:
        return str(self.settings.bootstrap)

    def broker_cpu_s(self) -> float:
        return cpu_s(self.broker_pid) if self.broker_pid is not None else 0.0

    def make(self, name: str, partitions: int = 1, **config: str) -> None:
        """The topic, empty: one of that name goes first."""
        self.drop(name)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result()
                break
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
        while self.partitions(name) != partitions:
            if time.monotonic() > deadline:
                raise Failed(f"topic {name} does not come up")
            time.sleep(POLL_S)

    def drop(self, *names: str) -> None:
        futures = self.admin.delete_topics(list(names))
        for future in futures.values():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise

    def drop_internal(self, group: str) -> None:
        """The topics that a peer made for itself: their names carry its group."""
        names = [name for name in self.admin.list_topics(timeout=10).topics if group in name]
        if names:
            self.drop(*names)

    def partitions(self, name: str) -> int:
        metadata = self.admin.list_topics(timeout=10).topics.get(name)
        return len(metadata.partitions) if metadata is not None else 0

    def prepare_area(self, raw: str, classes: Sequence[MessageClass]) -> None:
        """What our engine writes for the raw topic's area, empty and co-partitioned."""
        area, _ = parse_topic(raw)
        for message_class in classes:
            config = {"cleanup.policy": "compact"} if message_class.compacted else {}
            self.make(topic(area, message_class), self.partitions(raw), **config)

    def reader(self, **config: object) -> Consumer:
        """A `read_committed` consumer that never commits."""
        base = {
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
        return Consumer(self.settings.kafka(**(base | config)))

    def messages(self, name: str, partition: int = 0, deadline_s: float = 120.0) -> Iterator[tuple[int, bytes, bytes]]:
        """Offset, key and value of all committed records of a partition up to its end now."""
        consumer = self.reader(**{"enable.partition.eof": True})
        deadline = time.monotonic() + deadline_s
        try:
            consumer.assign([TopicPartition(name, partition, 0)])
            while True:
                for message in consumer.consume(10_000, 0.5):
                    error = message.error()
                    if error is None:
                        yield message.offset(), message.key(), message.value()
                    elif error.code() == KafkaError._PARTITION_EOF:
                        return
                if time.monotonic() > deadline:
                    raise Failed(f"{name} cannot be read to its end in {deadline_s:.0f} s")
        finally:
            consumer.close()


class Visible:
    """The committed ends of a topic's partitions over time: what a `read_committed` consumer could have read, when.

    It asks for the last stable offset instead of reading, so that watching costs the engines next to nothing; what
    was written is read and judged afterwards.
    """

    def __init__(self, cluster: Cluster, name: str, partitions: int = 1) -> None:
        self._places = [TopicPartition(name, number) for number in range(partitions)]
        self._reader = cluster.reader()
        self._seen: list[list[tuple[float, int]]] = [[] for _ in self._places]

    def look(self) -> list[int]:
        """The ends now."""
        for place, seen in zip(self._places, self._seen, strict=True):
            end = watermarks(self._reader, place, 10)[1]
            if not seen or end != seen[-1][1]:
                seen.append((time.time(), end))
        return [seen[-1][1] for seen in self._seen]

    def since(self, offset: int, partition: int = 0) -> float:
        """Wall time at which a record at that offset was first seen to be readable."""
        return next(at for at, end in self._seen[partition] if end > offset)

    def wait(self, done: Callable[[list[int]], bool], deadline_s: float, check: Callable[[], None]) -> None:
        """Looks until `done` says so of the ends. `check` raises when it cannot come any more."""
        deadline = time.monotonic() + deadline_s
        while not done(ends := self.look()):
            check()
            if time.monotonic() > deadline:
                raise Failed(f"not done in {deadline_s:.0f} s; {sum(ends):,} offsets visible")
            time.sleep(POLL_S)

    def close(self) -> None:
        self._reader.close()


@contextmanager
def cluster(folder: Path, progress: Callable[[str], None]) -> Iterator[Cluster]:
    """The broker at `UNS_BOOTSTRAP`, else the embedded one with its data under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if address := os.environ.get("UNS_BOOTSTRAP"):
        settings = Settings(bootstrap=address)
        yield Cluster(settings, folder, None, AdminClient(settings.kafka(log_level=0)))
        return
    from uns.local.kafka import Kafka

    with Kafka(folder / "kafka", progress=progress) as broker:
        assert broker.child is not None
        settings = Settings(bootstrap=broker.address)
        yield Cluster(settings, folder, broker.child.pid, AdminClient(settings.kafka(log_level=0)))
