"""One area's topics as a test sees them: what was written, how far the group has come, and what is still open."""

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.harness.topics import consume_all
from tests.harness.waiting import eventually
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import topic
from uns.kafka.log import LogRecord, read
from uns.kafka.offsets import watermarks
from uns.runtime.settings import Settings

DEADLINE_S = 60.0


class Area:
    """Reads only; every call asks the broker anew."""

    def __init__(
        self, settings: Settings, area: Path, partitions: int, group: str, classes: Sequence[MessageClass]
    ) -> None:
        """`classes`: those whose topics exist."""
        self.settings, self.area, self.partitions, self.group, self.classes = settings, area, partitions, group, classes
        self.raw = self.topic(MessageClass.RAW)

    def topic(self, message_class: MessageClass) -> str:
        return topic(self.area, message_class)

    def written(self, message_class: MessageClass, partition: int, end: int | None = None) -> list[LogRecord]:
        return list(read(self.settings, self.topic(message_class), partition, end=end))

    def snapshot(self, deadline_s: float = 300.0) -> dict[tuple[str, int], list[LogRecord]]:
        """Everything that is committed in every topic, by topic and partition, read in one go."""
        names = [self.topic(c) for c in self.classes]
        records: dict[tuple[str, int], list[LogRecord]] = {(n, p): [] for n in names for p in range(self.partitions)}
        for m in consume_all(str(self.settings.bootstrap), names, timeout_s=deadline_s):
            headers = tuple(m.headers() or ())
            record = LogRecord(m.topic(), m.partition(), m.offset(), m.key(), m.value(), headers, m.timestamp()[1])
            records[record.topic, record.partition].append(record)
        return records

    def end(self, name: str, partition: int = 0, isolation: str = "read_committed") -> int:
        return self._ends([(name, partition)], isolation)[name, partition]

    def _ends(self, places: Sequence[tuple[str, int]], isolation: str) -> dict[tuple[str, int], int]:
        consumer = Consumer(self.settings.kafka(**{"group.id": "ends", "isolation.level": isolation}))
        try:
            return {p: watermarks(consumer, TopicPartition(*p), 10)[1] for p in places}
        finally:
            consumer.close()

    def committed(self) -> dict[int, int]:
        """The group's offsets; those of a transaction that is open do not count, and are not waited for."""
        consumer = Consumer(self.settings.kafka(**{"group.id": self.group, "isolation.level": "read_uncommitted"}))
        try:
            positions = consumer.committed([TopicPartition(self.raw, n) for n in range(self.partitions)], 10)
            return {p.partition: p.offset for p in positions}
        finally:
            consumer.close()

    def lag(self) -> int:
        committed = self.committed()
        return sum(self.end(self.raw, n) - max(0, committed[n]) for n in range(self.partitions))

    def processed(self, deadline_s: float = DEADLINE_S) -> None:
        """Waits until the group has committed the end of every partition. Not with ticks, which never end."""
        eventually(lambda: self.lag() == 0, deadline_s, f"lag 0 of {self.raw}", every_s=0.05)
        self.settled(deadline_s)

    def settled(self, deadline_s: float = DEADLINE_S) -> None:
        """Waits until no transaction is open: a group's offsets show a moment before the records of the same commit."""
        places = [(self.topic(c), n) for c in self.classes for n in range(self.partitions)]

        def closed() -> bool:
            return self._ends(places, "read_committed") == self._ends(places, "read_uncommitted")

        eventually(closed, deadline_s, f"no open transaction in {self.area}", every_s=0.05)

    def passed(self, deadline_s: float = DEADLINE_S) -> None:
        """Waits until the group has committed what is in the log now. A broker that is away is waited for."""
        ends: dict[int, int] = {}

        def reached() -> bool:
            try:
                if not ends:
                    ends.update({n: self.end(self.raw, n) for n in range(self.partitions)})
                committed = self.committed()
            except KafkaException:
                return False
            return all(committed[n] >= end for n, end in ends.items())

        eventually(reached, deadline_s, f"{self.raw} committed up to where it ends now", every_s=0.1)
