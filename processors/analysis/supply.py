"""Pieces by supplier: production records joined with the lots in use. A lot is the sampling unit. Pure.

No window is cut where a lot changes, so time elements by supplier are not known; pieces are, from the short buckets of the
`production` records. A bucket within which the lot changes, or with two lots of the material, speaks for nobody.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from processors.analysis.measure import Measure, needs_only_pieces
from processors.analysis.selection import Incomparable, Samples, newest, sampled
from schemas.records import Lot, Production
from topology.kpi.values import Facts, Pieces
from topology.namespace.path import Level, Path

NOBODY = "(no supplier)"
FOREVER = 1 << 62


@dataclass(frozen=True)
class Joined:
    samples: Samples
    """Supplier → lot → what was made from it."""
    material: str
    pieces: int
    without_lot: int
    """Pieces made when no lot of the material was told."""
    at_change: int
    """Pieces of buckets in which a lot began or ended, or two were in use."""


def refuse_time(measure: Measure) -> None:
    """Raises `Incomparable` for a KPI that needs more than pieces."""
    if more := needs_only_pieces(measure):
        raise Incomparable(
            f"{measure.id} by supplier cannot be told: it rests on {', '.join(more)}, and no window is cut where a lot "
            "changes. By supplier there are KPIs of pieces alone: quality, scrap_ratio, rework_ratio"
        )


def by_supplier(
    productions: Iterable[Production], lots: Iterable[tuple[str, Lot]], material: str | None = None
) -> Joined:
    """`lots`: (path told at, lot) in log order, a later one with the same id replaces the earlier. A lot of a line holds
    for all of its machines. One without an end lasts until the next of its material at that path.

    Raises `Incomparable` without any lot, or when several materials have some and none is named.
    """
    told = {(path, lot.id): lot for path, lot in lots}
    materials = sorted({lot.material for lot in told.values()})
    if material is None and len(materials) == 1:
        (material,) = materials
    if material not in materials:
        if not materials:
            raise Incomparable(
                "no lot was told there: lots are facts (`Lot`) of a line or a machine, with their supplier"
            )
        raise Incomparable(f"lots of {', '.join(materials)} were told there; name one with --material")
    spans = _Spans({key: lot for key, lot in told.items() if lot.material == material})
    made = without = changing = 0
    parts: list[tuple[tuple[str, int], Facts]] = []
    for record in newest(productions):
        count = record.good + record.scrap + record.rework
        made += count
        begin, end = record.started_at, record.ended_at or record.started_at
        near = spans.meeting(record.path, begin, end)
        if not near:
            without += count
        elif len(near) > 1 or near[0].begin > begin or near[0].end < end:
            changing += count
        else:
            pieces = Pieces(0, record.good, record.scrap, record.rework, record.product)
            parts.append(((near[0].supplier, near[0].number), Facts({}, (pieces,))))
    return Joined(sampled(parts), material, made, without, changing)


@dataclass(frozen=True)
class _Span:
    begin: int
    end: int
    supplier: str
    number: int
    """Of the lot, among all."""


class _Spans:
    """When which lot was in use, by the path it was told at."""

    def __init__(self, lots: Mapping[tuple[str, str], Lot]) -> None:
        numbers = {key: number for number, key in enumerate(sorted(lots))}
        by_path: dict[str, list[Lot]] = {}
        for (path, _), lot in lots.items():
            by_path.setdefault(path, []).append(lot)
        self._spans: dict[str, list[_Span]] = {}
        self._latest: dict[str, list[int]] = {}
        for path, some in by_path.items():
            ordered = sorted(some, key=lambda lot: (lot.started_at, lot.id))
            following = [*(lot.started_at for lot in ordered[1:]), FOREVER]
            self._spans[path] = [
                _Span(
                    lot.started_at,
                    following[place] if lot.ended_at is None else lot.ended_at,
                    lot.supplier or NOBODY,
                    numbers[path, lot.id],
                )
                for place, lot in enumerate(ordered)
            ]
            self._latest[path] = list(accumulate((span.end for span in self._spans[path]), max))

    def meeting(self, path: str, begin: int, end: int) -> list[_Span]:
        """Lots in use at any time of [begin, end), of the machine or of its line."""
        place = Path.parse(path)
        found = []
        for at in {path, str(place.at(min(place.level, Level.LINE)))}:
            spans = self._spans.get(at, [])
            index = bisect_left(spans, end, key=lambda span: span.begin) - 1
            while index >= 0 and self._latest[at][index] > begin:
                if spans[index].end > begin:
                    found.append(spans[index])
                index -= 1
        return found
