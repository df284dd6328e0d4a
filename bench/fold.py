"""The line fold on one core: speed against decoding alone, flatness over paths, memory, restore and changelog."""

import json
import random
import time
from collections.abc import Iterable

from processors.base import Input
from processors.line import LineFold
from schemas.codec import Codec
from schemas.records import TYPES, Raw, Sample, Samples, Tick
from topology.document import read
from topology.model.loader import build
from topology.model.plant import Plant

TOPIC = "uns.acme.dallas.bench.raw"
AREA = "acme/dallas/bench"
S = 1_000_000
T0 = 1_795_000_000 * S
SAMPLES = 20
SECONDS = 120
"""Plant time of the log; one record a path and second."""
CELLS = 10

Figures = dict[str, tuple[float, str, float | None]]
"""Name → value, unit, what it must reach."""


def plant(paths: int) -> Plant:
    lines = {
        f"line-{number}": {"cells": {f"cell-{cell}": "machine" for cell in range(CELLS)}}
        for number in range(paths // CELLS)
    }
    tags = {
        "State": {"role": "state", "map": "packml"},
        "Good": {"role": "good_count"},
        "Scrap": {"role": "scrap_count"},
        "Weight": {"role": "characteristic", "lsl": 9, "usl": 11},
    }
    model = {
        "namespace": {"enterprise": "acme", "sites": {"dallas": {"areas": {"bench": {"lines": lines}}}}},
        "types": {"machine": {"tags": tags, "ideal_cycle_s": 1.0}},
    }
    return build([read("bench", json.dumps(model), {})])[0]


def log(model: Plant, codec: Codec, seconds: int = SECONDS) -> list[tuple[str, bytes]]:
    """Every path says twenty values a second, every one a change: states, counters, a measurement, and tags no fold reads."""
    records = []
    for second in range(seconds):
        for number, path in enumerate(map(str, model.cells())):
            at = T0 + second * S
            samples = [
                Sample("State", at, 6 if (second + number) % 30 else 11),
                Sample("Good", at, second),
                Sample("Scrap", at, second // 10),
                Sample("Weight", at, 10 + ((second * 7 + number) % 13) / 50),
                *(Sample(f"Tag{tag}", at + tag, float(second * tag % 97)) for tag in range(SAMPLES - 4)),
            ]
            records.append((path, codec.encode(Samples("bench", second + 1, tuple(samples)))))
        records.append((AREA, codec.encode(Tick(at=T0 + second * S, worker="bench"))))
    return records


def decode(codec: Codec, raw: Iterable[tuple[str, bytes]]) -> list[tuple[str, Raw]]:
    return [(path, codec.decode(data)) for path, data in raw]  # type: ignore[misc]


def measure(paths: int) -> Figures:
    codec = Codec({name: number for number, name in enumerate(TYPES, 1)})
    model = plant(paths)
    raw = log(model, codec)
    samples = paths * SECONDS * SAMPLES
    begun = time.perf_counter()
    records = decode(codec, raw)
    decode_s = time.perf_counter() - begun
    fold, outputs = LineFold(model, TOPIC, 0), 0
    begun = time.perf_counter()
    for offset, (path, record) in enumerate(records):
        outputs += len(fold.step(Input(path, TOPIC, 0, offset, record)))
        if not offset % 1000:
            fold.changes()
    fold_s = time.perf_counter() - begun
    return {
        "decode alone": (samples / decode_s, "samples/s", None),
        "full line fold alone": (samples / fold_s, "samples/s", None),
        "decode and full line fold, 20 a record": (samples / (decode_s + fold_s), "samples/s", 100_000),
        "of the time, spent decoding": (decode_s / (decode_s + fold_s), "share", None),
        "derived records a sample": (outputs / samples, "records", None),
    }


def life(fold: LineFold, model: Plant, hours: float, store: dict[str, bytes]) -> tuple[int, int]:
    """A plant at its usual pace: counters at 0.5 Hz, a characteristic each 10 s, a state each minute; a tick and a save
    each 10 s. Returns samples and bytes of changelog."""
    chance, offset, samples, written = random.Random(1), 0, 0, 0
    paths = [str(path) for path in model.cells()]
    made = [0] * len(paths)
    for second in range(0, round(hours * 3600), 2):
        for number, path in enumerate(paths):
            at = T0 + second * S + number
            made[number] += chance.random() < 0.8
            told = [Sample("Good", at, made[number]), Sample("Scrap", at, made[number] // 40)]
            if (second + 2 * number) % 60 < 2:
                told.append(Sample("State", at, chance.choice((6, 6, 6, 11, 5, 9))))
            if (second + 2 * number) % 10 < 2:
                told.append(Sample("Weight", at, round(chance.gauss(10, 0.1), 2)))
            offset += chance.randrange(1, 3)
            fold.step(Input(path, TOPIC, 0, offset, Samples("bench", second, tuple(told))))
            samples += len(told)
        if second % 10 == 0:
            offset += 1
            fold.step(Input(AREA, TOPIC, 0, offset, Tick(at=T0 + second * S, worker="bench")))
            for key, value in fold.changes().items():
                written += len(key) + len(value or b"")
                if value is None:
                    store.pop(key, None)
                else:
                    store[key] = value
    return samples, written
