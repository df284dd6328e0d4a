"""Gathering the evidence from Kafka: what was published around a record, and the raw records between its revisions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from processors.ledger import withdrawn
from processors.series import INF
from schemas.codec import Codec, Undecodable
from schemas.records import FACT_TYPES, RAW_TYPES, Derived, Kpi, KpiPieces, Oee, Production, Samples, Tick
from schemas.text import iso
from topology.classes import MessageClass
from topology.kpi import Definition, KpiFormula
from topology.path import Path
from topology.plant import Plant
from topology.topics import partition, topic
from uns.audit.arithmetic import Worked, worked
from uns.audit.evidence import (
    Cause,
    Inputs,
    Published,
    RawRecord,
    Revision,
    Told,
    Window,
    causes,
    cut,
    gaps,
    in_force,
    newest,
    revisions,
    unaccounted,
)
from uns.audit.finding import AHEAD_MS, DAY_MS, NotFound, published, revisions_of
from uns.audit.logs import Logs
from uns.audit.subject import Subject, subject
from uns.kpi import Known

SLACK_MS = 60_000
"""What is published together has Kafka times so near to each other."""
BACK_MS = (DAY_MS, 8 * DAY_MS, 64 * DAY_MS, INF)
"""How far back of a window a state that lasts is looked for, step by step."""
Progress = Callable[[str, int, int], None]
"""Called with what is read, how many records of it, and of how many."""


@dataclass(frozen=True)
class Asked:
    """How deep to look."""

    raw: int = 0
    """Raw records to list."""
    back_ms: int = 8 * DAY_MS
    """How long before a window facts may have been told: a calendar tells a week ahead."""
    deep: bool = False


@dataclass(frozen=True)
class Model:
    """What the plant model says of definitions."""

    definitions: Mapping[str, Known]
    plant: Plant | None = None
    lateness_us: int = 10_000_000

    def added(self, path: Path) -> Mapping[str, KpiFormula]:
        """The KPIs that a path's site adds."""
        segments = path.segments
        if self.plant is None or len(segments) < 2:
            return {}
        site = self.plant.namespace.sites.get(segments[1])
        return {} if site is None else site.kpis


@dataclass(slots=True)
class Part:
    """One part of a roll-up."""

    path: str
    published: Published | None
    """Its newest revision; None: not found."""
    why: str = ""
    audit: "Audit | None" = None


@dataclass(slots=True)
class Audit:
    """All that a record rests on."""

    subject: Subject
    revisions: list[Revision]
    known: Known | None
    worked: list[Worked]
    window: Window
    inputs: Inputs | None = None
    """None: not computed from raw records of one machine."""
    parts: list[Part] = field(default_factory=list)
    raw: list[RawRecord] = field(default_factory=list)
    raw_records: int = 0
    """Raw records that touch the window; at most `Asked.raw` of them are listed."""
    notes: list[str] = field(default_factory=list)

    @property
    def asked(self) -> Revision:
        """The revision asked about."""
        wanted = self.subject.revision
        return next(
            (one for one in self.revisions if one.published.record.revision == wanted),
            self.revisions[-1],
        )

    @property
    def record(self) -> Derived:
        return self.asked.published.record


