"""The namespace as the frame shows it beside every screen: places, their newest snapshots, plant time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.records import Current, Derived, Value, is_good, is_uncertain
from uns.web.removed import Presence
from uns.web.theme import UNKNOWN, StateLook, look

STALE_US = 15 * 60 * 1_000_000
"""A snapshot older than this against the plant's clock is shown as no data; the fold refreshes each every `provisional_s`."""


def in_order(order: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Paths in the order of the plant model; one that the model does not know comes last."""
    place = {path: number for number, path in enumerate(order)}
    return sorted(paths, key=lambda path: (place.get(path, len(place)), path))


def snapshot_look(current: Current | None, now: int, live: bool) -> StateLook:
    """How a machine is drawn at plant time `now` (µs). Without a live feed or a fresh snapshot it is no data."""
    if not live or current is None or now - current.at > STALE_US:
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

    def tree(self, live: bool) -> list[dict[str, Any]]:
        """Nodes for the tree view, tags with their last values as leaves. Ids are paths."""
        root: dict[str, Any] = {"children": {}}
        for path in in_order(self.order, self.snapshots):
            node = root
            segments = path.split("/")
            for depth, segment in enumerate(segments, 1):
                node = node["children"].setdefault(
                    segment, {"id": "/".join(segments[:depth]), "label": segment, "children": {}}
                )
            current = self.snapshots[path]
            if current is not None:
                node["label"] = f"{snapshot_look(current, self.now, live).glyph} {segments[-1]}"
                for tag in current.tags:
                    word = "uncertain" if is_uncertain(tag.quality) else "bad quality"
                    mark = "" if is_good(tag.quality) else f" ({word})"
                    node["children"][f"#{tag.tag}"] = {
                        "id": f"{path}#{tag.tag}",
                        "label": f"{tag.tag}  {value(tag.value)}{mark}",
                        "children": {},
                    }
        return _nodes(root)


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": child["id"], "label": child["label"], "children": _nodes(child)} for child in node["children"].values()
    ]


def value(raw: Value) -> str:
    """A tag's value short enough for the tree."""
    if isinstance(raw, float):
        return f"{raw:.5g}"
    return "–" if raw is None else str(raw)[:40]


def ancestors(path: str) -> list[str]:
    """The path and every place above it, from the enterprise on."""
    segments = path.split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments) + 1)]
