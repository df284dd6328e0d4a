"""One raw partition: Kafka records in, messages out. The worker and the replay share this, so both say the same bytes.

Pure but for `Codec`'s registry look-ups: no clock, no Kafka.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from processors.base import REASONS as FOLD_REASONS
from processors.base import Fold, Input, Rejection
from schemas.codec import REASONS as CODEC_REASONS
from schemas.codec import Codec, Undecodable
from schemas.records import RAW_TYPES, Derived, Raw, Samples
from topology.cluster import MESSAGE_MAX_BYTES, QUARANTINE_MAX_BYTES
from topology.namespace.classes import DERIVED, MessageClass
from topology.namespace.path import BadPath, Path
from topology.namespace.topics import PREFIX, parse_topic, topic
from uns.engine.parts import Parts
from uns.kafka.message import (
    CAUSE,
    OUTPUT_REASONS,
    TOO_LARGE,
    UNWRITABLE,
    ConsumedRecord,
    Headers,
    Message,
    cloud_event,
    error_headers,
    fitting,
    identified,
    plain_json,
    refused_output,
    size_of,
)

CONNECTOR = "uns-processors"
_made: Any = tuple.__new__
"""Makes a named tuple of all its fields in half the time: one a record read, one a record written."""
UNFINISHED = 0
"""The `state_version` of a state that is being rebuilt: no release's."""


BAD_KEY, FOREIGN_PATH, NOT_RAW = "bad_key", "foreign_path", "not_raw"
REASONS = (BAD_KEY, FOREIGN_PATH, NOT_RAW, *CODEC_REASONS, *FOLD_REASONS, *OUTPUT_REASONS)
"""Why a record goes to quarantine, every one there is: a raw one for its key, its bytes, or what the fold says of it; a
derived one because its topic or its schema does not take it."""
NOTHING: Mapping[str, int] = {}
TRACEPARENT_MAX_BYTES = 128
"""W3C's has 55; what is longer is none, and would grow with every record that follows from it."""
AROUND_MAX_BYTES = 8_192
"""Key, headers and framing of a derived record never take more."""


class Refused(NamedTuple):
    """A record that never reaches the fold."""

    reason: str
    stage: str
    exception: str
    message: str
    tag: str | None = None


class Decoded(NamedTuple):
    source: ConsumedRecord
    path: str
    record: Raw | Refused


class Fence(msgspec.Struct, frozen=True):
    """Where a partition stands, written in the same transaction as everything that follows from it."""

    next_offset: int
    watermark: int
    generation: int = -1
    worker: str = ""
    state_version: int = 1


class AreaTopics:
    """The topics that go with one raw topic, and the keys of its fold in the changelog, which other folds share."""

    def __init__(self, name: str, prefix: str = PREFIX) -> None:
        self.topic = name
        """The raw topic."""
        self.area, message_class = parse_topic(name, prefix)
        self.changelog = topic(self.area, MessageClass.CHANGELOG, prefix)
        self.quarantine = topic(self.area, MessageClass.QUARANTINE, prefix)
        self.outputs = (self.quarantine, *(topic(self.area, derived, prefix) for derived in DERIVED))
        """Where its records end, but for the changelog; a derived class that no fold writes has no topic."""
        self.revised = frozenset(self.outputs) - {self.quarantine, topic(self.area, MessageClass.CURRENT, prefix)}
        """Where records have revisions; a snapshot has none."""
        self.prefix = prefix
        # The class leads the key: a later fold over another class of the area shares the changelog topic.
        self.fence_key = f"{message_class}/fence".encode()
        self.lead = str(message_class)
        self._keys = self.parts()

    def parts(self) -> Parts:
        """For one partition: how its state lies in the changelog."""
        return Parts(self.lead)

    def state_key(self, key: str) -> bytes:
        return self._keys.whole_key(key)

    def state_name(self, key: bytes) -> str | None:
        """The fold's own key, or None for a key of another fold, and for that of a part."""
        return self._keys.name(key)


