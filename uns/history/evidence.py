"""The evidence behind a record: its revisions and what caused each, the facts that held, the pieces of its time. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from processors.inputs.schedule import Schedule
from processors.timeline.elements import Elements
from schemas.records import (
    Acknowledge,
    Derived,
    Downtime,
    Fact,
    Inspection,
    Kpi,
    Limits,
    Oee,
    Order,
    Production,
    Reason,
    Samples,
    Shift,
    State,
    Tick,
)
from topology.kpi.definition import Definition
from topology.namespace.path import Level, Path
from uns.history.segments import TimeSegment, element_us, segments, span

_APART = ("id", "path", "definition", "revision")
FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """A derived record as it lies in its topic."""

    record: Derived
    topic: str
    partition: int
    offset: int
    ingested_ms: int
    """Kafka's time of it."""
    cause: int | None
    """Raw offset at which the fold said it; None: `uns replay` published it, or processors that did not tell yet."""
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A fact as it lies in the raw log."""

    path: str
    fact: Fact
    offset: int
    ingested_ms: int


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A raw record that touches the window, to be listed."""

    path: str
    record: Samples | Fact | Tick
    offset: int
    ingested_ms: int


@dataclass(slots=True)
class Cause:
    """What came into the raw log between two revisions and touches the window."""

    after: int
    """Raw offsets (after, upto]."""
    upto: int
    exact: bool
    """False: the offsets are told from Kafka's times, for the records do not say."""
    samples: int = 0
    records: int = 0
    late: int = 0
    """Samples behind the watermark of their moment."""
    first: int | None = None
    last: int | None = None
    late_first: int | None = None
    late_last: int | None = None
    facts: list[ToldFact] = field(default_factory=list)

    def saw(self, offset: int, samples: int, late: int) -> None:
        self.samples += samples
        self.records += 1
        self.first = offset if self.first is None else self.first
        self.last = offset
        if late:
            self.late += late
            self.late_first = offset if self.late_first is None else self.late_first
            self.late_last = offset


@dataclass(slots=True)
class Revision:
    """One revision and its way from the one before."""

    published: PublishedRecord
    changed: dict[str, tuple[Any, Any]]
    """Field → (before, after); maps by their keys."""
    cause: Cause | None = None
    verified: str | None = None
    """What a replay says of it; None: not asked."""


@dataclass(frozen=True, slots=True)
class AuditWindow:
    """What a record is about, and how far around it a fact or a sample may matter."""

    path: Path
    start: int
    end: int
    heard: tuple[int, int]
    """Times of samples that have a part in it, in any revision. One at its very end may end it, or count what was made."""
    around: tuple[int, int]
    """The window with the stops that reach into it: a reason explains a whole stop."""

    @property
    def places(self) -> frozenset[str]:
        """Paths at which facts for it are told: itself and its line."""
        return frozenset({str(self.path), str(self.path.at(min(self.path.level, Level.LINE)))})

    def concerns(self, natural: str, fact: Fact) -> bool:
        """Whether a fact may have a part in it."""
        match fact:
            case Acknowledge():
                return fact.alert == natural
            case Inspection():
                return self.start <= fact.at < max(self.end, self.start + 1)
            case Limits():
                return fact.at < max(self.end, self.start + 1)
            case Reason():
                until = fact.started_at + 1 if fact.ended_at is None else fact.ended_at
                return fact.started_at < self.around[1] and until > self.around[0]
            case _:
                until = FOREVER if fact.ended_at is None else fact.ended_at
                return fact.started_at < self.end and until > self.start

    def samples(self, record: Samples) -> int:
        """How many of its samples lie within, at any revision."""
        return self.within(record, FOREVER)

    def within(self, record: Samples, before: int) -> int:
        """How many of its samples lie within and before a time."""
        return sum(self.heard[0] <= sample.at < min(self.heard[1], before) for sample in record.samples)


