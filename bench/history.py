"""Histories of a million lines for `uns fold`, and what folding one costs. `python -m bench.history FOLDER`.

Two shapes, both one sample a line: `plant`, ten machines on two lines with states, counters, a characteristic, reasons,
orders and lots; `dense`, one machine that says something each second. Packed in no way, with gzip and with zstd. A table
of CPU seconds, peak memory and a fingerprint of the output: the same fold gives the same one.
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from schemas.text import iso

S = 1_000_000
T0 = 1_795_000_000 * S
LINES = 1_000_000
MACHINES = 10
ORDER_S = 4 * 3600

PLANT = {
    "namespace": {
        "enterprise": "acme",
        "sites": {
            "dallas": {
                "areas": {
                    "bench": {
                        "lines": {
                            f"line-{line}": {"cells": {f"m{line}{cell}": "machine" for cell in range(5)}}
                            for line in range(2)
                        }
                    }
                }
            }
        },
    },
    "types": {
        "machine": {
            "ideal_cycle_s": 2.0,
            "silent_after_s": None,
            "tags": {
                "State": {"role": "state", "map": {"RUN": "execute", "STOP": "stopped", "HELD": "held"}},
                "Good": {"role": "good_count"},
                "Scrap": {"role": "scrap_count"},
                "Weight": {"role": "characteristic", "lsl": 9.0, "usl": 11.0},
                "Code": {"role": "reason"},
            },
            "reasons": {
                101: {"name": "jam", "category": "micro"},
                201: {"name": "drive fault", "category": "breakdown"},
            },
        }
    },
    "shifts": {
        "dallas": {
            "filter": "acme/dallas/#",
            "zone": "America/Chicago",
            "shifts": {
                "early": {"begin": "06:00", "end": "14:00"},
                "late": {"begin": "14:00", "end": "22:00"},
                "night": {"begin": "22:00", "end": "06:00"},
            },
        }
    },
    "kpi": {"definition": "iso22400@2"},
}


class Machine:
    """One machine's life, a sample a call; `period_us` between two."""

    def __init__(self, path: str, seed: int, period_us: int) -> None:
        self.path, self._random, self._period, self._at = path, random.Random(seed), period_us, T0 + seed
        self._good = self._scrap = 0
        self._state, self._until = "RUN", 0
        self._number = 0

    def said(self) -> dict[str, Any]:
        self._at += self._period
        self._number += 1
        if self._at >= self._until:
            self._state = self._random.choice(("STOP", "HELD")) if self._state == "RUN" else "RUN"
            length_s = self._random.expovariate(1 / (300 if self._state == "RUN" else 40))
            self._until = self._at + round(length_s * S)
            return self._line("State", self._state)
        if self._state == "RUN":
            self._good += max(0, round(self._random.gauss(self._period / S / 2, 0.3)))
            self._scrap += self._random.random() < 0.01
        turn = self._number % 10
        if turn == 0:
            return self._line("Weight", round(self._random.gauss(10, 0.1), 3))
        if turn == 5:
            return self._line("Scrap", self._scrap)
        if turn == 7 and self._state != "RUN":
            return self._line("Code", self._random.choice((101, 201)))
        return self._line("Good", self._good)

    def _line(self, tag: str, value: Any) -> dict[str, Any]:
        return {"type": "Samples", "path": self.path, "samples": [{"tag": tag, "at": iso(self._at), "value": value}]}


def history(shape: str, lines: int = LINES) -> Iterator[dict[str, Any]]:
    """The lines of a shape: `plant` or `dense`. The same each time."""
    paths = [f"acme/dallas/bench/line-{n // 5}/m{n // 5}{n % 5}" for n in range(MACHINES if shape == "plant" else 1)]
    period_us = len(paths) * S // 5 if shape == "plant" else S
    machines = [Machine(path, number, period_us) for number, path in enumerate(paths)]
    orders = max(1, lines // len(paths) * period_us // S // ORDER_S)
    facts = 0
    for line in {path.rpartition("/")[0] for path in paths}:
        for number in range(orders):
            at = T0 + number * ORDER_S * S
            yield {
                "type": "Order",
                "path": line,
                "id": f"{line[-1]}-{number}",
                "product": f"p{number % 3}",
                "started_at": iso(at),
                "ended_at": iso(at + ORDER_S * S),
            }
            yield {"type": "Lot", "path": line, "id": f"lot-{number}", "material": "preform", "started_at": iso(at)}
            facts += 2
    for number in range(lines - facts):
        yield machines[number % len(machines)].said()


def write(folder: Path, lines: int) -> list[Path]:
    """The files, made once: each shape plain and packed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plant").mkdir(exist_ok=True)
    (folder / "plant" / "plant.yaml").write_text(json.dumps(PLANT), encoding="utf-8")
    paths = []
    for shape in ("plant", "dense"):
        plain = folder / f"{shape}-{lines}.jsonl"
        if not plain.exists():
            # Piece by piece: a child's peak memory is counted from that of the process that starts it.
            with (
                gzip.open(plain.with_suffix(".jsonl.gz"), "wb", 6) as packed,
                zstandard.open(plain.with_suffix(".jsonl.zst"), "wb") as packed_zstd,
                plain.with_suffix(".new").open("wb") as file,
            ):
                for line in history(shape, lines):
                    text = json.dumps(line).encode() + b"\n"
                    for to in (packed, packed_zstd, file):
                        to.write(text)
            plain.with_suffix(".new").replace(plain)
        paths += [plain, plain.with_suffix(".jsonl.gz"), plain.with_suffix(".jsonl.zst")]
    return paths


def measure(file: Path, plant: Path) -> tuple[float, float, str]:
    """CPU seconds, peak memory in MB and a fingerprint of the output of `uns fold --json` over a file."""
    command = [sys.executable, "-m", "uns", "fold", str(file), "--plant", str(plant), "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    digest = hashlib.sha256()
    while piece := child.stdout.read(1 << 20):
        digest.update(piece)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"uns fold {file} ended with code {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, digest.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files are, or are made")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--only", default="", help="files whose names hold this")
    args = parser.parse_args()
    for file in write(args.folder, args.lines):
        if args.only in file.name:
            cpu_s, memory_mb, digest = measure(file, args.folder / "plant")
            print(f"{file.name:<28} {cpu_s:6.1f} s CPU {memory_mb:6.0f} MB  {digest}", flush=True)


if __name__ == "__main__":
    main()
