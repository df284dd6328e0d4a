"""A reader of foreign topics: each record once, from where it was read to."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence

from connectors.base import Batch, Position, Resume, Said, SourceUnavailable
from connectors.kafka.cluster import Cluster
from connectors.kafka.codec import Decoder, Record
from connectors.kafka.config import KafkaConfig
from connectors.kit.worker import Worker

NO_SCHEMAS: Mapping[int, object] = {}
QUIET_S = 20.0
"""Without an answer of the cluster for so long (it is asked twice as often) it is not healthy."""


class KafkaConnector:
    """The next offset of each partition is kept with what was read, so a record is read once, over `kill -9` too."""

    def __init__(self, name: str, config: KafkaConfig) -> None:
        self._name, self._config = name, config
        self._patterns = [(entry.topic, entry.topic_pattern) for entry in config.records]
        self._cursor: dict[str, int] = {}
        self._worker: Worker | None = None
        self._cluster: Cluster | None = None

    def resume_at(self, cursor: Mapping[str, Position]) -> None:
        """Takes in how far the spool reaches."""
        self._cursor = {name: offset for name, offset in cursor.items() if isinstance(offset, int)}

    async def open(self, resume: Resume) -> None:
        """Connects and finds the topics. Raises `SourceUnavailable` where none of them is there."""
        self._worker = Worker(f"kafka-{self._name}")
        self._cluster = cluster = await self._worker.run(Cluster, self._name, self._config, self._wanted, self._cursor)
        await self._worker.run(cluster.look)
        self._check(cluster)

    def _wanted(self, topic: str) -> bool:
        return any(pattern.fullmatch(topic) for _, pattern in self._patterns)

    def _check(self, cluster: Cluster) -> None:
        if not cluster.topics:
            raise SourceUnavailable(f"Kafka {self._config.bootstrap}: {'; '.join(self._missing())}")

    def _missing(self) -> list[str]:
        topics = () if self._cluster is None else self._cluster.topics
        return [
            f"no topic {text} is there, or it may not be read"
            for text, pattern in self._patterns
            if not any(pattern.fullmatch(topic) for topic in topics)
        ]

    async def batches(self) -> AsyncIterator[Batch]:
        """What comes, in the order of each partition."""
        worker, cluster = self._worker, self._cluster
        if worker is None or cluster is None:
            raise SourceUnavailable("not open")
        decoder = Decoder(self._config.records, NO_SCHEMAS if cluster.schemas is None else cluster.schemas)
        while True:
            if records := await worker.run(cluster.take):
                yield self._batch(cluster, decoder, records)
            self._check(cluster)

    def _batch(self, cluster: Cluster, decoder: Decoder, records: Sequence[Record]) -> Batch:
        arrived = time.time_ns() // 1000
        said: list[Said] = [one for record in records for one in decoder.decode(record, arrived)]
        cursor = {f"{record.topic}/{record.partition}": record.offset + 1 for record in records}

        async def ack() -> None:
            if cluster is self._cluster:  # another connection has its own
                cluster.commit(cursor.items())

        return Batch.of(said, ack, cursor)

    async def close(self) -> None:
        worker, cluster = self._worker, self._cluster
        self._worker = self._cluster = None
        if worker is None:
            return
        if cluster is not None:
            await worker.run(cluster.close)
        worker.close()

    def healthy(self) -> bool:
        """Whether records came or the cluster answered of late."""
        cluster = self._cluster
        return cluster is not None and time.monotonic() - cluster.proved < QUIET_S + self._config.timeout_s

    def unproved_s(self) -> float:
        return 0.0 if self._cluster is None else time.monotonic() - self._cluster.proved

    def relinked(self) -> Sequence[BaseException]:
        links = None if self._cluster is None else self._cluster.relinked
        return [] if links is None else [links.popleft() for _ in range(len(links))]

    def problems(self) -> Sequence[str]:
        """Topics that are not there, and records that were gone before they were read."""
        cluster = self._cluster
        return [*self._missing(), *(cluster.lost.values() if cluster is not None else ())]
