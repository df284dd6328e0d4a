"""`uns run processors --workers 2`: a process a slot, one parent that restarts them, speaks for them and stops them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer

from schemas.records import Sample, Samples
from tests.harness import eventually
from topology.model.loader import load
from topology.namespace.classes import MessageClass
from topology.namespace.path import Level
from topology.namespace.topics import partition, topic
from uns.model.apply import apply_plant
from uns.registry.client import RegistryClient
from uns.runtime.ports import free_port
from uns.runtime.settings import Settings
from uns.watch.health import reasons
from uns.watch.scrape import families
from uns.watch.top import Look, rows

PLANT = """\
namespace:
  enterprise: {enterprise}
  sites: {{dallas: {{areas: {{packaging: {{partitions: 2, lines: {{
    line-1: {{cells: {{filler: filler}}}}, line-2: {{cells: {{filler: filler}}}}, line-3: {{cells: {{filler: filler}}}}}}}}}}}}}}
types:
  filler: {{tags: {{State: {{role: state, map: packml}}}}, ideal_cycle_s: 6.0}}
time: {{tick_s: 0.2}}
"""
UNS = [sys.executable, "-m", "uns"]
ROOT = Path(__file__).parents[4]


@contextmanager
def running(environ: dict[str, str], log: Path, *arguments: str) -> Iterator[psutil.Process]:
    with log.open("wb") as errors:
        parent = psutil.Popen([*UNS, "run", "processors", *arguments], env=environ, cwd=ROOT, stderr=errors)
    try:
        yield parent
    finally:
        for process in [*parent.children(recursive=True), parent] if parent.is_running() else []:
            process.kill()
        parent.wait()


def test_two_workers_under_one_parent(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(PLANT.format(enterprise=enterprise), encoding="utf-8")
    plant = load(tmp_path, {})
    apply_plant(plant, settings := Settings(bootstrap=kafka, registry=registry))
    address = f"http://127.0.0.1:{(port := free_port())}"
    environ = os.environ | {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_PLANT": str(tmp_path),
        "UNS_STATE_DIR": str(tmp_path / "state"),
        "UNS_METRICS_PORT": str(port),
        "UNS_METRICS": address,
        "UNS_ENGINE_SESSION_TIMEOUT_S": "6",
    }
    log = tmp_path / "parent.log"

    def look() -> dict[str, Any]:
        """What `uns top` says, a row a worker."""
        command = [*UNS, "top", "--once", "--every", "0.3", "--json"]
        said = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert said.returncode == 0, said.stderr
        return {row["worker"]: row for row in json.loads(said.stdout)["workers"]}

    def owned() -> list[int]:
        return sorted(len(row.partitions) for row in rows(Look(0.0, {}), Look.of(families(address), 1.0), 0.0))

    with running(environ, log, "--workers", "2") as parent:
        eventually(lambda: reasons(address, "ready") == [], timeout_s=60, what="both ready")
        eventually(lambda: owned() == [1, 1], timeout_s=60, what="a partition each")
        codec = RegistryClient(registry, tmp_path / "cache").codec()
        producer = Producer(settings.kafka())
        for number, path in enumerate(map(str, plant.cells()), 1):
            line = next(cell for cell in plant.cells() if str(cell) == path).at(Level.LINE)
            value = codec.encode(Samples("test", number, (Sample("State", 1_795_000_000_000_000, 6),)))
            producer.produce(topic(line, MessageClass.RAW), value, path.encode(), partition(line, 2))
        assert producer.flush(30) == 0

        found = eventually(
            lambda: (seen := look()) and sum(p["fence"] for r in seen.values() for p in r["partitions"]) > 3 and seen,
            timeout_s=60,
            what="records are folded",
        )
        assert sorted(found) == ["processors-0", "processors-1"]
        assert all(row["busy"]["fold.tick"] >= 0 and row["in_flight_limit_mb"] == 64 for row in found.values())

        def slot_0() -> psutil.Process | None:
            for child in parent.children():
                with suppress(psutil.Error):  # it has ended, and nobody has asked for its exit code yet
                    if child.cmdline()[-2:] == ["--slot", "0"]:
                        return child
            return None

        victim = slot_0()
        assert victim is not None
        victim.kill()
        eventually(lambda: (again := slot_0()) is not None and again.pid != victim.pid, timeout_s=30, what="a restart")
        eventually(lambda: reasons(address, "ready") == [], timeout_s=60, what="both ready again")
        eventually(lambda: owned() == [1, 1], timeout_s=60, what="a partition each again")

        children = parent.children(recursive=True)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0
        assert not [child for child in children if child.is_running()]


def test_more_workers_than_partitions_are_told_so(kafka: str, registry: str, enterprise: str, tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(PLANT.format(enterprise=enterprise), encoding="utf-8")
    apply_plant(load(tmp_path, {}), Settings(bootstrap=kafka, registry=registry))
    environ = os.environ | {
        "UNS_BOOTSTRAP": kafka,
        "UNS_REGISTRY": registry,
        "UNS_PLANT": str(tmp_path),
        "UNS_STATE_DIR": str(tmp_path / "state"),
    }
    with running(environ, log := tmp_path / "parent.log", "--workers", "3") as parent:
        eventually(lambda: "workers run" in log.read_text(), timeout_s=30)
        assert "some workers will have nothing to do" in log.read_text()
        parent.send_signal(signal.SIGINT)
        assert parent.wait(30) == 0


def test_top_without_metrics_shows_the_lag_that_kafka_knows(kafka: str, tmp_path: Path) -> None:
    environ = os.environ | {"UNS_BOOTSTRAP": kafka, "UNS_STATE_DIR": str(tmp_path)}
    environ.pop("UNS_METRICS", None)
    said = subprocess.run([*UNS, "top", "--json"], env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    assert isinstance(json.loads(said.stdout)["lag"], list)


def test_top_says_who_does_not_answer(tmp_path: Path) -> None:
    environ = os.environ | {"UNS_BOOTSTRAP": "127.0.0.1:9", "UNS_STATE_DIR": str(tmp_path)}
    command = [*UNS, "top", "--once", "--every", "0.2", "--metrics", "http://127.0.0.1:9"]
    said = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "away: http://127.0.0.1:9/metrics" in said.stdout
    assert "Traceback" not in said.stderr
