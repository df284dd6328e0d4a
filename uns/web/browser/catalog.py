"""What the topic browser knows of the plant: places, machines, their tags with the newest snapshot. A picture: pure, bounded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.records import Current, Derived, Sample
from topology.model.plant import Plant
from uns.web.browser.index import Entry, Found, Index

CHILDREN_MAX = 500
"""Shown at once; further ones by page."""

ABOUT = {
    "state": "machine state",
    "mode": "unit mode",
    "good_count": "good pieces counter",
    "scrap_count": "scrap pieces counter",
    "rework_count": "rework pieces counter",
    "reason": "stop reason code",
    "energy": "energy meter",
    "characteristic": "quality characteristic",
    "feature": "condition feature",
    "heartbeat": "sign of life",
}


class Child(NamedTuple):
    """One row of the tree."""

    id: str
    """A path, or `path#tag`."""
    name: str
    kind: str
    """place, machine or tag."""
    tags: int
    """How many tags are inside; 1 for a tag."""


@dataclass
class Catalog:
    """All tags that the model names or a machine has said."""

    known: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    """Machine → tag → (unit, what it is), of the plant model, in its order."""

    def __post_init__(self) -> None:
        self.index = Index()
        self.snapshots: dict[str, Current] = {}
        self._tags: dict[str, dict[str, None]] = {}
        """Machine → its tags, in order."""
        self._inside: dict[str, dict[str, int]] = {}
        """Place → child → number of tags inside."""
        for path, tags in self.known.items():
            for tag in tags:
                self._put(path, tag)

    @classmethod
    def of(cls, plant: Plant | None) -> "Catalog":
        if plant is None:
            return cls()
        return cls(
            {
                str(path): {
                    name: (str(getattr(tag, "unit", None) or ""), ABOUT.get(tag.role, tag.role))
                    for name, tag in equipment.tags.items()
                }
                for path, equipment in plant.cells().items()
            }
        )

    def apply(self, record: Derived) -> None:
        """A snapshot brings the tags that a machine has besides those of its type."""
        if not isinstance(record, Current):
            return
        shown = self.snapshots.get(record.path)
        if shown is not None and shown.at > record.at:
            return
        self.snapshots[record.path] = record
        tags = self._tags.get(record.path, {})
        for sample in record.tags:
            if sample.tag not in tags:
                self._put(record.path, sample.tag)

    def remove(self, path: str) -> None:
        """Forgets a machine that has left the plant."""
        self.snapshots.pop(path, None)
        self.index.remove(path)
        gone = len(self._tags.pop(path, {}))
        for place, child in _steps(path):
            of_place = self._inside.get(place, {})
            of_place[child] = of_place.get(child, 0) - gone
            if of_place[child] <= 0 or child == path:
                of_place.pop(child, None)

    def _put(self, path: str, tag: str) -> None:
        self._tags.setdefault(path, {})[tag] = None
        unit, about = self.known.get(path, {}).get(tag, ("", ""))
        self.index.put(Entry(path, tag, unit, about))
        for place, child in _steps(path):
            of_place = self._inside.setdefault(place, {})
            of_place[child] = of_place.get(child, 0) + 1

    def children(self, place: str, begin: int = 0) -> tuple[list[Child], int]:
        """What is directly inside a place ("" : the enterprises), from the `begin`-th on, and how many there are."""
        if place in self._tags:
            tags = list(self._tags[place])
            return [Child(f"{place}#{tag}", tag, "tag", 1) for tag in tags[begin : begin + CHILDREN_MAX]], len(tags)
        inside = self._inside.get(place, {})
        rows = [
            Child(child, child.rpartition("/")[2], "machine" if child in self._tags else "place", count)
            for child, count in list(inside.items())[begin : begin + CHILDREN_MAX]
        ]
        return rows, len(inside)

    def search(self, text: str, most: int = 50) -> Found:
        return self.index.search(text, most)

    def sample(self, path: str, tag: str) -> Sample | None:
        """The newest value of a tag, as the snapshot has it."""
        snapshot = self.snapshots.get(path)
        if snapshot is None:
            return None
        return next((sample for sample in snapshot.tags if sample.tag == tag), None)

    def has(self, path: str, tag: str) -> bool:
        return tag in self._tags.get(path, {})

    def about(self, path: str, tag: str) -> tuple[str, str]:
        """Unit, and what a tag is; empty where nothing is known."""
        return self.known.get(path, {}).get(tag, ("", ""))

    def places(self) -> list[str]:
        """All machines and the places above them."""
        return [*(place for place in self._inside if place), *self._tags]

    @property
    def counts(self) -> dict[str, int]:
        return {"machines": len(self._tags), "tags": len(self.index), "left_out": self.index.left_out}


def _steps(path: str) -> Iterable[tuple[str, str]]:
    """(place, child) from the top down to a path."""
    segments = path.split("/")
    for depth in range(len(segments)):
        yield "/".join(segments[:depth]), "/".join(segments[: depth + 1])
