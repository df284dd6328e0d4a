"""From what a connector read to Kafka records: suppressing, checking, packing by path. No I/O, no clock."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from connectors.base import Batch, FactReading, Malformed, Reading
from schemas.codec import Codec
from schemas.records import Fact, Sample, Samples, Value
from topology.model.plant import Plant
from topology.model.wiring import Suppress
from topology.namespace.classes import MessageClass
from topology.namespace.path import Path
from topology.namespace.topics import key, partition, topic
from uns.kafka.message import cloud_event, error_headers, fitted, identified
from uns.runners.connector.spool import PLACES_MAX, SpoolEntry

SAMPLES_MAX = 500
"""Samples in one record."""
RECORD_MAX_BYTES = 900_000
ID_MAX = 500
"""Characters of a fact's id: it goes into a header too."""
UNCHANGED, DEADBAND = "unchanged", "deadband"
UNKNOWN_PATH, BAD_VALUE, BAD_FACT = "unknown_path", "bad_value", "bad_fact"
"""Why the packer puts something into quarantine; a connector has reasons of its own for what it cannot read."""


@dataclass
class PackedRecords:
    """One or more batches as the spool takes them."""

    entries: list[SpoolEntry] = field(default_factory=list)
    read: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    newest: dict[tuple[str, str], int] = field(default_factory=dict)


class Packer:
    """Remembers the last published value of each tag where something is suppressed, and nothing else."""

    def __init__(
        self, source: str, plant: Plant, codec: Codec, suppress: Suppress, next_sequence: Callable[[str], int]
    ) -> None:
        self._source, self._codec, self._suppress, self._next = source, codec, suppress, next_sequence
        self._areas = plant.areas()
        self._enterprise = plant.enterprise
        self._known = {place for cell in plant.cells() for place in (cell, cell.parent)}
        self._places: dict[Path, tuple[str, int, bytes]] = {}
        self._last: dict[tuple[Path, str], tuple[Value, int]] = {}

    def pack(self, batches: Iterable[Batch]) -> PackedRecords:
        """Every unit of the batches ends as an entry or as suppressed."""
        packed = PackedRecords()
        by_path: dict[Path, list[Sample]] = {}
        for batch in batches:
            packed.read += len(batch)
            for reading in batch.readings:
                if reading.path not in self._known:
                    message = f"{reading.path} is not in the plant model; add it, or correct the connector"
                    packed.entries.append(self._refused(reading, UNKNOWN_PATH, message))
                elif problem := _problem(reading.sample):
                    packed.entries.append(self._refused(reading, BAD_VALUE, problem))
                else:
                    self._mark(packed, reading)
                    if reason := self._suppressed(reading):
                        packed.suppressed[reason] += 1
                    else:
                        by_path.setdefault(reading.path, []).append(reading.sample)
            packed.entries += [self._fact(item) for item in batch.facts]
            packed.entries += [self._malformed(item) for item in batch.malformed]
        for path, samples in by_path.items():
            self._samples(packed, path, samples)
        return packed

    def _mark(self, packed: PackedRecords, reading: Reading) -> None:
        place = (str(reading.path), reading.sample.tag)
        packed.newest[place] = max(packed.newest.get(place, -1), reading.sample.at)

    def _suppressed(self, reading: Reading) -> str | None:
        sample = reading.sample
        band = self._suppress.deadband.get(sample.tag)
        if not self._suppress.unchanged and band is None:
            return None
        place = (reading.path, sample.tag)
        last = self._last.get(place)
        if last is not None and last[1] == sample.quality:  # a change of quality is always news
            if self._suppress.unchanged and type(last[0]) is type(sample.value) and last[0] == sample.value:
                return UNCHANGED
            if band is not None and _number(last[0]) and _number(sample.value) and abs(sample.value - last[0]) < band:  # type: ignore[operator]
                return DEADBAND
        if len(self._last) >= PLACES_MAX:
            self._last.clear()  # a source that invents tags must not fill the memory; some values are published once more
        self._last[place] = (sample.value, sample.quality)
        return None

    def _samples(self, packed: PackedRecords, path: Path, samples: list[Sample]) -> None:
        name, number, bytes_key = self._place(path)
        for part in _bounded(samples):
            sequence = self._next(str(path))
            value = self._codec.encode(Samples(self._source, sequence, tuple(part)))
            headers = identified(f"{self._source}/{path}/{sequence}", cloud_event(self._source, Samples))
            packed.entries.append(SpoolEntry(name, number, bytes_key, value, headers, len(part)))

    def _fact(self, reading: FactReading) -> SpoolEntry:
        if reading.path not in self._known:
            return self._quarantine(
                None,
                _shown(reading.fact),
                UNKNOWN_PATH,
                f"{reading.path} is not in the plant model",
                str(reading.path),
            )
        name, number, bytes_key = self._place(reading.path)
        kind = type(reading.fact).__name__
        try:
            value = self._codec.encode(reading.fact)
            id_ = f"{self._source}/{reading.path}/{kind}/{_identity(reading.fact)}"
            headers = identified(id_, cloud_event(self._source, type(reading.fact)))
            if len(value) > RECORD_MAX_BYTES:
                raise ValueError(f"{len(value)} bytes; a record holds at most {RECORD_MAX_BYTES}")
        except ValueError as error:
            return self._quarantine(reading.path, _shown(reading.fact), BAD_FACT, str(error), str(reading.path))
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


def _bounded(samples: list[Sample]) -> Iterable[list[Sample]]:
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


def _problem(sample: Sample) -> str | None:
    """Why no record can hold a sample. Asked before it meets others, so that it cannot spoil their record."""
    value, name = sample.value, f"tag {sample.tag[:100]!r}"
    if _length_max(sample) > RECORD_MAX_BYTES:
        return f"{name}: tag and value have more than {(RECORD_MAX_BYTES - 64) // 4} characters; no record holds them"
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
    """Raises `ValueError` for an id that no header takes."""
    id_ = str(getattr(fact, "id", None) or getattr(fact, "alert", ""))
    if len(id_) > ID_MAX:
        raise ValueError(f"an id of {len(id_)} characters; {ID_MAX} is the most")
    return id_
