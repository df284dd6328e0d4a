"""The order in which a file's records are told, and the time with which they end. Neither depends on the order of lines.

But for facts told more than once: of those with one path, kind and id the last line counts, as in the log.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from processors.units import INF
from schemas.records import (
    Acknowledge,
    Gap,
    Lot,
    Order,
    OutOfService,
    Raw,
    Reason,
    Samples,
    Shelve,
    Shift,
    WorkOrder,
    is_live,
)
from uns.history.file.read import FileRecord

TICK = 3_600_000_000
"""Event time (µs) between ticks. What is derived follows from sets, not from ticks: shorter gives the same."""
FIRST, FACT, SAMPLE, ANSWER = range(4)
"""What goes before what at the same time. First: what gives all time another meaning."""


class Unit(NamedTuple):
    """A record's place in the order of telling."""

    at: int
    rank: int
    line: int
    part: int
    path: str
    record: Raw


def units(told: list[FileRecord], patience: Mapping[str, int]) -> list[Unit]:
    """One line's records in the order of telling: by event time, facts first. Samples of two hours are told apart.

    Empties `told`: a million records fit into memory once, not twice.

    `patience`: path → µs after which a machine is silent. The sample that ends a silence is told with the one before it:
    so no tick in between knows less of the silence than the file does.
    """
    begins: dict[tuple[str, str, str], int] = {}
    signs: dict[str, set[int]] = {}
    for item in told:
        record = item.record
        if isinstance(record, Samples):
            if item.path in patience:
                signs.setdefault(item.path, set()).update(
                    sample.at for sample in record.samples if is_live(sample.quality)
                )
        elif (key := _key(item)) is not None:
            begin, end = span(record)
            if begin <= end:  # what is at fault replaces nothing
                begins[key] = min(begins.get(key, INF), begin)
    first = set()
    for kind in (Shift.__name__, Order.__name__):  # the first one ever told makes time outside of them unplanned
        first |= {min(((at, key) for key, at in begins.items() if key[1] == kind), default=(0, None))[1]}
    heard = {path: sorted(times) for path, times in signs.items()}
    ordered: list[Unit] = []
    told.reverse()
    while told:
        item = told.pop()
        path, record = item.path, item.record
        if isinstance(record, Samples):
            for part, stretch in enumerate(_stretches(record)):
                at, _ = span(stretch)
                times = heard.get(path, [])
                before = times[i] if (i := bisect_left(times, at) - 1) >= 0 else at
                at = before if at - before > patience.get(path, INF) else at
                ordered.append(Unit(at, SAMPLE, item.line, part, path, stretch))
            continue
        key = _key(item)
        at = span(record)[0] if key is None else begins.get(key, span(record)[0])
        rank = FIRST if key is not None and key in first else ANSWER if isinstance(record, Acknowledge) else FACT
        ordered.append(Unit(0 if rank == FIRST else at, rank, item.line, 0, path, record))
    for place in ("part", "line", "rank", "at"):  # the last decides first: four sorts need no key of a tuple a record
        ordered.sort(key=attrgetter(place))
    return ordered


def cut(told: list[FileRecord], until: int) -> list[FileRecord]:
    """What was known at a time: without later samples and facts that begin later."""
    known = []
    for item in told:
        record = item.record
        if isinstance(record, Samples) and any(sample.at > until for sample in record.samples):
            kept = tuple(sample for sample in record.samples if sample.at <= until)
            if kept:
                known.append(item._replace(record=Samples(record.source, record.sequence, kept)))
        elif span(record)[0] <= until or isinstance(record, Samples):
            known.append(item)
    return known


def span(record: Raw) -> tuple[int, int]:
    """First and last event time of which a record speaks."""
    if isinstance(record, Samples):
        if len(record.samples) == 1:  # as most are: a million times a file, three times each
            at = record.samples[0].at
            return at, at
        times = [sample.at for sample in record.samples]
        return min(times, default=INF), max(times, default=0)
    match record:
        case Order() | Lot() | Shift() | Reason() | Gap() | Shelve() | OutOfService():
            return record.started_at, record.started_at if record.ended_at is None else record.ended_at
        case WorkOrder():  # it decides nothing, so it lengthens no log either
            return record.started_at, record.started_at
        case _:
            return record.at, record.at


def seen(record: Raw) -> int:
    """The last moment at which a record says what was: what is told of an interval may be a plan."""
    return (
        0
        if isinstance(record, Order | Lot | Shift | Reason | Gap | WorkOrder | Shelve | OutOfService)
        else span(record)[1]
    )


def end(told: list[FileRecord], now: int) -> int:
    """When a line's log ends: with the last moment seen, or with what is told to have begun before and ends later."""
    spans = (span(item.record) for item in told)
    return max([now, *(until for begin, until in spans if begin < now)])


def _key(item: FileRecord) -> tuple[str, str, str] | None:
    """What a later line with the same key replaces."""
    record = item.record
    if isinstance(record, Order | Lot | Shift | Reason | Gap | Shelve | OutOfService):
        return item.path, type(record).__name__, record.id
    return None


def _stretches(record: Samples) -> Iterator[Samples]:
    """A record's samples by the hour, between two ticks each."""
    if len(record.samples) == 1:
        yield record
        return
    hours: dict[int, list[int]] = {}
    for n, sample in enumerate(record.samples):
        hours.setdefault(sample.at // TICK, []).append(n)
    if len(hours) == 1:
        yield record
        return
    for _, numbers in sorted(hours.items()):
        yield Samples(record.source, record.sequence, tuple(record.samples[n] for n in numbers))
