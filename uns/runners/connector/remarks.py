"""What the folds would say of what a source says: read by a fold of the same plant model, before anything is published."""

from collections.abc import Iterable

from connectors.base import FactReading, Malformed, Reading, Said
from processors.base import Input, Rejection
from processors.line import LineFold
from schemas.records import Raw, Samples, Tick
from topology.model.plant import Plant
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level, Path
from topology.namespace.topics import partition, topic
from topology.nearest import hint, misspelt
from uns.runners.connector.packing import problem_of

SHOWN_MAX = 20
"""Sentences; more would bury the values."""


def remarks(said: Iterable[Said], plant: Plant, now: int) -> list[str]:
    """One sentence for each thing that is wrong, with its machine and tag and what to do. `now`: µs, the plant's clock."""
    folds: dict[Path, LineFold] = {}
    sentences: dict[str, None] = {}
    for number, one in enumerate(said):
        for sentence in _of(one, plant, folds, now, number):
            sentences[sentence] = None
    more = len(sentences) - SHOWN_MAX
    return [*list(sentences)[:SHOWN_MAX], *([f"{more} more"] if more > 0 else [])]


def _of(one: Said, plant: Plant, folds: dict[Path, LineFold], now: int, number: int) -> Iterable[str]:
    if isinstance(one, Malformed):
        yield f"{one.origin}: {one.reason}: {one.message}"
        return
    machine = plant.cells().get(one.path)
    if isinstance(one, Reading):
        if machine is None:
            yield f"{one.path} is no machine of the plant model; {hint(str(one.path), map(str, plant.cells()))}"
            return
        tag = one.sample.tag
        if (problem := problem_of(one.sample, machine.text_max)) is not None:
            yield f"{one.path}: {problem}"
            return
        if (meant := misspelt(tag, machine.tags)) is not None:
            yield f"{one.path}: tag {tag!r} means nothing to its type; did you mean {meant!r}? A rule of `tags` gives it that name"
    record: Raw = one.fact if isinstance(one, FactReading) else Samples("preview", number + 1, (one.sample,))
    yield from _judged(plant, folds, one.path, record, now, number)


def _judged(plant: Plant, folds: dict[Path, LineFold], path: Path, record: Raw, now: int, number: int) -> Iterable[str]:
    area = path.at(min(path.level, Level.AREA))
    if area not in plant.areas():
        yield f"{path} is in no area of the plant model; {hint(str(area), map(str, plant.areas()))}"
        return
    name = topic(area, MessageClass.RAW)
    place = partition(path, plant.areas()[area])
    fold = folds.get(path)
    if fold is None:
        fold = folds[path] = LineFold(plant, name, place)
        fold.step(Input(str(area), name, place, 0, Tick(at=now, worker="preview")))
    for output in fold.step(Input(str(path), name, place, number + 1, record)):
        if isinstance(output, Rejection):
            yield f"{path}: {output.reason}: {output.message}"