class Auditor:
    """Audits over one cluster. Raises `NotFound`, and what Kafka and the registry's client raise."""

    def __init__(self, logs: Logs, codec: Codec, model: Model, asked: Asked, progress: Progress) -> None:
        self._logs = logs
        self._codec = codec
        self._model = model
        self._asked = asked
        self._progress = progress

    def audit(self, wanted: Subject) -> Audit:
        found = revisions(revisions_of(self._logs, self._codec, wanted))
        known = self._model.definitions.get(wanted.definition)
        start = wanted.started_at
        made = Audit(wanted, found, known, [], _bare(wanted.path, start, start))
        record = made.record
        end = self._end(made)
        made.window = _bare(wanted.path, start, end)
        if known is None:
            made.notes.append(
                f"{wanted.definition} is neither shipped nor in the plant model: no formulas, and pieces by no rules"
            )
        else:
            made.worked = worked(known.definition, record, self._model.added(wanted.path), self._pieces(made))
        if isinstance(record, Kpi) and record.parts:
            made.parts = [self._part(made, path) for path in record.parts]
        else:
            self._inputs(made, known.definition if known is not None else None)
        return made

    def _pieces(self, made: Audit) -> tuple[KpiPieces, ...] | None:
        """The pieces by product behind an Oee record, from the Kpi record of the same window and time; None: none such."""
        record, wanted = made.record, made.subject
        if not isinstance(record, Oee):
            return None
        kind = wanted.kind.replace(MessageClass.OEE, MessageClass.KPI, 1)
        try:
            found = revisions_of(self._logs, self._codec, replace(wanted, kind=kind, revision=None))
        except NotFound:
            return None
        for one in reversed(found):
            twin = one.record
            if (
                isinstance(twin, Kpi)
                and twin.element_us == record.element_us
                and sum(part.good for part in twin.pieces) == record.good
                and sum(part.scrap for part in twin.pieces) == record.scrap
                and sum(part.rework for part in twin.pieces) == record.rework
            ):
                return twin.pieces
        return None

    # --- roll-ups

    def _part(self, made: Audit, path: str) -> Part:
        """The part's own record of the same window: of the same begin, else (days of another time zone) of the same name."""
        whole = made.record
        assert isinstance(whole, Kpi)
        wanted = Subject(Path.parse(path), made.subject.kind, whole.started_at, whole.definition)
        try:
            found = revisions(revisions_of(self._logs, self._codec, wanted))
        except NotFound as error:
            named = self._named(wanted, whole)
            if named is None:
                return Part(path, None, str(error))
            wanted, found = named, revisions(revisions_of(self._logs, self._codec, named))
        audit = self.audit(wanted) if self._asked.deep else None
        return Part(path, found[-1].published, audit=audit)

    def _named(self, wanted: Subject, whole: Kpi) -> Subject | None:
        if whole.window_name is None:
            return None
        name = topic(wanted.path, wanted.message_class)
        if not (count := self._logs.partitions(name)):
            return None
        number, key = partition(wanted.path, count), str(wanted.path).encode()
        begin = self._logs.offset_at(name, number, whole.started_at // 1000 - 2 * DAY_MS)
        for source in self._logs.read(name, number, begin):
            if source.key == key and (one := published(self._codec, source)) is not None:
                record = one.record
                same = isinstance(record, Kpi) and record.window_name == whole.window_name
                if same and subject(record.natural_id).kind == wanted.kind and record.definition == whole.definition:
                    return subject(record.natural_id)
        return None

    # --- a machine's own

    def _inputs(self, made: Audit, definition: Definition | None) -> None:
        last = made.asked.published
        window, number = made.window, last.partition
        skewed = last.ingested_ms < window.start // 1000 - AHEAD_MS
        since_ms = 0 if skewed else window.start // 1000 - AHEAD_MS
        around: dict[MessageClass, list[Published]] = {}
        for name in (MessageClass.STATE, MessageClass.DOWNTIME, MessageClass.PRODUCTION):
            around[name] = self._around(made, name, number, since_ms, last)
        label = _label(around[MessageClass.STATE], last.record.definition)
        for back_ms in BACK_MS:
            states = newest(around[MessageClass.STATE], window.start, window.end, label)
            if since_ms <= 0 or not gaps(states, window.start, window.end):
                break
            since_ms = max(0, window.start // 1000 - back_ms)
            for name in (MessageClass.STATE, MessageClass.DOWNTIME):
                around[name] = self._around(made, name, number, since_ms, last)
            label = _label(around[MessageClass.STATE], last.record.definition)
        if label != last.record.definition:
            made.notes.append(f"no states were published under {last.record.definition}: those of {label} are shown")
        picked = {name: newest(found, window.start, window.end, label) for name, found in around.items()}
        states, stops = picked[MessageClass.STATE], picked[MessageClass.DOWNTIME]
        made.window = window = _around(window, made.revisions, stops)
        told = self._raw(made, last, skewed)
        upto = made.asked.cause.upto if made.asked.cause is not None else INF
        touching = [one for one in told if one.offset <= upto and window.concerns(made.subject.natural, one.fact)]
        facts = [one for one in in_force(told, upto) if window.concerns(made.subject.natural, one.fact)]
        held = {one.offset for one in facts}
        pieces = [] if definition is None else cut(last.record, window, definition, states, stops, facts)
        made.inputs = Inputs(
            pieces,
            states,
            stops,
            picked[MessageClass.PRODUCTION],
            facts,
            [one for one in touching if one.offset not in held],
            gaps(states, window.start, window.end),
            {} if definition is None or withdrawn(last.record) else unaccounted(last.record, pieces),
        )

    def _end(self, made: Audit) -> int:
        """End of the record's time; of what is open how far time had come, of what was taken back where it once ended."""
        spans = [one.published.record for one in made.revisions if not withdrawn(one.published.record)]
        record = made.record if not withdrawn(made.record) or not spans else spans[-1]
        if record.ended_at is not None:
            return record.ended_at
        if isinstance(record, Oee | Kpi):
            return record.started_at + sum(record.element_us.values())
        cause = made.asked.published.cause
        if cause is not None and self._logs.partitions(record.inputs.topic):
            for source in self._logs.read(record.inputs.topic, record.inputs.partition, cause, cause + 1):
                found = self._codec.decode(source.value)
                if source.offset == cause and isinstance(found, Tick):
                    return max(found.at, record.started_at)
        return max(made.asked.published.ingested_ms * 1000, record.started_at)

    def _around(self, made: Audit, name: MessageClass, number: int, since_ms: int, last: Published) -> list[Published]:
        """Records of a class of the same machine, published from then on and together with the last revision or before."""
        place = topic(made.window.path, name)
        if number >= self._logs.partitions(place):
            return []
        key, found = str(made.window.path).encode(), []
        start = self._logs.offset_at(place, number, since_ms)
        end = self._logs.offset_at(place, number, last.ingested_ms + SLACK_MS)
        for source in self._logs.read(place, number, start, end):
            one = published(self._codec, source) if source.key == key else None
            if one is not None and (one.cause is None or last.cause is None or one.cause <= last.cause):
                found.append(one)
        return found

    def _raw(self, made: Audit, last: Published, skewed: bool) -> list[Told]:
        """Reads the raw log once: facts that concern the window, samples between the revisions, records to list."""
        inputs, window = last.record.inputs, made.window
        place, number = inputs.topic, inputs.partition
        if not self._logs.partitions(place):
            made.notes.append(f"there is no topic {place} any more: what was told in it is gone")
            return []
        low, high = self._logs.bounds(place, number)
        if inputs.first_offset < low:
            since = self._logs.kept_since_ms(place, number)
            kept = "nothing" if since is None else f"from offset {low} on ({iso(since * 1000)})"
            gone = f"{inputs.first_offset}–{min(inputs.last_offset, low - 1)}"
            made.notes.append(f"{place}[{number}]: raw offsets {gone} are gone by retention; kept is {kept}")
        missing = {one.published.ingested_ms for one in made.revisions if one.published.cause is None}
        causes(made.revisions, {ms: self._logs.offset_at(place, number, ms + 1) for ms in missing})
        end = max(one.cause.upto for one in made.revisions if one.cause is not None) + 1
        begin_ms = 0 if skewed else window.start // 1000 - self._asked.back_ms
        start = self._logs.offset_at(place, number, begin_ms)
        near = low if skewed else self._logs.offset_at(place, number, window.start // 1000 - AHEAD_MS)
        if start > low and begin_ms > 0:
            made.notes.append(
                f"facts told before {iso(begin_ms * 1000)} (Kafka's time) were not looked for; --back looks further"
            )
        start, end = min(start, max(inputs.first_offset, low)), min(end, high)
        return _Trail(made, self._codec, self._model.lateness_us, self._asked.raw, near).follow(
            self._logs, place, number, start, end, self._progress
        )


class _Trail:
    """One pass over the raw log."""

    def __init__(self, made: Audit, codec: Codec, lateness_us: int, most: int, near: int) -> None:
        self._made = made
        self._codec = codec
        self._lateness_us = lateness_us
        self._most = most
        self._near = near
        self._places = {place.encode() for place in made.window.places}
        self._now = 0
        self._facts: list[Told] = []
        self._marks = {made.record.inputs.first_offset, made.record.inputs.last_offset}
        """Named by the record itself: listed whatever they are."""
        self._causes = [one.cause for one in made.revisions if one.cause is not None]

    def follow(self, logs: Logs, place: str, number: int, start: int, end: int, progress: Progress) -> list[Told]:
        names = {kind.__name__ for kind in FACT_TYPES}
        for count, source in enumerate(logs.read(place, number, start, end)):
            if count % 20_000 == 0:
                progress(f"{place}[{number}]", source.offset - start, end - start)
            kind = self._codec.type_name(source.value)
            mine = source.key in self._places
            wanted = source.offset >= self._near or source.offset in self._marks
            if kind == "Tick" or (mine and (kind in names or kind is None or wanted)) or source.offset in self._marks:
                self._take(source.offset, source.timestamp, source.key, source.value)
        progress(f"{place}[{number}]", end - start, end - start)
        return self._facts

    def _take(self, offset: int, ingested_ms: int, key: bytes | None, value: bytes | None) -> None:
        try:
            record = self._codec.decode(value)
        except Undecodable:
            return  # in quarantine: no part of any number
        path = (key or b"").decode(errors="replace")
        made, window = self._made, self._made.window
        listed = offset in self._marks
        if isinstance(record, Tick):
            self._now = max(self._now, record.at)
        elif isinstance(record, Samples):
            within = window.samples(record)
            if within and path == str(window.path):
                floor = self._now - self._lateness_us
                late = window.within(record, floor)
                if (cause := self._cause(offset)) is not None:
                    cause.saw(offset, within, late)
                listed = True
        elif isinstance(record, FACT_TYPES):
            told = Told(path, record, offset, ingested_ms)
            self._facts.append(told)
            if window.concerns(made.subject.natural, record):
                if (cause := self._cause(offset)) is not None:
                    cause.facts.append(told)
                listed = True
        if listed and isinstance(record, RAW_TYPES):
            made.raw_records += 1
            if len(made.raw) < self._most:
                made.raw.append(RawRecord(path, record, offset, ingested_ms))

    def _cause(self, offset: int) -> Cause | None:
        return next((one for one in self._causes if one.after < offset <= one.upto), None)


def _label(states: Iterable[Published], label: str) -> str:
    """The definition whose states there are: the record's own, else the one told last."""
    labels = [one.record.definition for one in states]
    return label if label in labels or not labels else labels[-1]


def _around(window: Window, revisions: Iterable[Revision], stops: Iterable[Published]) -> Window:
    """The window with how far around it samples and facts may matter."""
    records = [one.published.record for one in revisions]
    heard = _hull((window.start, window.end), records)
    by_sample = not isinstance(records[-1], Oee | Kpi | Production)
    around = _hull(heard, (one.record for one in stops))
    return Window(window.path, window.start, window.end, (heard[0], heard[1] + by_sample), around)


def _hull(lengths: tuple[int, int], records: Iterable[Derived]) -> tuple[int, int]:
    lo, hi = lengths
    for record in records:
        lo, hi = min(lo, record.started_at), max(hi, record.ended_at or hi)
    return lo, hi


def _bare(path: Path, start: int, end: int) -> Window:
    return Window(path, start, end, (start, end), (start, end))
