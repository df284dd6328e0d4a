"""State that this release cannot read, rebuilt from the raw log. Blocking: runs in the restore thread.

The fold goes over raw once more, from the first record kept to the fence, and publishes nothing. Then it learns what was
published, and what it would have said otherwise becomes corrections, revisions after the published ones. State,
corrections and the new fence are committed later (`Processor.commit_rebuilt`): until its last transaction nothing of it
counts, and whoever has the partition then begins anew.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException
from faust.types import TP

from schemas.records import Derived, Tick
from topology.namespace.classes import MessageClass
from topology.namespace.topics import topic
from uns.engine import metrics
from uns.engine.failure import Exit, Fatal
from uns.engine.step import AreaTopics, Counts, Decoded, Fence, Refused, Step
from uns.kafka.log import read
from uns.kafka.message import ConsumedRecord, Message
from uns.runtime.settings import Settings

log = structlog.get_logger()
SAID_EVERY_S = 5.0
LOOK_RECORDS = 1_000
"""Records between two looks at the clock and at whether the partition is still ours."""
SAVE_RECORDS = 20_000
"""The fold gives up what it would have saved at least so often, so that memory stays bounded."""
ALWAYS, NEVER = -(1 << 62), 1 << 62

Decode = Callable[[Step, ConsumedRecord], Decoded]
"""Waits for a registry that is away."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What is to be committed before the partition is worked on."""

    state: list[Message]
    """Tombstones of keys that are gone, and all keys that there are now."""
    corrections: list[Message]
    fence: Fence
    """The one that was read: the position stays."""


