"""A fold that is cut and restored, as workers come and go, beside one that never was: outputs, and all state, the same.

What is saved is what the engine saves: the keys that changed, once a batch, the newest value of each kept, none of those
dropped. A fold is restored from them in any order, its cells loaded as late as may be.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from processors import cell_fold, line, line_state
from processors.base import Input, Rejection
from processors.cell import store
from processors.cell.cell import Cell
from processors.derive.derivation import Derivation, LineDerivation
from processors.derive.order import OF_CELL, OF_LINE
from processors.inputs.series import Series
from processors.line import LineFold
from processors.output.ledger import Ledger
from schemas.records import Derived
from tests.harness.line_logs import TOPIC
from topology.model.plant import Plant

Outputs = list[list[bytes]]
"""By input."""

_encode = msgspec.json.Encoder(order="sorted").encode


def encoded(output: Derived | Rejection) -> bytes:
    """An output as bytes, named by its type."""
    return type(output).__name__.encode() + _encode(output)


class Worker:
    """A fold and its changelog."""

    def __init__(self, model: Plant) -> None:
        self._model = model
        self.fold = LineFold(model, TOPIC, 0)
        self.kept: dict[str, bytes] = {}
        """The changelog, compacted."""
        self.said: Outputs = []

    def step(self, item: Input) -> None:
        self.said.append([encoded(output) for output in self.fold.step(item)])

    def save(self) -> None:
        """Ends a batch."""
        for key, value in self.fold.changes().items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    def restart(self, chance: random.Random) -> None:
        """Ends a batch, and goes on with a new fold from what is kept."""
        self.save()
        self.fold = restored(self._model, self.kept, chance)

    def state(self) -> dict[str, Any]:
        """All that the fold knows, and all that it has saved. Ends a batch."""
        self.save()
        return state(self.fold, self.kept)


def state(fold: LineFold, kept: Mapping[str, bytes]) -> dict[str, Any]:
    """All that a fold knows; of what it has saved (`kept`) that which is in one form alone: facts, and what is the
    derivations' own."""
    alone = {key: value for key, value in kept.items() if "|of|" in key or "|fact|" in key}
    return {"here": known(fold), "saved": alone, "head": store.decode_head(kept["#"]) if "#" in kept else None}


def restored(model: Plant, kept: dict[str, bytes], chance: random.Random) -> LineFold:
    """A fold from saved keys."""
    fold = LineFold(model, TOPIC, 0)
    keys = list(kept)
    chance.shuffle(keys)
    for key in keys:
        fold.restore(key, kept[key])
    return fold


def known(fold: LineFold) -> dict[str, Any]:
    """All that a fold knows but for what it can find again, in a form that does not depend on how it is packed."""
    if fold._restored:
        fold._put_back()
    fold._load(list(fold._dormant))
    return {
        "times": (fold._now, fold._logged, fold._oldest, fold._newest),
        "names": list(fold._names.texts),
        "cells": {path: _cell(of.cell) for path, of in sorted(fold._cells.items())},
        "lines": {
            path: (
                sorted(map(repr, of.line.facts._told.items())),
                of.line.shifts_told,
                of.line.orders_told,
                _ledger(of._ledger),
            )
            for path, of in fold._lines.items()
        },
    }


def _cell(cell: Cell) -> dict[str, Any]:
    saved = msgspec.structs.asdict(store._saved(cell))
    del saved["sums"]  # found again
    saved["newest"] = {tag: repr(of) for tag, of in saved["newest"].items()}  # a NaN is none other than itself
    saved["carried"] = {label: sorted(map(repr, rows)) for label, rows in saved["carried"].items()}
    saved["measured"] = {name: sorted(map(repr, of)) for name, of in saved["measured"].items()}
    return saved | {
        "touched": sorted(cell.touched),
        "series": {tag: _samples(series) for tag, series in cell.series.items()},
        "facts": sorted(map(repr, cell.facts._told.items())),
        "ledger": _ledger(cell.ledger),
    }


def _samples(series: Series) -> list[tuple[int, int, int]]:
    return list(series.between(-(1 << 60), 1 << 60))


