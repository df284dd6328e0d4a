"""From what a connector read to Kafka records: suppressing, checking, packing by path. No I/O, no clock."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from connectors.base import Batch, FactReading, Malformed, Position, Reading, Safe, Span
from processors.inputs.admission import Admission
from schemas.codec import Codec
from schemas.lengths import NAME_MAX, overlong, with_short_comment
from schemas.records import Fact, Gap, Sample, Samples, Value
from topology.model.plant import Plant
from topology.model.wiring import ConnectorEntry
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import key, partition, topic
from uns.kafka.message import cloud_event, error_headers, fitted, identified
from uns.runners.connector.shaping import Shaped, Shaping
from uns.runners.connector.spool import SpoolEntry

SAMPLES_MAX = 500
"""Samples in one record."""
RECORD_MAX_BYTES = 900_000
STATED = ("state", "mode")
"""Roles whose values hold until the next one."""
UNKNOWN_PATH, BAD_VALUE, BAD_FACT = "unknown_path", "bad_value", "bad_fact"
"""Why the packer puts something into quarantine; a connector has reasons of its own for what it cannot read."""


@dataclass
class PackedRecords:
    """One or more batches as the spool takes them."""

    entries: list[SpoolEntry] = field(default_factory=list)
    read: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    newest: dict[tuple[str, str], Safe] = field(default_factory=dict)
    cursor: dict[str, Position | None] = field(default_factory=dict)


class Packer:
    """Knows where each path belongs, and what is made of its tags."""

    def __init__(
        self, source: str, plant: Plant, codec: Codec, entry: ConnectorEntry, next_sequence: Callable[[str], int]
    ) -> None:
        self._source, self._codec, self._next = source, codec, next_sequence
        self._event = cloud_event(source, Samples)
        self._shaping = Shaping(entry, plant)
        self._areas = plant.areas()
        self._enterprise = plant.enterprise
        self._types = plant.cells()
        self._known = {place for cell in plant.cells() for place in (cell, cell.parent)}
        self._text_max = {cell: equipment.text_max for cell, equipment in plant.cells().items()}
        """Machine → characters of a text value."""
        self._admission = Admission(plant)
        self._places: dict[Path, tuple[str, int, bytes]] = {}

    def goes_on_from(self, before: "Packer") -> None:
        """Takes over what another one remembers, which made other things of tags. It must hold nothing back any more."""
        self._shaping.goes_on_from(before._shaping)

    def pack(self, batches: Iterable[Batch], now: int) -> PackedRecords:
        """Every unit of the batches, which arrive at `now` (µs), ends as an entry, as suppressed, or is held back."""
        packed = PackedRecords()
        admitted: list[Reading] = []
        for batch in batches:
            packed.read += len(batch)
            packed.cursor.update(batch.cursor)
            place: Path | None = None
            text_max: int | None = None
            for reading in batch.readings:
                if reading.path is not place:  # many of one place come one after another
                    text_max = self._text_max.get(place := reading.path)
                if text_max is None:
                    message = self._admission.nowhere(str(reading.path), Samples).message
                    packed.entries.append(self._refused(reading, UNKNOWN_PATH, message))
                elif problem := problem_of(reading.sample, text_max):
                    packed.entries.append(self._refused(reading, BAD_VALUE, problem))
                else:
                    admitted.append(reading)
            packed.entries += [self._fact(item) for item in batch.facts]
            packed.entries += [self._malformed(item) for item in batch.malformed]
            for (path, tag), safe in batch.reached.items():
                packed.newest[str(path), tag] = safe
        self._take(packed, self._shaping.shape(admitted, now))
        return packed

    @property
    def holds(self) -> int:
        """How many readings are held back."""
        return self._shaping.holds

    def due(self, now: int | None) -> PackedRecords:
        """What was held back until now; None: all of it, for the end has come."""
        packed = PackedRecords()
        self._take(packed, self._shaping.due(now))
        return packed

    def _take(self, packed: PackedRecords, shaped: Shaped) -> None:
        packed.read += shaped.derived - shaped.held
        packed.suppressed += shaped.suppressed
        _mark(packed, shaped.safe)
        by_path: dict[Path, list[Sample]] = {}
        place: Path | None = None
        samples: list[Sample] = []
        for reading in shaped.readings:
            if self._shaping.remakes and (problem := problem_of(reading.sample, self._text_max[reading.path])):
                packed.entries.append(self._refused(reading, BAD_VALUE, problem))
                continue
            if reading.path is not place:
                samples = by_path.setdefault(place := reading.path, [])
            samples.append(reading.sample)
        for path, samples in by_path.items():
            self._samples(packed, path, samples)

    def gaps(self, gaps: Mapping[Path, Gap]) -> list[SpoolEntry]:
        """What the connector says of itself: nothing that was read, so no units of the ledger."""
        return [self._fact(FactReading(path, gap))._replace(units=0) for path, gap in gaps.items()]

    def spans(self, entries: Iterable[SpoolEntry]) -> dict[str, tuple[int, int]]:
        """Path → first and last source time (µs) of the samples in entries that were packed here."""
        spans: dict[str, tuple[int, int]] = {}
        for entry in entries:
            record = self._codec.decode(entry.value) if entry.key is not None and not entry.quarantine else None
            if isinstance(record, Samples) and entry.key is not None:
                times = [sample.at for sample in record.samples]
                first, last = spans.get(path := entry.key.decode(), (times[0], times[0]))
                spans[path] = min(first, *times), max(last, *times)
        return spans

    def observing(self, tags: Iterable[tuple[Path, str]]) -> list[Path]:
        """Of paths and tags those machines whose state they tell; of one that tells none, any tag will do."""
        paths: dict[Path, None] = {}
        for path, tag in tags:
            if path in self._types and self._types[path].tag("state") in (None, tag):
                paths[path] = None
        return sorted(paths, key=str)

    def blinded(self, missed: Mapping[tuple[Path, str], Span]) -> dict[Path, Span]:
        """Of stretches in which values of tags are missing those that leave more unknown than values between two others: of
        a state or mode, and of amounts, each of which counts for itself. A total says later what it has risen by."""
        paths: dict[Path, Span] = {}
        for (path, tag), span in missed.items():
            role = self._types[path].tags.get(tag) if path in self._types else None
            if role is not None and (role.role in STATED or getattr(role, "counts", None) == "increments"):
                paths[path] = span.joined(paths.get(path))
        return paths

    def halves(self, entry: SpoolEntry) -> tuple[SpoolEntry, ...]:
        """A record of several samples as two, in their order: the first keeps its number, the other has the next one of its
        path. Empty for what cannot be parted."""
        if entry.units < 2 or entry.quarantine or entry.key is None:
            return ()
        record = self._codec.decode(entry.value)
        assert isinstance(record, Samples), "nothing else has several units"
        middle = len(record.samples) // 2
        path = entry.key.decode()
        return tuple(
            self._record(path, entry.topic, entry.partition, entry.key, sequence, samples)
            for sequence, samples in (
                (record.sequence, record.samples[:middle]),
                (self._next(path), record.samples[middle:]),
            )
        )

    def _samples(self, packed: PackedRecords, path: Path, samples: list[Sample]) -> None:
        place, where = self._place(path), str(path)
        packed.entries += [self._record(where, *place, self._next(where), tuple(part)) for part in _bounded(samples)]

    def _record(
        self, path: str, name: str, number: int, bytes_key: bytes, sequence: int, samples: tuple[Sample, ...]
    ) -> SpoolEntry:
        value = self._codec.encode(Samples(self._source, sequence, samples))
        headers = identified(f"{self._source}/{path}/{sequence}", self._event)
        return SpoolEntry(name, number, bytes_key, value, headers, len(samples))

    def _fact(self, reading: FactReading) -> SpoolEntry:
        fact, where = with_short_comment(reading.fact), str(reading.path)
        if (nowhere := self._admission.unknown_path(where, type(fact))) is not None:
            return self._quarantine(reading.path, _shown(fact), UNKNOWN_PATH, nowhere.message, where)
        name, number, bytes_key = self._place(reading.path)
        kind = type(fact).__name__
        try:
            if (words := overlong(fact)) is not None:
                raise ValueError(words)
            value = self._codec.encode(fact)
            id_ = f"{self._source}/{where}/{kind}/{_identity(fact)}"
            headers = identified(id_, cloud_event(self._source, type(fact)))
        except ValueError as error:
            return self._quarantine(reading.path, _shown(fact), BAD_FACT, str(error), where)
        return SpoolEntry(name, number, bytes_key, value, headers, 1)

    def _malformed(self, item: Malformed) -> SpoolEntry:
        return self._quarantine(item.path, item.payload, item.reason, item.message, item.origin)

    def _refused(self, reading: Reading, reason: str, message: str) -> SpoolEntry:
        sample = reading.sample
        document = {"path": str(reading.path)} | {
            name: _writable(getattr(sample, name)) for name in ("tag", "at", "value", "quality")
        }
        payload = json.dumps(document, default=repr).encode()
        return self._quarantine(
            reading.path if reading.path in self._known else None, payload, reason, message, str(reading.path)
        )

    def _quarantine(self, path: Path | None, payload: bytes, reason: str, message: str, origin: str) -> SpoolEntry:
        value, cut_bytes = fitted(payload)
        headers = error_headers(
            connector=self._source,
            stage="VALUE_CONVERTER",
            reason=reason,
            words=message,
            topic=origin,
            class_name="connectors",
            cut_bytes=cut_bytes,
        )
        if path is not None and path in self._known:
            _, number, bytes_key = self._place(path)
            return SpoolEntry(topic(path, MessageClass.QUARANTINE), number, bytes_key, value or b"", headers, 1, reason)
        return SpoolEntry(topic(self._enterprise, MessageClass.QUARANTINE), 0, None, value or b"", headers, 1, reason)

    def _place(self, path: Path) -> tuple[str, int, bytes]:
        place = self._places.get(path)
        if place is None:
            area = next(area for area in self._areas if area.contains(path))
            place = self._places[path] = (topic(path, MessageClass.RAW), partition(path, self._areas[area]), key(path))
        return place


def _mark(packed: PackedRecords, said: Iterable[Reading]) -> None:
    """Takes the newest of each tag as what is safe."""
    newest: dict[tuple[str, str], Sample] = {}
    place: Path | None = None
    where = ""
    for reading in said:
        if reading.ahead:
            continue
        if reading.path is not place:
            where = str(place := reading.path)
        sample = reading.sample
        key = (where, sample.tag)
        before = newest.get(key) or packed.newest.get(key)
        if before is None or sample.at >= before.at:
            newest[key] = sample
    packed.newest.update((key, Safe(sample.at, sample.value, sample.quality)) for key, sample in newest.items())


def _bounded(samples: list[Sample]) -> Iterable[list[Sample]]:
    if len(samples) <= SAMPLES_MAX and not any(type(sample.value) is str for sample in samples):
        yield samples  # tags and numbers alone never are too long
        return
    part: list[Sample] = []
    size = 0
    for sample in samples:
        length = _length_max(sample)
        if part and (len(part) == SAMPLES_MAX or size + length > RECORD_MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(sample)
        size += length
    if part:
        yield part


def _length_max(sample: Sample) -> int:
    """An upper bound of a sample's bytes: at most four a character, and 64 for all numbers."""
    return 64 + 4 * (len(sample.tag) + (len(sample.value) if isinstance(sample.value, str) else 0))


