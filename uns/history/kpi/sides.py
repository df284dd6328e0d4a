"""One history under several KPI definitions: the raw log read once, folded once for each, nothing published."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from processors.base import Input, Rejection
from processors.inputs.schedule import Schedule
from processors.line import LineFold
from processors.units import INF
from schemas.codec import Codec
from schemas.records import Derived, Downtime, Kpi, Order, Raw, Shift, State, Tick
from schemas.text import iso
from topology.kpi.definition import Definition, KpiFormula
from topology.model.plant import Plant
from topology.namespace.path import Level, Path
from uns.engine.step import Refused, Step
from uns.history.evidence import ToldFact, in_force, plan
from uns.history.file.fold import fold
from uns.history.file.read import Refusal
from uns.history.file.read import read as lines
from uns.history.kpi.diff import Side
from uns.history.logs import Logs
from uns.history.replay.offline import SAVE_RECORDS
from uns.history.replay.recompute import RawPartition
from uns.kafka.log import read
from uns.runtime.settings import Settings

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
LONGEST_US = 2 * DAY_US
"""Windows that begin before the end asked for may reach so far beyond it."""
Progress = Callable[[str, int, int], None]


@dataclass
class TwoHistories:
    """What machines did, under each definition, and what was planned for them."""

    sides: list[Side]
    plans: dict[str, Schedule] = field(default_factory=dict)
    raw_records: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Reason → raw records, or parts of them, that are in no number."""
    notes: list[str] = field(default_factory=list)


def under(plant: Plant, definition: Definition) -> Plant:
    """The plant with another definition in force."""
    return plant.model_copy(update={"kpi": plant.kpi.model_copy(update={"definition": definition.label})})


def added(plant: Plant, definition: Definition) -> dict[str, Mapping[str, KpiFormula]]:
    """Path → the KPIs that its site adds and the definition does not have itself."""
    sites = plant.namespace.sites
    return {
        str(path): {name: kpi for name, kpi in sites[path.segments[1]].kpis.items() if name not in definition.kpis}
        for path in plant.cells()
    }


def folded(
    settings: Settings,
    codec: Codec,
    plant: Plant,
    parts: Iterable[RawPartition],
    definitions: Sequence[Definition],
    start: int,
    end: int,
    progress: Progress,
) -> TwoHistories:
    """Folds raw partitions from their first record on, until nothing can change any more what begins in [start, end) µs.

    Raises what a registry's client raises, `KafkaException`, and `TimeoutError` when Kafka stops answering.
    """
    kept: list[dict[str, Derived]] = [{} for _ in definitions]
    history = TwoHistories([])
    told = Plans(plant)
    for part in parts:
        _fold(settings, codec, plant, part, definitions, start, end, progress, kept, told, history)
    history.sides = [
        Side(definition, [*records.values()], added(plant, definition))
        for definition, records in zip(definitions, kept, strict=True)
    ]
    history.plans = told.plans()
    return history


def _fold(
    settings: Settings,
    codec: Codec,
    plant: Plant,
    part: RawPartition,
    definitions: Sequence[Definition],
    start: int,
    end: int,
    progress: Progress,
    kept: Sequence[dict[str, Derived]],
    told: "Plans",
    history: TwoHistories,
) -> None:
    folds = [LineFold(under(plant, definition), part.raw.topic, part.partition) for definition in definitions]
    step = Step(folds[0], codec, part.raw, part.partition)
    last = end + LONGEST_US + round(plant.time.horizon_h * 3_600_000_000)
    count, now = 0, 0
    with Logs(settings) as logs:
        low, high = logs.bounds(part.raw.topic, part.partition)
    with closing(read(settings, part.raw.topic, part.partition, end=high)) as log:
        for count, source in enumerate(log, start=1):
            _, path, record = step.decode(source)
            if isinstance(record, Refused):
                history.refused[record.reason] = history.refused.get(record.reason, 0) + 1
                continue
            item = Input(path, source.topic, part.partition, source.offset, record, source.timestamp * 1000)
            rejected = False
            for n, fold in enumerate(folds):
                for result in fold.step(item):
                    if isinstance(result, Rejection):
                        rejected = True
                        if n == 0:
                            history.refused[result.reason] = history.refused.get(result.reason, 0) + 1
                    elif result.path in part.paths:
                        keep(kept[n], result, start, end)
            if not rejected:
                told.saw(path, record, source.offset)
            if isinstance(record, Tick):
                now = max(now, record.at)
                if now > last:
                    break
            if count % SAVE_RECORDS == 0:
                for fold in folds:
                    fold.changes()
                progress(part.name, source.offset - low, high - low)
    history.raw_records += count
    if low > 0:
        history.notes.append(f"{part.name}: retention has removed the first {low} raw offsets; the fold begins there")
    if 0 < now < end - MINUTE_US:
        history.notes.append(f"{part.name}: its log ends at {iso(now)}, before the end that was asked for")