def _ledger(ledger: Ledger) -> dict[str, Any]:
    """Not what was newest of a kind of which nothing is left."""
    return {
        "records": {key: repr(record) for key, record in sorted(ledger.records().items())},
        "starts": {kind: list(ats) for kind, ats in sorted(ledger._starts.items()) if ats},
        "open": dict(sorted(ledger.open.items())),
        "lasting": sorted(ledger.lasting),
    }


@contextmanager
def awake(per_tick: int) -> Iterator[None]:
    """So many cells at most are loaded with a tick besides those that must be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "LOADED_PER_TICK", per_tick)
        yield


@contextmanager
def alone(*derivations: type[Derivation] | type[LineDerivation]) -> Iterator[None]:
    """Folds derive nothing but this."""
    of_cell = tuple(one for one in OF_CELL if one in derivations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell_fold, "OF_CELL", of_cell)
        patch.setattr(line_state, "OF_LINE", tuple(one for one in OF_LINE if one in derivations))
        kinds = {kind for derivation in of_cell if derivation.closes for kind in derivation.kinds}
        patch.setattr(cell_fold, "CLOSED_BY_WATERMARK", tuple(sorted(kinds)))
        for stage in ("derive", "withdraw", "follow", "snapshot", "dump"):
            patch.setattr(cell_fold, stage.upper(), cell_fold._in_stage(stage))
        patch.setattr(cell_fold, "RESTLESS", tuple(n for n in cell_fold.DERIVE if not of_cell[n].rests))
        yield


def uncut(model: Plant, log: Sequence[Input]) -> Worker:
    """Saved once, in the end."""
    worker = Worker(model)
    for item in log:
        worker.step(item)
    return worker


def cut(model: Plant, log: Sequence[Input], chance: random.Random, often: float, saved: float) -> Worker:
    """Restarted after so great a part of the inputs, and saved after others; 1.0: after each."""
    worker = Worker(model)
    with awake(chance.choice([0, 0, 1, 250])):
        for item in log:
            worker.step(item)
            if chance.random() < often:
                worker.restart(chance)
            elif chance.random() < saved:
                worker.save()
    return worker


def difference(model: Plant, log: Sequence[Input], seed: int, cuts: int = 2) -> str | None:
    """What a cut fold says or knows otherwise than one that never was; None: nothing.

    One is restarted after each record, which all caches lose; others go on for longer.
    """
    chance = random.Random(seed)
    whole = uncut(model, log)
    known_whole = whole.state()
    for n in range(1 + cuts):
        worker = cut(model, log, chance, 1.0 if n == 0 else 3 / len(log), chance.choice([0.0, 0.2, 1.0]))
        for at, (ours, theirs) in enumerate(zip(whole.said, worker.said, strict=True)):
            if ours != theirs:
                return f"run {n}, input {at}: {_first(ours, theirs)}"
        if said := unlike("", known_whole, worker.state()):
            return f"run {n}, state{said}"
        if said := unlike("", known_whole["here"], known(restored(model, worker.kept, chance))):
            return f"run {n}, saved state{said}"
    if said := unlike("", known_whole["here"], known(restored(model, whole.kept, chance))):
        return f"saved at once, state{said}"
    return None


def _first(ours: list[bytes], theirs: list[bytes]) -> str:
    """The first output that differs: what in it, where both speak of the same record."""
    n = next((n for n, (mine, other) in enumerate(zip(ours, theirs, strict=False)) if mine != other), None)
    if n is None:
        return f"whole {len(ours)}, cut {len(theirs)}: {(ours + theirs)[min(len(ours), len(theirs)) :][:1]}"
    mine, other = (msgspec.json.decode(of[n].partition(b"{")[2].join([b"{", b""])) for of in (ours, theirs))
    if mine.get("id") != other.get("id"):
        return f"\n  whole {mine}\n  cut   {other}"
    return f"{mine['id']}" + "".join(
        f"\n  {name}: whole {mine[name]}, cut {other[name]}" for name in mine if mine[name] != other[name]
    )


def unlike(where: str, ours: Any, theirs: Any) -> str | None:
    """Where two states differ, and in what; None: nowhere."""
    if ours == theirs:
        return None
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() | theirs.keys():
            if (said := unlike(f"{where}.{key}", ours.get(key), theirs.get(key))) is not None:
                return said
    return f"{where}:\n  whole {ours}\n  cut   {theirs}"
