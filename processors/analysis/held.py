"""What held where and when: lots in use, shifts, orders and their attributes, as levels of factors. Pure.

A later fact with the same id replaces the earlier, one that ends where it begins is taken back. What is told of a line
holds for its machines. A lot or an order without an end lasts until the next of its kind there. A stretch in which a level
changes, or in which two hold, has none: it speaks for nobody.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from processors.units import INF
from schemas.records import Lot, Order, Shift
from topology.namespace.path import Level, Path

Told = Lot | Order | Shift
HOUR = "hour"
OWN = frozenset({"lot", "supplier", "order", "product", "shift", "line", "machine", HOUR})
"""Factors that have a meaning; an attribute of the same name says whose it is."""


@dataclass(frozen=True, slots=True)
class Span:
    """One fact's time at the path it was told at."""

    begin: int
    end: int
    carrier: str
    """The id of what holds."""
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """What held in one stretch."""

    levels: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    """Factor → the lot, order or shift that carries its level."""
    shift: str | None = None
    """Id of the shift."""


class History:
    """The facts of a history, by kind and path. `hour`: the hour of the day on the clock of the wall, by path and µs."""

    def __init__(self, told: Iterable[tuple[str, Told]], hour: Callable[[str, int], int] | None = None) -> None:
        """`told`: (path told at, fact) in log order."""
        newest = {(path, type(fact).__name__, fact.id): (path, fact) for path, fact in told}
        kept = [
            (path, fact) for path, fact in newest.values() if fact.ended_at is None or fact.started_at < fact.ended_at
        ]
        materials = {fact.material for _, fact in kept if isinstance(fact, Lot)}
        self._several = len(materials) > 1
        self._hour = hour
        taken = _attribute_owners(fact for _, fact in kept)
        self._ambiguous = {name for name, owners in taken.items() if len(owners) > 1} | OWN
        by_kind: dict[str, dict[str, list[Told]]] = {}
        for path, fact in kept:
            by_kind.setdefault(self._kind(fact), {}).setdefault(path, []).append(fact)
        self._lines = {
            kind: {path: _Line(list(self._spans(facts))) for path, facts in by_path.items()}
            for kind, by_path in sorted(by_kind.items())
        }

    def _kind(self, fact: Told) -> str:
        return f"lot of {fact.material}" if isinstance(fact, Lot) and self._several else type(fact).__name__.lower()

    def _spans(self, facts: list[Told]) -> Iterator[Span]:
        ordered = sorted(facts, key=lambda fact: (fact.started_at, fact.id))
        begins = sorted({fact.started_at for fact in ordered})
        for fact in ordered:
            following = bisect_left(begins, fact.started_at + 1)
            open_end = begins[following] if following < len(begins) else INF
            end = open_end if fact.ended_at is None else fact.ended_at
            yield Span(fact.started_at, end, fact.id, self._levels(fact))

    def _levels(self, fact: Told) -> dict[str, str]:
        kind = self._kind(fact)
        match fact:
            case Lot():
                levels = {kind: fact.id}
                if fact.supplier is not None:
                    levels[kind.replace("lot", "supplier", 1)] = fact.supplier
            case Order():
                levels = {"order": fact.id, "product": fact.product}
            case _:
                levels = {"shift": fact.name}
        for name, value in fact.attributes.items():
            levels[f"{kind} {name}" if name in self._ambiguous else name] = value
        return levels

    def holding(self, path: str, begin: int, end: int) -> Held:
        """What held all through [begin, end) µs at a machine."""
        place = Path.parse(path)
        line = str(place.at(min(place.level, Level.LINE)))
        found = Held({"line": line, "machine": path} if place.level > Level.LINE else {"line": line})
        shift = None
        for kind, lines in self._lines.items():
            near = [span for at in sorted({path, line}) if at in lines for span in lines[at].meeting(begin, end)]
            if len(near) != 1 or near[0].begin > begin or near[0].end < end:
                continue
            (span,) = near
            for factor, level in span.levels.items():
                found.levels[factor] = level
                if level != span.carrier:  # a lot does not carry itself
                    found.clusters[factor] = span.carrier
            shift = span.carrier if kind == "shift" else shift
        if self._hour is not None:
            found.levels[HOUR] = f"{self._hour(path, begin):02d}"
        return Held(found.levels, found.clusters, shift)

    def edges(self, path: str, begin: int, end: int) -> set[int]:
        """The times within (begin, end) at which anything that holds at a machine begins or ends."""
        line = str(Path.parse(path).at(Level.LINE))
        return {
            at
            for lines in self._lines.values()
            for told_at in {path, line} & lines.keys()
            for span in lines[told_at].meeting(begin, end)
            for at in (span.begin, span.end)
            if begin < at < end
        }


class _Line:
    """The spans of one kind at one path, so that those near a time are found quickly."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._latest = list(accumulate((span.end for span in spans), max))

    def meeting(self, begin: int, end: int) -> Iterator[Span]:
        """Those that hold at any time of [begin, end)."""
        index = bisect_left(self._spans, end, key=lambda span: span.begin) - 1
        while index >= 0 and self._latest[index] > begin:
            if self._spans[index].end > begin:
                yield self._spans[index]
            index -= 1


def _attribute_owners(facts: Iterable[Told]) -> dict[str, set[str]]:
    owners: dict[str, set[str]] = {}
    for fact in facts:
        for name in fact.attributes:
            owners.setdefault(name, set()).add(type(fact).__name__)
    return owners