def from_file(
    plant: Plant, data: bytes, parts: Iterable[RawPartition], definitions: Sequence[Definition], start: int, end: int
) -> TwoHistories:
    """The same of a file of raw records, as `uns fold` reads it."""
    told, paths = [*lines(data)], {path for part in parts for path in part.paths}
    history, facts = TwoHistories([], raw_records=len(told)), Plans(plant)
    windows: list[Kpi] = []
    refused: set[int] = set()
    for definition in definitions:
        derived = fold(under(plant, definition), told)
        kept: dict[str, Derived] = {}
        for record in derived.records:
            if record.path in paths:
                keep(kept, record, start, end)
        windows += [record for record in kept.values() if isinstance(record, Kpi)]
        history.sides.append(Side(definition, [*kept.values()], added(plant, definition)))
        history.refused = dict(Counter(refusal.reason for refusal in derived.refused))
        refused |= {refusal.line for refusal in derived.refused}
    if windows:  # what the plant's calendars say of that time, before what the file says
        begins = [window.started_at for window in windows]
        first, last = min(begins), max(begins) + LONGEST_US
        for line, calendar in plant.calendars.items():
            for shift in plant.shifts[calendar].between(first, last):
                facts.saw(str(line), shift, 0)
    for item in told:
        if not isinstance(item, Refusal) and item.line not in refused:
            facts.saw(item.path, item.record, item.line)
    history.plans = facts.plans()
    return history


def keep(kept: dict[str, Derived], record: Derived, start: int, end: int) -> None:
    """Keeps the newest revision of what a comparison of [start, end) needs."""
    if isinstance(record, Kpi):
        wanted = start <= record.started_at < end
    elif isinstance(record, State | Downtime):
        until = INF if record.ended_at is None else record.ended_at
        wanted = record.started_at < end + LONGEST_US and until > start - DAY_US
    else:
        return
    if wanted:
        kept[record.natural_id] = record
    else:
        kept.pop(record.natural_id, None)  # an earlier revision reached further


class Plans:
    """What was planned for each machine, from the orders and shifts that were told."""

    def __init__(self, plant: Plant) -> None:
        self._cells = [str(path) for path in plant.cells()]
        self._told: dict[str, list[ToldFact]] = {}

    def saw(self, path: str, record: Raw, offset: int) -> None:
        """In log order."""
        if isinstance(record, Order | Shift):
            self._told.setdefault(path, []).append(ToldFact(path, record, offset, 0))

    def plans(self) -> dict[str, Schedule]:
        """Path of each machine → its plan."""
        plans = {}
        for cell in self._cells:
            line = str(Path.parse(cell).at(Level.LINE))
            facts = in_force([*self._told.get(line, ()), *self._told.get(cell, ())])
            near = [
                fact
                for path, told in self._told.items()
                if path == line or path.startswith(f"{line}/")
                for fact in told
            ]
            plans[cell] = plan(
                facts,
                any(isinstance(fact.fact, Shift) for fact in near),
                any(isinstance(fact.fact, Order) for fact in near),
            )
        return plans
