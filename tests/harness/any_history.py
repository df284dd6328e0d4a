"""Random histories of a line as it reaches the fold: every record, fact and role there is, outages, late bulks, faults.

A history is made of moves, each of which stands for itself: any of them may be left out, so that one that fails shrinks.
`TELLERS` has one teller a raw record type; a type without one fails `test_restarts`, and so does a role without a tag.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from processors.base import Input
from processors.line import LineFold
from schemas.records import (
    RAW_TYPES,
    Acknowledge,
    Alert,
    Break,
    Gap,
    Inspection,
    Lot,
    Order,
    Raw,
    Reason,
    Sample,
    Samples,
    Shift,
    Tick,
    Value,
    WorkOrder,
)
from tests.harness.line_logs import AREA, BAD, HOUR, MINUTE, OWN, T0, TOPIC, S
from topology.model.plant import Plant
from topology.namespace.packml import CODE_MAPS

UNCERTAIN = 0x40000000
MODES = {1: "production", 2: "maintenance", 3: "manual", 4: "setup"}
REASONS = {101: {"name": "jam", "category": "micro"}, 201: {"name": "drive", "category": "breakdown"}}
REASONS[301] = {"name": "oiling", "category": "maintenance"}
CONDITIONS: dict[str, dict[str, Any]] = {
    "bearing": {"kind": "wear", "tag": "Vibration", "limit": 7.1, "zones": "iso20816-3/2-flexible", "change": 0.25}
    | {"baseline": 2, "every_s": 300, "running": False, "within_h": 9e3},
    "seal": {"kind": "wear", "tag": "Volume", "limit": 480.0, "rises": False, "baseline": 0, "every_s": 60},
    "gear": {"kind": "wear", "of": "cycle", "change": 0.05, "baseline": 2},
    "motor": {"kind": "wear", "of": "energy", "change": 0.05, "baseline": 2},
    "oil": {"kind": "use", "counts": "hours", "every": 2},
    "belt": {"kind": "use", "counts": "cycles", "every": 50, "warn_at": 0.5},
    "clutch": {"kind": "use", "counts": "starts", "every": 3},
}
TYPES: dict[str, dict[str, Any]] = {
    "filler": {
        "tags": {
            "State": {"role": "state", "map": "packml"},
            "Mode": {"role": "mode", "map": MODES},
            "Good": {"role": "good_count", "modulus": 1000},
            "Scrap": {"role": "scrap_count"},
            "Energy": {"role": "energy"},
            "StopReason": {"role": "reason"},
            "Heartbeat": {"role": "heartbeat"},
            "Volume": {"role": "characteristic", "lsl": 490, "usl": 510, "baseline": 2},
            "Vibration": {"role": "feature", "unit": "mm/s"},
        },
        "conditions": CONDITIONS,
        "ideal_cycle_s": 6.0,
        "silent_after_s": 900,
        "micro_stop_s": 300,
        "changeover_target_s": 600,
        "reasons": REASONS,
    },
    "press": {  # never silent, counts what it adds
        "tags": {
            "State": {"role": "state", "map": "packml"},
            "Mode": {"role": "mode", "map": MODES},
            "Good": {"role": "good_count", "counts": "increments"},
            "Scrap": {"role": "scrap_count", "falls": "correction"},
            "Rework": {"role": "rework_count", "max_rate": 3600},
            "StopReason": {"role": "reason"},
        },
        "ideal_cycle_s": 20.0,
        "reasons": REASONS,
    },
    "old": {  # without a state: what counts is all that is known
        "tags": {
            "Good": {"role": "good_count", "falls": "reset"},
            "Scrap": {"role": "scrap_count", "falls": "glitch", "max_rate": 90.5},
            "Energy": {"role": "energy", "falls": "glitch", "max_rate": 45.0},
            "Weight": {"role": "characteristic", "baseline": 3},
        },
        "ideal_cycle_s": 1.5,
        "silent_after_s": 60,
        "reasons": REASONS,
    },
}
PLANTS = 12


@cache
def plant(number: int) -> Plant:
    """One of `PLANTS`: one to four machines on one or two lines, two KPI definitions, short horizons."""
    chance = random.Random(number)
    kinds = [chance.choice(["filler", "filler", "press", "old"]) for _ in range(1 + number % 4)]
    first = {f"m{n}": kind for n, kind in enumerate(kinds)}
    lines = {"line-1": {"cells": first}}
    if len(first) > 2 and chance.random() < 0.5:
        lines["line-2"] = {"cells": {"m9": first.pop("m0")}}
    early = {"early": {"begin": "06:00", "end": "14:00"}}
    calendar = {"dallas": {"filter": "acme/dallas/#", "zone": "America/Chicago", "shifts": early}}
    return Plant.model_validate(
        {
            "kpi": {"definition": ("iso22400@1", "acme@1")[number // 4 % 2]},
            "kpi_definitions": {"acme@1": OWN},
            "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": {"packaging": {"lines": lines}}}}},
            "types": TYPES,
            "shifts": calendar if chance.random() < 0.5 else {},
            "time": {
                "lateness_s": chance.choice([0, 10, 600]),
                "horizon_h": chance.choice([1, 2, 2.5]),
                "production_s": chance.choice([60, 600]),
                "kpi_s": chance.choice([60, 300, 1800]),
            },
        }
    )


class Move(NamedTuple):
    """What happens next: a record of this kind, so long after the one before."""

    kind: str
    step_us: int
    place: int
    dice: int


STEPS = (0, S, 10 * S, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR, 11 * HOUR)
LIKELY = (2, 6, 6, 6, 6, 4, 1, 0.4, 0.2)
KINDS = tuple(kind.__name__ for kind in RAW_TYPES)
OFTEN = {"Samples": 10.0, "Tick": 8.0}


def moves(chance: random.Random, count: int) -> list[Move]:
    """Moves at random."""
    kinds = chance.choices(KINDS, [OFTEN.get(kind, 1.0) for kind in KINDS], k=count)
    steps = chance.choices(STEPS, LIKELY, k=count)
    return [
        Move(kind, step, chance.randrange(8), chance.randrange(1 << 20))
        for kind, step in zip(kinds, steps, strict=True)
    ]


def any_moves(most: int = 60) -> st.SearchStrategy[list[Move]]:
    """The same as a strategy, which shrinks."""
    move = st.builds(Move, st.sampled_from(KINDS), st.sampled_from(STEPS), st.integers(0, 7), st.integers(0, 1 << 20))
    return st.lists(move, min_size=1, max_size=most)


class Teller:
    """Says what moves say: knows what the machines show, and which alerts there have been."""

    def __init__(self, model: Plant) -> None:
        self.cells = {str(path): equipment for path, equipment in model.cells().items()}
        self.paths = sorted(self.cells)
        self.lines = sorted({path.rpartition("/")[0] for path in self.paths})
        self.horizon = round(model.time.horizon_h * HOUR)
        self.now = T0
        self.counts: dict[tuple[str, str], int] = {}
        self.alerts: list[Alert] = []

    def first(self) -> list[tuple[str, Raw]]:
        """What is told before everything else."""
        return []

    def cell(self, move: Move) -> str:
        return self.paths[move.place % len(self.paths)]

    def anywhere(self, move: Move, chance: random.Random) -> str:
        """A line or a cell; now and then a place that is not there."""
        if chance.random() < 0.03:
            return f"{AREA}/line-1/nowhere"
        return chance.choice(self.lines) if chance.random() < 0.6 else self.cell(move)

    def when(self, chance: random.Random) -> int:
        """A time around now: punctual, late, at an edge, or outside of what is believed."""
        back = chance.choice(
            [0, 0, 0, S, 20 * S, 5 * MINUTE, 50 * MINUTE, self.horizon - MINUTE, self.horizon, 5 * HOUR]
        )
        at = self.now - back + chance.choice([0, 0, chance.randrange(S), MINUTE])
        if chance.random() < 0.15:
            at = at // HOUR * HOUR + chance.choice([0, 0, 1, -1])
        return at

    def span(self, chance: random.Random) -> tuple[int, int]:
        """A stretch of time; empty where it is taken back."""
        start = self.when(chance) + chance.choice([0, 0, 0, -10 * HOUR, -HOUR, HOUR])
        return start, start + chance.choice([0, MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 8 * HOUR, 30 * HOUR])


class Punctual(Teller):
    """A plant of which nothing is told later than within an hour: no fold has forgotten what it would have to know."""

    def __init__(self, model: Plant) -> None:
        super().__init__(model)
        self.horizon = 40 * MINUTE

    def first(self) -> list[tuple[str, Raw]]:
        """The first order and the first shift change the meaning of all time: they come before everything."""
        order = Order(id="first", product="z", started_at=T0 - HOUR, ended_at=T0 - HOUR + 1)
        shift = Shift(id="first", name="first", started_at=T0 - HOUR, ended_at=T0 + 60 * HOUR)
        return [(line, record) for line in self.lines for record in (order, shift)]

    def when(self, chance: random.Random) -> int:
        return (
            self.now - chance.choice([0, 0, 0, S, 20 * S, 5 * MINUTE, 20 * MINUTE]) + chance.choice([0, 0, 7, S // 3])
        )

    def span(self, chance: random.Random) -> tuple[int, int]:
        start = self.when(chance)
        return start, start + chance.choice([0, MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 8 * HOUR, 30 * HOUR])


def samples(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    """One or a few samples of now, or many of the last hours."""
    path = teller.cell(move)
    bulk = chance.random() < 0.1
    at = teller.now - chance.randrange(1, teller.horizon) if bulk else teller.when(chance)
    told = []
    for _ in range(chance.randrange(10, 40) if bulk else chance.choice([1, 1, 2, 3])):
        told += _said(teller, path, at, chance)
        at += chance.choice([0, S, 10 * S, 5 * MINUTE]) if bulk else chance.choice([0, 0, S])
    return path, Samples("plc", 0, tuple(told))


def _said(teller: Teller, path: str, at: int, chance: random.Random) -> list[Sample]:
    tags = teller.cells[path].tags
    quality = chance.choices([0, BAD, UNCERTAIN], [20, 1, 1])[0]
    names = chance.sample([*tags, "Other"], chance.choice([1, 1, 2]))
    return [Sample(tag, at, _value(teller, path, tag, chance), quality) for tag in names]


def _value(teller: Teller, path: str, tag: str, chance: random.Random) -> Value:
    spec = teller.cells[path].tags.get(tag)
    if spec is None or chance.random() < 0.01:
        return chance.choice([None, True, "text", -1, 0.5, float("nan")])
    match spec.role:
        case "state":
            return chance.choice([6, 6, 6, 2, 4, 5, 9, 11, 17, *CODE_MAPS["packml"]])
        case "mode":
            return chance.choice([1, 1, 2, 3, 4])
        case "reason":
            return chance.choice([0, 101, 201, 301, 7])
        case "characteristic":
            return round(chance.gauss(500, chance.choice([1, 1, 9])), 1)
        case "good_count" | "scrap_count" | "rework_count" | "energy":
            return _count(teller, path, tag, chance)
        case _:
            return chance.randrange(100)


def _count(teller: Teller, path: str, tag: str, chance: random.Random) -> int:
    """What a counter shows: it rises, jumps, dips, starts again; increments are small."""
    spec = teller.cells[path].tags[tag]
    if getattr(spec, "counts", "") == "increments":
        return chance.randrange(5)
    shown = teller.counts.get((path, tag), chance.choice([0, 900, 50_000]))
    odd = chance.random()
    if odd < 0.06:
        return chance.choice([0, shown // 2, shown + 30_000, max(0, shown - 3)]) % (
            getattr(spec, "modulus", None) or 1 << 40
        )
    shown = chance.choice([0, 3]) if odd < 0.1 else shown + chance.choice([0, 1, 2, 9, 60])
    teller.counts[path, tag] = shown = shown % (getattr(spec, "modulus", None) or 1 << 40)
    return shown


def _ends(end: int, chance: random.Random) -> int | None:
    return None if chance.random() < 0.4 else end


def order(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    return teller.anywhere(move, chance), Order(
        id=f"o{chance.randrange(5)}",
        product=chance.choice(["a", "b", "c/d"]),
        started_at=start,
        ended_at=_ends(end, chance),
        ideal_cycle_s=chance.choice([None, None, 2.5, 30.0]),
    )


def lot(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    name = f"l{chance.randrange(3)}"
    return teller.anywhere(move, chance), Lot(id=name, material="glue", started_at=start, ended_at=_ends(end, chance))


def shift(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    pause = start + (end - start) // 3
    breaks = (Break(pause, pause + (end - start) // 6),) if chance.random() < 0.5 else ()
    return teller.anywhere(move, chance), Shift(
        id=f"s{chance.randrange(4)}", name="early", started_at=start, ended_at=end, breaks=breaks
    )


def reason(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    return teller.anywhere(move, chance), Reason(
        id=f"r{chance.randrange(4)}",
        code=chance.choice([0, 101, 201, 301]),
        started_at=start,
        ended_at=_ends(end, chance),
        by="ann",
    )


def gap(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    return teller.anywhere(move, chance), Gap(
        id=f"g{chance.randrange(3)}", started_at=start, ended_at=_ends(end, chance), cause="link", by="plc"
    )


def inspection(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    return teller.cell(move), Inspection(
        id=f"i{chance.randrange(3)}",
        characteristic=chance.choice(["Volume", "Weight", "Colour"]),
        at=teller.when(chance),
        value=round(chance.gauss(500, 5), 1),
    )


def acknowledge(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    """Of an alert that there has been, or of nothing."""
    path = teller.cell(move)
    alert = chance.choice(teller.alerts[-6:]).natural_id if teller.alerts and chance.random() < 0.9 else f"{path}#no"
    return path, Acknowledge(alert=alert, at=teller.now, by=chance.choice(["ann", "ben"]))


def work_order(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    start, end = teller.span(chance)
    return teller.anywhere(move, chance), WorkOrder(
        id=f"w{chance.randrange(3)}",
        status=chance.choice(["open", "done"]),
        started_at=start,
        ended_at=_ends(end, chance),
        labour_s=chance.choice([None, 60.0, -1.0]),
        about=chance.choice(
            [None, f"{teller.cell(move)}#condition.{chance.choice(list(CONDITIONS))}@20261123T060000.000000Z~x"]
        ),
    )


def tick(teller: Teller, move: Move, chance: random.Random) -> tuple[str, Raw]:
    """Now; of another worker's clock now and then."""
    return AREA, Tick(at=teller.now - chance.choice([0, 0, 0, 0, 0, 2 * S]), worker="w")


