"""The line fold by size, without Kafka: cost of a sample at 100 to 10,000 paths, and memory of a path after an hour.

`python -m bench.scale flat|memory|resident` measures in a process of its own, with the worker's settings for collections, in CPU
time, and prints one line of JSON.
"""

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from bench import fold
from bench.cluster import Failed
from bench.figures import Bench, Figure, median
from processors.base import Input
from processors.line import LineFold
from schemas.records import Sample, Samples, Tick
from uns.engine.service import YOUNG_MAX

SIZES = {100: 20, 1_000: 4, 10_000: 1}
"""Paths → fresh folds to add up, so that small sizes take long enough to be measured."""
FLAT = 1.2
ROUNDS, ROUND_S, TAGS = 12, 10, 20
MEMORY_PATHS, MEMORY_H = 100, 1.0
MEMORY_KB = 20.0
TIMEOUT_S = 600.0


def round_of(names: Sequence[str], number: int, at: int, tags: int) -> list[tuple[str, Samples]]:
    """What all paths say at one time: a state that changes in one of five rounds, counters, a measurement, other tags."""
    return [
        (
            path,
            Samples(
                "bench",
                number + 1,
                (
                    Sample("State", at, 6 if (number + index) % 5 else 11),
                    Sample("Good", at, 10 * number),
                    Sample("Scrap", at, number),
                    Sample("Weight", at, 10 + ((number * 7 + index) % 13) / 50),
                    *(Sample(f"Tag{tag}", at + tag, float(number * tag % 97)) for tag in range(tags - 4)),
                ),
            ),
        )
        for index, path in enumerate(names)
    ]


class _Driver:
    """A fold and its place in the log."""

    def __init__(self, paths: int) -> None:
        model = fold.plant(paths)
        self.names = [str(path) for path in model.cells()]
        self._fold = LineFold(model, fold.TOPIC, 0)
        self._offset = 0
        self.cpu_s = 0.0

    def round(self, number: int, every_s: int, tags: int) -> None:
        """One round with its tick and what the changelog gets of it; only the fold's own time counts."""
        at = fold.T0 + number * every_s * fold.S
        records = round_of(self.names, number, at, tags)
        tick = Tick(at=at + fold.S, worker="bench")
        begun = time.process_time()
        for path, record in records:
            self._fold.step(Input(path, fold.TOPIC, 0, self._offset, record))
            self._offset += 1
        self._fold.step(Input(fold.AREA, fold.TOPIC, 0, self._offset, tick))
        self._offset += 1
        self._fold.changes()
        self.cpu_s += time.process_time() - begun


def flat() -> dict[str, float]:
    """Microseconds of CPU a sample by number of paths; the first round, which opens the cells, is left out."""
    costs = {}
    for paths, folds in SIZES.items():
        spent = 0.0
        for _ in range(folds):
            driver = _Driver(paths)
            driver.round(0, ROUND_S, TAGS)
            driver.cpu_s = 0.0
            for number in range(1, ROUNDS):
                driver.round(number, ROUND_S, TAGS)
            spent += driver.cpu_s
        costs[str(paths)] = spent / (folds * paths * TAGS * (ROUNDS - 1)) * 1e6
    return costs


def memory() -> dict[str, float]:
    """Bytes of Python's allocators a path, and of its keys in the changelog; what the plant model takes is not in it."""
    model = fold.plant(MEMORY_PATHS)
    gc.collect()
    tracemalloc.start()
    line, store = LineFold(model, fold.TOPIC, 0), dict[str, bytes]()
    samples, written = fold.life(line, model, MEMORY_H, store)
    kept = sum(len(key) + len(value) for key, value in store.items())
    store.clear()
    gc.collect()
    heap = tracemalloc.get_traced_memory()[0]
    return {"bytes": heap / MEMORY_PATHS, "state": kept / MEMORY_PATHS, "changelog": written / samples}


def resident() -> dict[str, float]:
    """Bytes of the process a path, by the kernel (VmRSS, and VmHWM at its highest), without tracemalloc beside it."""
    model = fold.plant(MEMORY_PATHS)
    gc.collect()
    before = _status("VmRSS")
    line, store = LineFold(model, fold.TOPIC, 0), dict[str, bytes]()
    fold.life(line, model, MEMORY_H, store)
    highest = _status("VmHWM")
    store.clear()
    gc.collect()
    after = _status("VmRSS")
    return {"rss": (after - before) / MEMORY_PATHS, "hwm": (highest - before) / MEMORY_PATHS}


def _status(name: str) -> int:
    """Bytes, of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def measure_flat(bench: Bench) -> list[Figure]:
    runs = [_apart("flat") for _ in range(bench.runs)]
    for run in runs:
        bench.keep("fold by size, µs a sample", **run)
        bench.say(
            "fold: " + ", ".join(f"{cost:.2f} µs a sample at {int(paths):,} paths" for paths, cost in run.items())
        )
    note = ", ".join(f"{median([run[str(size)] for run in runs]):.2f} µs at {size:,}" for size in SIZES)
    ratio = median([max(run.values()) / min(run.values()) for run in runs])
    name = "fold's cost a sample at 100, 1,000, 10,000 paths, dearest to cheapest"
    return [Figure(name, ratio, "ratio", FLAT, at_most=True, note=note)]


def measure_memory(bench: Bench) -> list[Figure]:
    """One run: nothing in it depends on chance."""
    measured, resident_kb = _apart("memory"), _apart("resident")["rss"] / 1000
    kb, state_kb = measured["bytes"] / 1000, measured["state"] / 1000
    bench.say(f"memory: {kb:.1f} kB a path")
    note = (
        f"{MEMORY_PATHS} paths, {MEMORY_H:g} h: counters at 0.5 Hz, a state a minute, a measurement each 10 s; "
        f"{resident_kb:.1f} kB by VmRSS; {state_kb:.1f} kB in the changelog, which took {measured['changelog']:.0f} bytes a sample"
    )
    return [Figure("memory per path of state, full line fold", kb, "kB", MEMORY_KB, at_most=True, note=note)]


def _apart(what: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.scale", what]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Failed(f"{what}: not done in {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise Failed(f"{what}: {done.stderr.strip()[-400:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
    print(json.dumps({"flat": flat, "memory": memory, "resident": resident}[sys.argv[1]]()))
