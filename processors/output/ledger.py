"""What was published about one cell: the newest revision of each record, so that only differences go out again.

`put` compares content and gives the next revision: provisional while open, final the first time after closing,
corrected for any change after that. A record that should never have been is withdrawn: a revision with
`ended_at == started_at` and nothing in it.

Records are kept packed, an hour's together; only what is open or new is held as records, until there is enough to pack.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any

import msgspec

from processors.output.columns import content_of, unpack
from processors.output.columns import pack as pack_columns
from processors.output.identity import natural_id, revised
from processors.output.open_records import OpenRecords
from processors.output.segment import Key, Segment
from processors.units import HOUR, INF
from schemas.records import Derived, Inputs

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

NEW_MAX = 8
"""Records of an hour that are held unpacked, at most; in a busy hour an eighth of those packed."""


class Ledger:
    """Published records of one cell."""

    __slots__ = (
        "_changed",
        "_grown",
        "_loaded",
        "_newest",
        "_partition",
        "_recent",
        "_repacked",
        "_segments",
        "_starts",
        "_topic",
        "definition",
        "dropped",
        "lasting",
        "open",
        "path",
    )

    def __init__(
        self, path: str, definition: str, topic: str, partition: int, dropped: dict[str, int] | None = None
    ) -> None:
        """`dropped`: where records of a type that this release has not are counted when they are loaded, by type."""
        self.path = path
        self.definition = definition
        self.dropped = {} if dropped is None else dropped
        self._topic = topic
        self._partition = partition
        self._segments: dict[int, Segment] = {}
        self._starts: dict[str, array[int]] = {}
        self._newest: dict[str, int] = {}
        """The last begin of each kind, withdrawn ones too."""
        self._recent: dict[str, Derived] = {}
        """The record of each kind last put or asked for."""
        self._loaded: dict[tuple[int, str], dict[Key, Derived]] = {}
        """Records of an hour and a kind unpacked since the last `pack`."""
        self.open = OpenRecords()
        self.lasting: dict[Key, None] = {}
        """Records without an end. This and what follows are sets; an empty dict takes a third of an empty set's memory."""
        self._grown: dict[int, None] = {}
        """Hours with a record put since the last `pack`."""
        self._changed: dict[int, None] = {}
        """Hours whose new records differ from those saved."""
        self._repacked: dict[int, None] = {}
        """Hours whose packed records differ from those saved."""

    def natural_id(self, kind: str, started_at: int) -> str:
        return natural_id(self.path, kind, started_at, self.definition)

    def get(self, kind: str, started_at: int) -> Derived | None:
        recent = self._recent.get(kind)
        if recent is not None and recent.started_at == started_at:
            return recent
        if started_at > self._newest.get(kind, -INF):
            return None
        segment = self._segments.get(started_at // HOUR)
        if segment is None:
            return None
        record = segment.new.get((kind, started_at))
        if record is None and segment.packed is not None:
            record = self._load(started_at // HOUR, kind, segment.packed).get((kind, started_at))
        if record is not None:
            self._recent[kind] = record
        return record

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
        record = self.record(cls, kind, started_at, ended_at, status, revision, inputs, **content)
        self._store(kind, record)
        return [record]

    def record(
        self,
        cls: type[Derived],
        kind: str,
        started_at: int,
        ended_at: int | None,
        status: str,
        revision: int,
        inputs: tuple[int, int],
        /,
        **content: Any,
    ) -> Derived:
        """A record of this cell; nothing is noted."""
        return cls(
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

    def withdraw(self, kind: str, started_at: int, /, **nothing: Any) -> list[Derived]:
        """Takes a record back; `nothing` are the fields that must not count any more."""
        known = self.get(kind, started_at)
        if known is None or known.withdrawn:
            return []
        inputs = (known.inputs.first_offset, known.inputs.last_offset)
        revision = self.put(type(known), kind, started_at, started_at, True, inputs, **content_of(known) | nothing)
        self._unbegin(kind, started_at)
        return revision

    def finalise(self, watermark: int, kinds: tuple[str, ...]) -> list[Derived]:
        """Closes the records of these kinds (first words) whose end the watermark has passed."""
        finals: list[Derived] = []
        for kind, started_at in self.open.overdue(watermark):
            if kind.partition(".")[0] in kinds:
                known = self._segments[started_at // HOUR].new[kind, started_at]  # what is open is never packed
                inputs = (known.inputs.first_offset, known.inputs.last_offset)
                finals += self.put(type(known), kind, started_at, known.ended_at, True, inputs, **content_of(known))
        return finals

    def starts(self, kind: str, start: int, end: int) -> list[int]:
        """Begins in [start, end) of the records of a kind that were not withdrawn."""
        starts = self._starts.get(kind, ())
        return list(starts[bisect_left(starts, start) : bisect_left(starts, end)])

    def kinds(self) -> list[str]:
        """Kinds with a record that was not withdrawn, sorted."""
        return sorted(self._starts)

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

    def pack(self) -> None:
        """Packs what has piled up; once after each refresh of the cell."""
        self._loaded.clear()
        if not self._grown:
            return  # the usual case
        held = self.open.keys() | self.lasting.keys()  # never packed
        for hour in self._grown:
            segment = self._segments.get(hour)
            if segment is None:
                continue
            if len(segment.new) - sum(at // HOUR == hour for _, at in held) >= max(NEW_MAX, segment.count // 8):
                self._pack(hour, segment)
        self._grown.clear()

    def pack_before(self, before: int) -> None:
        """Packs all hours below the hour number `before`."""
        for hour, segment in self._segments.items():
            if hour < before and segment.new:
                self._pack(hour, segment)
        self._loaded.clear()

    def expire(self, before: int) -> list[int]:
        """Drops segments below the hour number `before` whose records all ended before it; returns their hours."""
        edge = before * HOUR
        gone = []
        stay: set[Key] = set()
        lost: set[str] = set()  # kinds whose last begin goes
        for hour in sorted(hour for hour in self._segments if hour < before):
            segment = self._segments[hour]
            records = self._all(segment)
            if all(
                r.ended_at is not None and r.ended_at <= edge and key not in self.open for key, r in records.items()
            ):
                for kind, started_at in records:
                    self._unbegin(kind, started_at)
                    if self._newest.get(kind) == started_at:
                        lost.add(kind)
                    recent = self._recent.get(kind)
                    if recent is not None and recent.started_at == started_at:
                        del self._recent[kind]
                    if not self._starts.get(kind):
                        self._starts.pop(kind, None)
                del self._segments[hour]
                for marks in (self._changed, self._repacked, self._grown):
                    marks.pop(hour, None)
                gone.append(hour)
            else:
                stay |= records.keys()
        self._loaded.clear()
        for kind in sorted(lost):
            del self._newest[kind]
            if left := [started_at for of, started_at in stay if of == kind]:
                newest = self._newest[kind] = max(left)
                if self._segments[newest // HOUR].packed is not None:
                    self._repacked[newest // HOUR] = None  # what is saved of it says which is the newest
        return gone

    def records(self) -> dict[Key, Derived]:
        """Everything there is, unpacked."""
        everything: dict[Key, Derived] = {}
        for segment in self._segments.values():
            everything |= self._all(segment)
        return everything

    def adopt(self, kind: str, record: Derived) -> None:
        """Takes a record that was published for the newest of its revisions, whatever is known of it."""
        self._store(kind, record)
        if record.withdrawn:
            self._unbegin(kind, record.started_at)

    def drop(self, kind: str, started_at: int) -> None:
        """Removes a record as if it had never been put."""
        key, hour = (kind, started_at), started_at // HOUR
        segment = self._segments[hour]
        if key not in segment.new:  # packed: its hour is unpacked, and packed again once enough has piled up
            segment.new = self._all(segment)
            segment.packed, segment.count = None, 0
            self._repacked[hour] = None
        del segment.new[key]
        self._unbegin(kind, started_at)
        self._recent.pop(kind, None)
        self.open.pop(key, None)
        self.lasting.pop(key, None)
        self._grown[hour] = None
        self._changed[hour] = None

    def changes(self) -> Iterator[tuple[str, bytes | None]]:
        """State keys (what follows `path|`) that differ from the last save; clears the marks."""
        for hour in sorted(self._repacked):
            yield f"out|{hour}", self._index(hour)
        for hour in sorted(self._changed):
            new = self._segments[hour].new
            yield f"add|{hour}", self._encode(new) if new else None
        self._repacked.clear()
        self._changed.clear()

    def _index(self, hour: int) -> bytes:
        """A packed segment with what must be known of it unopened: the begins that were not withdrawn, the last ones."""
        segment = self._segments[hour]
        start, end = hour * HOUR, (hour + 1) * HOUR
        begins = {k: [at - start for at in ats] for k in self._starts if (ats := self.starts(k, start, end))}
        newest = {kind: at for kind, at in self._newest.items() if start <= at < end}
        return _encode((segment.packed, segment.count, begins, newest))

    def restore(self, hour: int, packed: bytes | None, new: bytes | None) -> None:
        """Puts back an hour from its two keys, `out` and `add`. Packed records stay packed: none is open or lacks its end."""
        segment = self._segments[hour] = Segment()
        if packed is not None:
            segment.packed, segment.count, begins, newest = _decode(packed)
            for kind, starts in begins.items():
                for at in starts:
                    self._begin(kind, hour * HOUR + at)
            for kind, at in newest.items():
                self._newest[kind] = max(self._newest.get(kind, at), at)
        if new is not None:
            segment.new = self._decode(new)
        for (kind, started_at), record in segment.new.items():
            if record.withdrawn:
                self._unbegin(kind, started_at)
            else:
                self._begin(kind, started_at)
            self._newest[kind] = max(self._newest.get(kind, started_at), started_at)
            if record.status == "provisional":
                self.open[kind, started_at] = record.ended_at
            if record.ended_at is None:
                self.lasting[kind, started_at] = None

    def _begin(self, kind: str, at: int) -> None:
        starts = self._starts.setdefault(kind, array("q"))
        if not starts or at > starts[-1]:
            starts.append(at)
        elif starts[i := bisect_left(starts, at)] != at:
            starts.insert(i, at)

    def _unbegin(self, kind: str, at: int) -> None:
        starts = self._starts.get(kind)
        if starts and (i := bisect_left(starts, at)) < len(starts) and starts[i] == at:
            del starts[i]

    def _load(self, hour: int, kind: str, packed: bytes) -> dict[Key, Derived]:
        """The packed records of one kind."""
        records = self._loaded.get((hour, kind))
        if records is None:
            records = self._loaded[hour, kind] = self._decode(packed, kind)
        return records

    def _all(self, segment: Segment) -> dict[Key, Derived]:
        return (self._decode(segment.packed) if segment.packed is not None else {}) | segment.new

    def _pack(self, hour: int, segment: Segment) -> None:
        """Packs what is neither open nor without an end: a corrected record may lack its end, too."""
        held = self.open.keys() | self.lasting.keys()
        closed = {key: record for key, record in segment.new.items() if key not in held}
        if not closed:
            return
        records = (self._decode(segment.packed) if segment.packed is not None else {}) | closed
        segment.new = {key: record for key, record in segment.new.items() if key in held}
        segment.packed, segment.count = self._encode(records), len(records)
        self._loaded.clear()
        self._repacked[hour] = None
        self._changed[hour] = None

    def _encode(self, records: dict[Key, Derived]) -> bytes:
        return pack_columns((kind, record) for (kind, _), record in records.items())

    def _decode(self, data: bytes, kind: str | None = None) -> dict[Key, Derived]:
        records: dict[Key, Derived] = {}
        for row in unpack(data, self.dropped, kind):
            started_at, revision = row.content["started_at"], row.content["revision"]
            records[row.kind, started_at] = row.cls(
                id=revised(self.natural_id(row.kind, started_at), revision),
                path=self.path,
                definition=self.definition,
                inputs=Inputs(self._topic, self._partition, row.first_offset, row.last_offset),
                **row.content,
            )
        return records

    def _store(self, kind: str, record: Derived) -> None:
        hour = record.started_at // HOUR
        segment = self._segments.get(hour)
        if segment is None:
            segment = self._segments[hour] = Segment()
        key = (kind, record.started_at)
        known = self.get(kind, record.started_at)
        if known is None or (known.withdrawn and not record.withdrawn):
            insort(self._starts.setdefault(kind, array("q")), record.started_at)
        segment.new[key] = record
        self._recent[kind] = record
        self._newest[kind] = max(self._newest.get(kind, record.started_at), record.started_at)
        if record.status == "provisional":
            self.open[key] = record.ended_at
        else:
            self.open.pop(key, None)
        if record.ended_at is None:
            self.lasting[key] = None
        else:
            self.lasting.pop(key, None)
        self._grown[hour] = None
        self._changed[hour] = None
