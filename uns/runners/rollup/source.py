"""The Kafka side of the roll-ups: every `kpi` topic of an enterprise, read by one process in the order of ingest. Blocking."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec
from faust.types import TP

from uns.engine.failure import Exit, Fatal
from uns.kafka import clients
from uns.kafka.offsets import listed, watermarks
from uns.runtime.settings import Settings

log = structlog.get_logger()

BATCH = 1_000
HELD_MAX = 5_000
"""Records of one partition that wait for slower partitions; then it is paused."""
ASK_S = 5.0
COMMIT_S = 20.0
"""Longer than a commit of our predecessor takes to show, if it ever does."""


class Position(NamedTuple):
    """What the group has committed of a partition."""

    next_offset: int | None
    """None: nothing yet."""
    needed: int | None
    """The first record that the state rests on."""


class RollupSource:
    """One consumer, partitions assigned by hand. The group holds positions only: nobody joins it."""

    def __init__(self, settings: Settings, group: str, topics: Sequence[str], patience_s: float) -> None:
        """Raises `Fatal` where Kafka does not answer or a topic is missing. `patience_s`: longest wait for an answer."""
        self._settings, self._group, self._patience_s = settings, group, patience_s
        self._admin = clients.admin(settings)
        self._consumer = clients.consumer(settings, group, {"enable.partition.eof": True, "fetch.wait.max.ms": 100})
        try:
            known = self._consumer.list_topics(timeout=ASK_S).topics
        except KafkaException as error:
            raise Fatal(
                Exit.CONSUMER, f"Kafka at {settings.bootstrap} does not answer: {error.args[0].str()}"
            ) from error
        if missing := [name for name in topics if name not in known]:
            raise Fatal(Exit.CONSUMER, f"no topic {', '.join(missing)}: run `uns apply`")
        self.places = [TP(name, number) for name in topics for number in sorted(known[name].partitions)]
        self._held: dict[TP, deque[Message]] = {tp: deque() for tp in self.places}
        self._seen: dict[TP, int] = {}
        self._at_end: set[TP] = set()
        self._paused: set[TP] = set()
        self._positions: dict[TP, int] = {}

    def committed(self) -> dict[TP, Position]:
        """Where the group stands. Waits for a commit that is under way; one that never ends does not count."""
        wanted = [TopicPartition(*tp) for tp in self.places]
        try:
            positions = self._consumer.committed(wanted, COMMIT_S)
        except KafkaException as error:
            log.warning("positions are not stable, reading them as they are", error=error.args[0].str())
            asked = ConsumerGroupTopicPartitions(self._group, wanted)
            try:
                answer = self._admin.list_consumer_group_offsets([asked], require_stable=False, request_timeout=ASK_S)
                positions = answer[self._group].result().topic_partitions
            except KafkaException as again:
                raise Fatal(Exit.RESTORE, f"the positions of {self._group}: {again.args[0].str()}") from again
        return {
            TP(at.topic, at.partition): Position(
                at.offset if at.offset >= 0 else None,
                # Ours is a number; what another tool has written there says nothing.
                int(at.metadata) if at.metadata and at.metadata.isdecimal() and at.metadata.isascii() else None,
            )
            for at in positions
        }

    def ends(self) -> dict[TP, int]:
        """Ends of the log, open transactions included. Raises `Fatal`."""
        try:
            ends = listed(self._admin, self.places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED, ASK_S)
            return {TP(*place): end for place, end in ends.items()}
        except KafkaException as error:
            raise Fatal(Exit.RESTORE, f"the ends of the kpi topics: {error.args[0].str()}") from error

    def lows(self) -> dict[TP, int]:
        """The first offset that retention has kept of each partition. Raises `Fatal`."""
        try:
            return {tp: watermarks(self._consumer, TopicPartition(*tp), self._patience_s)[0] for tp in self.places}
        except KafkaException as error:
            raise Fatal(Exit.RESTORE, f"the begins of the kpi topics: {error.args[0].str()}") from error

    def read(self, starts: Mapping[TP, int], ends: Mapping[TP, int]) -> Iterator[Message]:
        """Committed records from `starts` to before `ends`; waits for transactions that are open below an end.

        Raises `Fatal` when nothing comes for as long as patience lasts.
        """
        open_ = {tp for tp, end in ends.items() if end > starts[tp]}
        self._consumer.assign([TopicPartition(*tp, starts[tp]) for tp in open_])
        deadline = time.monotonic() + self._patience_s
        while open_:
            for message in self._consumer.consume(BATCH, 0.1):
                tp = TP(message.topic(), message.partition())
                if self._is_end(message):
                    if message.offset() >= ends[tp]:
                        open_.discard(tp)
                elif message.error() is None:
                    deadline = time.monotonic() + self._patience_s
                    if message.offset() < ends[tp]:
                        yield message
            if time.monotonic() > deadline:
                waits = ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(open_)[:4])
                raise Fatal(Exit.RESTORE, f"{waits}: not read to the end in time; does a transaction stay open there?")
        self._consumer.unassign()

    def begin(self, positions: Mapping[TP, int]) -> None:
        """From here on `poll` reads."""
        self._positions = dict(positions)
        self._consumer.assign([TopicPartition(*tp, offset) for tp, offset in positions.items()])

    def poll(self, timeout_s: float) -> list[Message]:
        """What has come, in the order of ingest over all partitions: a partition that is read faster than the others
        waits for them, so that a backlog is folded as it once came. Raises `Fatal`.
        """
        for message in self._consumer.consume(BATCH, timeout_s):
            tp = TP(message.topic(), message.partition())
            if self._is_end(message):
                self._at_end.add(tp)
                self._positions[tp] = max(self._positions[tp], message.offset())
            elif message.error() is None:
                self._at_end.discard(tp)
                self._held[tp].append(message)
                self._seen[tp] = max(self._seen.get(tp, 0), message.timestamp()[1])
                self._positions[tp] = message.offset() + 1
        behind = [self._seen.get(tp, 0) for tp in self.places if tp not in self._at_end]
        limit = min(behind, default=None)
        ready: list[Message] = []
        for held in self._held.values():
            while held and (limit is None or held[0].timestamp()[1] <= limit):
                ready.append(held.popleft())
        ready.sort(key=lambda message: message.timestamp()[1])
        self._pause()
        return ready

    def positions(self) -> dict[TP, int]:
        """Where reading would have to go on, had it to begin again now."""
        return {tp: held[0].offset() if (held := self._held[tp]) else at for tp, at in self._positions.items()}

    def close(self) -> None:
        self._consumer.close()

    def _pause(self) -> None:
        full = {tp for tp, held in self._held.items() if len(held) > HELD_MAX}
        if stop := full - self._paused:
            self._consumer.pause([TopicPartition(*tp) for tp in stop])
        if go := self._paused - full:
            self._consumer.resume([TopicPartition(*tp) for tp in go])
        self._paused = full

    def _is_end(self, message: Message) -> bool:
        """Whether it says that a partition's end was reached; raises `Fatal` for what no retry mends."""
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            return True
        if clients.is_fatal(error) or error.code() in (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
        ):
            raise Fatal(Exit.CONSUMER, f"{error.str()}; may this user read the kpi topics, and has `uns apply` run?")
        return False  # librdkafka reconnects by itself
