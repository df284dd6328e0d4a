"""Gathering the evidence from Kafka: what was published around a record, and the raw records between its revisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from processors.timeline.elements import Elements
from processors.units import INF
from schemas.codec import Codec
from schemas.records import Derived, Kpi, KpiPieces, Oee, Order, Pilot, Tick
from schemas.text import iso
from topology.kpi.definition import Definition, KpiFormula
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level, Path
from topology.namespace.topics import partition, topic
from uns.history.audit.arithmetic import worked
from uns.history.audit.finding import AHEAD_MS, DAY_MS, NotFound, published, revisions_of
from uns.history.audit.result import Audit, RollupPart
from uns.history.audit.subject import Subject, subject
from uns.history.audit.trail import Progress, Trail
from uns.history.evidence import (
    AuditWindow,
    PublishedRecord,
    RecordInputs,
    Revision,
    ToldFact,
    attribute,
    causes,
    cut,
    distinct,
    gaps,
    in_force,
    named,
    newest,
    revisions,
    unaccounted,
)
from uns.history.logs import Logs
from uns.history.segments import TimeSegment
from uns.model.kpi import KnownDefinition

SLACK_MS = 60_000
"""What is published together has Kafka times so near to each other."""
BACK_MS = (DAY_MS, 8 * DAY_MS, 64 * DAY_MS, INF)
"""How far back of a window a state that lasts is looked for, step by step."""


@dataclass(frozen=True)
class Asked:
    """How deep to look."""

    raw: int = 0
    """Raw records to list."""
    back_ms: int = 8 * DAY_MS
    """How long before a window facts may have been told: a calendar tells a week ahead."""
    deep: bool = False


@dataclass(frozen=True)
class PlantRules:
    """What the plant model says of definitions."""

    definitions: Mapping[str, KnownDefinition]
    plant: Plant | None = None
    lateness_us: int = 10_000_000

    def added(self, path: Path) -> Mapping[str, KpiFormula]:
        """The KPIs that a path's site adds."""
        segments = path.segments
        if self.plant is None or len(segments) < 2:
            return {}
        site = self.plant.namespace.sites.get(segments[1])
        return {} if site is None else site.kpis


