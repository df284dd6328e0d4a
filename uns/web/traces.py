"""Numbers of tags over the last while, from snapshots, for trends: a bounded ring a tag, thinned out for drawing. Pure."""

from array import array
from itertools import pairwise
from math import nan
from statistics import median

from schemas.records import Current, is_good

POINTS_MAX = 4000
"""Of a tag; 16 bytes each. A quarter goes when they are full."""
TAGS_MAX = 1000
"""Tags with a trend: the first that come. With all of their points that is 64 MB."""

SILENCE_US, SILENCE_TIMES = 60_000_000, 8
"""A tag says nothing for a time if it is both longer than this and so many times its usual distance."""


class Traces:
    """(path, tag) → times and values, in order. What is not good, or no number, is a gap."""

    def __init__(self) -> None:
        self._traces: dict[tuple[str, str], tuple[array[int], array[float]]] = {}
        self.left_out = 0
        """Values of tags that were one too many."""

    def take(self, current: Current) -> None:
        """Takes the tags of a snapshot; of a tag that has not spoken since the last one there is nothing new."""
        for tag in current.tags:
            value = tag.value
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            key = current.path, tag.tag
            trace = self._traces.get(key)
            if trace is None:
                if len(self._traces) >= TAGS_MAX:
                    self.left_out += 1
                    continue
                trace = self._traces[key] = array("q"), array("d")
            times, values = trace
            if times and times[-1] >= tag.at:
                continue
            times.append(tag.at)
            values.append(float(value) if is_good(tag.quality) else float("nan"))
            if len(times) > POINTS_MAX:
                del times[: POINTS_MAX // 4]
                del values[: POINTS_MAX // 4]

    def tags(self, path: str) -> list[str]:
        """Tags of a machine that have a trend, by name."""
        return sorted(tag for owner, tag in self._traces if owner == path)

    def trace(self, path: str, tag: str, begin: int, end: int, most: int) -> list[tuple[int, float | None]]:
        """(µs, value) within [begin, end], at most about `most`; None: a value that is not good, or a silence."""
        times, values = self._traces.get((path, tag), (array("q"), array("d")))
        points = parted([(at, value) for at, value in zip(times, values, strict=True) if begin <= at <= end])
        return [(at, None if value != value else value) for at, value in thinned(points, most)]


def parted(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """No line is drawn over a silence: between two points that are far apart for this tag stands one without a value."""
    distances = [after[0] - before[0] for before, after in pairwise(points)]
    if not distances:
        return points
    longest = max(SILENCE_US, SILENCE_TIMES * median(distances))
    drawn = points[:1]
    for (before, _), point in pairwise(points):
        if point[0] - before > longest:
            drawn.append((before + 1, nan))
        drawn.append(point)
    return drawn


def thinned(points: list[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most `most` of the points and a quarter more for gaps, so that a drawing looks as if it had all: of each stretch the
    first, the least, the greatest and the last, and one without a value where there is one."""
    if len(points) <= most or most < 4:
        return points
    size = -(-len(points) // (most // 4))
    kept: list[tuple[int, float]] = []
    for begin in range(0, len(points), size):
        part = points[begin : begin + size]
        numbers = [point for point in part if point[1] == point[1]]
        extreme = (
            [min(numbers, key=lambda point: point[1]), max(numbers, key=lambda point: point[1])] if numbers else []
        )
        silent = [point for point in part if point[1] != point[1]][:1]
        kept += sorted({part[0], part[-1], *extreme, *silent}, key=lambda point: point[0])
    return kept
