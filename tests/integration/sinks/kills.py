"""Starts the process that kills a sink again and again, and says what the log that it writes comes to."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from schemas.records import Derived, Samples
from sinks.kit.rows import rows
from tests.integration.sinks.killing import log
from uns.testing.patience import patient

KILLS = [4, pytest.param(50, marks=pytest.mark.long)]
STOP = ("natural_id", "revision", "reason", "started_at", "kafka_offset")
SAMPLE = ("tag", "at", "value_number", "value_integer", "value_text", "value_boolean", "kafka_offset")
Rows = Counter[tuple[Any, ...]]


def kill(job: dict[str, Any]) -> None:
    """Returns once the log is written to its end."""
    command = [sys.executable, "-m", "tests.integration.sinks.killing"]
    done = subprocess.run(command, input=json.dumps({"seed": 1, **job}), capture_output=True, text=True, timeout=patient(170))  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"kills": job["kills"], "exit": 0}, done.stderr[-3000:]


def wanted() -> tuple[Rows, Rows, Rows]:
    """Stops as they are at last, samples, and all revisions of stops."""
    stops: dict[str, Any] = {}
    samples: Rows = Counter()
    revisions: Rows = Counter()
    for each in log():
        for row in rows(each):
            if isinstance(each.record, Derived):
                stops.pop(row["natural_id"], None)
                told = tuple(row[name] for name in STOP)
                revisions[told] += 1
                if not row["withdrawn"]:
                    stops[row["natural_id"]] = told
            elif isinstance(each.record, Samples):
                samples[tuple(row[name] for name in SAMPLE)] += 1
    return Counter(stops.values()), samples, revisions


def check(found: Rows, meant: Rows) -> None:
    assert found - meant == Counter(), "twice, or not of the log"
    assert meant - found == Counter(), "missing"
