"""What was published about one cell: the newest revision of each record, so that only differences go out again.

`put` compares content and gives the next revision: provisional while open, final the first time after closing,
corrected for any change after that. A record that should never have been is withdrawn: a revision with
`ended_at == started_at` and nothing in it.
"""

import zlib
from array import array
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import Any

import msgspec

from processors.identity import natural_id, revised
from processors.series import HOUR
from schemas.records import DERIVED_TYPES, Derived, Inputs

Key = tuple[str, int]
"""(kind, started_at)."""

_SHARED = ("id", "path", "definition", "inputs")
_TYPES = list(DERIVED_TYPES)
_FIELDS = {cls: tuple(name for name in cls.__struct_fields__ if name not in _SHARED) for cls in _TYPES}


@dataclass(slots=True)
class Segment:
    """Records whose interval begins in one hour."""

    records: dict[Key, Derived] = field(default_factory=dict)
    packed: bytes | None = None
    """The records, zipped, while nobody asks for them."""


class Ledger:
    """Published records of one cell. `changed` holds the hours whose segment differs from the last saved one."""

    def __init__(self, path: str, definition: str, topic: str, partition: int) -> None:
        self.path = path
        self.definition = definition
        self._topic = topic
        self._partition = partition
        self._segments: dict[int, Segment] = {}
        self._starts: dict[str, array[int]] = {}
        self.open: dict[Key, int | None] = {}
        """Records still provisional → their ended_at."""
        self.lasting: set[Key] = set()
        """Records without an end."""
        self.changed: set[int] = set()

    def natural_id(self, kind: str, started_at: int) -> str:
        return natural_id(self.path, kind, started_at, self.definition)

    def get(self, kind: str, started_at: int) -> Derived | None:
        segment = self._segments.get(started_at // HOUR)
        return None if segment is None else self._records(segment).get((kind, started_at))

    def put(
        self,
        cls: type[Derived],
        kind: str,
        started_at: int,
        ended_at: int | None,
        closed: bool,
        inputs: tuple[int, int],
        /,
        **content: Any,
    ) -> list[Derived]:
        """The record to publish, or nothing when the newest revision says the same. `inputs`: first and last offset."""
        known = self.get(kind, started_at)
        if known is None:
            revision, status = 0, "final" if closed else "provisional"
        else:
            was_open = known.status == "provisional"
            if (
                known.ended_at == ended_at
                and not (was_open and closed)
                and all(getattr(known, name) == value for name, value in content.items())
            ):
                return []
            revision = known.revision + 1
            status = ("final" if closed else "provisional") if was_open else "corrected"
        record = cls(
            id=revised(self.natural_id(kind, started_at), revision),
            path=self.path,
            started_at=started_at,
            ended_at=ended_at,
            definition=self.definition,
            status=status,
            revision=revision,
            inputs=Inputs(self._topic, self._partition, *inputs),
            **content,
        )
        self._store(kind, record)
        return [record]

    def withdraw(self, kind: str, started_at: int, /, **nothing: Any) -> list[Derived]:
        """Takes a record back; `nothing` are the fields that must not count any more."""
        known = self.get(kind, started_at)
        if known is None or withdrawn(known):
            return []
        content = {name: getattr(known, name) for name in _FIELDS[type(known)] if name not in _BASE} | nothing
        inputs = (known.inputs.first_offset, known.inputs.last_offset)
        found = self.put(type(known), kind, started_at, started_at, True, inputs, **content)
        starts = self._starts[kind]
        i = bisect_left(starts, started_at)
        if i < len(starts) and starts[i] == started_at:
            del starts[i]
        return found

    def finalise(self, watermark: int, kinds: tuple[str, ...]) -> list[Derived]:
        """Closes the records of these kinds (first words) whose end the watermark has passed."""
        due = [key for key, end in self.open.items() if end is not None and end <= watermark]
        found: list[Derived] = []
        for kind, started_at in sorted(due, key=lambda key: (key[1], key[0])):
            if kind.partition(".")[0] in kinds:
                known = self._records(self._segments[started_at // HOUR])[kind, started_at]
                content = {name: getattr(known, name) for name in _FIELDS[type(known)] if name not in _BASE}
                inputs = (known.inputs.first_offset, known.inputs.last_offset)
                found += self.put(type(known), kind, started_at, known.ended_at, True, inputs, **content)
        return found

    def starts(self, kind: str, start: int, end: int) -> list[int]:
        """Begins in [start, end) of the records of a kind that were not withdrawn."""
        starts = self._starts.get(kind)
        if starts is None:
            return []
        return list(starts[bisect_left(starts, start) : bisect_left(starts, end)])

    def start_before(self, kind: str, at: int) -> int | None:
        """The last begin before `at`."""
        starts = self._starts.get(kind)
        i = bisect_left(starts, at) - 1 if starts else -1
        return starts[i] if starts and i >= 0 else None

    def start_after(self, kind: str, at: int) -> int | None:
        """The first begin after `at`."""
        starts = self._starts.get(kind)
        i = bisect_right(starts, at) if starts else 0
        return starts[i] if starts and i < len(starts) else None

    def cool(self, before: int) -> None:
        """Zips segments below the hour number `before` in which nothing is open."""
        busy = {started_at // HOUR for _, started_at in self.open}
        for hour, segment in self._segments.items():
            if hour < before and hour not in busy and hour not in self.changed and segment.packed is None:
                segment.packed = self.encode(hour)
                segment.records = {}

    def prune(self, before: int) -> list[int]:
        """Forgets segments below the hour number `before` whose records all ended before it; returns their hours."""
        edge = before * HOUR
        gone = []
        for hour in sorted(hour for hour in self._segments if hour < before):
            records = self._records(self._segments[hour])
            if all(
                r.ended_at is not None and r.ended_at <= edge and (k, s) not in self.open
                for (k, s), r in records.items()
            ):
                for kind, started_at in records:
                    starts = self._starts.get(kind)
                    if starts and (i := bisect_left(starts, started_at)) < len(starts) and starts[i] == started_at:
                        del starts[i]
                del self._segments[hour]
                self.changed.discard(hour)
                gone.append(hour)
        return gone

    def encode(self, hour: int) -> bytes:
        """One segment as bytes, for the state store."""
        segment = self._segments[hour]
        if segment.packed is not None:
            return segment.packed
        rows = [
            (
                kind,
                _TYPES.index(type(r)),
                r.inputs.first_offset,
                r.inputs.last_offset,
                [getattr(r, f) for f in _FIELDS[type(r)]],
            )
            for (kind, _), r in segment.records.items()
        ]
        return zlib.compress(msgspec.msgpack.encode(rows), 1)

    def restore(self, hour: int, data: bytes) -> None:
        segment = self._segments[hour] = Segment(packed=data)
        for (kind, started_at), record in self._records(segment).items():
            if not withdrawn(record):
                starts = self._starts.setdefault(kind, array("q"))
                insort(starts, started_at)
            if record.status == "provisional":
                self.open[kind, started_at] = record.ended_at
            if record.ended_at is None:
                self.lasting.add((kind, started_at))

    def _records(self, segment: Segment) -> dict[Key, Derived]:
        if segment.packed is not None:
            segment.records = self._decode(segment.packed)
            segment.packed = None
        return segment.records

    def _decode(self, data: bytes) -> dict[Key, Derived]:
        records: dict[Key, Derived] = {}
        for kind, number, first, last, values in msgspec.msgpack.decode(zlib.decompress(data)):
            cls = _TYPES[number]
            content: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in zip(_FIELDS[cls], values, strict=True)
            }
            natural = self.natural_id(kind, content["started_at"])
            records[kind, content["started_at"]] = cls(
                id=revised(natural, content["revision"]),
                path=self.path,
                definition=self.definition,
                inputs=Inputs(self._topic, self._partition, first, last),
                **content,
            )
        return records

    def _store(self, kind: str, record: Derived) -> None:
        hour = record.started_at // HOUR
        segment = self._segments.get(hour)
        if segment is None:
            segment = self._segments[hour] = Segment()
        key = (kind, record.started_at)
        records = self._records(segment)
        known = records.get(key)
        if known is None or (withdrawn(known) and not withdrawn(record)):
            insort(self._starts.setdefault(kind, array("q")), record.started_at)
        records[key] = record
        if record.status == "provisional":
            self.open[key] = record.ended_at
        else:
            self.open.pop(key, None)
        if record.ended_at is None:
            self.lasting.add(key)
        else:
            self.lasting.discard(key)
        self.changed.add(hour)


_BASE = ("started_at", "ended_at", "status", "revision")


def withdrawn(record: Derived) -> bool:
    """Taken back; a quality point lasts no time either, but is never taken back."""
    return record.ended_at == record.started_at and record.message_class != "quality"
