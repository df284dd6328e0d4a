"""MQTT filters over paths: `+` stands for one level, a final `#` for the rest, none included (`acme/#` matches `acme`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from topology.namespace.classes import MessageClass
from topology.namespace.path import BadPath, Level, Path
from topology.namespace.topics import PREFIX, topic

ONE, REST = "+", "#"


class BadFilter(ValueError):
    """A filter that matches nothing a path could be; the message says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A set of paths. Only `Filter.parse` makes one, so every Filter is valid."""

    levels: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Filter":
        """Raises `BadFilter`."""
        levels = tuple(text.split("/"))
        if REST in levels[:-1]:
            raise BadFilter(f"filter {text!r}: '#' may only be the last level")
        if len(levels) > Level.CELL + (levels[-1] == REST):
            raise BadFilter(f"filter {text!r}: a path has at most 5 levels (enterprise/site/area/line/cell)")
        for level in levels:
            if level in (ONE, REST):
                continue
            if ONE in level or REST in level:
                raise BadFilter(
                    f"filter {text!r}: {level!r} mixes a wildcard with text; a wildcard stands for a whole level"
                )
            try:
                Path.parse(level)
            except BadPath as error:
                raise BadFilter(f"filter {text!r}: {error}") from None
        return cls(levels)

    def matches(self, path: Path) -> bool:
        """Whether the path is in the set."""
        if self.levels[-1] == REST:
            fixed = self.levels[:-1]
            return len(path.segments) >= len(fixed) and _agree(fixed, path.segments)
        return len(path.segments) == len(self.levels) and _agree(self.levels, path.segments)

    def may_match_under(self, place: Path) -> bool:
        """Whether some path that lives in the topics of `place` (an area with its lines and cells, a site, an enterprise) matches."""
        deepest = Level.CELL if place.level is Level.AREA else place.level
        longest = Level.CELL if self.levels[-1] == REST else len(self.levels)
        shortest = len(self.levels) - (self.levels[-1] == REST)
        if longest < place.level or shortest > deepest:
            return False
        fixed = self.levels[:-1] if self.levels[-1] == REST else self.levels
        return _agree(fixed, place.segments)

    def __str__(self) -> str:
        return "/".join(self.levels)


def _agree(levels: Sequence[str], segments: Sequence[str]) -> bool:
    return all(level in (ONE, segment) for level, segment in zip(levels, segments, strict=False))


def topics(
    filters: Iterable[Filter], classes: Iterable[MessageClass], places: Iterable[Path], prefix: str = PREFIX
) -> list[str]:
    """Topics, of all that a plant's areas, sites and enterprise (`places`) have, that may hold what the filters name."""
    wanted, class_names = tuple(filters), tuple(classes)
    return sorted(
        topic(place, message_class, prefix)
        for place in set(places)
        if any(paths.may_match_under(place) for paths in wanted)
        for message_class in class_names
    )
