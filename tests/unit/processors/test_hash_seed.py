"""A fold's records and saved state are the same bytes in every process: no order of a set shows in them."""

import hashlib
import subprocess
import sys
from itertools import count

from processors.line import LineFold
from tests.harness.any_history import history, plant
from tests.harness.line_logs import TOPIC
from tests.unit.processors.test_restarts import any_log

SEED = 286
"""Of a history in which the order of a set once showed, under these two hash seeds."""
HASH_SEEDS = ("3", "4")


def digest(seed: int) -> str:
    number, made = any_log(seed)
    model = plant(number)
    fold, told = LineFold(model, TOPIC, 0), hashlib.sha256()
    for n, item in zip(count(), history(model, made)):
        for said in fold.step(item):
            told.update(repr(said).encode())
        if not n % 37:
            for key, value in fold.changes().items():
                told.update(key.encode() + (value or b""))
    return told.hexdigest()


def test_no_order_of_a_set_shows() -> None:
    script = f"from {__name__} import digest; print(digest({SEED}))"
    told = [
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in HASH_SEEDS
    ]
    assert told[0] == told[1]
