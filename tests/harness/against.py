"""What this tree's fold says beside another's, input by input, on random histories: byte for byte, snapshots apart.

    git worktree add BEFORE COMMIT
    python -m tests.harness.against BEFORE --histories 1000

Each side makes the histories of the same seeds by its own `tests.harness.any_history`, in a process of its own; every other
one is dense, with a tick each second. `Current` is left out, for its cadence is a setting. All else (ids, revisions, lineage,
rejections, and after which input each is said) must be the same. Exit code 1 shows the first difference.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import msgspec

from processors.base import Input
from processors.line import LineFold
from schemas.records import Current, Tick
from tests.harness.any_history import PLANTS, history, moves, plant
from tests.harness.line_logs import AREA, TOPIC, S
from tests.harness.restarts import encoded
from topology.model.plant import Plant

DENSER, TICKS_MAX = 40, 90
"""A dense history is so many times as fast; between two of its records there are so many ticks at most."""


def log_of(seed: int) -> tuple[Plant, list[Input]]:
    model = plant(seed // 2 % PLANTS)
    made = moves(random.Random(seed), 8 + seed % 60)
    if seed % 2 == 0:
        return model, history(model, made)
    made = [move._replace(step_us=move.step_us // DENSER) for move in made]
    log: list[Input] = []
    for item in history(model, made):
        before = log[-1].logged_at if log else item.logged_at
        ticks = range(before // S * S + S, item.logged_at, S)[-TICKS_MAX:]
        for at in ticks:
            log.append(Input(AREA, TOPIC, 0, len(log), Tick(at=at, worker="dense"), at))
        log.append(Input(item.path, TOPIC, 0, len(log), item.record, item.logged_at))
    return model, log


def said(seed: int) -> list[list[bytes]]:
    """What a history's inputs are answered with."""
    model, log = log_of(seed)
    fold = LineFold(model, TOPIC, 0)
    return [[encoded(one) for one in fold.step(item) if type(one) is not Current] for item in log]


def tell(first: int, histories: int) -> None:
    """Prints a line a history: seed, inputs, outputs, digest."""
    for seed in range(first, first + histories):
        outputs = said(seed)
        digest = hashlib.sha256(msgspec.msgpack.encode(outputs)).hexdigest()
        print(seed, len(outputs), sum(map(len, outputs)), digest, flush=True)


def show(seed: int) -> None:
    """Prints all that is said in one history."""
    for n, outputs in enumerate(said(seed)):
        for output in outputs:
            print(n, output.decode(errors="backslashreplace"))


def _start(tree: Path, *arguments: str) -> "subprocess.Popen[str]":
    """This module, on the code of a tree."""
    command = [sys.executable, "-P", __file__, *arguments]
    return subprocess.Popen(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, stdout=subprocess.PIPE, text=True
    )


def compare(tree: Path, first: int, histories: int) -> int:
    """Exit code: 0 where both trees say the same."""
    trees = (tree.resolve(), Path(__file__).parents[2])
    sides = [_start(side, "--tell", str(first), str(histories)) for side in trees]
    inputs = outputs = 0
    for theirs, ours in zip_longest(*(side.stdout or () for side in sides)):
        if theirs != ours or ours is None:
            for side in sides:
                side.terminate()
            return _different(trees, (theirs or ours or "?").split()[0])
        inputs, outputs = inputs + int(ours.split()[1]), outputs + int(ours.split()[2])
    if any(side.wait() for side in sides) or not outputs:
        print("a side has failed")
        return 1
    print(f"{histories:,} histories, {inputs:,} inputs, {outputs:,} outputs: all the same")
    return 0


def _different(trees: tuple[Path, Path], seed: str) -> int:
    theirs, ours = (_start(side, "--show", seed).communicate()[0].splitlines() for side in trees)
    print(f"history {seed}:")
    for n, (their, our) in enumerate(zip_longest(theirs, ours)):
        if their != our:
            print(f"output {n}\n  there {their}\n  here  {our}")
            break
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path, help="the other tree")
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--tell", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--show", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.tell:
        tell(*asked.tell)
        return 0
    if asked.show is not None:
        show(asked.show)
        return 0
    if asked.tree is None:
        parser.error("say which tree to compare with")
    return compare(asked.tree, asked.first, asked.histories)


if __name__ == "__main__":
    raise SystemExit(main())
