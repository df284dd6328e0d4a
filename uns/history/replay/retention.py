"""What a replay cannot know because retention has removed records. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.records import Derived, Oee, Order, Raw, Samples, Shift, Tick
from topology.namespace.path import Level, Path

INF = 1 << 62


@dataclass(slots=True)
class KeptLog:
    """What was left of one raw partition, from `first_offset` on. Nothing removed: 0.

    After a removal a record is compared only if it begins a full correction horizon after its machine's first kept
    sample (by then states, counters and facts have been told again), rests on no removed offset, and lies in no shift
    or order that the kept log does not tell of. Control charts learn once, from their first points: theirs never are.
    """

    first_offset: int
    horizon_us: int
    now: int | None = None
    heard: dict[str, int] = field(default_factory=dict)
    """Machine → event time from which on it is heard in the kept log."""
    told: set[tuple[str, str]] = field(default_factory=set)
    """(line, name) of each order and shift."""
    dark: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Machine → spans of published shifts and orders of which the kept log does not tell."""

    @property
    def complete(self) -> bool:
        return self.first_offset == 0

    @property
    def first_reproducible(self) -> int | None:
        """The earliest begin of anything that can be compared; None: nothing can."""
        return min(self.heard.values()) + self.horizon_us if self.heard else None

    def saw(self, path: str, record: Raw) -> None:
        """Takes note of a record of the kept log. Call it in order, only where something was removed."""
        if isinstance(record, Tick):
            if self.now is None:
                self.now = record.at
        elif isinstance(record, Samples):
            if path not in self.heard and self.now is not None and record.samples:
                # a late sample may speak of long ago, while what came at its time is removed
                self.heard[path] = max(self.now, max(sample.at for sample in record.samples))
        elif isinstance(record, Order | Shift):
            self.told.add((_line(path), record.id))

    def look(self, windows: Iterable[Oee]) -> None:
        """Takes note of the published windows of shifts and orders, once the whole log has been seen."""
        for record in windows:
            if (
                record.window_name is not None
                and not record.withdrawn
                and (_line(record.path), record.window_name) not in self.told
            ):
                end = INF if record.ended_at is None else record.ended_at
                self.dark.setdefault(record.path, []).append((record.started_at, end))

    def doubt(self, published: Derived | None, replayed: Derived | None) -> str | None:
        """Why the two cannot be compared, or None."""
        if self.complete:
            return None
        for record in (published, replayed):
            if record is None:
                continue
            if record.inputs.first_offset < self.first_offset:
                return "rests on raw records that retention has removed"
            if record.message_class == "quality" or "#alert.quality" in record.id:
                return "its control chart learnt from raw records that retention has removed"
            heard = self.heard.get(record.path)
            if heard is None or record.started_at < heard + self.horizon_us:
                return "begins less than a correction horizon after the first raw record kept"
            end = INF if record.ended_at is None else record.ended_at
            if any(lo < end and record.started_at < hi for lo, hi in self.dark.get(record.path, ())):
                return "lies in a shift or order that was told in raw records that retention has removed"
        return None


def _line(path: str) -> str:
    place = Path.parse(path)
    return str(place.at(min(place.level, Level.LINE)))