def problem_of(sample: Sample, text_max: int) -> str | None:
    """Why no record can hold a sample. Asked before it meets others, so that it cannot spoil their record."""
    value, tag = sample.value, sample.tag
    usual = type(value) is float and math.isfinite(value) and tag.isascii() and len(tag) <= NAME_MAX
    if usual and type(sample.at) is int and -(2**63) <= sample.at < 2**63 and 0 <= sample.quality < 2**32:
        return None
    name = f"tag {tag[:100]!r}"
    if len(sample.tag) > NAME_MAX:
        return f"{name}: a tag has at most {NAME_MAX} characters"
    if isinstance(value, str) and len(value) > text_max:
        return f"{name}: a text of {len(value)} characters; {text_max} are the most, see text_max of its type"
    if type(value) is float and not math.isfinite(value):
        return f"{name} = {value}: no number; a source that has none says null, with a bad quality"
    for number in (sample.at, sample.quality, value):
        if type(number) is int and not -(2**63) <= number < 2**63:
            return f"{name}: an integer of {number.bit_length()} bits; 64 is the most"
    if not (value is None or type(value) in (bool, int, float, str)):
        return f"{name}: a {type(value).__name__} is no value of a tag"
    for text in (sample.tag, value):
        if isinstance(text, str) and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return f"{name}: text that is no Unicode (half of a surrogate pair)"
    return None


def _writable(value: object) -> object:
    """JSON for a value; an integer of thousands of digits, which Python refuses to write in decimal, in hexadecimal."""
    return hex(value) if type(value) is int and value.bit_length() > 1024 else value


def _shown(fact: Fact) -> bytes:
    """A fact that no record holds, for who looks into quarantine: JSON, whatever is in it."""
    document = {field: _writable(getattr(fact, field)) for field in fact.__struct_fields__}
    return json.dumps({"type": type(fact).__name__, **document}, default=repr).encode()


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _identity(fact: Fact) -> str:
    return str(getattr(fact, "id", None) or getattr(fact, "alert", ""))
