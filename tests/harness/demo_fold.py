"""The demo plant through the folds without Kafka: every line's records of so many plant hours, and the truth of it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

import uns.demo
from connectors.kit.message import FACTS
from processors.line import LineFold
from schemas.records import Derived, Tick
from tests.harness.line_logs import Run, Told, samples
from topology.model.loader import load
from topology.model.plant import Plant
from topology.model.tags import Tag
from uns.demo.evidence import Evidence
from uns.demo.plant.events import HOUR, MINUTE, Event, Fact, Said, Truth
from uns.demo.plant.line import Script
from uns.demo.plant.simulation import LINES, Simulation
from uns.demo.plant.truth import Truth as ReadTruth
from uns.demo.plant.truth import TruthLog

BEGIN = 1_795_413_000_000_000
"""2026-11-23T05:50:00Z, as in the demo."""
BATCH = 5_000


class Folded(NamedTuple):
    """One run: every record that was derived, in order, and what was true."""

    records: list[Derived]
    truth: ReadTruth
    runs: dict[str, Run]

    @property
    def evidence(self) -> Evidence:
        found = Evidence()
        for record in self.records:
            found.hear(record)
        return found


def model() -> Plant:
    """The demo's plant model."""
    return load(Path(uns.demo.__file__).parent / "plant_model", {})


def with_tags(plant: Plant, change: Callable[[dict[str, Tag]], dict[str, Tag]]) -> Plant:
    """The model with other tags of its types."""
    types = {name: of.model_copy(update={"tags": change(dict(of.tags))}) for name, of in plant.types.items()}
    changed = plant.model_copy(update={"types": types})
    changed.__dict__.pop("_cells", None)  # what the copy has taken along of the model before
    return changed


def everything(event: Event) -> bool:
    return True


def fold(
    folder: Path,
    hours: float,
    seed: int = 5,
    lines: Mapping[str, Script] = LINES,
    wanted: Callable[[Event], bool] = everything,
    tick_us: int = MINUTE,
    plant: Plant | None = None,
    kept: Collection[str] | None = None,
) -> Folded:
    """Folds the events that are wanted, with a tick each `tick_us`; the truth log is written into `folder`.

    `kept`: message classes whose records are kept; None: all. A month of everything is gigabytes.
    """
    plant = plant or model()
    end = BEGIN + round(hours * HOUR)
    runs = {line: Run(plant) for line in lines}
    for line, run in runs.items():
        run.fold = LineFold(plant, f"uns.{line.rpartition('/')[0].replace('/', '.')}.raw", 0)
    log = TruthLog(folder / "truth.jsonl", BEGIN)
    waiting: dict[str, list[Told]] = defaultdict(list)
    for event in Simulation(seed, BEGIN, lines).events(end):
        if isinstance(event, Truth):
            log.tell(event)
        elif wanted(event):
            told = _told(event)
            waiting[_line_of(told[0], lines)].append(told)
    log.end(end)
    log.close()
    for line, run in runs.items():
        told_all = _ticked(waiting.pop(line, []), line.rpartition("/")[0], end, tick_us)
        while batch := list(islice(told_all, BATCH)):
            run.feed(batch)
            if kept is not None:
                run.outputs = [of for of in run.outputs if isinstance(of, Derived) and of.message_class in kept]
    records = [record for run in runs.values() for record in run.records]
    return Folded(records, ReadTruth.read(folder / "truth.jsonl"), runs)


def _told(event: Event) -> Told:
    if isinstance(event, Said):
        return samples(event.at, {event.tag: event.value}, path=event.path)
    assert isinstance(event, Fact)
    return event.line, msgspec.convert(event.content, FACTS[event.kind])


def _line_of(path: str, lines: Mapping[str, Script]) -> str:
    return path if path in lines else path.rpartition("/")[0]


def _ticked(told: list[Told], area: str, end: int, every: int) -> Iterator[Told]:
    """Ticks between what was told: each after what came before its time."""
    due = BEGIN + every
    for item in told:
        record = item[1]
        at = record.samples[0].at if hasattr(record, "samples") else BEGIN
        while due <= at:
            yield area, Tick(at=due, worker="test")
            due += every
        yield item
    while due <= end + 5 * MINUTE:
        yield area, Tick(at=due, worker="test")
        due += every