class Rebuild:
    """One partition's rebuild. `step` is fresh; `old` are the keys of its changelog but for the fence."""

    def __init__(
        self,
        settings: Settings,
        topics: AreaTopics,
        step: Step,
        fence: Fence,
        old: Collection[bytes],
        decode: Decode,
        check: Callable[[], None],
    ) -> None:
        """`check` raises when the partition is no longer wanted."""
        self._settings, self._topics, self._step, self._fence, self._old = settings, topics, step, fence, old
        self._decode, self._check = decode, check
        self._tp = TP(topics.topic, step.partition)
        self._state: dict[bytes, Message] = {}
        self._first_tick: int | None = None
        self.progress = ""
        """For a person, while it runs."""

    def run(self, low: int, outputs: Mapping[str, int]) -> Rebuilt:
        """`low`: the first raw offset kept; `outputs`: derived topic → first offset kept. Raises `Fatal`, what `check` does."""
        end = self._fence.next_offset
        log.warning(
            "state of another release is rebuilt from raw",
            topic=self._tp.topic,
            partition=self._step.partition,
            state_version=self._fence.state_version,
            ours=self._step.fold.state_version,
            first=low,
            end=end,
        )
        began = time.monotonic()
        try:
            self._fold(min(low, end), end)
            since = self._since(low)
            trimmed = frozenset(str(name) for name in self._trimmed(outputs))
            differences = self._step.fold.adopt(self._published(outputs), since, trimmed)
        except (KafkaException, RuntimeError, TimeoutError) as error:
            raise Fatal(Exit.RESTORE, f"{self._tp.topic}[{self._step.partition}]: rebuild: {error}") from error
        self._save()
        gone = [Message(self._topics.changelog, key, None) for key in self._old if key not in self._state]
        counts = Counts()
        corrections = [self._step.output(record, max(0, end - 1), counts) for record in differences]
        for (message_class, reason), refused in counts.refused.items():
            metrics.refused_outputs.labels(message_class, reason).inc(refused)
        metrics.rebuilds.labels(self._tp.topic).inc()
        metrics.rebuild_outputs.labels(self._tp.topic).inc(len(corrections))
        log.info(
            "state rebuilt",
            topic=self._tp.topic,
            partition=self._step.partition,
            keys=self._step.state.keys,
            corrections=len(corrections),
            seconds=round(time.monotonic() - began, 1),
        )
        return Rebuilt([*gone, *self._state.values()], corrections, self._fence)

    def _fold(self, low: int, end: int) -> None:
        for count, source in enumerate(self._told("raw", self._tp.topic, low, end), start=1):
            item = self._decode(self._step, source)
            if isinstance(item.record, Refused):
                continue
            if self._first_tick is None and isinstance(item.record, Tick):
                self._first_tick = item.record.at
            try:
                self._step.apply(item)
            except Exception as error:
                raise Fatal(
                    Exit.FOLD,
                    f"{source.topic}[{source.partition}] offset {source.offset}, path {item.path}: the fold raised "
                    f"{type(error).__name__}: {error}; a bug: nothing of the rebuild was committed",
                ) from error
            if count % SAVE_RECORDS == 0:
                self._save()
        self._save()

    def _save(self) -> None:
        for message in self._step.changes():
            assert message.key is not None
            if message.value is None:
                self._state.pop(message.key, None)
            else:
                self._state[message.key] = message

    def _since(self, low: int) -> int:
        """Event time from which on the kept log says all that counts."""
        if low == 0:
            return ALWAYS
        horizon_us = self._step.fold.horizon_us
        since = NEVER if self._first_tick is None else self._first_tick + horizon_us
        metrics.rebuilds_cut.labels(self._tp.topic).inc()
        log.warning(
            "retention has removed the begin of raw: what began earlier stays as published",
            topic=self._tp.topic,
            partition=self._step.partition,
            first=low,
            since=None if since == NEVER else since,
            short=since > self._step.fold.watermark - horizon_us,
            do="if short: numbers of windows that are still open may lack what was removed",
        )
        return since

    def _trimmed(self, outputs: Mapping[str, int]) -> Iterator[MessageClass]:
        names = {topic(self._topics.area, name, self._topics.prefix): name for name in MessageClass}
        return (names[name] for name, low in outputs.items() if low > 0)

    def _published(self, outputs: Mapping[str, int]) -> Iterator[Derived]:
        """The newest revision of each record that may still change: in order, a later one replaces those before."""
        unread = 0
        oldest = self._step.fold.watermark - 2 * self._step.fold.horizon_us
        for name in outputs:
            newest: dict[str, Derived] = {}
            for source in self._told("published", name, None, None):
                record = self._step.published(source.value)
                if record is None:
                    unread += 1
                elif record.ended_at is not None and record.ended_at < oldest:
                    newest.pop(record.natural_id, None)
                else:
                    newest[record.natural_id] = record
            yield from newest.values()
        if unread:
            log.warning("published records of another release cannot be read", count=unread, topic=self._tp.topic)

    def _told(self, what: str, name: str, low: int | None, end: int | None) -> Iterator[ConsumedRecord]:
        """The records of a topic; says how far it is."""
        labels = (self._tp.topic, str(self._step.partition))
        if end is not None:
            metrics.rebuild_offsets.labels(*labels).set(end - (low or 0))
        began = said = time.monotonic()
        with closing(read(self._settings, name, self._step.partition, start=low, end=end)) as records:
            for count, source in enumerate(records, start=1):
                yield source
                if count % LOOK_RECORDS:
                    continue
                self._check()
                now, done = time.monotonic(), source.offset + 1 - (low or 0)
                if end is not None:
                    metrics.rebuild_done.labels(*labels).set(done)
                total = "" if end is None else f" of {end - (low or 0)}"
                self.progress = f"rebuilding state of {self._tp.topic}[{self._tp.partition}]: {what} {done}{total}"
                if now - said >= SAID_EVERY_S:
                    said, rate = now, done / (now - began)
                    left = None if end is None else round((end - source.offset) / rate)
                    log.info(
                        "rebuilding",
                        what=what,
                        topic=name,
                        partition=self._tp.partition,
                        done=done,
                        of=None if end is None else end - (low or 0),
                        records_a_second=round(rate),
                        seconds_left=left,
                    )
