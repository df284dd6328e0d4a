"""Derived records and facts as observations: what each stretch lost, and what held in it. Pure.

The newest revision of each record counts, one that was taken back does not.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from processors.analysis.held import Held, History
from processors.analysis.observations import Observation, Of
from processors.analysis.selection import newest
from processors.spans import merged
from processors.units import HOUR
from schemas.records import Cycle, Downtime, Production, Quality, State

CARRIED_US = HOUR
"""How long a process value is taken to hold after it was measured."""
DAY = 24 * HOUR
Period = Callable[[str, int], str]
"""(path, µs) → the day there, by name."""
Points = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""Characteristic → times and values, in order of time."""


def pieces(
    records: Iterable[Production], history: History, of: Of, points: Mapping[str, Points], day: Period
) -> Iterator[Observation]:
    """Pieces by production record: of `scrap` those scrapped, of `fpy` also those to be worked on again."""
    for record in newest(records):
        count = record.good + record.scrap + record.rework
        if count <= 0:
            continue
        end = record.ended_at or record.started_at + 1
        held = history.holding(record.path, record.started_at, end)
        told = {"order": record.order, "product": record.product}
        levels = held.levels | {name: level for name, level in told.items() if level is not None}
        loss = record.scrap + (record.rework if of is Of.FPY else 0)
        values = {
            name: value
            for name, known in points.get(record.path, {}).items()
            if (value := _value(known, record.started_at, end)) is not None
        }
        yield Observation(count, loss, levels, *_period(held, record, day), values, held.clusters)


def cycles(records: Iterable[Cycle], history: History, day: Period) -> Iterator[Observation]:
    """Cycle times in seconds, by product and hour."""
    for record in newest(records):
        if record.cycles <= 0:
            continue
        held = history.holding(record.path, record.started_at, record.ended_at or record.started_at + HOUR)
        levels = dict(held.levels)
        if record.product is not None:
            levels["product"] = record.product
        yield Observation(
            record.cycles, record.cycles_us / 1_000_000, levels, *_period(held, record, day), clusters=held.clusters
        )


def measured(records: Iterable[Quality], characteristic: str, history: History, day: Period) -> Iterator[Observation]:
    """The values of a characteristic, one by one."""
    for record in newest(records):
        if record.characteristic == characteristic:
            held = history.holding(record.path, record.started_at, record.started_at + 1)
            yield Observation(1, record.value, held.levels, *_period(held, record, day), clusters=held.clusters)


def stops(
    states: Iterable[State], downtimes: Iterable[Downtime], history: History, outside: Collection[str], day: Period
) -> Iterator[Observation]:
    """Minutes stood of hours that were planned, hour by hour and cut where anything that holds begins or ends.

    `outside`: time elements that are not planned time.
    """
    planned = _spans(record for record in newest(states) if record.element not in outside)
    stood = _spans(record for record in newest(downtimes))
    for path, spans in sorted(planned.items()):
        merged_spans = merged(spans, spans[0][0], max(end for _, end in spans))
        down = _Sums(merged(stood[path], 0, 1 << 62)) if path in stood else None
        for begin, end in merged_spans:
            full = range(begin // HOUR + 1, -(-end // HOUR))
            cuts = sorted({begin, end, *(hour * HOUR for hour in full), *history.edges(path, begin, end)})
            for start, stop in pairwise(cuts):
                held = history.holding(path, start, stop)
                lost_us = down.within(start, stop) if down is not None else 0
                period = held.shift or day(path, start)
                yield Observation(
                    (stop - start) / HOUR,
                    lost_us / 60_000_000,
                    held.levels,
                    period,
                    _hour(start),
                    clusters=held.clusters,
                )


GROUPED = ("t2", "mewma")
"""Charts of groups."""


def points_of(records: Iterable[Quality]) -> dict[str, Points]:
    """Path → its characteristics' points."""
    found: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for record in newest(records):
        if record.chart in GROUPED:
            continue  # a distance of several characteristics, which are there themselves
        times, values = found.setdefault(record.path, {}).setdefault(record.characteristic, ([], []))
        times.append(record.started_at)
        values.append(record.value)
    return {path: dict(known) for path, known in found.items()}


def _value(known: tuple[Sequence[int], Sequence[float]], begin: int, end: int) -> float | None:
    """The mean in [begin, end); where nothing was measured then, what was last measured, if that is not long ago."""
    times, values = known
    first, last = bisect_left(times, begin), bisect_left(times, end)
    if first < last:
        return sum(values[first:last]) / (last - first)
    before = bisect_right(times, begin) - 1
    return values[before] if before >= 0 and times[before] >= begin - CARRIED_US else None


def _period(held: Held, record: Production | Cycle | Quality, day: Period) -> tuple[str, str]:
    """The shift, else the day; and the hour."""
    return held.shift or day(record.path, record.started_at), _hour(record.started_at)


def _hour(at: int) -> str:
    return str(at // HOUR)


def _spans(records: Iterable[State | Downtime]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for record in records:
        if record.ended_at is not None:
            found.setdefault(record.path, []).append((record.started_at, record.ended_at))
    return found


class _Sums:
    """How much of a stretch lies in spans that are apart from each other."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._begins = [begin for begin, _ in spans]
        self._spans = spans

    def within(self, begin: int, end: int) -> int:
        index = max(0, bisect_right(self._begins, begin) - 1)
        total = 0
        while index < len(self._spans) and self._spans[index][0] < end:
            total += max(0, min(end, self._spans[index][1]) - max(begin, self._spans[index][0]))
            index += 1
        return total
