"""The namespace as the frame shows it beside every screen: places, their newest snapshots, plant time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.records import Current, CurrentTag, Derived, Value, is_good, is_uncertain
from uns.web.removed import Presence
from uns.web.theme import UNKNOWN, StateLook, look

STALE_US = 15 * 60 * 1_000_000
"""A snapshot older than this against the plant's clock is shown as no data; the fold refreshes each every `provisional_s`."""

FOUND_MAX = 100


def in_order(order: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Paths in the order of the plant model; one that the model does not know comes last."""
    place = {path: number for number, path in enumerate(order)}
    return sorted(paths, key=lambda path: (place.get(path, len(place)), path))


def snapshot_look(current: Current | None, now: int) -> StateLook:
    """How a machine is drawn at plant time `now` (µs). Without a fresh snapshot it is no data. Whether what is shown still
    comes is for the browser to see, which is the one that knows when it last heard anything."""
    if current is None or now - current.at > STALE_US:
        return UNKNOWN
    return look(current.state, current.mode)


@dataclass
class Namespace:
    """Every path that has been heard of, with its newest snapshot."""

    order: tuple[str, ...] = ()
    """Paths of the cells in the order of the plant model."""
    snapshots: dict[str, Current | None] = field(default_factory=dict)
    now: int = 0
    """Newest plant time (µs UTC) that any snapshot has shown."""
    applied: int = 0
    """How many records have come."""

    def __post_init__(self) -> None:
        self._presence = Presence(self.order)

    def remove(self, path: str) -> None:
        """Forgets a path that has left the plant."""
        self._presence.remove(path)
        self.snapshots.pop(path, None)

    def apply(self, record: Derived) -> None:
        """Takes in one record; a snapshot older than the one shown changes nothing."""
        self.applied += 1
        self._presence.apply(record)
        if not self._presence.shows(record.path):
            return
        shown = self.snapshots.setdefault(record.path, None)
        if isinstance(record, Current):
            self.now = max(self.now, record.at)
            if shown is None or shown.at <= record.at:
                self.snapshots[record.path] = record

    def places(self) -> list[str]:
        """Every place from the enterprise to the work units, in the order of the plant model, each before what is in it."""
        return list(dict.fromkeys(place for path in in_order(self.order, self.snapshots) for place in ancestors(path)))

    def find(self, words: str) -> list[dict[str, Any]]:
        """Places and tags that have all these words in their path or name, at most `FOUND_MAX`; none: nothing."""
        wanted = words.casefold().split()
        if not wanted:
            return []
        found: list[dict[str, Any]] = [{"path": place} for place in self.places() if _has(place, wanted)]
        for path in in_order(self.order, self.snapshots):
            if len(found) > FOUND_MAX:
                break
            current = self.snapshots[path]
            found += [
                {"path": path, "tag": tag.tag, **reading(tag)}
                for tag in (() if current is None else current.tags)
                if _has(f"{path}/{tag.tag}", wanted)
            ]
        return found[:FOUND_MAX]


def reading(tag: CurrentTag) -> dict[str, Any]:
    """A tag's newest value, its time (µs), and what is to be said of its quality: good, uncertain or bad."""
    quality = "good" if is_good(tag.quality) else "uncertain" if is_uncertain(tag.quality) else "bad"
    return {"value": value(tag.value), "at": tag.at, "quality": quality}


def _has(text: str, words: Iterable[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def value(raw: Value) -> str:
    """A tag's value short enough for a list."""
    if isinstance(raw, float):
        return f"{raw:.5g}"
    return "–" if raw is None else str(raw)[:40]


def ancestors(path: str) -> list[str]:
    """The path and every place above it, from the enterprise on."""
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments) + 1)]
