"""The demo plant as the process it is, for tests that meet it over its protocols."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uns.runtime.ports import free_port

BEGIN_S = 1_795_413_000
"""Plant time of the first event."""
SEED = 1
SITES = ("dallas", "leipzig")


@dataclass
class Plant:
    """The process, and what a client needs to find it."""

    process: "subprocess.Popen[str]"
    ports: dict[str, int]
    truth: Path
    errors: Path
    """What it says on stderr."""

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        assert isinstance(told, dict)
        return told


@contextmanager
def plant(folder: Path, broker: str, *arguments: str) -> Iterator[Plant]:
    ports = {site: free_port() for site in SITES}
    truth, errors = folder / "truth.jsonl", folder / "stderr"
    command = [sys.executable, "-m", "uns.demo.plant", "--mqtt", broker, "--seed", str(SEED), "--truth", str(truth)]
    for site, port in ports.items():
        command += [f"--opcua-{site}", str(port)]
    with errors.open("w") as stderr:
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield Plant(process, ports, truth, errors)
    finally:
        process.kill()
        process.wait()
