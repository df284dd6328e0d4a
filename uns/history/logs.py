"""Reading one partition of one topic, from a time or an offset on, and what retention has left of it."""

from collections.abc import Iterator
from types import TracebackType

from confluent_kafka import TopicPartition

from uns.kafka import clients
from uns.kafka.log import LogRecord, read
from uns.kafka.offsets import at_times, watermarks
from uns.runtime.settings import Settings

TIMEOUT_S = 10.0


class Logs:
    """Bounded reads, without a consumer group: no trace on the cluster. Raises `KafkaException` when no broker answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = clients.consumer(settings, "uns-audit", {"log_level": 2})
        self._bounds: dict[tuple[str, int], tuple[int, int]] = {}
        self._partitions: dict[str, int] | None = None

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0: there is no such topic."""
        if self._partitions is None:
            topics = self._consumer.list_topics(timeout=TIMEOUT_S).topics
            self._partitions = {name: len(metadata.partitions) for name, metadata in topics.items()}
        return self._partitions.get(topic, 0)

    @property
    def topics(self) -> list[str]:
        self.partitions("")
        return sorted(self._partitions or ())

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """(first offset that retention has kept, end), as of the first question: later records are not looked at."""
        bounds = self._bounds.get((topic, partition))
        if bounds is None:
            bounds = watermarks(self._consumer, TopicPartition(topic, partition), TIMEOUT_S)
            self._bounds[topic, partition] = bounds
        return bounds

    def offset_at(self, topic: str, partition: int, time_ms: int) -> int:
        """The first offset with a Kafka time of at least so much; the end where there is none."""
        low, high = self.bounds(topic, partition)
        if time_ms <= 0:
            return low
        answer = at_times(self._consumer, [TopicPartition(topic, partition, time_ms)], TIMEOUT_S)[0]
        return high if answer.offset < 0 else min(max(low, int(answer.offset)), high)

    def kept_since_ms(self, topic: str, partition: int) -> int | None:
        """Kafka's time of the first record kept."""
        first = next(self.read(topic, partition), None)
        return None if first is None else first.timestamp

    def read(self, topic: str, partition: int, start: int = 0, end: int | None = None) -> Iterator[LogRecord]:
        """Committed records of [start, end)."""
        low, high = self.bounds(topic, partition)
        start, end = max(start, low), high if end is None else min(end, high)
        if start < end:
            yield from read(self._settings, topic, partition, start, end)

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> "Logs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