class Auditor:
    """Audits over one cluster. Raises `NotFound`, and what Kafka and the registry's client raise."""

    def __init__(self, logs: Logs, codec: Codec, model: PlantRules, asked: Asked, progress: Progress) -> None:
        self._logs = logs
        self._codec = codec
        self._model = model
        self._asked = asked
        self._progress = progress

    def audit(self, wanted: Subject) -> Audit:
        chain = revisions(revisions_of(self._logs, self._codec, wanted))
        known = self._model.definitions.get(wanted.definition)
        start = wanted.started_at
        made = Audit(wanted, chain, known, [], _bare(wanted.path, start, start))
        record = made.record
        end = self._end(made)
        made.window = _bare(wanted.path, start, end)
        if known is None:
            made.notes.append(
                f"{wanted.definition} is neither shipped nor in the plant model: no formulas, and pieces by no rules"
            )
        else:
            made.worked = worked(known.definition, record, self._model.added(wanted.path), self._pieces(made))
        if isinstance(record, Pilot):
            made.notes.append(
                f"made by `uns pilot report` from the Kpi records of {record.filter}: {iso(record.baseline_from)} to "
                f"{iso(record.baseline_to)} against {iso(record.since)} to {iso(record.until)}; audit those for raw records"
            )
        elif isinstance(record, Kpi) and wanted.path.level < Level.CELL:
            made.parts = [self._part(made, path) for path in record.parts]
        elif wanted.path.level < Level.CELL:
            self._of_line(made)
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
            twins = revisions_of(self._logs, self._codec, replace(wanted, kind=kind, revision=None))
        except NotFound:
            return None
        for revision in reversed(twins):
            twin = revision.record
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

    def _part(self, made: Audit, path: str) -> RollupPart:
        """The part's own record of the same window, by the window's name: a day begins elsewhere in another time zone."""
        whole = made.record
        assert isinstance(whole, Kpi)
        place = Path.parse(path)
        natural = self._alike(place, whole, made.window)
        if natural is None:
            window = f"{whole.window} {whole.window_name or ''}".strip()
            return RollupPart(
                path, [], f"no {window} under {whole.definition} that meets this one, as far as it is kept"
            )
        wanted = subject(natural)
        chain = revisions(revisions_of(self._logs, self._codec, wanted))
        return RollupPart(path, chain, audit=self.audit(wanted) if self._asked.deep else None)

    def _alike(self, path: Path, whole: Kpi, window: AuditWindow) -> str | None:
        """Natural id of the record of a path that shares most time with the whole's window, of the same name."""
        name = topic(path, MessageClass.KPI)
        if not (count := self._logs.partitions(name)):
            return None
        number, key = partition(path, count), str(path).encode()
        begin = self._logs.offset_at(name, number, whole.started_at // 1000 - 2 * DAY_MS)
        shared: dict[str, int] = {}
        for source in self._logs.read(name, number, begin):
            candidate = published(self._codec, source) if source.key == key else None
            record = candidate.record if candidate is not None else None
            if (
                isinstance(record, Kpi)
                and (record.window, record.window_name) == (whole.window, whole.window_name)
                and (record.window != "hour" or record.started_at == whole.started_at)
                and record.definition == whole.definition
            ):
                us = min(_until(record), window.end) - max(record.started_at, window.start)
                if us > 0:
                    shared[record.natural_id] = us
                else:
                    shared.pop(record.natural_id, None)  # taken back, or moved away
        return max(sorted(shared), key=lambda natural: shared[natural], default=None)

    # --- a line's own, such as its bottleneck

    def _of_line(self, made: Audit) -> None:
        """Only what came into the raw log: a line has no states of its own."""
        last, window = made.asked.published, made.window
        if last.record.inputs.partition < 0:
            return
        skewed = last.ingested_ms < window.start // 1000 - AHEAD_MS
        made.window = _reaching(window, made.revisions, ())
        if (trail := self._trail(made, last, skewed)) is not None:
            trail.back_to(0 if skewed else window.start // 1000 - self._asked.back_ms)
            natural = made.subject.natural
            attribute(
                [told for told in distinct(trail.facts) if made.window.concerns(natural, told.fact)], made.revisions
            )
            made.raw.sort(key=lambda listed: listed.offset)

    # --- a machine's own

    def _inputs(self, made: Audit, definition: Definition | None) -> None:
        last = made.asked.published
        skewed = last.ingested_ms < made.window.start // 1000 - AHEAD_MS  # Kafka's clock is not the plant's
        beside = self._beside(made, last, skewed, 0 if definition is None else Elements(definition).margin_us)
        picked = {
            name: newest(records, made.window.start, made.window.end, records[-1].record.definition) if records else []
            for name, records in beside.items()
        }
        made.window = window = _reaching(made.window, made.revisions, picked[MessageClass.DOWNTIME])
        trail = self._trail(made, last, skewed)
        orders = named([last.record, *(published.record for records in picked.values() for published in records)])
        pieces: list[TimeSegment] = []
        facts: list[ToldFact] = []
        missing: dict[str, int] = {}
        for back_ms in (INF,) if skewed else sorted({min(DAY_MS, self._asked.back_ms), self._asked.back_ms}):
            if trail is not None:
                trail.back_to(window.start // 1000 - back_ms)
            upto = INF if made.asked.cause is None else made.asked.cause.upto
            told = [
                fact
                for fact in distinct(trail.facts if trail is not None else ())
                if window.concerns(made.subject.natural, fact.fact)
            ]
            facts = in_force(told, upto)
            if definition is not None:
                states, stops = beside[MessageClass.STATE], beside[MessageClass.DOWNTIME]
                pieces = cut(last.record, window, definition, states, stops, facts)
                missing = {} if last.record.withdrawn else unaccounted(last.record, pieces)
            if not missing and orders <= {fact.fact.id for fact in facts if isinstance(fact.fact, Order)}:
                break  # nothing is left that an older fact would explain
        else:
            if trail is not None and trail.since_ms > 0:
                since = iso(trail.since_ms * 1000)
                made.notes.append(f"facts told before {since} (Kafka's time) were not looked for; --back looks further")
        attribute(told, made.revisions)
        made.raw.sort(key=lambda listed: listed.offset)
        held = {fact.offset for fact in facts}
        made.inputs = RecordInputs(
            pieces,
            picked[MessageClass.STATE],
            picked[MessageClass.DOWNTIME],
            picked[MessageClass.PRODUCTION],
            facts,
            [fact for fact in told if fact.offset <= upto and fact.offset not in held],
            gaps(picked[MessageClass.STATE], window.start, window.end),
            missing,
        )

    def _beside(
        self, made: Audit, last: PublishedRecord, skewed: bool, margin_us: int
    ) -> dict[MessageClass, list[PublishedRecord]]:
        """States, stops and pieces of the same machine around the window, newest revisions, as the last revision saw them.

        A state that lasts was told long ago: it is looked for further and further back.
        """
        window, label = made.window, last.record.definition
        start, end = window.start - margin_us, window.end + margin_us

        def of_class(name: MessageClass, back_ms: int) -> list[PublishedRecord]:
            since_ms = 0 if skewed else max(0, window.start // 1000 - back_ms)
            return self._told(window.path, name, last, since_ms)

        states = of_class(MessageClass.STATE, AHEAD_MS)
        stops = of_class(MessageClass.DOWNTIME, AHEAD_MS)
        for back_ms in BACK_MS:
            label = _label(states, last.record.definition)
            if not gaps(newest(states, start, end, label), window.start, window.end):
                break
            states, stops = of_class(MessageClass.STATE, back_ms), of_class(MessageClass.DOWNTIME, back_ms)
        if (label := _label(states, last.record.definition)) != last.record.definition:
            made.notes.append(f"no states were published under {last.record.definition}: those of {label} are shown")
        return {
            MessageClass.STATE: newest(states, start, end, label),
            MessageClass.DOWNTIME: newest(stops, start, end, label),
            MessageClass.PRODUCTION: newest(of_class(MessageClass.PRODUCTION, AHEAD_MS), start, end, label),
        }

    def _told(self, path: Path, name: MessageClass, last: PublishedRecord, since_ms: int) -> list[PublishedRecord]:
        """Records of a class of a path, published from then on and together with the last revision or before."""
        place, number, key = topic(path, name), last.partition, str(path).encode()
        if number >= self._logs.partitions(place):
            return []
        records = []
        start = self._logs.offset_at(place, number, since_ms)
        end = self._logs.offset_at(place, number, last.ingested_ms + SLACK_MS)
        for source in self._logs.read(place, number, start, end):
            record = published(self._codec, source) if source.key == key else None
            if record is not None and (record.cause is None or last.cause is None or record.cause <= last.cause):
                records.append(record)
        return records

    def _end(self, made: Audit) -> int:
        """End of the record's time; of what is open how far time had come, of what was taken back where it once ended."""
        spans = [revision.published.record for revision in made.revisions if not revision.published.record.withdrawn]
        record = made.record if not made.record.withdrawn or not spans else spans[-1]
        if record.ended_at is not None:
            return record.ended_at
        if isinstance(record, Oee | Kpi) and made.subject.path.level is Level.CELL:
            return record.started_at + sum(record.element_us.values())
        cause = made.asked.published.cause
        if cause is not None and self._logs.partitions(record.inputs.topic):
            for source in self._logs.read(record.inputs.topic, record.inputs.partition, cause, cause + 1):
                tick = self._codec.decode(source.value)
                if source.offset == cause and isinstance(tick, Tick):
                    return max(tick.at, record.started_at)
        return max(made.asked.published.ingested_ms * 1000, record.started_at)

    def _trail(self, made: Audit, last: PublishedRecord, skewed: bool) -> "Trail | None":
        """Reads the raw log from a little before the window to the last revision; None: the topic is gone."""
        inputs, window = last.record.inputs, made.window
        place, number = inputs.topic, inputs.partition
        if not self._logs.partitions(place):
            made.notes.append(f"there is no topic {place} any more: what was told in it is gone")
            return None
        low, _ = self._logs.bounds(place, number)
        if inputs.first_offset < low:
            since = self._logs.kept_since_ms(place, number)
            kept = "nothing" if since is None else f"from offset {low} on ({iso(since * 1000)})"
            gone = f"{inputs.first_offset}–{min(inputs.last_offset, low - 1)}"
            made.notes.append(f"{place}[{number}]: raw offsets {gone} are gone by retention; kept is {kept}")
        missing = {revision.published.ingested_ms for revision in made.revisions if revision.published.cause is None}
        causes(made.revisions, {ms: self._logs.offset_at(place, number, ms + 1) for ms in missing})
        end = max(revision.cause.upto for revision in made.revisions if revision.cause is not None) + 1
        near = low if skewed else self._logs.offset_at(place, number, window.start // 1000 - AHEAD_MS)
        trail = Trail(made, self._codec, self._model.lateness_us, self._asked.raw, self._logs, self._progress)
        for mark in sorted({inputs.first_offset, inputs.last_offset}):  # listed whatever they are
            if low <= mark < near:
                trail.read(mark, mark + 1, True)
        trail.start = near
        trail.read(near, end, True)
        return trail


def _label(states: Iterable[PublishedRecord], label: str) -> str:
    """The definition whose states there are: the record's own, else the one told last."""
    labels = [state.record.definition for state in states]
    return label if label in labels or not labels else labels[-1]


def _reaching(window: AuditWindow, revisions: Iterable[Revision], stops: Iterable[PublishedRecord]) -> AuditWindow:
    """The window with how far around it samples and facts may matter."""
    records = [revision.published.record for revision in revisions]
    heard = _hull((window.start, window.end), records)
    around = _hull(heard, (stop.record for stop in stops))
    return AuditWindow(window.path, window.start, window.end, (heard[0], heard[1] + 1), around)


def _hull(lengths: tuple[int, int], records: Iterable[Derived]) -> tuple[int, int]:
    lo, hi = lengths
    for record in records:
        lo, hi = min(lo, record.started_at), max(hi, record.ended_at or hi)
    return lo, hi


def _until(record: Derived) -> int:
    return INF if record.ended_at is None else record.ended_at


def _bare(path: Path, start: int, end: int) -> AuditWindow:
    return AuditWindow(path, start, end, (start, end), (start, end))