class Counts:
    """What one group of records came to; folded into metrics once a transaction."""

    def __init__(self) -> None:
        self.records = self.samples = 0
        self.outputs: dict[str, int] = {}
        self.quarantined: dict[str, int] = {}
        self.refused: dict[tuple[str, str], int] = {}
        """(message class, reason) → derived records that went to quarantine."""

    def refuse(self, message_class: str, reason: str) -> None:
        """Counts a derived record that goes to quarantine."""
        self.refused[message_class, reason] = self.refused.get((message_class, reason), 0) + 1
        self.quarantined[reason] = self.quarantined.get(reason, 0) + 1


class StateSize:
    """How much state a partition has in its changelog once that is compacted."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self.bytes = 0
        self.changed_bytes = 0
        """Written since the last look; whoever looks sets it to zero."""

    def __contains__(self, key: str) -> bool:
        return key in self._sizes

    def put(self, key: str, value: bytes | None) -> None:
        size = 0 if value is None else len(value)
        self.bytes += size - self._sizes.get(key, 0)
        self.changed_bytes += size
        if value is None:
            self._sizes.pop(key, None)
        else:
            self._sizes[key] = size

    @property
    def keys(self) -> int:
        return len(self._sizes)


class Step:
    """The fold of one raw partition with its codec. Not thread-safe: one thread at a time."""

    def __init__(
        self, fold: Fold, codec: Codec, topics: AreaTopics, partition: int, limits: Mapping[str, int] = NOTHING
    ) -> None:
        """`limits`: topic → bytes of a record that it takes, where that is not what `uns apply` has given it."""
        self.fold = fold
        self._limits, self._parts = limits, topics.parts()
        self.topics = topics
        self.partition = partition
        self.state = StateSize()
        self._codec = codec
        self._where = lru_cache(maxsize=65_536)(self._place_of)
        self._fold_name = f"{type(fold).__module__}.{type(fold).__qualname__}"
        self._path = lru_cache(maxsize=65_536)(self._check_path)

    def decode(self, source: ConsumedRecord) -> Decoded:
        """Raises whatever a registry client raises when it cannot be asked; bad bytes are a `Refused`."""
        path = self._path(source.key)
        if type(path) is Refused:
            return Decoded(source, "", path)
        assert type(path) is str
        try:
            record = self._codec.decode(source.value)
        except Undecodable as error:
            return Decoded(source, path, Refused(error.reason, "VALUE_CONVERTER", _name(error), str(error)))
        if type(record) is not Samples and not isinstance(record, RAW_TYPES):
            name = type(record).__name__
            message = f"{name} is a derived record; raw carries {', '.join(t.__name__ for t in RAW_TYPES)}"
            return Decoded(source, path, Refused(NOT_RAW, "VALUE_CONVERTER", "", message))
        decoded: Decoded = _made(Decoded, (source, path, record))
        return decoded

    def step(self, item: Decoded, counts: Counts) -> list[Message]:
        """Outputs and quarantine records of one input, in order. Whatever the fold raises comes through."""
        source, _, record = item
        counts.records += 1
        if type(record) is Samples:
            counts.samples += len(record.samples)
        elif type(record) is Refused:
            return [self._quarantine(source, record, counts)]
        results = self.apply(item)
        if not results:
            return []
        trace: Headers = ((CAUSE, b"%d" % source.offset),)
        if source.headers:
            trace += tuple(h for h in source.headers if h[0] == "traceparent" and len(h[1]) <= TRACEPARENT_MAX_BYTES)
        messages = []
        for result in results:
            if isinstance(result, Rejection):
                refusal = Refused(
                    result.reason, "TRANSFORMATION", "processors.base.Rejection", result.message, result.tag
                )
                messages.append(self._quarantine(source, refusal, counts))
            else:
                messages.append(self._output(result, trace, counts))
        return messages

    def apply(self, item: Decoded) -> list[Derived | Rejection]:
        """What the fold says of one input that is no `Refused`. Whatever it raises comes through."""
        source, path, record = item
        assert not isinstance(record, Refused)
        return self.fold.step(
            Input(path, source.topic, source.partition, source.offset, record, source.timestamp * 1000)
        )

    def published(self, value: bytes | None) -> Derived | None:
        """A derived record as it was committed; None where this release cannot read it, or it is none."""
        try:
            record = self._codec.decode(value)
        except Undecodable:
            return None
        return record if isinstance(record, Derived) else None

    def output(self, record: Derived, offset: int, counts: Counts) -> Message:
        """A derived record that the fold says at a raw offset, or what goes to quarantine in its place."""
        return self._output(record, ((CAUSE, str(offset).encode()),), counts)

    def changes(self) -> Iterator[Message]:
        """State changed since the last call, for the changelog; a null value is a tombstone."""
        for name, value in self.fold.changes().items():
            known = name in self.state
            self.state.put(name, value)
            for key, part in self._parts.split(name, value, known):
                yield Message(self.topics.changelog, key, part)

    def restore(self, values: Mapping[bytes, bytes]) -> None:
        """Puts back the fold's state from the keys of its changelog, among which may be others; before the first step."""
        for name, value in self._parts.join(values):
            self.state.put(name, value)
            self.fold.restore(name, value)

    def owns(self, key: bytes) -> bool:
        """Whether a key of the changelog is one of the fold's state."""
        return self._parts.owns(key)

    def fence(self, fence: Fence) -> Message:
        return Message(self.topics.changelog, self.topics.fence_key, msgspec.msgpack.encode(fence))

    def _check_path(self, key: bytes | None) -> str | Refused:
        try:
            text = (key or b"").decode()
            path = Path.parse(text)
        except (BadPath, UnicodeDecodeError) as error:
            return Refused(BAD_KEY, "KEY_CONVERTER", _name(error), f"the key is no path: {error}")
        if not self.topics.area.contains(path):
            return Refused(FOREIGN_PATH, "KEY_CONVERTER", "", f"{path} is not in {self.topics.area}: wrong topic")
        return text

    def _output(self, record: Derived, trace: Headers, counts: Counts) -> Message:
        """The record as its topic takes it; one that is too large, or that no schema holds, for quarantine."""
        name, key, event, message_class = self._where(record.path, type(record))
        headers = (*identified(record.id, event), *trace)
        try:
            value = self._codec.encode(record)
            written: Message = _made(Message, (name, key, value, headers))
            most = self._limits.get(name, MESSAGE_MAX_BYTES)
            if len(value) + AROUND_MAX_BYTES <= most or (size := size_of(written)) <= most:
                counts.outputs[message_class] = counts.outputs.get(message_class, 0) + 1
                return written
            reason, words = TOO_LARGE, f"{record.id}: {size} bytes; the topic takes {most}"
        except ValueError as error:
            written = Message(name, key, plain_json(record), headers)
            reason, words = UNWRITABLE, f"{record.id}: {error}"
        counts.refuse(message_class, reason)
        refused = refused_output(written, CONNECTOR, self.partition, reason, words, self.topics.prefix)
        return fitting(refused, self._limits.get(refused.topic, QUARANTINE_MAX_BYTES))

    def _place_of(self, path: str, kind: type[Derived]) -> tuple[str, bytes, Headers, str]:
        """Topic, key, the headers that all records of one kind and path share, and the kind's class."""
        name = topic(Path.parse(path), MessageClass(kind.message_class), self.topics.prefix)
        return name, path.encode(), cloud_event(path, kind), kind.message_class

    def _quarantine(self, source: ConsumedRecord, refusal: Refused, counts: Counts) -> Message:
        counts.quarantined[refusal.reason] = counts.quarantined.get(refusal.reason, 0) + 1
        ours = error_headers(
            connector=CONNECTOR,
            stage=refusal.stage,
            reason=refusal.reason,
            words=refusal.message,
            topic=source.topic,
            partition=source.partition,
            offset=source.offset,
            class_name=self._fold_name,
            exception=refusal.exception,
            tag=refusal.tag,
        )
        whole = Message(self.topics.quarantine, source.key, source.value, (*source.headers, *ours))
        return fitting(whole, self._limits.get(self.topics.quarantine, QUARANTINE_MAX_BYTES))


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
