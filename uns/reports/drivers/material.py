"""What drivers are sought in: derived records and facts, read from topics or folded from a file, and made observations."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from zoneinfo import ZoneInfo

from processors.analysis.held import History, Told
from processors.analysis.losses import cycles, measured, pieces, points_of, stops
from processors.analysis.observations import Observation, Of
from processors.analysis.selection import Incomparable
from schemas.codec import Codec
from schemas.records import Cycle, Derived, Downtime, Inspection, Lot, Order, Production, Quality, Samples, Shift, State
from schemas.text import from_plain
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.path import Level, Path
from uns.history.file.fold import fold
from uns.history.file.read import FileRecord, Refusal, read
from uns.model.zones import SiteZones, local
from uns.reports.plant import Known
from uns.reports.reading import told, within
from uns.runtime.settings import Settings

FACTS = (Order, Lot, Shift)
DerivedT = TypeVar("DerivedT", bound=Derived)
RECORDS: dict[Of, tuple[type[Derived], ...]] = {
    Of.SCRAP: (Production, Quality),
    Of.FPY: (Production, Quality),
    Of.DOWNTIME: (State, Downtime),
    Of.CYCLE: (Cycle,),
    Of.VALUE: (Quality,),
}
"""Which records an outcome is read from; without the first of them there is nothing to look into."""
OUTSIDE = frozenset({"unplanned", "not_observed"})
"""Time elements that are no planned time, where the definition of a record is not known here."""


@dataclass
class Material:
    """Records and facts of one history."""

    records: list[Derived] = field(default_factory=list)
    facts: list[tuple[str, Told]] = field(default_factory=list)
    """(path told at, fact) in log order."""
    refused: list[Refusal] = field(default_factory=list)

    def of(self, kind: type[DerivedT]) -> list[DerivedT]:
        return [record for record in self.records if isinstance(record, kind)]


def from_topics(settings: Settings, codec: Codec, wanted: Filter, of: Of, start: int, end: int) -> Material:
    """Raises `KafkaException`."""
    found = Material()
    for kind in RECORDS[of]:
        found.records += within(settings, codec, wanted, MessageClass(kind.message_class), kind, start, end)
    for path, fact in told(settings, codec, wanted, [kind.__name__ for kind in FACTS], start, end):
        if isinstance(fact, FACTS):
            found.facts.append((path, fact))
    return found


def from_lines(lines: Iterable[bytes], plant: Callable[[], Plant], wanted: Filter, start: int, end: int) -> Material:
    """Of a file of raw records (folded first, with the plant model), of what `uns fold --json` says, or of both.

    Only what lies in [start, end) µs is looked into; facts hold from before. Raises what the file's reading raises.
    """
    found = Material()
    raw: list[FileRecord | Refusal] = list(read(_raw_lines(lines, found)))
    found.refused += [item for item in raw if isinstance(item, Refusal)]
    told_lines = [item for item in raw if isinstance(item, FileRecord)]
    found.facts += [(item.path, item.record) for item in told_lines if isinstance(item.record, FACTS)]
    if any(isinstance(item.record, Samples | Inspection) for item in told_lines):
        folded = fold(plant(), told_lines)
        found.records += folded.records
        found.refused += folded.refused
    found.records = [
        record
        for record in found.records
        if start <= record.started_at
        and (record.ended_at or record.started_at) <= end
        and wanted.matches(Path.parse(record.path))
    ]
    return found


def _raw_lines(lines: Iterable[bytes], found: Material) -> Iterator[bytes]:
    """The lines that are no derived records; those are kept. A line keeps its number."""
    for number, line in enumerate(lines, 1):
        if b'"class"' not in line or not line.lstrip().startswith(b"{"):
            yield line
            continue
        yield b"\n"
        try:
            plain = json.loads(line)
            kind = _TYPES.get(plain.pop("class", None))
            if kind is not None:
                record = from_plain({"type": kind, **plain})
                assert isinstance(record, Derived)
                Path.parse(record.path)
                found.records.append(record)
        except (ValueError, RecursionError, AttributeError) as error:
            found.refused.append(Refusal(number, None, None, "bad_record", f"this is no derived record: {error}"))


_TYPES = {kind.message_class: kind.__name__ for kinds in RECORDS.values() for kind in kinds}


def observations(material: Material, of: Of, known: Known, characteristic: str | None = None) -> list[Observation]:
    """Raises `Incomparable` where there is nothing to look into."""
    history, day = _history(material, known)
    match of:
        case Of.SCRAP | Of.FPY:
            found = pieces(material.of(Production), history, of, points_of(material.of(Quality)), day)
        case Of.CYCLE:
            found = cycles(material.of(Cycle), history, day)
        case Of.DOWNTIME:
            found = stops(material.of(State), material.of(Downtime), history, _outside(material, known), day)
        case Of.VALUE:
            found = measured(material.of(Quality), characteristic or "", history, day)
    gathered = list(found)
    if not gathered:
        kind = RECORDS[of][0].message_class
        what = f"no point of {characteristic!r}" if of is Of.VALUE else f"no {kind} record with anything in it"
        raise Incomparable(f"{what} lies in that time and matches; `uns tail --class {kind}` shows what there is")
    return gathered


def _history(material: Material, known: Known) -> tuple[History, Callable[[str, int], str]]:
    zones = SiteZones(known.plant)
    by_path: dict[str, ZoneInfo] = {}

    def zone(path: str) -> ZoneInfo:
        if path not in by_path:
            by_path[path] = zones.at(Path.parse(path))
        return by_path[path]

    calendar = list(_calendars(material, known.plant)) if known.plant is not None else []
    history = History([*calendar, *material.facts], lambda path, at: local(at, zone(path)).hour)
    return history, lambda path, at: local(at, zone(path)).date().isoformat()


def _calendars(material: Material, plant: Plant) -> Iterator[tuple[str, Shift]]:
    """The shifts that the plant's calendars say of the time of the records."""
    if not material.records:
        return
    begin = min(record.started_at for record in material.records)
    end = max(record.ended_at or record.started_at for record in material.records)
    paths = {Path.parse(path) for path in {record.path for record in material.records}}
    for line in sorted({path.at(Level.LINE) for path in paths if path.level >= Level.LINE}, key=str):
        calendar = plant.calendars.get(line)
        if calendar is not None:
            for shift in plant.shifts[calendar].between(begin, end):
                yield str(line), shift


def _outside(material: Material, known: Known) -> set[str]:
    """The time elements that are no planned time, by the definitions of the states."""
    labels = {record.definition for record in material.of(State)}
    found = set(OUTSIDE)
    for label in labels & known.definitions.keys():
        elements = known.definitions[label].elements
        found |= {name for name, element in elements.items() if element.loss == "outside"}
    return found
