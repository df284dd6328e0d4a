"""The last values of a tag as they lie in the log, and who reads its topic: looked up when somebody asks, never kept."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from schemas.codec import Codec, Undecodable
from schemas.records import Samples
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import key, partition, topic
from uns.kafka import clients
from uns.kafka.log import LogRecord, read
from uns.kafka.offsets import listed
from uns.runtime.settings import Settings

VALUES_MAX = 100
REACHES = (2_000, 20_000, 100_000)
"""Records of the partition that are looked through from its end, until there are enough values; further back nobody looks."""
GROUPS_MAX = 100
TIMEOUT_S = 10.0


class Place(NamedTuple):
    """Where the raw records of a machine lie."""

    topic: str
    partition: int
    end: int


class Log:
    """Looks into the log of one cluster. Any thread may call; each call opens what it needs and closes it."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec

    def values(self, path: Path, tag: str, after: int | None) -> dict[str, Any]:
        """The last `VALUES_MAX` values, or those that came after an offset. Raises `KafkaException` and `TimeoutError`."""
        place = self._place(path)
        if after is not None:
            begin = max(after + 1, place.end - REACHES[-1])
            found = self._between(place, path, tag, begin)
            return self._told(place, found, begin)
        for reach in REACHES:
            begin = max(place.end - reach, 0)
            found = self._between(place, path, tag, begin)
            if len(found) == VALUES_MAX or begin == 0:
                break
        return self._told(place, found, begin)

    def _told(self, place: Place, found: deque[dict[str, Any]], begin: int) -> dict[str, Any]:
        return {
            "topic": place.topic,
            "partition": place.partition,
            "from": begin,
            "end": place.end - 1,
            "values": list(found),
        }

    def _place(self, path: Path) -> Place:
        name = topic(path, MessageClass.RAW)
        admin = clients.admin(self._settings)
        known = admin.list_topics(timeout=TIMEOUT_S).topics.get(name)
        if known is None:
            raise TimeoutError(f"no topic {name}; `uns apply` creates the plant's topics")
        number = partition(path, len(known.partitions))
        ends = listed(admin, [(name, number)], OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, TIMEOUT_S)
        return Place(name, number, ends[name, number])

    def _between(self, place: Place, path: Path, tag: str, begin: int) -> deque[dict[str, Any]]:
        found: deque[dict[str, Any]] = deque(maxlen=VALUES_MAX)
        wanted = key(path)
        if begin >= place.end:
            return found
        for record in read(self._settings, place.topic, place.partition, begin, place.end, TIMEOUT_S):
            if record.key == wanted:
                found.extend(self._samples(record, tag))
        return found

    def _samples(self, record: LogRecord, tag: str) -> Iterator[dict[str, Any]]:
        with contextlib.suppress(Undecodable):  # it is in quarantine, with its reason
            told = self._codec.decode(record.value)
            if isinstance(told, Samples):
                schema = int.from_bytes((record.value or b"")[1:5], "big")
                for sample in told.samples:
                    if sample.tag == tag:
                        yield {
                            "at": sample.at,
                            "value": sample.value,
                            "quality": sample.quality,
                            "offset": record.offset,
                            "logged_at": record.timestamp * 1000,
                            "source": told.source,
                            "sequence": told.sequence,
                            "schema": schema,
                        }

    def readers(self, path: Path) -> list[dict[str, Any]]:
        """Consumer groups that have committed a position in the machine's topics, how far each is behind, and on which.
        Raises `KafkaException`."""
        admin = clients.admin(self._settings)
        names = {topic(path, name) for name in (MessageClass.RAW, *DERIVED)}
        groups = [listing.group_id for listing in admin.list_consumer_groups(request_timeout=TIMEOUT_S).result().valid]
        asked = [ConsumerGroupTopicPartitions(group) for group in sorted(groups)[:GROUPS_MAX]]
        positions: list[tuple[str, TopicPartition]] = []
        for one in asked:  # the library takes one group a call
            with contextlib.suppress(KafkaException):  # a group that went meanwhile, or that we may not see
                (answer,) = admin.list_consumer_group_offsets([one], request_timeout=TIMEOUT_S).values()
                parts = answer.result(TIMEOUT_S).topic_partitions
                positions += [(one.group_id, part) for part in parts if part.topic in names and part.offset >= 0]
        places = {(part.topic, part.partition) for _, part in positions}
        ends = listed(admin, places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED, TIMEOUT_S) if places else {}
        lags: dict[tuple[str, str], int] = {}
        for group, part in positions:
            behind = max(ends.get((part.topic, part.partition), 0) - part.offset, 0)
            lags[group, part.topic] = lags.get((group, part.topic), 0) + behind
        return [{"group": group, "topic": name, "lag": lag} for (group, name), lag in sorted(lags.items())]


class Remembered:
    """Readers of a topic, asked for again after some seconds only: many may look at once. Bounded."""

    def __init__(self, log: Log, lasts_s: float = 10.0, most: int = 200) -> None:
        self._log, self._lasts_s, self._most = log, lasts_s, most
        self._known: dict[Path, tuple[float, list[dict[str, Any]]]] = {}

    def readers(self, path: Path) -> list[dict[str, Any]]:
        known = self._known.get(path)
        if known is not None and time.monotonic() - known[0] < self._lasts_s:
            return known[1]
        found = self._log.readers(path)
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[path] = time.monotonic(), found
        return found
