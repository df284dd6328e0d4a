"""What every object is now: the newest snapshot of each machine, the newest record of each stream. Pure; time is given."""

from collections.abc import Iterator

from schemas.records import Current, Derived
from topology.model.plant import Plant
from uns.i3x.space import Element, Space, stream_id, tag_id
from uns.i3x.vqt import BAD, Vqt, nothing, of_current, of_record, of_sample

STALE_US = 60_000_000
"""A snapshot that is older than so long beyond the plant's own pause is held, not current."""

WINDOW = "hour"
"""Of the records that have windows those of the hour are shown: the newest of every kind would be another each time."""


class Board:
    """One snapshot a machine, one record a stream: memory is bounded by the plant. One thread at a time."""

    def __init__(self, plant: Plant, space: Space) -> None:
        self.space = space
        self._silent_us = {
            str(path): None if model.silent_after_s is None else round(model.silent_after_s * 1e6)
            for path, model in plant.cells().items()
        }
        self._stale_us = STALE_US + round(plant.time.provisional_s * 1e6)
        self._current: dict[str, Current] = {}
        self._streams: dict[str, Derived] = {}

    def apply(self, record: Derived) -> list[tuple[str, Vqt]]:
        """Takes a record in; returns what changed, by id. A place that the plant does not have is passed over."""
        if isinstance(record, Current):
            return list(self._snapshot(record))
        id_ = stream_id(record.path, record.message_class)
        if self.space.get(id_) is None or record.withdrawn or getattr(record, "window", WINDOW) != WINDOW:
            return []
        before = self._streams.get(id_)
        if before is not None and (record.started_at, record.revision) < (before.started_at, before.revision):
            return []
        self._streams[id_] = record
        return [(id_, of_record(record, _time(record)))]

    def _snapshot(self, current: Current) -> Iterator[tuple[str, Vqt]]:
        path = current.path
        before = self._current.get(path)
        if path not in self._silent_us or (before is not None and before.at > current.at):
            return
        self._current[path] = current
        self.space.see(path, (sample.tag for sample in current.tags))
        yield path, of_current(current)
        silent = self._silent(current)
        same = () if before is None or self._silent(before) is not silent else before.tags
        known = {sample.tag: sample for sample in same}
        for sample in current.tags:
            element = self.space.get(tag_id(path, sample.tag))
            if element is not None and known.get(sample.tag) != sample:
                yield element.id, of_sample(sample, silent, self.space.types[element.type_id].schema)

    def remove(self, path: str) -> list[tuple[str, Vqt]]:
        """A machine has left the namespace: what it said counts no more."""
        current = self._current.pop(path, None)
        return [] if current is None else [(path, Vqt(None, BAD, current.at))]

    def value(self, element: Element, now: int) -> Vqt:
        """What an object is at `now`, µs UTC."""
        if element.stream is not None:
            record = self._streams.get(element.id)
            return nothing(now) if record is None else of_record(record, _time(record))
        current = self._current.get(element.path)
        if current is None:
            return nothing(now)
        found = of_current(current) if element.tag is None else self._tag(element, current, now)
        return found.held() if now - current.at > self._stale_us else found

    def _tag(self, element: Element, current: Current, now: int) -> Vqt:
        schema = self.space.types[element.type_id].schema
        silent = self._silent(current)
        for sample in current.tags:
            if sample.tag == element.tag:
                return of_sample(sample, silent, schema)
        return nothing(now)

    def _silent(self, current: Current) -> bool:
        """Whether its machine had said nothing for too long as the snapshot was taken."""
        limit = self._silent_us.get(current.path)
        if current.last_seen is None:
            return True
        return limit is not None and current.at - current.last_seen > limit


def _time(record: Derived) -> int:
    """When it was so: its end, or its begin while it goes on."""
    return record.ended_at if record.ended_at is not None else record.started_at
