"""Builds raw logs for fold tests and reads what came out: the newest revision of each record."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from processors.base import Input, Rejection
from processors.line import LineFold
from schemas.records import Bottleneck, Cycle, Derived, Kpi, Oee, Production, Raw, Sample, Samples, Tick, Value
from topology.model.plant import Plant

TOPIC = "uns.acme.dallas.packaging.raw"
AREA = "acme/dallas/packaging"
LINE = f"{AREA}/line-1"
CELL = f"{LINE}/filler"
OTHER = f"{LINE}/capper"
S = 1_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE
T0 = 1_795_413_600 * S  # 2026-11-23T06:00:00Z

EXECUTE, STOPPED, HELD, SUSPENDED, ABORTED, IDLE = 6, 2, 11, 5, 9, 4
BAD = 0x80000000

Told = tuple[str, Raw]
"""A path and a record, before it has an offset."""


OWN = {
    "description": "of a plant's own: everything that definitions may do otherwise",
    "running": ["execute", "completing"],
    "elements": {
        "RUN": {"description": "running", "loss": "none"},
        "SHORT": {"description": "micro stops", "loss": "performance"},
        "JAM": {"description": "stops for a jam", "loss": "performance"},
        "DOWN": {"description": "other stops", "loss": "availability"},
        "SETUP": {"description": "setup", "loss": "availability"},
        "LUNCH": {"description": "breaks", "loss": "availability"},
        "AWAY": {"description": "not planned, or not known", "loss": "outside"},
    },
    "time_model": [
        {"when": {"planned": ["unplanned"]}, "element": "AWAY"},
        {"when": {"state": ["unknown"]}, "element": "AWAY"},
        {"when": {"planned": ["break"]}, "element": "LUNCH"},
        {"when": {"mode": ["setup", "maintenance"]}, "element": "SETUP"},
        {"when": {"state": ["execute", "completing"], "mode": ["production"]}, "element": "RUN"},
        {"when": {"reason": ["micro"]}, "element": "JAM"},
        {"element": "DOWN"},
    ],
    "options": {
        "micro_stop": {"below_s": 120, "inclusive": True, "only_without_reason": True, "element": "SHORT"},
        "noise_floor": {"stop_s": 10, "run_s": 5},
        "rework": "good",
        "start_up": {"modes": ["setup", "manual"], "of_order_s": 1_200},
    },
    "kpis": {
        "availability": {"name": "A", "formula": "operating / base", "trend": "higher_is_better"},
        "oee": {"name": "OEE", "formula": "sum(PRI * GQ) / base", "trend": "higher_is_better"},
    },
}
"""acme@1"""


def plant(definition: str = "iso22400@1", **time: float) -> Plant:
    """Two cells of one type on one line."""
    return Plant.model_validate(
        {
            "kpi": {"definition": definition},
            "kpi_definitions": {"acme@1": OWN},
            "namespace": {
                "enterprise": "acme",
                "sites": {
                    "dallas": {
                        "areas": {
                            "packaging": {"lines": {"line-1": {"cells": {"filler": "filler", "capper": "filler"}}}}
                        }
                    }
                },
            },
            "types": {
                "filler": {
                    "tags": {
                        "State": {"role": "state", "map": "packml"},
                        "Mode": {"role": "mode", "map": {1: "production", 2: "maintenance", 3: "manual", 4: "setup"}},
                        "Good": {"role": "good_count", "modulus": 1000},
                        "Scrap": {"role": "scrap_count"},
                        "Rework": {"role": "rework_count"},
                        "Energy": {"role": "energy", "unit": "kWh"},
                        "StopReason": {"role": "reason"},
                        "Heartbeat": {"role": "heartbeat"},
                        "FillVolume": {"role": "characteristic", "lsl": 490, "usl": 510, "baseline": 10},
                    },
                    "ideal_cycle_s": 6.0,
                    "silent_after_s": 60,
                    "micro_stop_s": 300,
                    "reasons": {
                        101: {"name": "bottle jam", "category": "micro"},
                        201: {"name": "drive fault", "category": "breakdown"},
                    },
                }
            },
            "time": {"lateness_s": 10, "horizon_h": 48, **time},
        }
    )


def samples(
    at: int, values_by_tag: Mapping[str, Value] | None = None, *, path: str = CELL, quality: int = 0, **more: Value
) -> Told:
    """One record with samples of one time."""
    values = {**(values_by_tag or {}), **more}
    return path, Samples("plc", 0, tuple(Sample(tag, at, value, quality) for tag, value in values.items()))


def beats(start: int, end: int, *, path: str = CELL, every: int = 30 * S) -> list[Told]:
    """Signs of life, so that nothing is silent."""
    return [samples(at, path=path, Heartbeat=at // S) for at in range(start, end, every)]


def tick(at: int) -> Told:
    return AREA, Tick(at=at, worker="test")


def ticks(start: int, end: int, every: int = 10 * S) -> list[Told]:
    return [tick(at) for at in range(start, end + 1, every)]


def ordered(told: Iterable[Told]) -> list[Told]:
    """As a punctual plant would send it: everything at its time, ticks after samples of the same time."""

    def when(item: Told) -> tuple[int, bool]:
        record = item[1]
        match record:
            case Samples():
                return max(sample.at for sample in record.samples), False
            case Tick():
                return record.at, True
            case _:
                return getattr(record, "at", 0) or getattr(record, "started_at", 0), False

    return sorted(told, key=when)


class Run:
    """A fold fed with records; offsets count up."""

    def __init__(self, model: Plant | None = None) -> None:
        self.plant = model or plant()
        self.fold = LineFold(self.plant, TOPIC, 0)
        self.offset = 0
        self.outputs: list[Derived | Rejection] = []
        self.store: dict[str, bytes] = {}

    def feed(self, told: Iterable[Told]) -> "Run":
        for path, record in told:
            self.outputs += self.fold.step(Input(path, TOPIC, 0, self.offset, record))
            self.offset += 1
        return self

    def save(self) -> None:
        for key, value in self.fold.changes().items():
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value

    def restart(self, chance: random.Random | None = None) -> None:
        """A new fold from the saved keys, in any order."""
        self.save()
        keys = list(self.store)
        if chance is not None:
            chance.shuffle(keys)
        self.fold = LineFold(self.plant, TOPIC, 0)
        for key in keys:
            self.fold.restore(key, self.store[key])

    @property
    def rejections(self) -> list[Rejection]:
        return [output for output in self.outputs if isinstance(output, Rejection)]

    @property
    def records(self) -> list[Derived]:
        return [output for output in self.outputs if isinstance(output, Derived)]

    def newest(self, message_class: str, path: str = CELL) -> list[Any]:
        """The last revision of each record of a class that was not withdrawn, in order of begin."""
        by_id = {r.natural_id: r for r in self.records if r.message_class == message_class and r.path == path}
        return sorted((r for r in by_id.values() if not r.withdrawn), key=lambda r: (r.started_at, r.id))


def play(told: Iterable[Told], minutes: int = 70, *, alive: Iterable[str] = (CELL,), run: Run | None = None) -> Run:
    """`told` with signs of life of the `alive` paths and ticks, for some minutes from T0 on and one more."""
    end = T0 + (minutes + 1) * MINUTE
    life = [beat for path in alive for beat in beats(T0, end, path=path)]
    return (run or Run()).feed(ordered([*life, *told, *ticks(T0, end)]))


def final_numbers(run: Run) -> dict[str, tuple[object, ...]]:
    """`final_content` of a run."""
    return final_content(run.records)


WINDOWS = (Oee, Kpi, Cycle, Bottleneck)


def final_content(records: Iterable[Derived]) -> dict[str, tuple[object, ...]]:
    """What a consumer ends up with, but for revisions, statuses and offsets: content by natural id."""
    left_out = ("id", "status", "revision", "inputs")
    content: dict[str, tuple[object, ...]] = {}
    for record in records:
        if record.message_class == "current" or (isinstance(record, WINDOWS) and record.ended_at is None):
            continue  # an open window has no final numbers: what it shows depends on when it was last published
        empty = isinstance(record, Production) and not (record.good or record.scrap or record.resets)
        if record.withdrawn or empty:
            content.pop(record.natural_id, None)
            continue
        names = [name for name in record.__struct_fields__ if name not in left_out]
        content[record.natural_id] = tuple(getattr(record, name) for name in names)
    return content


def spans(records: Sequence[Derived], zero: int = T0) -> list[tuple[float, float | None]]:
    """Begins and ends in seconds after `zero`."""
    return [((r.started_at - zero) / S, None if r.ended_at is None else (r.ended_at - zero) / S) for r in records]
