"""Paths of the ISA-95 hierarchy: enterprise/site/area/line/cell, one to five levels."""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

from topology.namespace.classes import RESERVED

SEGMENT_MAX = 32
_SEGMENT = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class Level(IntEnum):
    """ISA-95 equipment levels; LINE is a work center, CELL a work unit."""

    ENTERPRISE = 1
    SITE = 2
    AREA = 3
    LINE = 4
    CELL = 5


class BadPath(ValueError):
    """A path that the namespace refuses; the message says why and offers the nearest good spelling."""


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """A place in the hierarchy. Only `Path.parse` makes one, so every Path is valid."""

    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Raises `BadPath`. Nothing is rewritten: a good spelling is offered, never assumed."""
        segments = tuple(text.split("/"))
        if problem := _problem(text, segments):
            offer = suggestion(text)
            raise BadPath(
                f"path {text!r}: {problem}" + (f"; did you mean {offer!r}?" if offer and offer != text else "")
            )
        return cls(segments)

    @property
    def level(self) -> Level:
        return Level(len(self.segments))

    @property
    def parent(self) -> "Path | None":
        return Path(self.segments[:-1]) if len(self.segments) > 1 else None

    def at(self, level: Level) -> "Path":
        """This path cut to a level that is its own or above."""
        if level > self.level:
            raise ValueError(f"{self} has no {level.name.lower()}")
        return Path(self.segments[:level])

    def contains(self, other: "Path") -> bool:
        """Whether `other` is this place or inside it."""
        return other.segments[: len(self.segments)] == self.segments

    def __str__(self) -> str:
        return "/".join(self.segments)


def _problem(text: str, segments: tuple[str, ...]) -> str | None:
    if not text:
        return "is empty"
    if len(segments) > Level.CELL:
        return f"has {len(segments)} levels, at most 5 (enterprise/site/area/line/cell) are possible"
    for segment in segments:
        if not segment:
            return "has an empty segment"
        if len(segment) > SEGMENT_MAX:
            return f"segment {segment!r} has {len(segment)} characters, at most {SEGMENT_MAX} are possible"
        if segment in RESERVED:
            return f"segment {segment!r} is a message class and cannot name a place"
        if not _SEGMENT.fullmatch(segment):
            return f"segment {segment!r} may hold a-z, 0-9 and inner '-' only"
    return None


def suggestion(text: str) -> str | None:
    """The nearest good spelling of a bad path, or None when there is none to offer."""
    segments = []
    for raw in text.replace("\\", "/").split("/"):
        plain = unicodedata.normalize("NFKD", raw).encode("ascii", "ignore").decode().lower()
        segment = re.sub(r"[^a-z0-9]+", _dash, plain).strip("-")[:SEGMENT_MAX].rstrip("-")
        if segment in RESERVED:
            segment += "-1"
        if segment:
            segments.append(segment)
    segments = segments[: Level.CELL]
    return "/".join(segments) or None


def _dash(between: re.Match[str]) -> str:
    return between[0] if set(between[0]) == {"-"} else "-"
