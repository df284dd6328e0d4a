"""What a second of a machine costs the line fold, by stage: its samples, its tick, what is saved; beside another tree.

`python -m bench.ticks BEFORE` measures this tree and another in turn, each run in a process of its own, in CPU time, and
prints medians. `usual`: 20 tags at 1 Hz, a state a minute and machine, counters, a measurement each 10 s, and 16 tags no fold
reads. `dense`: a new state in two of five seconds and a measurement each second.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import fold
from bench.figures import median
from bench.scale import round_of
from processors.base import Input
from processors.line import LineFold
from schemas.records import Sample, Samples, Tick
from uns.engine.service import YOUNG_MAX

KINDS = ("usual", "dense")
WARM, ROUNDS, PATHS, TAGS = 20, 110, 40, 20
STATES = (6, 6, 6, 11, 5, 9)


def usual(names: Sequence[str], second: int, made: list[int], chance: random.Random) -> list[tuple[str, Samples]]:
    told = []
    for number, path in enumerate(names):
        at = fold.T0 + second * fold.S + number
        made[number] += chance.random() < 0.8
        samples = [Sample("Good", at, made[number]), Sample("Scrap", at, made[number] // 40)]
        if (second + 2 * number) % 60 == 0:
            samples.append(Sample("State", at, chance.choice(STATES)))
        if (second + 2 * number) % 10 == 0:
            samples.append(Sample("Weight", at, round(chance.gauss(10, 0.1), 2)))
        samples += [Sample(f"Tag{tag}", at, chance.random()) for tag in range(TAGS - 4)]
        told.append((path, Samples("bench", second, tuple(samples))))
    return told


def measure(kind: str) -> dict[str, float]:
    """µs of CPU a machine and second by stage, and a sample in all. Saved once a tick."""
    model, chance = fold.plant(PATHS), random.Random(1)
    names = [str(path) for path in model.cells()]
    line, made, offset = LineFold(model, fold.TOPIC, 0), [0] * PATHS, 0
    spent, samples = {"samples": 0.0, "tick": 0.0, "saving": 0.0}, 0
    for second in range(ROUNDS):
        at = fold.T0 + second * fold.S
        told = usual(names, second, made, chance) if kind == "usual" else round_of(names, second, at, TAGS)
        items = [Input(path, fold.TOPIC, 0, offset + n, record) for n, (path, record) in enumerate(told)]
        offset += len(items) + 1
        tick = Input(fold.AREA, fold.TOPIC, 0, offset - 1, Tick(at=at + fold.S // 2, worker="bench"))
        marks = [time.process_time()]
        for item in items:
            line.step(item)
        marks.append(time.process_time())
        line.step(tick)
        marks.append(time.process_time())
        line.changes()
        marks.append(time.process_time())
        if second >= WARM:
            samples += sum(len(record.samples) for _, record in told)
            for stage, begun, ended in zip(spent, marks, marks[1:], strict=False):
                spent[stage] += ended - begun
    seconds = PATHS * (ROUNDS - WARM) / 1e6
    return {stage: s / seconds for stage, s in spent.items()} | {"a sample": sum(spent.values()) / samples * 1e6}


def beside(tree: Path, runs: int) -> None:
    trees = {"there": tree.resolve(), "here": Path(__file__).parents[1]}
    for kind in KINDS:
        told: dict[str, list[dict[str, float]]] = {side: [] for side in trees}
        for _ in range(runs):
            for side, root in trees.items():
                environment = os.environ | {"PYTHONPATH": str(root)}
                command = [sys.executable, "-P", __file__, "--only", kind]
                done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
                told[side].append(json.loads(done.stdout))
        for side, measured in told.items():
            shown = ", ".join(f"{stage} {median([one[stage] for one in measured]):.1f}" for stage in measured[0])
            print(f"{kind}, {side}: {shown} µs, medians of {runs}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path, help="the other tree")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=KINDS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        gc.freeze()
        gc.set_threshold(YOUNG_MAX, 10, 10)
        print(json.dumps(measure(asked.only)))
    elif asked.tree is None:
        parser.error("say which tree to compare with")
    else:
        beside(asked.tree, asked.runs)


if __name__ == "__main__":
    main()
