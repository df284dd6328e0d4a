"""The namespace at one time: which state, stop and windows an instant lies in, and what each tag said last. Pure.

*True at T* is what is known now of that time, late corrections and all; *known at K* leaves out what came to Kafka after K.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.records import Derived, Downtime, Oee, Record, Sample, Samples, State
from schemas.text import iso, to_plain
from uns.client.subscribe import Received

STATE, STOP = "state", "stop"


class Place(NamedTuple):
    """Where what is said lies in the log."""

    topic: str
    partition: int
    offset: int


class Said(NamedTuple):
    """A record that holds at the time, and where it lies."""

    record: Derived
    place: Place


class Value(NamedTuple):
    """A tag's last sample at or before the time, and where it lies."""

    sample: Sample
    place: Place


class At(NamedTuple):
    """What is known of one path at the time; of its windows (`oee.hour`, …) the one that the time lies in."""

    said: Mapping[str, Said]
    values: Mapping[str, Value]


class Moment:
    """Takes records in the order of their logs, then says how it was. Holds what covers the time alone."""

    def __init__(self, at: int, known_at: int | None = None) -> None:
        """`at`: event time, µs UTC. `known_at`: Kafka's, µs UTC; None: all that is known now."""
        self.at, self.known_at = at, known_at
        self._said: dict[tuple[str, str], dict[str, Said]] = {}
        """(path, kind) → natural id → newest revision that covers the time."""
        self._newest: dict[tuple[str, str], int] = {}
        """(kind, natural id) → newest revision that was seen: a replay may say an older one later."""
        self._values: dict[tuple[str, str], Value] = {}

    def apply(self, item: Received) -> None:
        if self.known_at is not None and item.ingested_at > self.known_at:
            return
        place = Place(item.topic, item.partition, item.offset)
        if isinstance(item.record, Samples):
            for sample in item.record.samples:
                self._sample(str(item.path), sample, place)
        elif isinstance(item.record, Derived) and (kind := kind_of(item.record)) is not None:
            self._derived(kind, item.record, place)

    def _sample(self, path: str, sample: Sample, place: Place) -> None:
        before = self._values.get((path, sample.tag))
        if sample.at <= self.at and (before is None or sample.at >= before.sample.at):
            self._values[path, sample.tag] = Value(sample, place)

    def _derived(self, kind: str, record: Derived, place: Place) -> None:
        if record.started_at > self.at:
            return
        key = kind, record.natural_id
        if record.revision < self._newest.get(key, 0):
            return
        self._newest[key] = record.revision
        known = self._said.setdefault((record.path, kind), {})
        if record.ended_at is None or record.ended_at > self.at:
            known[record.natural_id] = Said(record, place)
        else:
            known.pop(record.natural_id, None)

    def paths(self) -> dict[str, At]:
        """Path → how it was, in order; of several records of a kind the one that began last."""
        said: dict[str, dict[str, Said]] = {}
        for (path, kind), known in self._said.items():
            if known:
                newest = max(known.values(), key=lambda each: (each.record.started_at, each.record.id))
                said.setdefault(path, {})[kind] = newest
        values: dict[str, dict[str, Value]] = {}
        for (path, tag), value in sorted(self._values.items()):
            values.setdefault(path, {})[tag] = value
        return {path: At(said.get(path, {}), values.get(path, {})) for path in sorted(said.keys() | values.keys())}


def kind_of(record: Record) -> str | None:
    """Under which name a record is told; None: it says nothing of an instant."""
    if isinstance(record, State):
        return STATE
    if isinstance(record, Downtime):
        return STOP
    return f"oee.{record.window}" if isinstance(record, Oee) else None


def told(path: str, found: At, at: int) -> dict[str, Any]:
    """One path for programs: each with its age (s), and where it lies in Kafka."""
    return {
        "path": path,
        "at": iso(at),
        **{
            kind: _with_place(to_plain(said.record), said.place, at - said.record.started_at)
            for kind, said in sorted(found.said.items())
        },
        "tags": [
            _with_place(
                {"tag": tag, "at": iso(value.sample.at), "value": value.sample.value, "quality": value.sample.quality},
                value.place,
                at - value.sample.at,
            )
            for tag, value in found.values.items()
        ],
    }


def _with_place(plain: dict[str, Any], place: Place, age_us: int) -> dict[str, Any]:
    return {**plain, "age_s": age_us / 1e6, **place._asdict()}


def short(kind: str, record: Derived) -> str:
    """What a record says, in a word."""
    if isinstance(record, State):
        return record.state
    if isinstance(record, Downtime):
        return record.reason or record.category or record.kind
    oee = getattr(record, "oee", None)
    return "–" if oee is None else f"{100 * oee:.1f} %"


class Change(NamedTuple):
    """What differs between two times: of a path its state, stop or windows, or a tag's value."""

    path: str
    what: str
    before: Any
    after: Any


def changes(first: Mapping[str, At], second: Mapping[str, At]) -> Iterator[Change]:
    """In the order of paths. What nobody had said yet is None."""
    nothing = At({}, {})
    for path in sorted(first.keys() | second.keys()):
        before, after = _words(first.get(path, nothing)), _words(second.get(path, nothing))
        for what in sorted(before.keys() | after.keys()):
            if before.get(what) != after.get(what):
                yield Change(path, what, before.get(what), after.get(what))


def _words(at: At) -> dict[str, Any]:
    words: dict[str, Any] = {kind: short(kind, said.record) for kind, said in at.said.items()}
    return words | {f"tag {tag}": value.sample.value for tag, value in at.values.items()}