Tell = Callable[[Teller, Move, random.Random], tuple[str, Raw]]
TELLERS: dict[str, Tell] = {
    "Samples": samples,
    "Order": order,
    "Lot": lot,
    "Shift": shift,
    "Reason": reason,
    "Gap": gap,
    "Inspection": inspection,
    "Acknowledge": acknowledge,
    "WorkOrder": work_order,
    "Tick": tick,
}


def history(model: Plant, made: Sequence[Move], punctual: bool = False) -> list[Input]:
    """The raw log that moves make, with a last hour of ticks after it. `punctual`: as `Punctual` says it."""
    teller, fold = Punctual(model) if punctual else Teller(model), LineFold(model, TOPIC, 0)
    log: list[Input] = []
    for path, record in teller.first():
        log.append(Input(path, TOPIC, 0, len(log), record, T0))
        fold.step(log[-1])
    for move in [*made, *(Move("Tick", step, 0, 0) for step in (MINUTE, 20 * MINUTE, HOUR))]:
        if punctual and move.kind == "Acknowledge":
            continue  # an alert that is over can be acknowledged for as long as the horizon is
        teller.now += min(move.step_us, 40 * MINUTE) if punctual else move.step_us
        path, record = TELLERS[move.kind](teller, move, random.Random(move.dice))
        if punctual and isinstance(record, Order | Lot | Shift | Reason | Gap | Inspection | WorkOrder):
            record = msgspec.structs.replace(record, id=f"{record.id}-{len(log)}")  # nothing old is told otherwise
        item = Input(path, TOPIC, 0, len(log), record, teller.now)
        log.append(item)
        teller.alerts += [said for said in fold.step(item) if isinstance(said, Alert)]
    return log
