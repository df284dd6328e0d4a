"""A plant's history computed again: which partitions, under which rules, and what came of each."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from processors.line import LineFold
from schemas.codec import Codec
from schemas.records import Derived
from schemas.text import iso
from topology.model.kpis import known_definition
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.filters import Filter
from topology.namespace.topics import partition, topic
from uns.engine.step import AreaTopics
from uns.history.replay.diff import DIFFERENCES, ReplayVerdict, Skip, VerdictKind, compare, correction
from uns.history.replay.offline import Compared, NotFolded, Scope, compared, cut
from uns.history.replay.publish import Correction
from uns.runtime.settings import Settings

Progress = Callable[[str, int, int], None]
"""Called with what is read, how many records of it, and of how many."""


@dataclass(frozen=True)
class Request:
    """What to compute again. Times in µs, `end` excluded."""

    plant: Plant
    """As the processors run it."""
    group: str
    wanted: Filter
    classes: frozenset[MessageClass]
    start: int
    end: int
    definition: str
    horizon_h: float

    @property
    def folded(self) -> Plant:
        """The plant as the replay folds it. Raises `LookupError` for a definition that is not known."""
        known_definition(self.plant, self.definition)
        kpi = self.plant.kpi.model_copy(update={"definition": self.definition})
        time = self.plant.time.model_copy(update={"horizon_h": self.horizon_h})
        return self.plant.model_copy(update={"kpi": kpi, "time": time})


@dataclass(frozen=True)
class RawPartition:
    """One raw partition and the machines on it that are asked for."""

    raw: AreaTopics
    partition: int
    paths: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.raw.topic}[{self.partition}]"


@dataclass
class Recomputed:
    """What came of some partitions."""

    counts: dict[str, Counter[VerdictKind]] = field(default_factory=dict)
    """Message class → how many records of each kind."""
    differences: list[tuple[ReplayVerdict, Derived | Skip]] = field(default_factory=list)
    """Everything that differs, and the correction of each or why there is none."""
    corrections: list[Correction] = field(default_factory=list)
    """All that would be published, in order of time: more than the differences where a definition is new."""
    skipped: Counter[Skip] = field(default_factory=Counter)
    records: int = 0
    compared: int = 0
    """Partitions that could be compared."""
    notes: list[str] = field(default_factory=list)
    """What is incomplete, in words."""

    @property
    def equal(self) -> bool:
        """False also where nothing could be compared: nobody knows."""
        return self.compared > 0 and not any(verdict.kind in DIFFERENCES for verdict, _ in self.differences)


def raw_partitions(plant: Plant, wanted: Filter) -> list[RawPartition]:
    """The raw partitions that hold machines of the filter."""
    machines: dict[tuple[str, int], set[str]] = {}
    counts = plant.areas()
    for path in plant.cells():
        if wanted.matches(path):
            area = next(area for area in counts if area.contains(path))
            machines.setdefault((topic(area, MessageClass.RAW), partition(path, counts[area])), set()).add(str(path))
    return [
        RawPartition(AreaTopics(name), number, frozenset(paths)) for (name, number), paths in sorted(machines.items())
    ]


def recompute(settings: Settings, codec: Codec, request: Request, progress: Progress) -> Recomputed:
    """Partition by partition, so that memory holds the asked records of one, and the differences of all.

    Raises what `uns.history.replay.offline` raises, but for partitions never folded: those are notes.
    """
    outcome, plant = Recomputed(), request.folded
    horizon_us = round(request.plant.time.horizon_h * 3_600_000_000)
    for part in raw_partitions(plant, request.wanted):
        try:
            at = cut(settings, request.group, part.raw, part.partition)
        except NotFolded as error:
            outcome.notes.append(f"{error}: nothing to compare with")
            continue
        scope = Scope(part.paths, request.classes, request.start, request.end)
        fold = LineFold(plant, part.raw.topic, part.partition)

        def passed(done: int, total: int, name: str = part.name) -> None:
            progress(name, done, total)

        result = compared(settings, codec, fold, part.raw, part.partition, at, scope, horizon_us, passed)
        _judge(outcome, part, request, result)
    outcome.corrections.sort(key=lambda pair: (pair[1].started_at, pair[1].path, pair[1].id))
    return outcome


def _judge(made: Recomputed, part: RawPartition, request: Request, result: Compared) -> None:
    running = request.plant.kpi.definition
    made.records += result.records
    made.compared += 1
    made.notes += _notes(part, result)
    for verdict in compare(result.replayed, result.published, request.definition, running, result.doubt):
        made.counts.setdefault(verdict.record.message_class, Counter())[verdict.kind] += 1
        outcome = correction(verdict, request.definition, running, result.floor)
        if isinstance(outcome, Skip):
            made.skipped[outcome] += 1
        elif outcome is not None:
            made.corrections.append((part.partition, outcome))
        if verdict.kind not in (VerdictKind.SAME, VerdictKind.OPEN) and outcome is not None:
            made.differences.append((verdict, outcome))


def _notes(part: RawPartition, result: Compared) -> Iterator[str]:
    kept = result.kept
    if not kept.complete:
        first = kept.first_reproducible
        since = "nothing can be reproduced" if first is None else f"nothing before {iso(first)} can be reproduced"
        yield f"{part.name}: retention has removed the first {kept.first_offset} raw offsets; {since}"
    if result.trimmed:
        names = ", ".join(sorted(result.trimmed))
        yield f"{part.name}: retention has removed published records of {names}"
    late = {reason: count for reason, count in sorted(result.refused.items()) if reason == "late"}
    if late:
        yield f"{part.name}: {late['late']} raw records too late for the replay too; --horizon folds older ones in"