def revisions(records: Iterable[PublishedRecord]) -> list[Revision]:
    """In order of revision; one written twice counts once, the first time."""
    by_number: dict[int, PublishedRecord] = {}
    for published in records:
        by_number.setdefault(published.record.revision, published)
    made: list[Revision] = []
    for number in sorted(by_number):
        published = by_number[number]
        before = made[-1].published.record if made else None
        made.append(Revision(published, {} if before is None else changes(before, published.record)))
    return made


def changes(before: Derived, after: Derived) -> dict[str, tuple[Any, Any]]:
    """Field → (before, after) of what differs."""
    old, new = _flat(before), _flat(after)
    return {name: (old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)}


def _flat(record: Derived) -> dict[str, Any]:
    plain = {name: value for name, value in msgspec.to_builtins(record).items() if name not in _APART}
    return dict(_leaves("", plain))


def _leaves(above: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(f"{above}.{key}" if above else str(key), part)
    elif isinstance(value, list | tuple) and value and all(isinstance(part, Mapping) for part in value):
        for part in value:  # pieces by product and cycle, stops by reason: their place in the list says nothing
            names = [str(part[key]) for key in _KEYS if part.get(key) is not None]
            yield from _leaves(f"{above}[{' '.join(names)}]", {k: v for k, v in part.items() if k not in _KEYS})
    else:
        yield above, value


_KEYS = ("product", "ideal_cycle_us", "reason_code", "reason", "category")


def causes(chain: Sequence[Revision], offset_at: Mapping[int, int]) -> None:
    """Gives each revision its stretch of the raw log. `offset_at`: Kafka time (ms) → raw offset, where no cause is told."""
    before = -1
    for revision in chain:
        published = revision.published
        exact = published.cause is not None
        upto = published.cause if published.cause is not None else offset_at.get(published.ingested_ms, FOREVER) - 1
        revision.cause = Cause(before, max(before, upto), exact)
        before = max(before, upto)


def distinct(facts: Iterable[ToldFact]) -> list[ToldFact]:
    """In order of offset, without what only says again what was said: a calendar is told every day."""
    kept: list[ToldFact] = []
    known: dict[tuple[str, str, str], Fact] = {}
    for told in sorted(facts, key=lambda told: told.offset):
        if isinstance(told.fact, Acknowledge):
            kept.append(told)
        elif known.get(key := (told.path, type(told.fact).__name__, told.fact.id)) != told.fact:
            known[key] = told.fact
            kept.append(told)
    return kept


def attribute(facts: Iterable[ToldFact], chain: Sequence[Revision]) -> None:
    """Names facts at the revisions that came after them."""
    for told in facts:
        for revision in chain:
            if (cause := revision.cause) is not None and cause.after < told.offset <= cause.upto:
                cause.facts.append(told)


def named(records: Iterable[Derived]) -> set[str]:
    """Orders that records name."""
    return {order for record in records if (order := getattr(record, "order", None)) is not None}


def in_force(facts: Iterable[ToldFact], upto: int = FOREVER) -> list[ToldFact]:
    """The newest of each fact up to a raw offset; a cell's own order or shift goes before its line's of the same id."""
    newest: dict[tuple[str, str, str], ToldFact] = {}
    for told in facts:
        if told.offset <= upto and not isinstance(told.fact, Acknowledge):
            newest[told.path, type(told.fact).__name__, told.fact.id] = told
    winning: dict[tuple[str, str], ToldFact] = {}
    for (path, kind, name), told in sorted(newest.items(), key=lambda item: item[0][0].count("/")):
        winning[kind, name if kind in ("Order", "Shift") else f"{path} {name}"] = told
    return sorted(winning.values(), key=lambda told: (type(told.fact).__name__, _begin(told.fact), told.offset))


def plan(facts: Iterable[ToldFact], shifts_told: bool, orders_told: bool) -> Schedule:
    """The plan that the facts in force make."""

    def key(pair: tuple[Order | Shift, int]) -> tuple[int, str]:
        return pair[0].started_at, pair[0].id

    orders = [(told.fact, told.offset) for told in facts if isinstance(told.fact, Order)]
    shifts = [(told.fact, told.offset) for told in facts if isinstance(told.fact, Shift)]
    return Schedule(sorted(orders, key=key), sorted(shifts, key=key), shifts_told, orders_told)


def _begin(fact: Fact) -> int:
    return fact.at if isinstance(fact, Inspection | Acknowledge | Limits) else fact.started_at


@dataclass(slots=True)
class RecordInputs:
    """What a record was computed from."""

    segments: list[TimeSegment]
    states: list[PublishedRecord]
    stops: list[PublishedRecord]
    production: list[PublishedRecord]
    facts: list[ToldFact]
    """In force."""
    replaced: list[ToldFact]
    """Told, and replaced by a later one."""
    uncovered: list[tuple[int, int]]
    """Stretches that no state record is known for."""
    missing_us: dict[str, int]
    """Element → what the record says more (or less) than the pieces here; empty: they agree."""

    @property
    def good(self) -> int:
        return sum(published.record.good for published in self.production if isinstance(published.record, Production))

    @property
    def scrap(self) -> int:
        return sum(published.record.scrap for published in self.production if isinstance(published.record, Production))


def newest(published: Iterable[PublishedRecord], start: int, end: int, definition: str) -> list[PublishedRecord]:
    """The last revision of each record that overlaps [start, end) and was not withdrawn, in order of begin."""
    kept: dict[str, PublishedRecord] = {}
    for candidate in published:
        if candidate.record.definition != definition:
            continue
        known = kept.get(candidate.record.natural_id)
        if known is None or candidate.record.revision >= known.record.revision:
            kept[candidate.record.natural_id] = candidate
    return sorted(
        (
            candidate
            for candidate in kept.values()
            if candidate.record.ended_at != candidate.record.started_at and _overlaps(candidate.record, start, end)
        ),
        key=lambda candidate: candidate.record.started_at,
    )


def _overlaps(record: Derived, start: int, end: int) -> bool:
    since, until = span(record, FOREVER)
    return since < end and until > start


def gaps(states: Sequence[PublishedRecord], start: int, end: int) -> list[tuple[int, int]]:
    """Stretches of [start, end) without a state record."""
    uncovered, at = [], start
    for state in states:
        since, until = span(state.record, end)
        if since > at:
            uncovered.append((at, min(since, end)))
        at = max(at, until)
    if at < end:
        uncovered.append((at, end))
    return uncovered


def window_segments(record: Derived, pieces: list[TimeSegment], facts: Sequence[ToldFact]) -> list[TimeSegment]:
    """Of a product's window only the time in which its orders ran, of a shift's or an order's without what interrupts it."""
    if isinstance(record, Kpi) and record.window == "product":
        orders = {
            told.fact.id for told in facts if isinstance(told.fact, Order) and told.fact.product == record.product
        }
        return [segment for segment in pieces if segment.order in orders]
    if isinstance(record, Oee | Kpi) and record.window == "shift":
        return [segment for segment in pieces if segment.shift in (None, record.window_name)]
    if isinstance(record, Oee | Kpi) and record.window == "order":
        return [segment for segment in pieces if segment.order in (None, record.window_name)]
    return pieces


def unaccounted(record: Derived, pieces: Iterable[TimeSegment]) -> dict[str, int]:
    """Element → µs that the record has and the pieces have not."""
    if not isinstance(record, Oee | Kpi):
        return {}
    here = element_us(pieces)
    names = {**record.element_us, **here}
    return {name: us for name in names if (us := record.element_us.get(name, 0) - here.get(name, 0))}


def cut(
    record: Derived,
    window: AuditWindow,
    definition: Definition,
    states: Sequence[PublishedRecord],
    stops: Sequence[PublishedRecord],
    facts: Sequence[ToldFact],
) -> list[TimeSegment]:
    """The pieces of a record's time."""
    unplanned = isinstance(record, Oee | Kpi) and record.element_us.get("unplanned", 0) > 0
    pieces = segments(
        Elements(definition),
        (published.record for published in states if isinstance(published.record, State)),
        (published.record for published in stops if isinstance(published.record, Downtime)),
        plan(facts, unplanned, False),
        window.start,
        window.end,
    )
    return window_segments(record, pieces, facts)
